"""The books balance, whatever happened."""

from hypothesis import given

from benchmarks.record.accounting import LISTED_IDS, account
from benchmarks.record.task_table import TaskTable, build_task_tables
from tasks.events import Outcome
from tests.unit.made_up import RUN, Row, events, executed, finished, sent, started, table_of
from tests.unit.record.test_task_table import any_rows


def test_all_went_well() -> None:
    books = account(table_of([row for i in range(10) for row in executed(i, i)]), 10)
    assert (books.planned, books.attempted, books.acknowledged, books.completed, books.ended) == (10,) * 5
    assert (books.failed, books.lost, books.cut_off, books.duplicated, books.extra_executions) == (0,) * 5
    assert (books.unexpected, books.never_sent, books.send_failed, books.recovered, books.sends_raised) == (0,) * 5


def test_exactly_the_lost_and_the_doubled_are_named() -> None:
    count = 1000
    lost, doubled = set(range(0, count, 100)), set(range(7, count, 50))
    rows: list[Row] = []
    for i in range(count):
        rows += [sent(i, i)] if i in lost else executed(i, i)
        rows += [started(i, 5000 + i), finished(i, 6000 + i)] if i in doubled else []
    books = account(table_of(rows), count)
    assert (books.lost, set(books.lost_ids)) == (10, lost)
    assert (books.duplicated, set(books.duplicated_ids), books.extra_executions) == (20, doubled, 20)
    assert books.completed == 990


def test_a_retried_task_is_not_a_duplicate() -> None:
    rows = [sent(0), started(0, 1), finished(0, 2, Outcome.RETRIED), started(0, 3, attempt=2), finished(0, 4, attempt=2)]
    books = account(table_of(rows), 1)
    assert (books.completed, books.duplicated, books.lost) == (1, 0, 0)


def test_what_was_to_follow_a_failure_is_skipped_and_not_lost() -> None:
    rows = [*executed(0, 0), sent(1), started(1, 1), finished(1, 2, Outcome.FAILED), sent(2), finished(2, 2, Outcome.SKIPPED)]
    books = account(table_of(rows), 3)
    assert (books.attempted, books.completed, books.failed, books.skipped, books.lost) == (3, 1, 1, 1, 0)
    assert (books.ended, books.duplicated, books.cut_off) == (2, 0, 0)


def test_a_skipped_task_that_ran_all_the_same_is_a_duplicate() -> None:
    books = account(table_of([sent(0), finished(0, 1, Outcome.SKIPPED), started(0, 2), finished(0, 3)]), 1)
    assert (books.completed, books.skipped, books.duplicated) == (1, 0, 1)


def test_a_retry_that_never_came_is_a_loss() -> None:
    books = account(table_of([sent(0), started(0, 1), finished(0, 2, Outcome.RETRIED)]), 1)
    assert (books.lost, books.cut_off, books.ended) == (1, 0, 0)


def test_a_task_cut_off_is_lost_and_said_to_be_cut_off() -> None:
    books = account(table_of([sent(0), started(0, 1), *executed(1, 0)]), 2)
    assert (books.lost, books.cut_off, books.completed) == (1, 1, 1)


def test_a_failed_send_loses_nothing_and_may_yet_be_executed() -> None:
    books = account(table_of([sent(0, ok=False), sent(1, ok=False), started(1, 3), finished(1, 4)]), 2)
    assert (books.attempted, books.acknowledged, books.sends_raised) == (2, 0, 2)
    assert (books.send_failed, books.recovered, books.completed, books.lost) == (1, 1, 1, 0)


def test_failed_counts_tasks_that_never_ended_well() -> None:
    rows = [sent(0), finished(0, 1, Outcome.FAILED), sent(1), finished(1, 1, Outcome.FAILED), finished(1, 2, attempt=2)]
    books = account(table_of(rows), 2)
    assert (books.failed, books.completed) == (1, 1)


def test_what_was_planned_and_never_sent_is_counted() -> None:
    assert account(table_of([*executed(0, 0), *executed(2, 0)]), 5).never_sent == 3
    assert account(TaskTable.empty(), 4).never_sent == 4


def test_long_lists_are_cut_and_counts_stay_exact() -> None:
    count = LISTED_IDS + 500
    books = account(table_of([sent(i) for i in range(count)]), count)
    assert (books.lost, len(books.lost_ids)) == (count, LISTED_IDS)


@given(any_rows())
def test_the_books_always_balance(rows: list[Row]) -> None:
    for table in build_task_tables(events(rows), RUN).values():
        books = account(table, planned=5)
        assert books.attempted == books.completed + books.failed + books.lost + books.send_failed
        assert books.attempted == books.acknowledged + books.send_failed + books.recovered
        assert books.cut_off <= books.lost + books.send_failed
        assert books.duplicated <= books.extra_executions
        assert (len(books.lost_ids), len(books.duplicated_ids)) == (books.lost, books.duplicated)
        assert books.never_sent == 5 - sum(sequence < 5 for sequence in table.sequence.tolist())
        assert min(books.completed, books.failed, books.lost, books.send_failed, books.recovered, books.never_sent) >= 0
