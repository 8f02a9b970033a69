"""Who went before whom, on made-up events, and against the definitions spelled out task by task."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.lanes import Inversions, ended_share, inversions, longest_starvation_ns, overtaken, waiting_at
from benchmarks.record.task_table import TaskTable
from tests.unit.made_up import Row, finished, sent, started, table_of

SEND_NS = 11
"""From due to acknowledged, as ``sent`` has it."""


def lane(*tasks: tuple[int, int | None]) -> TaskTable:
    """Tasks by when they were acknowledged and when they started; each ends 5 ns later."""
    rows: list[Row] = []
    for sequence, (acknowledged_ns, started_ns) in enumerate(tasks):
        rows.append(sent(sequence, acknowledged_ns - SEND_NS))
        if started_ns is not None:
            rows += [started(sequence, started_ns), finished(sequence, started_ns + 5)]
    return table_of(rows) if rows else TaskTable.empty()


def test_a_task_waits_from_its_acknowledgement_to_its_start() -> None:
    high = lane((100, 200), (150, None))
    assert waiting_at(high, np.array([99, 100, 149, 150, 199, 200, 10_000])).tolist() == [0, 1, 1, 2, 2, 1, 1]


def test_a_task_that_started_before_its_send_was_acknowledged_never_waited() -> None:
    assert waiting_at(lane((100, 90)), np.array([80, 95, 100, 200])).tolist() == [0, 0, 0, 0]


def test_a_low_task_that_starts_while_a_high_one_waits_is_an_inversion() -> None:
    high, normal, low = lane((100, 200)), lane((100, 150)), lane((50, 60), (50, 199), (50, 201))
    assert inversions((high, normal, low)) == Inversions(starts=4, inverted=2)
    assert inversions((high, normal, low)).share == 0.5


def test_each_inverted_task_counts_once_however_many_wait() -> None:
    assert inversions((lane((0, 90), (0, 91)), lane((0, 92)), lane((0, 50)))).inverted == 1


def test_without_starts_of_less_urgent_tasks_there_is_no_share() -> None:
    found = inversions((lane((0, 10)), lane((0, None)), TaskTable.empty()))
    assert (found, found.share) == (Inversions(0, 0), None)


def test_a_high_task_is_overtaken_by_those_that_start_while_it_waits() -> None:
    high = lane((100, 200), (300, 301), (400, 390), (500, None))
    assert overtaken(high, (lane((0, 120), (0, 199)), lane((0, 100), (0, 99), (0, 200), (0, 395)))).tolist() == [3, 0, 0]


def test_starvation_lasts_from_the_last_start_while_others_are_served() -> None:
    low, others = lane((0, 10), (0, 100), (0, 400)), (lane((0, 20), (0, 50)), lane((0, 90), (0, 100)))
    assert longest_starvation_ns(low, others) == 90


def test_starvation_begins_when_the_first_task_waits() -> None:
    assert longest_starvation_ns(lane((100, 300)), (lane((0, 50), (0, 200)),)) == 200


def test_waiting_while_nobody_is_served_is_no_starvation() -> None:
    assert longest_starvation_ns(lane((0, 10), (0, 100)), (lane((0, 5), (0, 101)),)) == 10
    assert longest_starvation_ns(lane((0, 10)), (TaskTable.empty(),)) == 0


def test_a_lane_that_never_started_has_no_starvation_to_tell() -> None:
    assert longest_starvation_ns(lane((0, None)), (lane((0, 5)),)) is None
    assert longest_starvation_ns(TaskTable.empty(), ()) is None


def test_the_share_that_has_ended_counts_every_task_of_the_lane() -> None:
    assert ended_share(lane((0, 10), (0, 11), (0, None)), 15) == pytest.approx(1 / 3)
    assert ended_share(TaskTable.empty(), 15) is None


Tasks = list[tuple[int, int | None]]
TASKS = st.lists(st.tuples(st.integers(20, 60), st.one_of(st.none(), st.integers(20, 90))), max_size=8)


def starts_of(tasks: Tasks) -> list[int]:
    return [start for _, start in tasks if start is not None]


def waits_at(tasks: Tasks, time_ns: int) -> bool:
    return any(sent_ns <= time_ns and (start is None or (start > time_ns and start > sent_ns)) for sent_ns, start in tasks)


@given(high=TASKS, normal=TASKS, low=TASKS)
def test_inversions_are_those_of_the_definition(high: Tasks, normal: Tasks, low: Tasks) -> None:
    expected = sum(waits_at(high, t) for t in starts_of(normal)) + sum(
        waits_at(high, t) or waits_at(normal, t) for t in starts_of(low)
    )
    found = inversions((lane(*high), lane(*normal), lane(*low)))
    assert (found.inverted, found.starts) == (expected, len(starts_of(normal)) + len(starts_of(low)))


@given(
    low=st.lists(st.tuples(st.integers(20, 60), st.integers(61, 99)), min_size=1, max_size=8),
    others=st.lists(st.integers(20, 99), max_size=8),
)
def test_starvation_is_that_of_the_definition(low: list[tuple[int, int]], others: list[int]) -> None:
    """Every stretch between two points in time in which a low task waits, none starts and another does."""
    starts = {start for _, start in low}
    expected = max(
        (
            end - begin
            for end in starts
            for begin in range(20, end)
            if any(begin < other < end for other in others)
            and not any(begin < start < end for start in starts)
            and all(any(sent_ns <= t < start for sent_ns, start in low) for t in range(begin, end))
        ),
        default=0,
    )
    assert longest_starvation_ns(lane(*low), (lane(*((20, other) for other in others)),)) == expected
