"""Folding a soak gives what the table of all its tasks gives, however it is cut, ordered, saved and restored."""

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.record.accounting import account
from benchmarks.record.task_table import build_task_tables
from benchmarks.soak import folding
from benchmarks.soak.books import Ranges
from benchmarks.soak.folding import Fold
from benchmarks.soak.latency_histogram import LEAST_NS, RELATIVE_ERROR, LatencyHistogram, merged
from benchmarks.soak.task_events import TaskEvents
from benchmarks.soak.windows import STAGES, Window, append_to, cut_off, read
from infrastructure.event_log import Events
from tasks.events import Kind, Outcome
from tests.unit.soak.made_up_soak import CLASSES, FIRST_NS, PHASE, RUN, TASKS, S, Task, class_of, folded, happened_ns, log_of

WINDOW_S, LAG_S, STEP_S = 1.0, 2.0, 5


def new_fold(**settings_of: float) -> Fold:
    return Fold(WINDOW_S, FIRST_NS, lag_s=LAG_S, **settings_of)


def whole(events: Events) -> tuple[list[Window], Fold]:
    fold = new_fold()
    fold.take(folded(events))
    return fold.rest(), fold


def latencies(events: Events) -> dict[tuple[int, int, str], list[int]]:
    """Every latency of the raw records by window, class and stage."""
    found = defaultdict(list)
    begun: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in events[np.argsort(happened_ns(events), kind="stable")]:
        kind, sequence, attempt = int(row["kind"]), int(row["sequence"]), int(row["attempt"])
        first_ns, second_ns, third_ns = (int(row[name]) for name in ("first_ns", "second_ns", "third_ns"))

        def add(stage: str, at_ns: int, latency_ns: int, of: int = sequence) -> None:
            found[(at_ns - FIRST_NS) // S, of % CLASSES, stage].append(latency_ns)

        if kind == Kind.ENQUEUED:
            add("lateness", second_ns, second_ns - first_ns)
            if row["outcome"] == Outcome.OK:
                add("send", second_ns, third_ns - second_ns)
        elif kind == Kind.STARTED:
            begun[sequence, attempt].append(first_ns)
            if attempt == 1:
                add("queue_wait", first_ns, first_ns - second_ns)
        elif row["outcome"] != Outcome.SKIPPED:
            add("service", first_ns, first_ns - begun[sequence, attempt].pop(0))
            if row["outcome"] != Outcome.RETRIED:
                add("end_to_end", first_ns, first_ns - second_ns)
    return found


def same(a: LatencyHistogram, b: LatencyHistogram) -> bool:
    return (a.first_bin, a.counts.tolist(), a.total_ns, a.greatest_ns) == (
        b.first_bin,
        b.counts.tolist(),
        b.total_ns,
        b.greatest_ns,
    )


def assert_same_windows(found: list[Window], expected: list[Window]) -> None:
    assert [w.index for w in found] == list(range(len(found)))
    for a, b in zip(found, expected, strict=True):
        assert a.latencies.keys() == b.latencies.keys()
        assert all(same(a.latencies[key], b.latencies[key]) for key in a.latencies)
        counts = [{k: v for k, v in asdict(w).items() if k not in ("latencies",)} for w in (a, b)]
        assert counts[0] == counts[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(TASKS, min_size=1, max_size=30))
def test_the_books_are_those_of_the_table_of_all_tasks(tasks: list[Task]) -> None:
    events = log_of(tasks)
    _, fold = whole(events)
    totals, books = fold.totals(nothing_more_comes=True), account(build_task_tables(events, RUN)[PHASE], len(tasks))
    for name in ("attempted", "acknowledged", "send_failed", "recovered", "completed", "failed", "skipped", "lost", "unexpected"):
        assert getattr(totals, name) == getattr(books, name), name
    assert (totals.doubled, totals.outstanding) == (books.duplicated, 0)
    assert numbers_in(totals.lost_ranges) == books.lost_ids
    assert numbers_in(totals.doubled_ranges) == books.duplicated_ids


@settings(max_examples=60, deadline=None)
@given(st.lists(TASKS, min_size=1, max_size=30))
def test_every_latency_is_in_its_window_class_and_stage_within_the_error(tasks: list[Task]) -> None:
    events = log_of(tasks)
    windows, _ = whole(events)
    expected = latencies(events)
    assert {(w.index, *key) for w in windows for key in w.latencies} == set(expected)
    for window in windows:
        for key, histogram in window.latencies.items():
            values = sorted(expected[window.index, *key])
            assert (histogram.count, histogram.greatest_ns) == (len(values), values[-1])
            assert histogram.total_ns == pytest.approx(sum(values), rel=1e-12)
            median_ns = values[-(-len(values) // 2) - 1]
            assert histogram.quantile_ns(0.5) == pytest.approx(median_ns, rel=RELATIVE_ERROR, abs=LEAST_NS)


@settings(max_examples=50, deadline=None)
@given(st.lists(TASKS, min_size=1, max_size=25), st.data())
def test_no_cut_no_order_within_the_lag_and_no_save_between_changes_a_figure(tasks: list[Task], data: st.DataObject) -> None:
    events = log_of(tasks)
    expected, at_once = whole(events)
    delays_ns = np.array(data.draw(st.lists(st.integers(0, 2 * S - 1), min_size=len(events), max_size=len(events))), np.int64)
    arrival_ns = happened_ns(events) + delays_ns
    order = np.argsort(arrival_ns, kind="stable")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=5)))
    fold, found = new_fold(), []
    for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        segment = order[begin:end]
        fold.take(folded(events[segment]))
        if end < len(events):
            found += fold.closed_windows(int(arrival_ns[order[end]]))
        if data.draw(st.booleans()):
            fold = Fold.restore(fold.state())
    found += fold.rest()
    assert_same_windows(found, [*expected, *[w for w in found[len(expected) :] if w.sent == w.started == w.ended == 0]])
    assert fold.totals() == at_once.totals()


def numbers_in(ranges: Ranges) -> tuple[int, ...]:
    return tuple(number for first, last in ranges for number in range(first, last + 1))


def ran(due: int, wait: int = 1, service: int = 1, outcome: int = Outcome.OK) -> Task:
    return Task(due, executions=((wait, service, 1, outcome),))


def test_windows_are_given_out_once_their_lag_is_over_each_once_and_empty_ones_too() -> None:
    fold = new_fold()
    fold.take(folded(log_of([ran(100), ran(2_500)])))
    assert fold.closed_windows(FIRST_NS + 2 * S) == []
    assert [w.index for w in fold.closed_windows(FIRST_NS + 4 * S)] == [0, 1]
    assert fold.closed_windows(FIRST_NS + 4 * S) == []
    last = fold.closed_windows(FIRST_NS + 6 * S)
    assert [(w.index, w.completed) for w in last] == [(2, 1), (3, 0)]
    assert (last[0].begin_ns, last[0].end_ns) == (FIRST_NS + 2 * S, FIRST_NS + 3 * S)
    assert fold.rest() == []


def test_what_comes_after_the_lag_is_counted_in_the_next_window_and_told() -> None:
    fold = new_fold()
    assert len(fold.closed_windows(FIRST_NS + 5 * S)) == 3
    fold.take(folded(log_of([ran(100)])))
    [window] = fold.closed_windows(FIRST_NS + 6 * S)
    assert (window.index, window.sent, window.completed) == (3, 1, 1)
    totals = fold.totals()
    assert (totals.after_the_lag, totals.completed) == (3, 1)


def test_a_task_is_outstanding_until_it_is_given_up_and_lost_no_longer_once_it_ends() -> None:
    events = log_of([Task(100), ran(200), Task(4_000), ran(8_500)])
    fold = new_fold(lost_after_s=5.0)
    fold.take(folded(events))
    totals = fold.totals()
    assert (totals.lost, totals.outstanding, totals.lost_ranges) == (1, 1, ((0, 0),))
    late_end = log_of([ran(100, wait=7_000)])
    fold.take(folded(late_end[late_end["kind"] != Kind.ENQUEUED]))
    assert (fold.totals().lost, fold.totals().completed) == (0, 3)


def test_times_of_another_clock_are_refused() -> None:
    far = folded(log_of([ran(100)]))
    with pytest.raises(ValueError, match=r"an event lies [\d,]+ windows after .*\(shift_ns\)"):
        Fold(WINDOW_S, 0).take(far)


@given(st.lists(TASKS, min_size=1, max_size=20), st.data())
@settings(max_examples=15, deadline=None)
def test_a_journal_has_every_window_once_wherever_its_writer_was_killed(tasks: list[Task], data: st.DataObject) -> None:
    events = log_of(tasks)
    expected, _ = whole(events)
    at_ns = happened_ns(events)
    with TemporaryDirectory() as folder:
        journal = Path(folder) / "windows.journal"
        fold = new_fold()
        saved, taken = fold.state(), 0
        for second in range(STEP_S, 40, STEP_S):
            until_ns = FIRST_NS + second * S
            fold.take(folded(events[(at_ns >= until_ns - STEP_S * S) & (at_ns < until_ns)]))
            append_to(journal, fold.closed_windows(until_ns))
            if data.draw(st.booleans(), label="saved"):
                saved, taken = fold.state(), second
            elif data.draw(st.booleans(), label="killed"):
                fold = Fold.restore(saved)
                cut_off(journal, fold.next_window)
                again_ns = FIRST_NS + taken * S
                fold.take(folded(events[(at_ns >= again_ns) & (at_ns < until_ns)]))
        append_to(journal, fold.rest())
        found = read(journal)
    assert_same_windows(found[: len(expected)], expected)
    assert all(window.sent == window.ended == 0 for window in found[len(expected) :])


def test_late_is_a_task_that_ends_longer_after_it_was_due() -> None:
    fold = new_fold(late_after_s=2.0)
    fold.take(folded(log_of([ran(0, wait=1_500), ran(0, wait=2_500), ran(0, wait=2_500, outcome=Outcome.RETRIED)])))
    assert fold.totals().late == 1


def test_stretches_of_lost_numbers_are_told_by_their_ends() -> None:
    fold = new_fold()
    fold.take(folded(log_of([Task(0), Task(0), ran(0), Task(0), ran(0)])))
    assert fold.totals(nothing_more_comes=True).lost_ranges == ((0, 1), (3, 3))


def test_records_of_other_runs_and_phases_and_shifted_clocks() -> None:
    events = log_of([ran(100), ran(200)])
    events["phase"][events["sequence"] == 1] = PHASE + 1
    shifted = events.copy()
    for name in ("first_ns", "second_ns", "third_ns"):
        shifted[name] -= 5 * S
    fold = new_fold()
    fold.take(TaskEvents.of(shifted, RUN, PHASE, class_of, shift_ns=5 * S))
    fold.take(TaskEvents.of(shifted, RUN + 1, PHASE, class_of, shift_ns=5 * S))
    assert_same_windows(fold.rest(), whole(events)[0])
    assert fold.totals().attempted == 1


def test_a_state_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    state = new_fold().state()
    monkeypatch.setattr(folding, "FORMAT", 99)
    with pytest.raises(ValueError, match="of format 1, not 99"):
        Fold.restore(state)


def test_a_window_has_the_latency_of_all_its_classes() -> None:
    windows, _ = whole(log_of([ran(10 * n, wait=n) for n in range(1, 30)]))
    [window] = windows
    for stage in STAGES:
        assert same(window.latency(stage), merged(window.latencies[code, stage] for code in range(CLASSES)))
        assert window.latency(stage).count == 29
