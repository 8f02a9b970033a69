"""Facts that are found out once for a result set."""

from typing import cast

import pytest

from benchmarks.run.calibration import ATTEMPTS, CALIBRATIONS, found_again
from benchmarks.run.labs.lab import Lab
from benchmarks.scenarios import all_scenarios


def test_every_fact_that_a_scenario_asks_for_can_be_found_out() -> None:
    assert {fact for scenario in all_scenarios().values() for fact in scenario.facts} <= set(CALIBRATIONS)


@pytest.mark.parametrize(
    ("readings", "counts", "asked"),
    [
        ([101.0, 50.0], 101.0, 1),
        ([50.0, 95.0, 100.0], 95.0, 2),
        ([60.0, 80.0, 70.0, 100.0], 80.0, ATTEMPTS),
        ([200.0, 120.0, 150.0], 120.0, ATTEMPTS),
    ],
)
def test_a_fact_is_found_out_again_until_it_is_as_it_was_and_a_few_times_at_most(
    readings: list[float], counts: float, asked: int
) -> None:
    left = iter(readings)
    nowhere = cast(Lab, None)
    known = {"some_iterations_per_ms": 100.0, "mock_api_requests_per_s": 9.0, "machine_speed_per_s": 9.0}
    calibrations = {
        "some_iterations_per_ms": lambda _: next(left),
        "other_iterations_per_ms": lambda _: 1 / 0,
        "mock_api_requests_per_s": lambda _: 1 / 0,
    }
    assert found_again(known, nowhere, calibrations) == {"some_iterations_per_ms": counts}
    assert len(list(left)) == len(readings) - asked
