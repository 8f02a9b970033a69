"""From records to one row per task."""

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.task_table import MISSING, TaskTable, build_task_tables, tasks_frame
from infrastructure.event_log import EVENT_DTYPE, Events
from tasks.events import Outcome
from tests.unit.made_up import MS, RUN, Row, S, events, executed, finished, sent, started, table_of

HUGE = 2**32 - 1


@st.composite
def any_rows(draw: st.DrawFn) -> list[Row]:
    """Records as a run could leave them, however badly it went."""
    sequences = st.integers(0, 6) | st.just(HUGE)
    times = st.integers(0, 50)
    outcomes = st.sampled_from([Outcome.OK, Outcome.FAILED, Outcome.RETRIED])
    attempts, processes, phases = st.integers(1, 3), st.integers(100, 102), st.integers(0, 2)
    one = st.one_of(
        st.builds(sent, sequences, times, ok=st.booleans(), phase=phases),
        st.builds(started, sequences, times, attempt=attempts, process=processes, phase=phases),
        st.builds(finished, sequences, times, outcomes, attempt=attempts, process=processes, phase=phases),
    )
    return draw(st.lists(one, max_size=40))


def as_data(table: TaskTable) -> list[object]:
    return [table.to_frame().to_dict("list"), table.unexpected.tolist()]


def test_a_task_has_every_stamp_in_its_row() -> None:
    rows = [sent(0, 100, late_ns=5, send_ns=20, label=3), started(0, 300, process=41, thread=42), finished(0, 900)]
    row = table_of(rows).to_frame().iloc[0].to_dict()
    expected = {"sequence": 0, "due_ns": 100, "sent_ns": 105, "acknowledged_ns": 125, "acknowledged": True, "started_ns": 300}
    expected |= {"finished_ns": 900, "outcome": Outcome.OK, "sends": 1, "starts": 1, "finishes_ok": 1, "finishes_failed": 0}
    expected |= {
        "finishes_retried": 0,
        "finishes_skipped": 0,
        "label": 3,
        "extra_finishes": 0,
        "attempt": 1,
        "process": 41,
        "thread": 42,
        "place": 1,
    }
    assert row == expected


def test_what_never_happened_is_missing_and_not_zero() -> None:
    table = table_of([sent(0, 100), sent(1, 100), started(1, 300)])
    assert table.started_ns.tolist() == [MISSING, 300]
    assert table.finished_ns.tolist() == [MISSING, MISSING]
    assert table.outcome.tolist() == [Outcome.NONE, Outcome.NONE]
    assert (table.process[0], table.thread[0], table.place[0], table.attempt[0]) == (MISSING,) * 4


def test_stages_are_counted_from_the_due_time() -> None:
    table = table_of([sent(0, 1000, late_ns=7, send_ns=30), started(0, 1500), finished(0, 2100), sent(1, 5000, ok=False)])
    assert table.lateness_ns().tolist() == [7, 1]
    assert table.send_ns().tolist() == [30]
    assert table.queue_wait_ns().tolist() == [500]
    assert table.service_ns().tolist() == [600]
    assert table.end_to_end_ns().tolist() == [1100]


def test_of_several_starts_the_first_counts() -> None:
    rows = [sent(0), started(0, 30, process=103, attempt=3), started(0, 10, process=101), started(0, 20, process=102, attempt=2)]
    table = table_of(rows)
    assert (table.started_ns[0], table.process[0], table.starts[0], table.attempt[0]) == (10, 101, 3, 3)


@pytest.mark.parametrize(
    ("outcomes", "final", "at_ns"),
    [
        ([Outcome.RETRIED, Outcome.OK], Outcome.OK, 2),
        ([Outcome.OK, Outcome.OK], Outcome.OK, 1),
        ([Outcome.FAILED, Outcome.OK], Outcome.OK, 2),
        ([Outcome.RETRIED, Outcome.FAILED], Outcome.FAILED, 2),
        ([Outcome.RETRIED, Outcome.RETRIED], Outcome.RETRIED, 1),
    ],
)
def test_the_final_outcome_and_its_first_time_are_kept(outcomes: list[Outcome], final: Outcome, at_ns: int) -> None:
    table = table_of([sent(0), *(finished(0, i, outcome, attempt=i) for i, outcome in enumerate(outcomes, start=1))])
    assert (table.outcome[0], table.finished_ns[0]) == (final, at_ns)


@pytest.mark.parametrize(
    ("finishes", "extra"),
    [
        ([(1, Outcome.OK)], 0),
        ([(1, Outcome.RETRIED), (2, Outcome.RETRIED), (3, Outcome.OK)], 0),
        ([(1, Outcome.FAILED), (2, Outcome.FAILED)], 0),
        ([(1, Outcome.OK), (1, Outcome.OK)], 1),
        ([(1, Outcome.RETRIED), (1, Outcome.RETRIED), (2, Outcome.OK)], 1),
        ([(1, Outcome.OK), (2, Outcome.OK), (3, Outcome.OK)], 2),
    ],
)
def test_only_executions_that_no_retry_explains_are_extra(finishes: list[tuple[int, Outcome]], extra: int) -> None:
    rows = [sent(0), *(finished(0, 10 + i, outcome, attempt=attempt) for i, (attempt, outcome) in enumerate(finishes))]
    assert table_of(rows).extra_finishes.tolist() == [extra]


def test_a_cut_off_start_is_no_extra_execution() -> None:
    assert table_of([sent(0), started(0, 1), started(0, 2), finished(0, 3)]).extra_finishes.tolist() == [0]


def test_an_acknowledged_send_counts_before_a_failed_one() -> None:
    table = table_of([sent(0, 0, ok=False, late_ns=1), sent(0, 0, late_ns=8)])
    assert (table.acknowledged[0], table.sent_ns[0], table.sends[0]) == (True, 8, 2)


def test_what_was_never_sent_is_unexpected_and_has_no_row() -> None:
    table = table_of([*executed(0, 0), started(9, 5), finished(9, 6), started(HUGE, 7), finished(HUGE, 7), finished(HUGE, 8)])
    assert len(table) == 1
    assert table.unexpected.tolist() == [9, HUGE]


def test_a_phase_of_which_nothing_was_sent_has_an_empty_table() -> None:
    table = table_of([started(3, 5)])
    assert (len(table), table.unexpected.tolist()) == (0, [3])


def test_sequence_numbers_with_gaps_keep_their_rows() -> None:
    table = table_of([*executed(2, 10), *executed(HUGE, 20), *executed(5, 30), started(4, 1)])
    assert table.sequence.tolist() == [2, 5, HUGE]
    assert table.due_ns.tolist() == [10, 30, 20]
    assert table.outcome.tolist() == [Outcome.OK] * 3
    assert table.unexpected.tolist() == [4]


def test_phases_and_runs_are_kept_apart() -> None:
    rows = [*executed(0, 10, phase=0), *executed(0, 20, phase=2), sent(1, 30, phase=2), sent(2, 40, run=RUN + 1, phase=3)]
    tables = build_task_tables(events(rows), RUN)
    assert {phase: table.due_ns.tolist() for phase, table in tables.items()} == {0: [10], 2: [20, 30]}


def test_records_of_unknown_kinds_are_left_out() -> None:
    unknown = events([(9, 0, 0, 1, 0, 0, RUN, 0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0, RUN, 0, 0, 0, 0, 0, 0)])
    assert build_task_tables(unknown, RUN) == {}


@pytest.mark.parametrize("nothing", [np.empty(0, EVENT_DTYPE), []])
def test_no_events_give_no_tables(nothing: Events | list[Events]) -> None:
    assert build_task_tables(nothing, RUN) == {}
    assert len(TaskTable.empty()) == 0
    assert TaskTable.empty().end_to_end_ns().tolist() == []
    assert TaskTable.empty().drain_rate_per_s() is None


@given(any_rows(), st.randoms(use_true_random=False), st.integers(0, 40))
def test_neither_order_nor_division_among_nodes_matters(rows: list[Row], random: Random, cut: int) -> None:
    whole = {phase: as_data(table) for phase, table in build_task_tables(events(rows), RUN).items()}
    shuffled = list(rows)
    random.shuffle(shuffled)
    parts = [events(shuffled[:cut]), events(shuffled[cut:])]
    assert {phase: as_data(table) for phase, table in build_task_tables(parts, RUN).items()} == whole


@given(any_rows())
def test_every_record_of_a_sent_task_is_counted_once(rows: list[Row]) -> None:
    for phase, table in build_task_tables(events(rows), RUN).items():
        mine = [row for row in rows if row[3] == phase]
        known = set(table.sequence.tolist())
        assert known == {row[7] for row in mine if row[0] == 1}
        assert int(table.sends.sum()) == sum(row[0] == 1 for row in mine)
        assert int(table.starts.sum()) == sum(row[0] == 2 and row[7] in known for row in mine)
        finishes = table.finishes_ok + table.finishes_failed + table.finishes_retried
        assert int(finishes.sum()) == sum(row[0] == 3 and row[7] in known for row in mine)
        assert set(table.unexpected.tolist()) == {row[7] for row in mine} - known


def test_rates_are_those_of_the_recorded_times() -> None:
    rows = [row for i in range(101) for row in executed(i, i * 10 * MS, wait_ns=5 * S - i * 9 * MS, service_ns=0)]
    table = table_of(rows)
    assert table.planned_rate_per_s() == pytest.approx(100)
    assert table.offered_rate_per_s() == pytest.approx(100)
    assert table.drain_rate_per_s() == pytest.approx(1000)
    assert table.enqueue_rate_per_s() == pytest.approx(101 / (1.0 + 10e-9))
    assert table.last_end_ns() == 5 * S + 100 * MS


def test_slow_ends_of_a_drain_stay_out_of_its_middle_slice() -> None:
    ends_ms = [0, *range(1000, 1099), 9000]
    table = table_of([row for i, end in enumerate(ends_ms) for row in executed(i, 0, wait_ns=end * MS, service_ns=0)])
    assert table.drain_rate_per_s() == pytest.approx(1000)


def test_workers_are_counted_over_processes() -> None:
    rows = [sent(i) for i in range(4)]
    rows += [started(i, 1, process=p, thread=t) for i, (p, t) in enumerate([(1, 5), (1, 6), (2, 5), (2, 5)])]
    table = table_of(rows)
    assert (table.working_processes(), table.working_threads()) == (2, 3)


def test_the_frame_of_a_run_names_the_phase_of_every_row() -> None:
    frame = tasks_frame(build_task_tables(events([*executed(0, 10, phase=2), *executed(0, 20), *executed(1, 30)]), RUN))
    assert frame[["phase", "sequence", "due_ns"]].to_numpy().tolist() == [[1, 0, 20], [1, 1, 30], [2, 0, 10]]


def test_the_frame_of_no_tasks_has_the_same_columns() -> None:
    some = tasks_frame(build_task_tables(events(executed(0, 0)), RUN))
    pd.testing.assert_series_equal(tasks_frame({}).dtypes, some.dtypes)


def test_processes_that_take_the_place_of_others_are_not_at_work_at_once() -> None:
    """As those of a pool do after every so many tasks: ten pairs, one after another."""
    rows = [row for i in range(20) for row in executed(i, i // 2 * 10 * MS, process=100 + i)]
    table = table_of(rows)
    assert (table.working_processes(), table.started_in_processes()) == (2, 20)


def test_processes_whose_tasks_alternate_are_at_work_at_once() -> None:
    rows = [row for i in range(9) for row in executed(i, i * 10 * MS, process=100 + i % 3)]
    assert table_of(rows).working_processes() == 3
    assert TaskTable.empty().working_processes() == 0
