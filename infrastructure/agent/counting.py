"""Counts and durations from the event log, read as it grows: each record once, in NumPy."""

import contextlib
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from infrastructure.agent.shedding import EVENT_FILES, Taken, bytes_taken, drop_before, records_after
from infrastructure.event_log import EVENT_DTYPE, Events, events_from_bytes
from tasks.events import RECORD, Kind, Outcome

_CHUNK_BYTES = RECORD.size * 64 * 1024
_OPEN_STARTS_LIMIT = 200_000

BUCKETS_S = (
    *(60e-6, 100e-6, 150e-6, 250e-6, 400e-6, 600e-6),
    *(1e-3, 1.5e-3, 2.5e-3, 4e-3, 6e-3, 10e-3, 15e-3, 25e-3, 40e-3, 60e-3, 100e-3, 150e-3, 250e-3, 400e-3, 600e-3),
    *(1.0, 1.5, 2.5, 4.0, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0, 250.0, 600.0),
)
"""Upper bounds of the histograms: from the fastest queue over Redis to a stall that a user would notice. Five to a decade up to
100 s, so that a quantile is wrong by a factor of 5/3 at most."""


class PhaseCounts(TypedDict):
    """What has happened in a phase so far. ``processes`` counts the distinct processes that started tasks."""

    enqueued_ok: int
    enqueued_failed: int
    started: int
    finished_ok: int
    finished_failed: int
    finished_retried: int
    finished_skipped: int
    processes: int


_COUNTED = {
    "enqueued_ok": (Kind.ENQUEUED, Outcome.OK),
    "enqueued_failed": (Kind.ENQUEUED, Outcome.FAILED),
    "started": (Kind.STARTED, Outcome.NONE),
    "finished_ok": (Kind.FINISHED, Outcome.OK),
    "finished_failed": (Kind.FINISHED, Outcome.FAILED),
    "finished_retried": (Kind.FINISHED, Outcome.RETRIED),
    "finished_skipped": (Kind.FINISHED, Outcome.SKIPPED),
}


class Tally:
    """Events counted by run, phase, kind and outcome. The order in which records are added, and in what portions, is of no
    account."""

    def __init__(self) -> None:
        self._events: dict[tuple[int, int, int, int], int] = defaultdict(int)
        self._processes: dict[tuple[int, int], set[int]] = defaultdict(set)

    def add(self, events: Events) -> None:
        """Count these records."""
        phases = events["run"].astype(np.uint64) << np.uint64(8) | events["phase"]
        codes = phases << np.uint64(16) | events["kind"].astype(np.uint64) << np.uint64(8) | events["outcome"]
        for code, count in zip(*(a.tolist() for a in np.unique(codes, return_counts=True)), strict=True):
            self._events[code >> 24, code >> 16 & 0xFF, code >> 8 & 0xFF, code & 0xFF] += count
        starts = events["kind"] == Kind.STARTED
        for phase in np.unique(phases[starts]).tolist():
            seen = np.unique(events["process"][starts & (phases == phase)])
            self._processes[phase >> 8, phase & 0xFF].update(seen.tolist())

    def of_run(self, run: int) -> dict[int, PhaseCounts]:
        """The counts of each phase of a run that has left a record."""
        phases = sorted({key[1] for key in self._events if key[0] == run})
        return {phase: self._of_phase(run, phase) for phase in phases}

    def by_outcome(self, kind: Kind, run: int, phase: int) -> dict[int, int]:
        """How many records of one kind a phase has, by outcome."""
        return {key[3]: count for key, count in self._events.items() if key[:3] == (run, phase, kind)}

    def over_all(self) -> Counter[str]:
        """Events over all runs and phases, by the names of :class:`PhaseCounts`."""
        return Counter(
            {
                name: sum(count for key, count in self._events.items() if key[2:] == kind_and_outcome)
                for name, kind_and_outcome in _COUNTED.items()
            }
        )

    def _of_phase(self, run: int, phase: int) -> PhaseCounts:
        def count(name: str) -> int:
            kind, outcome = _COUNTED[name]
            return self._events.get((run, phase, kind, outcome), 0)

        return PhaseCounts(
            enqueued_ok=count("enqueued_ok"),
            enqueued_failed=count("enqueued_failed"),
            started=count("started"),
            finished_ok=count("finished_ok"),
            finished_failed=count("finished_failed"),
            finished_retried=count("finished_retried"),
            finished_skipped=count("finished_skipped"),
            processes=len(self._processes.get((run, phase), ())),
        )


@dataclass(frozen=True, slots=True)
class HistogramReading:
    """``cumulative``: how many durations were at most each bound, and last how many there were at all."""

    cumulative: tuple[int, ...]
    sum_s: float


class Histogram:
    """Durations counted by :data:`BUCKETS_S`; a duration equal to a bound lies in its bucket."""

    def __init__(self) -> None:
        self._bounds_ns = np.array([round(bound * 1e9) for bound in BUCKETS_S], dtype=np.int64)
        self._counts = np.zeros(len(BUCKETS_S) + 1, dtype=np.int64)
        self._sum_ns = 0

    def add(self, durations_ns: npt.NDArray[np.int64]) -> None:
        """Count these durations."""
        buckets = np.searchsorted(self._bounds_ns, durations_ns, side="left")
        self._counts += np.bincount(buckets, minlength=len(self._counts))
        self._sum_ns += int(durations_ns.sum())

    def reading(self) -> HistogramReading:
        """The histogram as it is now."""
        return HistogramReading(tuple(np.cumsum(self._counts).tolist()), self._sum_ns / 1e9)


class Pairing:
    """Pairs ends with starts, across portions of the log.

    An end belongs to the start of the same run, phase, sequence, attempt and process that comes directly before it; a start
    that is followed by another such start stays unpaired. So any cutting of the log into portions gives the same pairs. Starts
    without an end are kept, at most the newest 200,000 of them.
    """

    def __init__(self) -> None:
        self._open: Events = np.empty(0, dtype=EVENT_DTYPE)

    def open_in(self, is_alive: Callable[[int], bool]) -> int:
        """Starts without an end whose process is alive: what a process took with it when it ended is no longer running."""
        processes, counts = np.unique(self._open["process"], return_counts=True)
        return sum(count for process, count in zip(processes.tolist(), counts.tolist(), strict=True) if is_alive(process))

    def service_ns(self, events: Events) -> npt.NDArray[np.int64]:
        """The service times that these records complete."""
        relevant = events[(events["kind"] == Kind.STARTED) | (events["kind"] == Kind.FINISHED)]
        if not len(relevant):
            return np.empty(0, dtype=np.int64)
        joined = np.concatenate((self._open, relevant))
        # lexsort is stable: records of one key stay in the order of the log.
        ordered = joined[np.lexsort((joined["process"], joined["attempt"], joined["sequence"], joined["phase"], joined["run"]))]
        same_as_next = np.ones(len(ordered) - 1, dtype=np.bool_)
        for name in ("run", "phase", "sequence", "attempt", "process"):
            same_as_next &= ordered[name][:-1] == ordered[name][1:]
        is_start = ordered["kind"] == Kind.STARTED
        begins = np.flatnonzero(is_start[:-1] & ~is_start[1:] & same_as_next)
        last_of_key = np.append(~same_as_next, True)
        left = ordered[is_start & last_of_key]
        if len(left) > _OPEN_STARTS_LIMIT:
            left = left[np.argsort(left["first_ns"])[-_OPEN_STARTS_LIMIT:]]
        self._open = left
        durations: npt.NDArray[np.int64] = ordered["first_ns"][begins + 1] - ordered["first_ns"][begins]
        return durations


class Durations:
    """The histograms that a node exports."""

    def __init__(self) -> None:
        self.service = Histogram()
        self.queue_wait = Histogram()
        self.end_to_end = Histogram()
        self.lateness = Histogram()
        self.emission = Histogram()
        self._pairing = Pairing()

    def in_flight(self) -> int:
        """Tasks that living processes have started and not ended."""
        return self._pairing.open_in(lambda process: Path(f"/proc/{process}").exists())

    def add(self, events: Events) -> None:
        """Take in these records. The queue wait is that of first attempts; a task that will be retried has not ended."""
        kind = events["kind"]
        sent = events[kind == Kind.ENQUEUED]
        starts = events[(kind == Kind.STARTED) & (events["attempt"] <= 1)]
        ends = events[(kind == Kind.FINISHED) & np.isin(events["outcome"], (Outcome.OK, Outcome.FAILED))]
        emitted = events[kind == Kind.EMITTED]
        self.lateness.add(sent["second_ns"] - sent["first_ns"])
        self.emission.add(emitted["second_ns"] - emitted["first_ns"])
        self.queue_wait.add(starts["first_ns"] - starts["second_ns"])
        self.end_to_end.add(ends["first_ns"] - ends["second_ns"])
        self.service.add(self._pairing.service_ns(events))


@dataclass(frozen=True, slots=True)
class EventTotals:
    """All that the agent has seen of events since it started: ``counts`` by the names of :class:`PhaseCounts`; and, as of now,
    the tasks in flight and the size of the log."""

    counts: Counter[str]
    in_flight: int
    service: HistogramReading
    queue_wait: HistogramReading
    end_to_end: HistogramReading
    lateness: HistogramReading
    emission: HistogramReading
    log_bytes: int


class EventTail:
    """The part of a folder's event files that has not been read yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}

    def new(self) -> Iterator[Events]:
        """New whole records, in portions that may span files. A file that has become shorter is read from its start."""
        portion: list[Events] = []
        for path in sorted(self._folder.glob(EVENT_FILES)):
            try:
                with path.open("rb", buffering=0) as file:
                    for events in self._new_of(path, file.fileno()):
                        portion.append(events)
                        if sum(part.nbytes for part in portion) >= _CHUNK_BYTES:
                            yield np.concatenate(portion)
                            portion = []
            except FileNotFoundError:
                self._offsets.pop(path, None)
        if portion:
            yield np.concatenate(portion)

    def rewind(self) -> None:
        """Begin at the start of every file."""
        self._offsets.clear()

    def _new_of(self, path: Path, descriptor: int) -> Iterator[Events]:
        offset = self._offsets.get(path, 0)
        if os.fstat(descriptor).st_size < offset:
            offset = 0
        while raw := os.pread(descriptor, _CHUNK_BYTES, offset):
            events = events_from_bytes(raw)
            if not len(events):
                break
            offset += events.nbytes
            self._offsets[path] = offset
            yield events
        self._offsets[path] = offset


class EventReader:
    """Counts of a node's event log, kept up to date; safe to use from several threads.

    ``counts`` begin anew with every :meth:`clear`; ``totals`` go on for as long as the agent lives.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._tail = EventTail(folder)
        self._counts = Tally()
        self._cleared_counts: Counter[str] = Counter()
        self._durations = Durations()

    def counts(self, run: int) -> dict[int, PhaseCounts]:
        """What the log says of a run by now, by phase."""
        with self._lock:
            self._refresh()
            return self._counts.of_run(run)

    def by_outcome(self, kind: Kind, run: int, phase: int) -> dict[int, int]:
        """How many records of one kind a phase has by now, by outcome."""
        with self._lock:
            self._refresh()
            return self._counts.by_outcome(kind, run, phase)

    def totals(self) -> EventTotals:
        """What the log has said since the agent started, and its size."""
        with self._lock:
            self._refresh()
            durations = self._durations
            return EventTotals(
                counts=self._cleared_counts + self._counts.over_all(),
                in_flight=durations.in_flight(),
                service=durations.service.reading(),
                queue_wait=durations.queue_wait.reading(),
                end_to_end=durations.end_to_end.reading(),
                lateness=durations.lateness.reading(),
                emission=durations.emission.reading(),
                log_bytes=sum(bytes_taken(path) for path in self._folder.glob(EVENT_FILES)),
            )

    def clear(self) -> None:
        """Empty all files, which their writers go on appending to; remove those whose process has ended."""
        with self._lock:
            self._refresh()
            for path in self._folder.glob(EVENT_FILES):
                pid = path.name.partition("-")[0]
                if pid.isdigit() and Path(f"/proc/{pid}").exists():
                    os.truncate(path, 0)
                else:
                    path.unlink()
            self._tail.rewind()
            self._cleared_counts += self._counts.over_all()
            self._counts = Tally()

    def raw(self) -> Iterator[bytes]:
        """All files one after another, whole records only, in portions. A file that :meth:`clear` removes meanwhile is empty."""
        for path in sorted(self._folder.glob(EVENT_FILES)):
            with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
                left = file.seek(0, os.SEEK_END) // RECORD.size * RECORD.size
                file.seek(0)
                while left > 0 and (portion := file.read(min(left, _CHUNK_BYTES))):
                    left -= len(portion)
                    yield portion

    def records_after(self, cursors: Mapping[str, int], most_bytes: int) -> Taken:
        """What the log has behind cursors (:mod:`infrastructure.agent.shedding`)."""
        with self._lock:
            return records_after(self._folder, cursors, most_bytes)

    def drop_before(self, cursors: Mapping[str, int]) -> None:
        """Give back the space of what lies before cursors; it stays counted. In :meth:`raw` it reads as zeros."""
        with self._lock:
            self._refresh()
            drop_before(self._folder, cursors)

    def _refresh(self) -> None:
        for events in self._tail.new():
            self._counts.add(events)
            self._durations.add(events)
