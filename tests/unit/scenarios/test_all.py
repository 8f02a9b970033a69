"""What every scenario must hold to, whatever it asks."""

import math
import re
from dataclasses import replace

import pytest

from benchmarks.record.flags import Flag
from benchmarks.record.shared import CONDITIONS
from benchmarks.run.calibration import CALIBRATIONS
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from tests.unit.made_up import context, good_run

SCENARIOS = list(all_scenarios().values())
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.number))
UNITS = re.compile(r"[a-z][a-z0-9_]*")


@every_scenario
def test_it_declares_what_it_measures(scenario: Scenario) -> None:
    columns = set(scenario.columns)
    assert scenario.title
    assert scenario.question.endswith("?")
    assert scenario.headline in columns
    assert scenario.summary
    assert set(scenario.summary) | set(scenario.better) | set(scenario.shares) | set(scenario.shares.values()) <= columns
    assert all(UNITS.fullmatch(name) and meaning for name, meaning in scenario.columns.items())
    assert set(scenario.facts) <= set(CALIBRATIONS)


@every_scenario
def test_every_rate_that_a_person_sees_first_is_also_a_share_of_the_control(scenario: Scenario) -> None:
    """So that a faster machine is not taken for a faster variant. What tasks that wait make of their slots is no machine's."""
    rates = {m for m in scenario.summary if m == "throughput" or m.endswith("_per_s")}
    assert {m for m in rates if not m.startswith("slots_")} <= set(scenario.shares.values())
    assert {share: scenario.better[share] for share in scenario.shares} == dict.fromkeys(scenario.shares, "higher")


@every_scenario
def test_what_a_person_sees_first_is_better_in_one_direction_or_says_what_was_asked_for(scenario: Scenario) -> None:
    asked = {*CONDITIONS, "slots", "slots_50_reached", "capacity_limit_ms", "orders_failed"}
    assert set(scenario.summary) - set(scenario.better) <= asked


@every_scenario
def test_its_presets_have_the_same_sizes_and_make_sense(scenario: Scenario) -> None:
    assert list(scenario.sizes) == ["quick", "standard", "full"]
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)
        with pytest.raises(KeyError):
            scenario.check({})


@every_scenario
def test_a_run_that_ended_before_its_first_phase_has_every_column_and_no_number_that_is_none(scenario: Scenario) -> None:
    ended_early = replace(good_run(), scenario=scenario.name, phases={}, context=context(scenario.sizes["quick"]))
    measures = scenario.measures(ended_early)
    assert list(measures) == list(scenario.columns)
    assert [name for name, value in measures.items() if value is not None and not math.isfinite(value)] == []
    assert all(measures[name] is None for name in scenario.shares)
    assert all(isinstance(flag, Flag) for flag in scenario.flags(ended_early))
