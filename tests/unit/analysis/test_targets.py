"""Expectations as data: read, matched and judged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.analysis.analyse import describe_measures
from benchmarks.analysis.model import ScenarioAnalysis, Target, TargetKind, TargetResult, TargetState, VariantAnalysis
from benchmarks.analysis.targets import TargetsError, judge, read_targets
from benchmarks.scenarios import all_scenarios

CONTROL = "bare"
ENTRY = """
[[target]]
name = "n"
scenario = 1
variant = "quick-*"
measure = "rate"
comparison = "above"
value = 100
source = "s"
"""


def target(**changes: Any) -> Target:
    values: dict[str, Any] = {
        "name": "n",
        "scenario": 1,
        "variant": "quick-*",
        "measure": "rate",
        "comparison": "above",
        "value": 100,
        "source": "s",
    }
    return Target(**values | changes)


def scenario(values: Mapping[str, list[float]], worker: Mapping[str, Any] | None = None) -> ScenarioAnalysis:
    variants = {
        name: VariantAnalysis(
            name, "f", name, (), "rate", describe_measures({"rate": found}), worker or {"processes": 2, "slots": 4}
        )
        for name, found in values.items()
    }
    return ScenarioAnalysis(
        "scenario_1_x", 1, "t", "q", "rate", {"rate": "meaning"}, {"rate": "r"}, {}, variants, (), (), 0, ("rate",)
    )


def judged(wanted: Target, values: Mapping[str, list[float]], worker: Mapping[str, Any] | None = None) -> list[TargetResult]:
    return list(judge([wanted], [scenario(values, worker)], CONTROL))


def test_the_labs_targets_are_readable_and_name_measures_that_exist() -> None:
    targets = read_targets()
    assert {t.kind for t in targets} == set(TargetKind)
    known = {s.number: s for s in all_scenarios().values()}
    for found in targets:
        assert found.scenario not in known or found.measure in known[found.scenario].columns, found.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("above", "about"), "target.0.comparison"),
        (ENTRY.replace("value = 100", ""), "target.0.value"),
        (ENTRY + "unit = 5", "target.0.unit"),
        (ENTRY.replace("value = 100", 'value = "100"'), "target.0.value"),
        ("[[target]", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TargetsError, match=message) as error:
        read_targets(file)
    assert str(file) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetsError, match=r"nowhere\.toml cannot be read"):
        read_targets(tmp_path / "nowhere.toml")


def test_no_targets_are_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text("", encoding="utf-8")
    assert read_targets(file) == ()


def test_every_variant_that_is_meant_is_judged() -> None:
    found = judged(target(), {"quick-a": [150.0, 151, 152, 149], "quick-b": [50.0, 51, 52, 49], "slow": [1.0, 1.0]})
    assert [(r.variant, r.state, r.certain) for r in found] == [
        ("quick-a", TargetState.MET, True),
        ("quick-b", TargetState.MISSED, True),
    ]
    assert found[0].figure == pytest.approx(150.5)
    assert found[0].interval is not None
    assert "to be above 100" in found[0].text


@pytest.mark.parametrize(
    ("comparison", "at_value", "below_value"),
    [("above", False, False), ("at least", True, False), ("below", False, True), ("at most", True, True)],
)
def test_comparisons_mean_what_they_say(comparison: str, at_value: bool, below_value: bool) -> None:
    def met(figure: float) -> bool:
        (found,) = judged(target(comparison=comparison), {"quick-a": [figure]})
        return found.state is TargetState.MET

    assert (met(100.0), met(99.0)) == (at_value, below_value)


def test_an_interval_across_the_value_is_not_certain() -> None:
    (across,) = judged(target(), {"quick-a": [90.0, 130.0, 95.0, 110.0]})
    assert (across.state, across.certain) == (TargetState.MET, False)
    assert across.text.endswith("the interval reaches across")
    (once,) = judged(target(), {"quick-a": [150.0]})
    assert (once.state, once.interval, once.certain) == (TargetState.MET, None, False)
    assert once.text.endswith("too few runs for an interval")


def test_a_relative_target_is_held_against_the_ratio() -> None:
    wanted = target(relative_to="other", comparison="at least", value=0.95)
    (met,) = judged(wanted, {"quick-a": [96.0, 97.0], "other": [100.0, 100.0]})
    assert met.state is TargetState.MET
    assert met.figure == pytest.approx(0.965)
    assert "times that of other" in met.text
    (lone,) = judged(wanted, {"quick-a": [96.0]})
    assert (lone.state, lone.text) == (TargetState.NOT_MEASURED, "other, which it is relative to, has no valid run")


def test_a_figure_for_each_process() -> None:
    (found,) = judged(target(per="processes", comparison="below"), {"quick-a": [150.0, 152.0]})
    assert found.state is TargetState.MET
    assert found.figure == pytest.approx(75.5)
    (unknown,) = judged(target(per="processes"), {"quick-a": [150.0]}, {"slots": 4})
    assert unknown.state is TargetState.NOT_MEASURED


def test_a_target_for_so_many_slots_is_not_measured_with_others() -> None:
    (other,) = judged(target(slots=1), {"quick-a": [150.0]})
    assert (other.state, other.text) == (TargetState.NOT_MEASURED, "it is for 1 execution slots; this worker had 4")
    (same,) = judged(target(slots=4), {"quick-a": [150.0]})
    assert same.state is TargetState.MET


def test_the_control_is_meant_only_by_its_full_name() -> None:
    values = {CONTROL: [150.0], "quick-a": [150.0]}
    assert [r.variant for r in judged(target(variant="*"), values)] == ["quick-a"]
    assert [r.variant for r in judged(target(variant=CONTROL), values)] == [CONTROL]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (target(scenario=9), "scenario 9 is not in this result set"),
        (target(measure="unheard_of"), "scenario 1 has no measure unheard_of"),
        (target(variant="nobody"), "no variant nobody ran"),
    ],
)
def test_what_was_not_measured_says_why(wanted: Target, reason: str) -> None:
    (found,) = judged(wanted, {"quick-a": [150.0]})
    assert (found.state, found.variant, found.text, found.figure) == (TargetState.NOT_MEASURED, None, reason, None)


def test_a_variant_without_a_valid_run_is_not_measured() -> None:
    (found,) = judged(target(), {"quick-a": []})
    assert (found.state, found.variant, found.text) == (TargetState.NOT_MEASURED, "quick-a", "no valid run has rate")
