"""Measures held against what another says they should be."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.check import failures
from benchmarks.analysis.expectations import ExpectationResult, Judgement, hold_against, ratio_words
from benchmarks.analysis.storing import DOCUMENT, store
from benchmarks.cli.analysis_tables import print_analysis
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.record.run_data import RunResult
from benchmarks.scenarios import all_scenarios
from benchmarks.statistics import mean_interval
from tests.golden import unpack

NAME = "scenario_1_throughput"


def run(number: int, *, valid: bool = True, **measures: float | None) -> RunResult:
    return RunResult(NAME, "swift", "swift", number, number, valid=valid, measures=measures)


def held(delays_ms: list[float], asked_ms: float = 1000) -> ExpectationResult:
    runs = [run(i, delay_ms=delay_ms, asked_ms=asked_ms) for i, delay_ms in enumerate(delays_ms, 1)]
    (found,) = hold_against({"delay_ms": "asked_ms"}, {"swift": runs})
    return found


@pytest.mark.parametrize(
    ("delays_ms", "judgement", "text"),
    [
        ([1001, 1002, 1003, 1004], Judgement.AS_EXPECTED, "1.002 times (1 to 1.005)"),
        ([1200, 1201, 1202, 1203], Judgement.OFF, "1.202 times (1.199 to 1.204)"),
        ([500, 501, 502, 503], Judgement.OFF, "0.5015 times (0.4994 to 0.5036)"),
        ([1040, 1050, 1060, 1050], Judgement.NOT_DECIDED, "1.05 times (1.037 to 1.063); the interval reaches across"),
        ([700, 900, 1100, 1300], Judgement.NOT_DECIDED, "1 times (0.5891 to 1.411); the interval reaches across"),
        ([1001, 1002, 1003], Judgement.NOT_DECIDED, "from 1.001 to 1.003 times in 3 valid runs, it takes 4"),
        ([2000], Judgement.NOT_DECIDED, "2 times in 1 valid run, it takes 4"),
        ([1000] * 4, Judgement.AS_EXPECTED, "1 times (1 to 1)"),
    ],
)
def test_the_whole_interval_decides(delays_ms: list[float], judgement: Judgement, text: str) -> None:
    found = held(delays_ms)
    assert (found.judgement, found.text, found.n) == (judgement, text, len(delays_ms))


def test_each_run_is_held_against_what_was_expected_in_it() -> None:
    runs = [run(i, delay_ms=asked_ms * 1.01, asked_ms=asked_ms) for i, asked_ms in enumerate((1, 10, 100, 1000), 1)]
    (found,) = hold_against({"delay_ms": "asked_ms"}, {"swift": runs})
    assert found.ratio == pytest.approx(1.01)
    assert found.judgement is Judgement.AS_EXPECTED


def test_runs_that_do_not_count_or_lack_one_of_the_two_are_left_out() -> None:
    runs = [
        run(1, delay_ms=900, asked_ms=1000),
        run(2, delay_ms=5, asked_ms=1000, valid=False),
        run(3, delay_ms=None, asked_ms=1000),
        run(4, delay_ms=900, asked_ms=None),
        run(5, delay_ms=900, asked_ms=0),
        run(6, delay_ms=1e300, asked_ms=1e-300),
        run(7, delay_ms=900),
    ]
    (found,) = hold_against({"delay_ms": "asked_ms"}, {"swift": runs, "absent": runs[1:]})
    assert (found.variant, found.n, found.ratio) == ("swift", 1, 0.9)


def test_where_nothing_was_expected_nothing_is_said() -> None:
    assert hold_against({}, {"swift": [run(1, delay_ms=1, asked_ms=1)]}) == ()
    assert hold_against({"delay_ms": "asked_ms"}, {}) == ()


@given(st.lists(st.floats(1, 1e4), min_size=FEWEST_RUNS, max_size=12))
def test_a_verdict_is_never_given_across_a_border(delays_ms: list[float]) -> None:
    found = held(delays_ms)
    interval = mean_interval([delay_ms / 1000 for delay_ms in delays_ms])
    assert interval is not None
    within = [0.95 <= end <= 1.05 for end in (interval.low, interval.high)]
    assert (found.judgement is Judgement.AS_EXPECTED) is all(within)
    if found.judgement is Judgement.OFF:
        assert not any(within)
        assert (interval.low > 1) is (interval.high > 1)


def test_a_ratio_is_given_with_the_digits_that_matter() -> None:
    assert [ratio_words(ratio) for ratio in (1.0034, 1, 0.00012345, 12345.6)] == ["1.003", "1", "0.0001234", "12,346"]


FACTORS = {"bare": 1.0, "swift": 1.02, "swift-twin": 1.3}


def expecting(folder: Path) -> Path:
    """The good set, in which p50 is expected to be the mean latency, and is so in some variants; steady is now so, now so."""
    path = unpack("good", folder)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["scenarios"][NAME]["expected"] = {"p50": "mean_latency"}
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for file in (path / "runs").glob("*/run.json"):
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        factor = FACTORS.get(document["variant"], 0.9 + 0.06 * (document["repetition"] % 2))
        document["measures"]["p50"] = factor * document["measures"]["mean_latency"]
        file.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_set_is_judged_stored_and_shown_and_no_check_fails_of_it(tmp_path: Path) -> None:
    path = expecting(tmp_path)
    analysis = analyse(path, targets=())
    (scenario,) = analysis.scenarios
    judged = {found.variant: found.judgement for found in scenario.expectations}
    assert judged == {
        "bare": Judgement.AS_EXPECTED,
        "swift": Judgement.AS_EXPECTED,
        "swift-twin": Judgement.OFF,
        "steady": Judgement.NOT_DECIDED,
    }
    assert failures(analysis) == ()
    store(analysis)
    stored = json.loads((path / DOCUMENT).read_text(encoding="utf-8"))["scenarios"][0]["expectations"]
    assert [(found["variant"], found["judgement"]) for found in stored] == [(name, j.value) for name, j in judged.items()]
    assert (stored[0]["measure"], stored[0]["expected"], stored[0]["n"]) == ("p50", "mean_latency", 8)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    print_analysis(console, analysis)
    lines = console.export_text().splitlines()
    assert [line.split("swift-twin, ")[0].strip() for line in lines if "; 1.3 times (1.3 to 1.3)" in line] == ["off"]


def test_without_expectations_there_is_no_word_of_them(tmp_path: Path) -> None:
    path = unpack("good", tmp_path)
    analysis = analyse(path, targets=())
    assert analysis.scenarios[0].expectations == ()
    store(analysis)
    assert "expectations" not in json.loads((path / DOCUMENT).read_text(encoding="utf-8"))["scenarios"][0]


def test_what_is_no_column_of_the_set_is_not_judged(tmp_path: Path) -> None:
    path = expecting(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["scenarios"][NAME]["expected"] = {"p50": "gone", "gone": "p50"}
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert analyse(path, targets=()).scenarios[0].expectations == ()


def test_a_real_expectation_is_of_measures_that_there_are() -> None:
    scenarios = all_scenarios()
    assert scenarios["scenario_7_real_world"].expected == {"retry_delay_p50_ms": "retry_delay_asked_ms"}
    for scenario in scenarios.values():
        assert {*scenario.expected, *scenario.expected.values()} <= set(scenario.columns)
