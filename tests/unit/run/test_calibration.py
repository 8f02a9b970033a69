"""Facts that are found out once for a result set."""

from benchmarks.run.calibration import CALIBRATIONS
from benchmarks.scenarios import all_scenarios


def test_every_fact_that_a_scenario_asks_for_can_be_found_out() -> None:
    assert {fact for scenario in all_scenarios().values() for fact in scenario.facts} <= set(CALIBRATIONS)
