"""Sizes that may be 0 are taken, and what they leave out is not measured; all others are refused."""

import re

import pytest

from benchmarks.cli.choices import sizes_of as sizes_chosen
from tests.unit.scenarios.going import SCENARIOS, run_of, sizes_of

LEFT_OUT: dict[tuple[int, str], str] = {
    (2, "waves_10"): "slots_10_per_s",
    (2, "waves_50"): "slots_50_per_s",
    (2, "waves_100"): "slots_100_service_p50_ms",
    (2, "waves_200"): "slots_200_per_s",
    (2, "waves_lognormal"): "lognormal_per_s",
    (2, "lognormal_sigma"): "",
    (5, "others"): "pickle_nested_1kb_enqueue_us",
    (6, "backlog_2"): "backlog_2_drain_per_s",
    (6, "backlog_3"): "backlog_3_tasks",
    (6, "backlog_4"): "backlog_4_tasks",
    (6, "backlog_5"): "backlog_5_tasks",
    (7, "charge_ms"): "",
    (7, "confirm_ms"): "",
    (7, "fail_once_share"): "retried_p50_ms",
    (7, "fail_always_share"): "",
    (8, "import_starts"): "import_ms",
    (8, "bytecode_cold_starts"): "bytecode_cold_startup_ms",
    (8, "page_cache_cold_starts"): "page_cache_cold_startup_ms",
    (8, "stops"): "stop_ms",
    (11, "nothing_steps"): "nothing_service_level_per_s",
    (11, "dispatch_steps"): "dispatch_service_level_per_s",
}
"""For each size that may be 0, by number of its scenario, a measure that there is none of then (none: all are there)."""
LESS: dict[tuple[int, str], dict[str, float]] = {(6, "backlog_2"): {"backlog_3": 0}}
"""What must be 0 as well."""


def test_these_are_all_sizes_that_may_be_zero() -> None:
    declared = {(number, name) for number, s in SCENARIOS.items() for name, bound in s.least.items() if bound == 0}  # type: ignore[attr-defined]
    assert declared == LEFT_OUT.keys()


@pytest.mark.parametrize(("number", "size"), LEFT_OUT)
def test_zero_is_taken_and_what_it_leaves_out_is_not_measured(number: int, size: str) -> None:
    scenario = SCENARIOS[number]
    zeros = {size: 0, **LESS.get((number, size), {})}
    assert sizes_chosen([f"{size}=0"], [scenario]) == {size: 0}
    scenario.check(sizes_of(number, **zeros))
    measured = scenario.measures(run_of(number, **zeros))
    scenario.flags(run_of(number, **zeros))
    if left_out := LEFT_OUT[number, size]:
        assert left_out in measured
        assert measured[left_out] is None


@pytest.mark.parametrize("number", SCENARIOS)
def test_every_other_size_of_zero_and_every_negative_one_is_refused_by_its_name(number: int) -> None:
    scenario, sizes = SCENARIOS[number], sizes_of(number)
    for size in sizes:
        for value in (0, -1) if (number, size) not in LEFT_OUT else (-1,):
            with pytest.raises(ValueError, match=rf"size {re.escape(size)} of {scenario.name} must be .*, not {value}"):
                scenario.check({**sizes, size: value})


@pytest.mark.parametrize("zeros", [
    {f"waves_{slots}": 0 for slots in (10, 50, 100, 200)},
    {"waves_10": 1},
])  # fmt: skip
def test_at_least_one_number_of_slots_must_be_left_and_one_wave_is_too_few(zeros: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="waves_10"):
        SCENARIOS[2].check(sizes_of(2, **zeros))


def test_a_backlog_of_zero_can_only_be_followed_by_others() -> None:
    with pytest.raises(ValueError, match="must ascend, and then be 0"):
        SCENARIOS[6].check(sizes_of(6, backlog_2=0))
