"""What requests came to, from made-up events."""

import pytest

from benchmarks.record.run_data import PhaseData
from benchmarks.record.task_table import TaskTable
from benchmarks.record.web.requests import answered_per_s, answering_ns, holds, judge_answers, request_measures
from tasks.loads import Burst, Paced
from tests.unit.made_up import MS, Row, phase_data, sent, table_of
from tests.unit.made_up_http import requests

DISPATCH = 2


def test_a_step_is_held_where_all_were_accepted_in_time_at_the_planned_rate() -> None:
    def step(rows: list[Row]) -> PhaseData:
        return phase_data(1, "dispatch_step_1", Paced(100, 1), rows, 100)

    quick = requests(100, 100, label=DISPATCH, answer_ms=50, phase=1)
    assert holds(step(quick), 50)
    assert not holds(step(quick), 49.9)
    assert not holds(step([*quick[:-3], sent(99, 99 * 10 * MS, ok=False)]), 50)
    assert not holds(step([]), 50)
    # Sent later and later, though each is answered at once: the rate was not offered.
    late = [
        (*r[:11], r[11] + r[7] * MS, r[12] + r[7] * MS) if r[0] == 1 else r
        for r in requests(9, 100, label=2, answer_ms=1, phase=1)
    ]
    assert not holds(step(late), 50)


def test_time_counts_from_when_a_request_was_due() -> None:
    rows = [
        (*r[:11], r[11] + 40 * MS, r[12] + 40 * MS) if r[0] == 1 else r
        for r in requests(100, 100, label=2, answer_ms=20, phase=1)
    ]
    assert not holds(phase_data(1, "dispatch_step_1", Paced(100, 1), rows, 100), 50)


def test_requests_are_answered_from_the_first_send_to_the_last_answer() -> None:
    table = table_of(requests(11, 1000, label=DISPATCH, answer_ms=10, phase=1))
    assert answering_ns(table) == 20 * MS
    assert answered_per_s(table) == 550
    assert (answering_ns(TaskTable.empty()), answered_per_s(TaskTable.empty())) == (None, None)


def test_a_step_says_its_rate_and_what_was_answered_in_time() -> None:
    rows = requests(10, 100, label=DISPATCH, answer_ms=20, phase=1)
    step = judge_answers(phase_data(1, "dispatch_step_1", Paced(100, 0.1), rows, 10), 50)
    assert (step.rate_per_s, step.offered_per_s, step.held) == (100, 100, True)
    assert step.p99_ms is None
    assert not judge_answers(phase_data(1, "dispatch_step_1", Paced(100, 0.1), rows, 10), 19).held
    assert judge_answers(phase_data(1, "dispatch_step_1", Burst(10), [], 10), 50).held is False


def test_every_endpoint_is_held_against_the_first() -> None:
    rows = [*requests(1, 1, label=0, answer_ms=4, phase=1), *requests(1, 1, label=2, answer_ms=10, phase=1)]
    second = [(*row[:7], 1, *row[8:]) for row in rows[3:]]
    found = request_measures(table_of([*rows[:3], *second]), ("nothing", "unused", "wait"))
    assert found["wait_p50_ms"] == found["wait_mean_ms"] == pytest.approx(10)
    assert found["wait_over_nothing_p50_ms"] == pytest.approx(6)
    assert found["wait_over_nothing_p50_ratio"] == pytest.approx(2.5)
    assert {name.split("_")[0] for name in found} == {"nothing", "wait"}
    assert request_measures(table_of(rows[3:]), ("nothing", "unused", "wait"))["wait_over_nothing_p50_ms"] is None
