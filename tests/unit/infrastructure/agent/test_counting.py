"""Counts and durations of the agent do not depend on how the log is cut while it grows."""

import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.agent.counting import BUCKETS_S, EventReader, Histogram, Pairing, PhaseCounts
from infrastructure.event_log import Events, events_from_bytes
from tasks.events import RECORD, Kind, Outcome

ENDS = (Outcome.OK, Outcome.FAILED, Outcome.RETRIED)


def record(
    kind: Kind,
    outcome: int = 0,
    run: int = 1,
    phase: int = 1,
    sequence: int = 0,
    process: int = 7,
    attempt: int = 1,
    first_ns: int = 0,
    second_ns: int = 0,
) -> bytes:
    return RECORD.pack(kind, outcome, 0, phase, attempt, 0, run, sequence, process, process, first_ns, second_ns, 0)


records = st.builds(
    record,
    kind=st.sampled_from(Kind),
    outcome=st.sampled_from(Outcome),
    run=st.integers(0, 2) | st.just(2**32 - 1),
    phase=st.integers(0, 2) | st.just(255),
    sequence=st.integers(0, 3),
    process=st.integers(1, 3) | st.just(2**32 - 1),
    attempt=st.integers(1, 2),
    first_ns=st.integers(0, 10**11),
    second_ns=st.integers(0, 10**11),
)


def expected(raw: bytes, run: int) -> dict[int, PhaseCounts]:
    """Counted one record at a time."""
    found: dict[int, Counter[str]] = {}
    processes: dict[int, set[int]] = {}
    names = {
        (Kind.ENQUEUED, Outcome.OK): "enqueued_ok",
        (Kind.ENQUEUED, Outcome.FAILED): "enqueued_failed",
        (Kind.STARTED, Outcome.NONE): "started",
        (Kind.FINISHED, Outcome.OK): "finished_ok",
        (Kind.FINISHED, Outcome.FAILED): "finished_failed",
        (Kind.FINISHED, Outcome.RETRIED): "finished_retried",
        (Kind.FINISHED, Outcome.SKIPPED): "finished_skipped",
    }
    for kind, outcome, _, phase, _, _, of_run, _, process, *_ in RECORD.iter_unpack(raw):
        if of_run == run:
            found.setdefault(phase, Counter())[names.get((kind, outcome), "")] += 1
            if kind == Kind.STARTED:
                processes.setdefault(phase, set()).add(process)
    return {
        phase: PhaseCounts(
            enqueued_ok=counter["enqueued_ok"],
            enqueued_failed=counter["enqueued_failed"],
            started=counter["started"],
            finished_ok=counter["finished_ok"],
            finished_failed=counter["finished_failed"],
            finished_retried=counter["finished_retried"],
            finished_skipped=counter["finished_skipped"],
            processes=len(processes.get(phase, ())),
        )
        for phase, counter in found.items()
    }


def append(path: Path, portion: bytes) -> None:
    with path.open("ab") as file:
        file.write(portion)


@given(log=st.lists(records, max_size=60).map(b"".join), data=st.data())
def test_any_cutting_of_the_log_gives_the_same_counts_and_totals(
    tmp_path_factory: pytest.TempPathFactory, log: bytes, data: st.DataObject
) -> None:
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    append(whole / "1-1.events", log)
    at_once = EventReader(whole)
    piecewise = EventReader(cut)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=8)))
    for begin, end in zip([0, *cuts], [*cuts, len(log)], strict=True):
        append(cut / "1-1.events", log[begin:end])
        piecewise.counts(1)
    for run in (0, 1, 2, 3, 2**32 - 1):
        assert piecewise.counts(run) == at_once.counts(run) == expected(log, run)
    assert piecewise.totals() == at_once.totals()


@given(log=st.lists(records, max_size=40))
def test_the_division_of_the_log_into_files_does_not_change_the_counts(
    tmp_path_factory: pytest.TempPathFactory, log: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for index, one in enumerate(log):
        append(folder / f"{index % 3}-1.events", one)
    reader = EventReader(folder)
    for run in (0, 1, 2):
        assert reader.counts(run) == expected(b"".join(log), run)


def test_counts_begin_anew_after_a_clear_and_totals_go_on(tmp_path: Path) -> None:
    living = tmp_path / f"{os.getpid()}-5.events"
    ended = tmp_path / "0-5.events"
    reader = EventReader(tmp_path)
    for path in (living, ended):
        append(path, record(Kind.FINISHED, Outcome.OK) * 3)
    assert reader.counts(1)[1]["finished_ok"] == 6
    reader.clear()
    assert reader.counts(1) == {}
    assert living.stat().st_size == 0
    assert not ended.exists()
    append(living, record(Kind.FINISHED, Outcome.OK) * 5)
    assert reader.counts(1)[1]["finished_ok"] == 5
    assert reader.totals().counts["finished_ok"] == 11


def test_a_file_that_someone_else_truncated_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "1-1.events"
    append(path, record(Kind.STARTED) * 4)
    reader = EventReader(tmp_path)
    assert reader.counts(1)[1]["started"] == 4
    os.truncate(path, 0)
    append(path, record(Kind.STARTED) * 2)
    assert reader.counts(1)[1]["started"] == 6


def test_the_raw_log_is_whole_records_of_all_files(tmp_path: Path) -> None:
    append(tmp_path / "1-1.events", record(Kind.STARTED) + record(Kind.FINISHED)[:20])
    append(tmp_path / "2-1.events", record(Kind.FINISHED))
    append(tmp_path / "notes.txt", b"not an event")
    assert b"".join(EventReader(tmp_path).raw()) == record(Kind.STARTED) + record(Kind.FINISHED)


def log_of(*parts: bytes) -> Events:
    return events_from_bytes(b"".join(parts))


@given(
    tasks=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(0, 5), st.integers(1, 3), st.integers(0, 1000)),
        unique_by=lambda task: task[:4],
        max_size=30,
    ),
    seed=st.integers(0, 2**16),
    portions=st.integers(1, 6),
)
def test_every_end_is_paired_with_its_own_start_in_whatever_order_tasks_overlap(
    tasks: list[tuple[int, int, int, int, int]], seed: int, portions: int
) -> None:
    order = random.Random(seed)
    pending: list[list[bytes]] = []
    for phase, attempt, sequence, process, took_ns in tasks:
        began_ns = order.randrange(10**6)
        same = {"phase": phase, "attempt": attempt, "sequence": sequence, "process": process}
        pending.append(
            [
                record(Kind.STARTED, first_ns=began_ns, **same),
                record(Kind.FINISHED, order.choice(ENDS), first_ns=began_ns + took_ns, **same),
            ]
        )
    log = []
    while pending:
        index = order.randrange(len(pending))
        log.append(pending[index].pop(0))
        pending = [task for task in pending if task]
    pairing = Pairing()
    size = max(1, math.ceil(len(log) / portions))
    found = [pairing.service_ns(log_of(*log[i : i + size])) for i in range(0, len(log), size)]
    assert sorted(np.concatenate(found).tolist() if found else []) == sorted(task[4] for task in tasks)


def test_an_end_belongs_to_the_start_directly_before_it() -> None:
    start, end = record(Kind.STARTED, first_ns=10), record(Kind.FINISHED, Outcome.OK, first_ns=25)
    again = record(Kind.STARTED, first_ns=20)
    assert Pairing().service_ns(log_of(start, end, again, end)).tolist() == [15, 5]
    assert Pairing().service_ns(log_of(start, again, end, end)).tolist() == [5]
    assert Pairing().service_ns(log_of(end, start)).tolist() == []


def test_in_flight_is_what_living_processes_have_begun_and_not_ended(tmp_path: Path) -> None:
    ended = 2**32 - 1
    append(
        tmp_path / "1-1.events",
        b"".join(record(Kind.STARTED, sequence=i, process=os.getpid()) for i in range(3))
        + record(Kind.FINISHED, Outcome.OK, sequence=1, process=os.getpid())
        + record(Kind.STARTED, sequence=9, process=ended),
    )
    reader = EventReader(tmp_path)
    assert reader.totals().in_flight == 2
    append(tmp_path / "1-1.events", record(Kind.FINISHED, Outcome.FAILED, sequence=0, process=os.getpid()))
    assert reader.totals().in_flight == 1


def test_starts_that_never_end_are_forgotten_from_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.agent.counting._OPEN_STARTS_LIMIT", 2)
    pairing = Pairing()
    pairing.service_ns(log_of(*(record(Kind.STARTED, sequence=i, first_ns=i) for i in range(3))))
    ends = (record(Kind.FINISHED, Outcome.OK, sequence=i, first_ns=10) for i in range(3))
    assert sorted(pairing.service_ns(log_of(*ends)).tolist()) == [8, 9]


@given(durations_ns=st.lists(st.integers(-(10**6), 10**12), max_size=50))
def test_a_histogram_counts_what_is_at_most_each_bound(durations_ns: list[int]) -> None:
    histogram = Histogram()
    for part in (durations_ns[:7], durations_ns[7:]):
        histogram.add(np.array(part, dtype=np.int64))
    reading = histogram.reading()
    assert reading.cumulative == (
        *(sum(d <= round(bound * 1e9) for d in durations_ns) for bound in BUCKETS_S),
        len(durations_ns),
    )
    assert reading.sum_s == pytest.approx(sum(durations_ns) / 1e9)


def test_waits_and_ends_count_from_when_the_task_was_due(tmp_path: Path) -> None:
    append(
        tmp_path / "1-1.events",
        record(Kind.ENQUEUED, Outcome.OK, first_ns=1_000, second_ns=4_000)
        + record(Kind.STARTED, first_ns=11_000, second_ns=1_000)
        + record(Kind.FINISHED, Outcome.RETRIED, first_ns=12_000, second_ns=1_000)
        + record(Kind.STARTED, attempt=2, first_ns=21_000, second_ns=1_000)
        + record(Kind.FINISHED, Outcome.OK, attempt=2, first_ns=23_000, second_ns=1_000),
    )
    totals = EventReader(tmp_path).totals()
    assert totals.lateness.sum_s == pytest.approx(3e-6)
    assert totals.queue_wait.sum_s == pytest.approx(10e-6)
    assert totals.service.sum_s == pytest.approx(3e-6)
    assert totals.end_to_end.sum_s == pytest.approx(22e-6)
    assert totals.log_bytes == 5 * RECORD.size
