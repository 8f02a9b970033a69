"""How long tasks took together."""

import pytest

from benchmarks.record.spans import busy_rate_per_s, busy_s, due_to_end_s
from benchmarks.record.task_table import TaskTable
from tasks.loads import Prefilled
from tests.unit.made_up import MS, executed, phase_data, sent, table_of

ROWS = [*executed(0, 10 * MS, wait_ns=5 * MS, service_ns=5 * MS), *executed(1, 20 * MS, wait_ns=0, service_ns=15 * MS)]


def test_spans_end_with_the_last_task() -> None:
    table = table_of(ROWS)
    assert busy_s(table) == pytest.approx(0.02)
    assert due_to_end_s(table) == pytest.approx(0.025)
    assert busy_rate_per_s(phase_data(1, "drain", Prefilled(2), ROWS, 2)) == pytest.approx(100)


def test_there_is_none_where_nothing_ended() -> None:
    for table in (TaskTable.empty(), table_of([sent(0)])):
        assert (busy_s(table), due_to_end_s(table)) == (None, None)
    assert busy_rate_per_s(None) is None
    assert busy_rate_per_s(phase_data(1, "drain", Prefilled(1), [sent(0)], 1)) is None
