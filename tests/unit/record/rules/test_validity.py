"""Which runs are valid, and what is said of the others."""

from dataclasses import replace

import pytest

from benchmarks.record.flags import (
    FOREIGN_CONNECTION,
    NEVER_SENT,
    NOTHING_EXECUTED,
    OFFERED_RATE_MISSED,
    SEND_FAILED,
    TASK_DOUBLED,
    TASK_FAILED,
    TASK_LOST,
    TIME_NAMESPACE_DIFFERS,
    TIMED_OUT,
    TOO_FEW_PROCESSES,
    TOO_MANY_PROCESSES,
    UNEXPECTED_TASK,
    WORKER_DIED,
    is_valid,
)
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import Produced, RunData
from tasks.loads import Burst, Paced, Prefilled
from tests.unit.made_up import MS, S, executed, finished, good_run, paced_rows, phase_data, prefilled_rows, sent, started


def codes(data: RunData) -> list[str]:
    return [flag.code for flag in run_flags(data)]


def text_of(data: RunData, code: str) -> str:
    return next(flag.detail for flag in run_flags(data) if flag.code is code)


def test_a_good_run_raises_nothing_and_is_valid() -> None:
    assert run_flags(good_run()) == ()
    assert is_valid(())


def test_a_lost_task_invalidates_and_is_named() -> None:
    rows = [row for row in prefilled_rows(200) if row[7] != 17 or row[0] == 1]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [TASK_LOST.code]
    assert "capacity: 1 of 200" in text_of(data, TASK_LOST.code)
    assert "17" in text_of(data, TASK_LOST.code)
    assert not is_valid(run_flags(data))


def test_a_doubled_task_invalidates() -> None:
    rows = [*prefilled_rows(200), started(9, 5 * S), finished(9, 6 * S)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [TASK_DOUBLED.code]
    assert not is_valid(run_flags(data))


def test_a_task_that_was_never_sent_invalidates() -> None:
    rows = [*prefilled_rows(200), started(777, 5 * S), finished(777, 6 * S)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [UNEXPECTED_TASK.code]


def test_many_numbers_are_cut_in_the_text() -> None:
    data = good_run(data={"bulk": phase_data(2, "bulk", Prefilled(50), [sent(i, phase=2) for i in range(50)], 50)})
    assert text_of(data, TASK_LOST.code).endswith("8, 9, ...)")


def test_a_phase_that_executed_nothing_invalidates() -> None:
    data = good_run(
        data={"paced": phase_data(3, "paced", Paced(100, 0.3), [r for r in paced_rows(30, 100, phase=3) if r[0] == 1], 30)}
    )
    assert NOTHING_EXECUTED.code in codes(data)
    assert not is_valid(run_flags(data))


def test_tasks_that_were_not_sent_invalidate() -> None:
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(210), prefilled_rows(200), 210)})
    assert codes(data) == [NEVER_SENT.code]


def test_a_send_that_raised_invalidates_and_says_with_what() -> None:
    rows = [*prefilled_rows(199), sent(199, 1, ok=False)]
    produced = Produced(200, 199, 1, {"OSError: gone": 1}, 0, S, 0.5)
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200, produced=produced)})
    assert codes(data) == [SEND_FAILED.code]
    assert "OSError: gone" in text_of(data, SEND_FAILED.code)


@pytest.mark.parametrize(("achieved_per_s", "missed"), [(100, False), (98.5, False), (97, True), (120, False)])
def test_a_rate_missed_by_over_two_percent_invalidates(achieved_per_s: float, missed: bool) -> None:
    count = 200
    rows = []
    for i in range(count):
        due_ns = i * S // 100
        send, begin, end = executed(i, due_ns, phase=3)
        sent_ns = round(i * S / achieved_per_s)
        rows += [(*send[:11], sent_ns, sent_ns + 10), begin, end]
    data = good_run(data={"paced": phase_data(3, "paced", Paced(100, 2.0), rows, count)})
    assert (OFFERED_RATE_MISSED.code in codes(data)) is missed


def test_a_connection_to_anything_but_the_lab_invalidates_and_is_named() -> None:
    strayed = replace(good_run(), elsewhere=("192.0.2.1:6379", "192.0.2.2:80"))
    assert codes(strayed) == [FOREIGN_CONNECTION.code]
    assert "192.0.2.1:6379, 192.0.2.2:80" in text_of(strayed, FOREIGN_CONNECTION.code)
    assert not is_valid(run_flags(strayed))


def test_a_worker_that_died_or_lives_by_another_clock_invalidates() -> None:
    assert codes(good_run(died="signal 9")) == [WORKER_DIED.code]
    assert "signal 9" in text_of(good_run(died="signal 9"), WORKER_DIED.code)
    assert codes(good_run(same_time_namespace=False)) == [TIME_NAMESPACE_DIFFERS.code]


def test_fewer_processes_than_promised_invalidate_judged_on_a_backlog_alone() -> None:
    assert codes(good_run(working_processes=2)) == []
    assert codes(good_run(working_processes=3)) == [TOO_FEW_PROCESSES.code]
    data = good_run(working_processes=3)
    only_paced = replace(data, phases={"paced": data.phases["paced"]})
    assert codes(only_paced) == []
    burst = phase_data(1, "capacity", Burst(200), prefilled_rows(200), 200)
    data = good_run(data={"capacity": burst}, working_processes=3)
    assert codes(replace(data, phases={"capacity": data.phases["capacity"]})) == [TOO_FEW_PROCESSES.code]


def test_fewer_processes_than_promised_invalidate_the_phases_of_their_worker_alone() -> None:
    data = good_run(working_processes=2)
    short = replace(data.phases["bulk"].record.worker, number=2, working_processes=3)
    bulk = replace(data.phases["bulk"], record=replace(data.phases["bulk"].record, worker=short))
    flags = run_flags(replace(data, phases={**data.phases, "bulk": bulk}))
    assert [(flag.code, flag.phase) for flag in flags] == [(TOO_FEW_PROCESSES.code, "bulk")]


def test_a_phase_that_timed_out_invalidates() -> None:
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), prefilled_rows(200), 200, timed_out=True)})
    assert codes(data) == [TIMED_OUT.code]


def test_failed_tasks_only_warn() -> None:
    rows = [(*row[:1], 2, *row[2:]) if row[0] == 3 and row[7] == 5 else row for row in prefilled_rows(200)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [TASK_FAILED.code]
    assert is_valid(run_flags(data))


def test_a_run_without_phases_is_judged_by_its_worker_alone() -> None:
    assert codes(replace(good_run(died="exit 1"), phases={})) == [WORKER_DIED.code]


def test_more_processes_at_work_than_the_worker_has_are_impossible() -> None:
    rows = [row for i in range(30) for row in executed(i, i * 10 * MS, phase=3, process=100 + i % 3)]
    crowded = phase_data(3, "paced", Paced(100, 0.3), rows, 30)
    flags = run_flags(good_run(data={"paced": crowded}))
    assert [(flag.code, flag.phase) for flag in flags] == [(TOO_MANY_PROCESSES.code, "paced")]


def test_as_many_processes_as_the_worker_has_may_work_though_fewer_must() -> None:
    assert codes(good_run(processes=2, working_processes=1)) == []


def test_a_pool_that_replaces_its_processes_has_no_more_of_them() -> None:
    rows = [row for i in range(30) for row in executed(i, i // 2 * 10 * MS, phase=3, process=100 + i)]
    assert codes(good_run(data={"paced": phase_data(3, "paced", Paced(100, 0.3), rows, 30)})) == []


def test_a_phase_without_a_task_measures_nothing() -> None:
    empty = phase_data(3, "paced", Paced(100, 0.3), [], 0)
    flags = run_flags(good_run(data={"paced": empty}))
    assert [(flag.code, flag.phase) for flag in flags] == [(NOTHING_EXECUTED.code, "paced")]
