"""The stages of a task's way, by their names: they follow one another, and their means add up to the latency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.stages import STAGES, SUMS, stage_columns, stage_measures
from tasks.loads import Paced
from tests.unit.made_up import MS, executed, finished, phase_data, sent, started, table_of


def test_each_stage_ends_where_the_next_begins() -> None:
    table = table_of([sent(0, 100, late_ns=7, send_ns=20), started(0, 327), finished(0, 1327)])
    assert {name: stage.of(table).tolist() for name, stage in {**STAGES, **SUMS}.items()} == {
        "lateness": [7],
        "send": [20],
        "ack_to_start": [200],
        "service": [1000],
        "queue_wait": [227],
        "end_to_end": [1227],
    }


def test_a_start_before_the_call_has_returned_is_told_as_it_was() -> None:
    table = table_of([sent(0, 0, late_ns=0, send_ns=500), started(0, 300), finished(0, 900)])
    assert table.ack_to_start_ns().tolist() == [-200]


def test_tasks_that_were_not_acknowledged_or_never_began_have_no_such_stage() -> None:
    rows = [sent(0, ok=False), started(0, 50), finished(0, 60), sent(1), *executed(2, 0)]
    assert len(table_of(rows).ack_to_start_ns()) == 1


way = st.tuples(st.integers(0, MS), st.integers(0, MS), st.integers(0, 50 * MS), st.integers(0, 50 * MS))


@given(ways=st.lists(way, min_size=1, max_size=20))
def test_the_means_add_up_whatever_happens(ways: list[tuple[int, int, int, int]]) -> None:
    rows = []
    for i, (late_ns, send_ns, begun_after_ns, service_ns) in enumerate(ways):
        due_ns = i * 100 * MS
        begun_ns = due_ns + late_ns + begun_after_ns
        rows += [sent(i, due_ns, late_ns=late_ns, send_ns=send_ns), started(i, begun_ns), finished(i, begun_ns + service_ns)]
    measured = stage_measures(phase_data(1, "half", Paced(10, 1), rows, len(ways)), ("mean", "max"))
    assert list(measured) == list(stage_columns("half", "somewhere", ("mean", "max")))
    means = [measured[f"half_{name}_mean_ms"] or 0 for name in STAGES]
    assert sum(means) == pytest.approx(measured["half_end_to_end_mean_ms"], abs=1e-9)
    assert sum(means[:-1]) == pytest.approx(measured["half_queue_wait_mean_ms"], abs=1e-9)


def test_where_nothing_was_executed_there_is_no_stage() -> None:
    assert stage_measures(phase_data(1, "half", Paced(10, 1), [sent(0)], 1), ("mean",)) == {}
