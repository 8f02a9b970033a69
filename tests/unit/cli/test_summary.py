"""The table that ends a benchmark: every variant is in it, and what is doubtful is marked."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.cli.summary import FLAGS_SHOWN, outcome, print_end, print_scenario, summary_tables
from benchmarks.record.flags import RUN_FAILED, SWAPPING, TASK_LOST, TIME_NAMESPACE_DIFFERS, UNSUPPORTED, Flag
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.run.watching import Shares
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from benchmarks.scenarios.scenario_8_cold_start import SCENARIO as COLD_START
from benchmarks.shares import Share
from benchmarks.statistics import describe
from tests.unit.results.test_result_set import gathered, store

WORKER = "2×10"
STARTS = ((1, "none", None), (2, "slow", 900.0), (3, "best", 100.0), (4, "good", 500.0))
LONG = "a-framework-with-a-long-name"


def run(number: int, variant: str, drain_per_s: float | None, *flags: Flag, **others: float) -> RunResult:
    measures: Mapping[str, float | None] = {"drain_per_s": drain_per_s, "p99": 1.5, **others}
    valid = not flags and drain_per_s is not None
    return RunResult(SCENARIO.name, "some", variant, number, number, valid, flags, measures, processes=2, concurrency=10)


def rendered(results: list[RunResult], width: int = 120, shares: Shares | None = None) -> list[str]:
    output = io.StringIO()
    for table in summary_tables(SCENARIO, results, shares or {}, width):
        Console(file=output, width=width).print(table)
    return output.getvalue().splitlines()


def line_of(lines: list[str], variant: str) -> list[str]:
    [line] = [line for line in lines if line.split()[:1] == [variant]]
    return line.split()


INVALID = TIME_NAMESPACE_DIFFERS.flag()


def test_every_variant_is_there_with_the_share_of_its_runs_that_counts() -> None:
    lines = rendered([run(1, "slow", 100), run(2, "fast", 900), run(3, "slow", 120, INVALID), run(4, "broken", None)])
    assert line_of(lines, "fast")[:3] == ["fast", "1/1", "900"]
    assert line_of(lines, "slow")[:3] == ["slow", "1/2", "100"], "an invalid run is not averaged in"
    assert line_of(lines, "broken")[:3] == ["broken", "0/1", "-"]


def test_a_share_is_the_ratio_of_the_means_as_everywhere_and_not_the_mean_of_the_rows() -> None:
    [column] = [name for name, measure in SCENARIO.shares.items() if measure == "drain_per_s"]
    control, own = (100.0, 100.0, 100.0, 500.0), (50.0, 50.0, 50.0, 50.0)
    rows = [run(n, "own", value, **{column: value / control[n - 1]}) for n, value in enumerate(own, 1)]
    share = Share(dict(enumerate(own)), dict(enumerate(control)))
    assert "0.250" in line_of(rendered(rows, 200, {"own": {column: share}}), "own")
    assert "0.400" in line_of(rendered(rows, 200), "own")


def test_the_best_comes_first_and_what_has_no_figure_last() -> None:
    lines = rendered([run(1, "none", None), run(2, "slow", 100), run(3, "best", 900), run(4, "good", 500)])
    assert [line.split()[0] for line in lines[-8:]] == ["best", WORKER, "good", WORKER, "slow", WORKER, "none", WORKER]


def test_the_best_is_the_one_with_the_least_where_less_of_the_headline_is_better() -> None:
    results = [replace(run(n, name, None), valid=True, measures={"startup_ms": v}) for n, name, v in STARTS]
    [table] = summary_tables(COLD_START, results, {}, 200)
    assert [str(cell).splitlines()[0] for cell in table.columns[0].cells] == ["best", "good", "slow", "none"]


def test_the_variants_of_a_track_stand_together_under_its_name() -> None:
    tuned = [replace(run(3, "a-tuned", 50), track="tuned"), replace(run(4, "b-tuned", 500), track="tuned")]
    lines = rendered([run(1, "a", 100), *tuned, run(2, "b", 900)])
    named = [line.split()[0] for line in lines if line.split()]
    assert [n for n in named[-10:] if n != WORKER] == ["normalised", "b", "a", "tuned", "b-tuned", "a-tuned"]
    assert "normalised" in rendered([run(1, "a", 100)])[0], "the one track stands in the title"


def test_a_variant_of_which_not_all_runs_are_valid_stands_out() -> None:
    [table] = summary_tables(SCENARIO, [run(1, "good", 100), run(2, "doubtful", 120), run(3, "doubtful", 110, INVALID)], {}, 120)
    assert sorted(str(row.style) for row in table.rows) == ["None", "yellow"]


def test_several_runs_show_their_mean_and_how_sure_it_is() -> None:
    values = (990.0, 1000.0, 1010.0, 1000.0)
    lines = rendered([run(i, "some", value) for i, value in enumerate(values, start=1)])
    interval = describe(values).interval
    assert interval is not None
    assert line_of(lines, "some")[:4] == ["some", "4/4", "1,000", f"±{(interval.high - interval.low) / 2:.0f}"]


@pytest.mark.parametrize("values", [(980.0, 1000.0), (1000.0, 950.0, 1050.0)])
def test_few_runs_show_their_mean_and_their_range_and_say_so(values: tuple[float, ...]) -> None:
    lines = rendered([run(i, "some", value) for i, value in enumerate(values, start=1)], width=200)
    shown = " ".join(line_of(lines, "some"))
    assert f"{sum(values) / len(values):,.0f} {min(values):,.0f} to {max(values):,.0f}" in shown
    assert lines[-1].strip() == "below 4 runs: mean, and range"


def test_what_only_invalid_phases_gave_stands_in_brackets_and_counts_for_nothing() -> None:
    spoiled = [replace(run(i, "moved", None, INVALID), spoiled={"drain_per_s": value}) for i, value in enumerate((900, 1000), 1)]
    lines = rendered([*spoiled, run(3, "sound", 100)], width=200)
    assert line_of(lines, "moved")[:3] == ["moved", "0/2", "(950)"]
    assert line_of(lines, "sound")[2] == "100"
    assert [line.split()[0] for line in lines if line.split()[0] in ("moved", "sound")] == ["sound", "moved"], "it leads nothing"
    assert "in brackets" in lines[-1]


def test_a_figure_that_counts_hides_those_that_do_not() -> None:
    spoiled = replace(run(1, "some", None, INVALID), spoiled={"drain_per_s": 900.0})
    lines = rendered([spoiled, run(2, "some", 100)], width=200)
    assert line_of(lines, "some")[2] == "100"
    assert "brackets" not in "".join(lines)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.00123456, "0.00123"),
        (1.23456, "1.23"),
        (12.3456, "12.3"),
        (999.9, "1,000"),
        (1234567.8, "1,234,568"),
        (-1.5, "-1.50"),
    ],
)
def test_three_digits_are_shown(value: float, shown: str) -> None:
    assert line_of(rendered([run(1, "some", value)]), "some")[2] == shown


@pytest.mark.parametrize("width", [40, 80, 96])
def test_what_a_terminal_has_no_room_for_stands_in_tables_below_and_nothing_is_lost(width: int) -> None:
    values = (12_345.0, 13_345.0, 14_345.0, 13_345.0)
    others = [m for m in SCENARIO.summary if m != "drain_per_s"]
    every = [run(i, "name-of-17-letter", v, **dict.fromkeys(others, v / 1e6)) for i, v in enumerate(values, 1)]
    lines = rendered(every, width=width)
    assert "…" not in "".join(lines)
    assert max(len(line) for line in lines) <= width
    words = [line.split() for line in lines if line.strip()]
    figures = [word for line in words if line[0] in ("name-of-17-letter", WORKER) for word in line[1:] if word != "4/4"]
    half_widths = [word for word in figures if word.startswith("±")]
    assert [word for word in figures if word not in half_widths] == ["13,345", *["0.0133"] * len(others)]
    assert set(half_widths) == {"±1,299", "±0.0013"}, "none of them broken"
    assert len(half_widths) == len(SCENARIO.summary)


def test_flags_are_printed_with_their_run_and_the_place_of_the_results_whole(tmp_path: Path) -> None:
    root = tmp_path / "a path with [brackets] that is longer than any line of this output can be" / ("x" * 150)
    results = ResultSet.create(root, "x", gathered())
    lost = TASK_LOST.flag(phase="paced", count=1, acknowledged=2, ids="1")
    good = run(1, "some", 100.0)
    store(results, good)
    store(results, replace(good, run=2, repetition=2, valid=False, flags=(lost,)))
    output = io.StringIO()
    printed = Console(file=output, width=80)
    print_scenario(printed, SCENARIO, results.rows(SCENARIO.name), {})
    print_end(printed, results)
    lines = output.getvalue().splitlines()
    assert f"some #2 {lost}" in lines
    assert f"task-lost: {lost.advice}" in lines
    assert f"Results: {results.path}" in lines
    assert "1 of 2 runs are sound; not: task-lost 1." in lines
    assert lines[-1] == f"Next: ./lab report '{results.path}'", "can be pasted"


def test_of_many_flags_the_first_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    results = ResultSet.create(tmp_path, "x", gathered())
    many = tuple(TASK_LOST.flag(phase=f"phase-{i}", count=1, acknowledged=2, ids="1") for i in range(FLAGS_SHOWN + 3))
    store(results, replace(run(1, "some", 100.0), valid=False, flags=many))
    output = io.StringIO()
    print_scenario(Console(file=output, width=200), SCENARIO, results.rows(SCENARIO.name), {})
    text = output.getvalue()
    assert text.count("#1 task-lost") == FLAGS_SHOWN
    assert f"and 3 more; all are in {SCENARIO.name}_stats.json" in text
    assert text.count(TASK_LOST.advice) == 1


def test_the_worst_is_said_first(tmp_path: Path) -> None:
    results = ResultSet.create(tmp_path, "x", gathered())
    notes = tuple(SWAPPING.flag(pages=i) for i in range(FLAGS_SHOWN))
    store(results, replace(run(1, "some", 100.0), flags=notes))
    store(results, replace(run(2, "some", 100.0), valid=False, flags=(INVALID,)))
    output = io.StringIO()
    print_scenario(Console(file=output, width=200), SCENARIO, results.rows(SCENARIO.name), {})
    flagged = [line for line in output.getvalue().splitlines() if line.startswith("some #")]
    assert flagged[0] == f"some #2 {INVALID}"
    assert len(flagged) == FLAGS_SHOWN


def test_one_line_tells_how_many_runs_count_and_why_the_others_do_not() -> None:
    lost = TASK_LOST.flag(phase="paced", count=1, acknowledged=2, ids="1")
    unable = replace(run(5, "unable", None, UNSUPPORTED.flag(reason="no chains")), valid=False)
    rows = [run(1, "a", 100), run(2, "a", 90, lost, lost), run(3, "b", None, RUN_FAILED.flag(reason="x"), lost)]
    assert outcome([*rows, unable]) == "1 of 3 runs are sound; not: task-lost 2, run-failed 1; left out: unsupported 1"
    assert outcome(rows[:1]) == "1 of 1 runs are sound"
    assert outcome([]) == "0 of 0 runs are sound"
