"""Parts of tasks and what they occupied: arithmetic on made-up events and footprints."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.run_data import PhaseData
from benchmarks.record.subtasks.course import SUBTASKS, Course, ideal_s, ideal_steps
from benchmarks.record.subtasks.memory import FOOTPRINTS, Occupied
from benchmarks.run.devices.subtasks import parts_of
from infrastructure.readings import Footprint
from tasks.events import Kind
from tasks.loads import Prefilled
from tests.unit.made_up import MS, RUN, Row, S, events, executed, phase_data

MB = 1_000_000


def part(number: int, began_ns: int, ended_ns: int, *, thread: int = 100, process: int = 100, phase: int = 1) -> Row:
    return (Kind.SUBTASK, 1, 0, phase, 0, number, RUN, 0, process, thread, began_ns, ended_ns, 0)


def footprint(at_ns: int, rss_mb: float, *, highest_mb: float = 0, cgroup_mb: float | None = None) -> Footprint:
    cgroup = None if cgroup_mb is None else int(cgroup_mb * MB)
    made = Footprint(at_ns, int(rss_mb * MB), int(max(highest_mb, rss_mb) * MB), True, 1, at_ns / S / 100, cgroup, cgroup)
    return made


def phase_of(parts: Sequence[Row], footprints: Sequence[Footprint]) -> PhaseData:
    """A task let go at 1 s, whose parts and footprints were these."""
    phase = phase_data(1, "subtasks", Prefilled(1), executed(0, S, service_ns=2 * S), 1)
    read = {SUBTASKS: parts_of(events(parts), RUN, 1), FOOTPRINTS: pd.DataFrame([asdict(row) for row in footprints])}
    return replace(phase, readings=read)


def occupied(parts: Sequence[Row], footprints: Sequence[Footprint]) -> Occupied:
    phase = phase_of(parts, footprints)
    course = Course.of(phase)
    assert course is not None
    found = Occupied.of(phase, course)
    assert found is not None
    return found


TWO = (part(0, 2 * S, 4 * S, thread=1), part(1, 3 * S, 5 * S, thread=2), part(2, 4 * S, 6 * S, thread=1))


def test_parts_are_counted_by_when_and_where_they_were_done() -> None:
    course = Course.of(phase_of(TWO, [footprint(S, 1)]))
    assert course is not None
    assert (course.count, course.in_flight_max, course.processes, course.threads) == (3, 2, 1, 2)
    assert course.took_s == 4


def test_parts_of_another_phase_or_run_and_other_records_are_none() -> None:
    others = [part(0, 0, S, phase=2), *executed(0, 0)]
    assert parts_of(events(others), RUN, 1).empty
    assert parts_of(events(TWO), RUN + 1, 1).empty
    assert Course.of(phase_of([], [footprint(S, 1)])) is None
    assert Course.of(phase_data(1, "subtasks", Prefilled(1), executed(0, S), 1)) is None


def test_a_thread_id_of_two_processes_is_two_threads() -> None:
    course = Course.of(phase_of([part(0, 0, S, process=1, thread=7), part(1, 0, S, process=2, thread=7)], [footprint(S, 1)]))
    assert course is not None
    assert (course.processes, course.threads) == (2, 2)


@given(count=st.integers(1, 200), at_once=st.integers(1, 64), time_s=st.floats(0.01, 10), size_mb=st.floats(0.01, 1000))
def test_at_best_every_part_has_its_time_and_no_more_are_at_once_than_may_be(
    count: int, at_once: int, time_s: float, size_mb: float
) -> None:
    times, heights = ideal_steps(count, at_once, time_s, size_mb)
    assert times[-1] == pytest.approx(ideal_s(count, at_once, time_s))
    assert max(heights) == pytest.approx(size_mb * min(count, at_once))
    area = sum((b - a) * height for a, b, height in zip(times, times[1:], heights, strict=False))
    assert area == pytest.approx(count * time_s * size_mb)
    assert (heights[0], heights[-1]) == (0, 0)


def test_ten_parts_of_half_a_second_on_four_threads_take_three_times_that() -> None:
    assert ideal_s(10, 4, 0.5) == 1.5
    assert ideal_s(10, 1, 0.5) == 5


SERIES = [
    footprint(S // 2, 50, highest_mb=200),
    footprint(S - 1, 60, highest_mb=200),
    footprint(2 * S, 80, highest_mb=90),
    footprint(2 * S + 500 * MS, 140, highest_mb=150),
    footprint(3 * S, 70, highest_mb=150),
    footprint(6 * S, 75, highest_mb=150),
]
ONE = (part(0, 2 * S, 4 * S),)


def test_the_baseline_is_what_there_was_when_the_worker_was_let_go() -> None:
    level = occupied(ONE, SERIES).vm_rss
    assert (level.baseline_mb, level.peak_mb, level.after_mb) == (60, 140, 75)
    assert (level.added_mb, level.retained_mb) == (80, 15)


def test_what_the_kernel_has_counted_beyond_every_sample_lies_between_two() -> None:
    found = occupied(ONE, SERIES)
    assert (found.high_water_mb, found.between_samples_mb) == (150, 10)
    lagging = [replace(row, vm_hwm_bytes=139 * MB) for row in SERIES]
    assert occupied(ONE, lagging).between_samples_mb == 0


def test_a_high_water_mark_that_may_be_of_before_is_none() -> None:
    found = occupied(ONE, [replace(row, high_water_is_of_series=False) for row in SERIES])
    assert found.high_water_mb is found.between_samples_mb is None


def test_samples_are_counted_while_parts_are_done_and_the_longest_gap_reaches_to_its_ends() -> None:
    found = occupied(ONE, SERIES)
    assert found.rate_per_s == 1.5, "three samples in two seconds"
    assert found.longest_gap_ms == 1000, "from the last of them to the end"
    assert occupied(ONE, [footprint(S, 50)]).longest_gap_ms == 2000
    assert found.cpu_percent == pytest.approx(1)


def test_a_peak_lasts_while_samples_are_near_it_and_has_no_end_where_they_still_are() -> None:
    def series(*rss_mb: float) -> list[Footprint]:
        return [footprint(S + place * 100 * MS, mb) for place, mb in enumerate(rss_mb)]

    assert occupied(ONE, series(50, 90, 98, 100, 60, 96, 55)).peak_lasted_s == pytest.approx(0.2), "95 % of the rise is 97.5"
    assert occupied(ONE, series(50, 90, 100, 99)).peak_lasted_s is None, "it still is"
    assert occupied(ONE, series(50, 50)).peak_lasted_s is None, "it has not risen"


def test_a_control_groups_own_peak_counts_if_it_has_risen_and_there_is_one() -> None:
    rows = [footprint(S, 50, cgroup_mb=70), footprint(2 * S, 90, cgroup_mb=110), footprint(3 * S, 50, cgroup_mb=80)]
    old = [replace(row, cgroup_memory_peak_bytes=500 * MB) for row in rows]
    risen = [replace(row, cgroup_memory_peak_bytes=peak * MB) for row, peak in zip(rows, (100, 115, 115), strict=True)]
    assert occupied(ONE, old).cgroup_high_water_mb is None, "it had been higher before"
    assert occupied(ONE, risen).cgroup_high_water_mb == 115
    level = occupied(ONE, risen).cgroup
    assert (level.baseline_mb, level.added_mb, level.retained_mb) == (70, 40, 10)
    none = occupied(ONE, SERIES)
    assert none.cgroup.added_mb is none.cgroup_high_water_mb is None


def test_a_series_without_a_row_says_nothing() -> None:
    phase = phase_of(ONE, SERIES)
    course = Course.of(phase)
    assert course is not None
    columns = pd.DataFrame(columns=[*asdict(SERIES[0])])
    assert Occupied.of(replace(phase, readings={**phase.readings, FOOTPRINTS: columns}), course) is None
