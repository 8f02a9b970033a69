"""Tasks in hand, from made-up events."""

import pytest

from benchmarks.record.backlog import depth_over_time, highest_depth, mean_depth, not_started_by
from benchmarks.record.task_table import TaskTable
from tests.unit.made_up import MS, S, executed, sent, started, table_of


def _in_hand(sequence: int, from_ns: int, to_ns: int) -> list[tuple[int, ...]]:
    """A task that is sent at one moment and ends at another."""
    return executed(sequence, from_ns - 1, wait_ns=1, service_ns=to_ns - from_ns, phase=1)


def test_the_mean_is_the_time_spent_in_hand_over_the_time() -> None:
    table = table_of([*_in_hand(0, 10 * MS, 20 * MS), *_in_hand(1, 15 * MS, 40 * MS)])
    assert mean_depth(table, 0, 50 * MS) == pytest.approx(35 / 50)
    assert mean_depth(table, 15 * MS, 20 * MS) == pytest.approx(2)
    assert mean_depth(table, 40 * MS, 50 * MS) == 0


def test_a_task_that_never_ended_stays_in_hand() -> None:
    table = table_of([sent(0, 0), started(0, MS)])
    assert mean_depth(table, S, 2 * S) == 1
    assert highest_depth(table) == 1


def test_the_depth_changes_at_each_send_and_each_end() -> None:
    table = table_of([*_in_hand(0, 1 * MS, 3 * MS), *_in_hand(1, 2 * MS, 4 * MS), *_in_hand(2, 5 * MS, 6 * MS)])
    times_ns, depths = depth_over_time(table)
    assert (times_ns // MS).tolist() == [1, 2, 3, 4, 5, 6]
    assert depths.tolist() == [1, 2, 1, 0, 1, 0]
    assert highest_depth(table) == 2


def test_there_is_none_without_tasks() -> None:
    assert highest_depth(TaskTable.empty()) == 0
    assert mean_depth(TaskTable.empty(), 0, S) == 0


def test_a_task_that_never_started_has_not_started_by_any_moment() -> None:
    table = table_of([*executed(0, 0, wait_ns=10 * MS), *executed(1, 0, wait_ns=20 * MS), sent(2, 0)])
    assert [not_started_by(table, at_ns) for at_ns in (0, 10 * MS, S)] == [3, 2, 1]
