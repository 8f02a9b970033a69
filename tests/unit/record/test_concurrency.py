"""Tasks in execution at once, from made-up events."""

import pytest

from benchmarks.record.concurrency import executing, overlapped_share
from benchmarks.record.task_table import TaskTable
from tests.unit.made_up import MS, executed, sent, started, table_of
from tests.unit.made_up_http import waves


def test_full_waves_reach_the_ideal_and_no_more() -> None:
    ran = executing(table_of(waves(10, 5)))
    assert ran.tasks_per_s == pytest.approx(100)
    assert ran.in_flight_mean == pytest.approx(10)
    assert ran.in_flight_max == 10


def test_slots_that_stand_idle_show() -> None:
    rows = [row for i in range(5) for row in executed(i, 0, wait_ns=i * 200 * MS, service_ns=100 * MS)]
    ran = executing(table_of(rows))
    assert ran.tasks_per_s == pytest.approx(5)
    assert ran.in_flight_mean == pytest.approx(0.5)
    assert ran.in_flight_max == 1


def test_without_a_stretch_there_is_no_rate() -> None:
    for rows in ([sent(0)], executed(0, 0)):
        ran = executing(table_of(rows))
        assert (ran.tasks_per_s, ran.in_flight_mean) == (None, None)


def test_a_task_overlaps_the_next_that_is_due_before_its_end() -> None:
    rows = [*executed(0, 0, wait_ns=0, service_ns=20 * MS), *executed(1, 10 * MS, wait_ns=0, service_ns=5 * MS)]
    assert overlapped_share(table_of([*rows, *executed(2, 15 * MS)])) == 0.5
    assert overlapped_share(table_of([sent(0), started(0, MS), *executed(1, 9 * MS)])) == 1
    assert overlapped_share(table_of(executed(0, 0))) is None
    assert overlapped_share(TaskTable.empty()) is None
