"""What disturbs a phase: a machine that moves, CPU that others take, limits, swapping."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.flags import (
    CPU_LIMITED,
    CPU_STEAL,
    CPU_STEAL_HIGH,
    FOREIGN_CPU,
    FOREIGN_CPU_HIGH,
    MACHINE_SPEED_MOVED,
    SWAPPING,
    THROTTLED,
    Flag,
    is_valid,
)
from benchmarks.record.machine import CpuTaken, QuotaReading, SpeedReading
from benchmarks.record.rules.disturbance import disturbance_flags
from benchmarks.record.run_data import RunData
from benchmarks.record.totals import totals
from tests.unit.made_up import S, context, good_run, reading

PHASES = ("capacity", "bulk", "paced", "half")
MARKS = ("before", "filled", "after")


def with_host(phase: str, data: RunData, **by_mark: dict[str, Any]) -> RunData:
    """A run in which the host's readings at marks of a phase have other values."""
    record = data.phases[phase].record
    for mark, changes in by_mark.items():
        seen = getattr(record, mark)
        record = replace(record, **{mark: replace(seen, host=replace(seen.host, **changes))})
    return replace(data, phases={**data.phases, phase: replace(data.phases[phase], record=record)})


def at_speeds(speeds: Sequence[float | None], earlier: Sequence[float] = ()) -> RunData:
    """A run at whose marks, phase after phase, the machine had these speeds; at further ones none was taken."""
    data = replace(good_run(), context=context(earlier_speeds_per_s=tuple(earlier)))
    for index, speed in enumerate([*speeds, *[None] * (12 - len(speeds))]):
        taken = None if speed is None else SpeedReading(index, (1 / speed,), (1 / speed,))
        data = with_host(PHASES[index // 3], data, **{MARKS[index % 3]: {"speed": taken}})
    return data


def found(data: RunData) -> list[Flag]:
    return list(disturbance_flags(data))


def codes(data: RunData) -> list[str]:
    return [flag.code for flag in found(data)]


def phases_of(data: RunData) -> list[str]:
    return [flag.detail.partition(":")[0] for flag in found(data)]


# ---- speed


def test_a_machine_that_keeps_its_speed_raises_nothing() -> None:
    assert found(at_speeds([100, 104, 98, 102, None, 97, 100, None, 103, 101, None, 99], earlier=[95, 100, 105])) == []


def test_a_burner_that_starts_half_way_is_seen_in_the_phases_that_it_touched() -> None:
    """The capacity was measured on a machine at full speed, and so were its marks."""
    data = at_speeds([100, 100, 100, 101, 100, 99, 100, None, 60, 61, None, 60])
    assert codes(data) == [MACHINE_SPEED_MOVED.code] * 2
    assert phases_of(data) == ["paced", "half"]
    assert not is_valid(found(data))


def test_a_burner_that_came_and_went_within_a_phase_is_seen_by_its_mark_in_the_middle() -> None:
    assert phases_of(at_speeds([100, 70, 100, 100, 100, 100])) == ["capacity"]


def test_a_run_at_another_speed_than_the_set_is_flagged_in_every_phase() -> None:
    data = at_speeds([80] * 12, earlier=[100] * 30)
    assert phases_of(data) == list(PHASES)
    assert "0.80 of the set's" in found(data)[0].detail
    assert found(at_speeds([90] * 12, earlier=[100] * 30)) == [], "10 % is within what a set may move"


def test_a_run_is_not_judged_by_its_first_neighbour_alone() -> None:
    """The reading at the set's start was of a slow moment: twelve marks outweigh it."""
    assert found(at_speeds([100] * 12, earlier=[50])) == []


@given(st.floats(1.001, 3), st.booleans(), st.integers(0, 3))
def test_one_phase_off_by_more_than_ten_percent_is_flagged_and_by_less_is_not(factor: float, faster: bool, which: int) -> None:
    speeds: list[float | None] = [100.0] * 12
    for mark in range(3):
        speeds[3 * which + mark] = 100 * factor if faster else 100 / factor
    expected = [PHASES[which]] if factor > 1.1 + 1e-9 else []
    if abs(factor - 1.1) > 1e-9:
        assert phases_of(at_speeds(speeds)) == expected


@given(st.lists(st.floats(50, 200), min_size=12, max_size=12), st.floats(0.01, 100))
def test_what_is_flagged_does_not_depend_on_the_unit_of_speed(speeds: list[float], unit: float) -> None:
    in_another = [speed * unit for speed in speeds]
    assert abs(len(phases_of(at_speeds(speeds))) - len(phases_of(at_speeds(in_another)))) <= 1, "rounding may tip one"


def test_a_run_without_readings_of_speed_is_not_judged_by_it() -> None:
    data = at_speeds([None] * 12, earlier=[100])
    assert found(data) == []
    assert totals(data)["machine_speed"] is None
    assert totals(at_speeds([80] * 12, earlier=[100] * 30))["machine_speed"] == pytest.approx(0.8)


# ---- CPU that others took


def taken(foreign_s: float, elapsed_s: float = 10.0, **takers: float) -> CpuTaken:
    return CpuTaken(elapsed_s, 5.0 + foreign_s, 5.0, takers)


@pytest.mark.parametrize(
    ("foreign_s", "expected"),
    [
        (0.0, []),
        (0.9, []),
        (1.1, [FOREIGN_CPU.code]),
        (2.9, [FOREIGN_CPU.code]),
        (3.1, [FOREIGN_CPU_HIGH.code]),
        (20, [FOREIGN_CPU_HIGH.code]),
    ],
)
def test_what_others_took_is_flagged_above_a_twentieth_of_a_core_and_invalid_above_three(
    foreign_s: float, expected: list[str]
) -> None:
    """Over 20 s, in two spans."""
    parts = {"filled": {"taken": taken(foreign_s / 4)}, "after": {"taken": taken(3 * foreign_s / 4)}}
    data = with_host("bulk", good_run(), **parts)
    assert codes(data) == expected
    assert is_valid(found(data)) is (FOREIGN_CPU_HIGH.code not in expected)
    assert totals(data)["foreign_cpu_cores"] == pytest.approx(max(foreign_s / 20, 0.01)), "other phases have a hundredth"


def test_those_that_took_most_are_named() -> None:
    parts = {"filled": {"taken": taken(4, burner=2.5, cc1=0.5)}, "after": {"taken": taken(4, burner=3.0)}}
    [flag] = found(with_host("paced", good_run(), **parts))
    assert flag.detail == "paced: 0.40 cores went to what is not the lab's own, most to burner 5.50 s, cc1 0.50 s"
    unseen = {"filled": {"taken": taken(4)}, "after": {"taken": taken(4)}}
    assert "cannot be seen" in found(with_host("paced", good_run(), **unseen))[0].detail


def test_what_could_not_be_seen_in_one_span_is_not_guessed_from_the_other() -> None:
    data = good_run()
    for phase in PHASES:
        data = with_host(phase, data, filled={"taken": None}, after={"taken": taken(9)})
    assert codes(data) == []
    assert totals(data)["foreign_cpu_cores"] is None


def test_where_the_first_two_marks_are_one_the_last_says_all() -> None:
    data = good_run()
    record = data.phases["paced"].record
    one = replace(data.phases["paced"], record=replace(record, filled=record.before))
    assert codes(with_host("paced", replace(data, phases={**data.phases, "paced": one}), after={"taken": taken(9)})) == [
        FOREIGN_CPU_HIGH.code
    ]


@pytest.mark.parametrize(("steal_s", "expected"), [(0.1, []), (0.3, [CPU_STEAL.code]), (0.6, [CPU_STEAL_HIGH.code])])
def test_steal_is_told_apart_by_the_same_measure(steal_s: float, expected: list[str]) -> None:
    """Over 3 s."""
    data = with_host("half", good_run(), after={"cpu_steal_s": steal_s})
    assert codes(data) == expected
    assert is_valid(found(data)) is (steal_s < 0.45)


# ---- limits, and what else


def quota(throttled: int, seconds: float = 0.0, group: str = "/lab", periods: int = 0) -> QuotaReading:
    return QuotaReading(group, 0.6, periods, throttled, seconds)


def test_a_limit_that_held_the_lab_back_in_a_phase_invalidates_it() -> None:
    before = (quota(100, 5.0, periods=200), quota(7, group="/"))
    after = (quota(559, 30.0, periods=749), quota(7, group="/"))
    data = with_host("capacity", good_run(), before={"quotas": before}, after={"quotas": after})
    [flag] = found(data)
    assert flag.code == CPU_LIMITED.code
    assert "capacity: the limit of 0.60 cores on the lab's control group /lab held it back in 459 of 549 periods" in flag.detail
    assert not is_valid([flag])
    assert totals(data)["limited_s"] == 25.0


def test_a_limit_that_did_not_bind_is_no_disturbance() -> None:
    data = with_host("capacity", good_run(), before={"quotas": (quota(3),)}, after={"quotas": (quota(3, periods=90),)})
    assert found(data) == []
    assert totals(data)["limited_s"] == 0
    assert totals(good_run())["limited_s"] == 0


def test_swapping_warns() -> None:
    data = with_host("half", good_run(), after={"swapped_pages": 3})
    assert codes(data) == [SWAPPING.code]
    assert is_valid(found(data))


def test_load_is_a_column_and_no_judgement() -> None:
    data = with_host("half", good_run(), **{mark: {"load_1min": 50.0} for mark in MARKS})
    assert found(data) == []
    assert totals(data)["load_1min"] == 50.0


def test_a_limit_on_the_workers_container_warns() -> None:
    data = good_run()
    capacity, half = data.phases["capacity"], data.phases["half"]
    first = replace(capacity, record=replace(capacity.record, before=reading(10 * S, throttled_s=1.0)))
    last = replace(half, record=replace(half.record, after=reading(43 * S, throttled_s=1.5)))
    data = good_run(data={"capacity": first, "half": last})
    [flag] = found(data)
    assert flag.code == THROTTLED.code
    assert "0.50 s" in flag.detail
    assert is_valid([flag])
