"""From recorded events to one row per task: a table of NumPy columns for each phase of a run.

Built for tens of millions of events: one kind of record at a time, gathered by index and scattered to its row; only records
of tasks that were sent, started or finished more than once are ever sorted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from infrastructure.event_log import Events
from tasks.events import Kind, Outcome
from tasks.loads import NS_PER_S

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
MISSING = -1


@dataclass(frozen=True, slots=True, eq=False)
class TaskTable:
    """One row for each task that was sent in a phase, by ascending sequence number. All columns have the length of
    ``sequence``; times are CLOCK_MONOTONIC nanoseconds; -1 where there is none."""

    sequence: Ints
    due_ns: Ints
    sent_ns: Ints
    """Before the enqueue call: of the first send that was acknowledged, else of the first."""
    acknowledged_ns: Ints
    """After that enqueue call, whether it was acknowledged or raised."""
    acknowledged: Bools
    started_ns: Ints
    """The first start."""
    finished_ns: Ints
    """The first finish with the final outcome."""
    outcome: npt.NDArray[np.uint8]
    """Final: OK if it ever ended so, else FAILED if so, else SKIPPED, else RETRIED (given back and never ended), else NONE."""
    label: npt.NDArray[np.int32]
    """The number of its class or stage."""
    sends: Counts
    starts: Counts
    finishes_ok: Counts
    finishes_failed: Counts
    finishes_retried: Counts
    finishes_skipped: Counts
    extra_finishes: Counts
    """Finishes beyond one for each attempt, or beyond one that was OK, whichever is more: executions that no retry explains."""
    attempt: Counts
    """The highest seen."""
    process: Ints
    """Of the first start, as are ``thread`` and ``place``."""
    thread: Ints
    place: npt.NDArray[np.int16]
    unexpected: Ints
    """Sequence numbers, ascending, that were started or finished without ever having been sent. Not a column."""

    def __len__(self) -> int:
        return len(self.sequence)

    @classmethod
    def empty(cls) -> "TaskTable":
        """The table of a phase of which nothing was recorded."""
        return _table([], [], 0)

    def of_label(self, label: int) -> "TaskTable":
        """The tasks of one class or stage, as a table of their own; ``unexpected`` belongs to none."""
        chosen = self.label == label
        columns = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "unexpected"}
        return TaskTable(**columns, unexpected=np.empty(0, np.int64))

    @property
    def ended(self) -> Bools:
        """Which tasks came to an end: completed or failed."""
        return np.isin(self.outcome, (Outcome.OK, Outcome.FAILED))

    @property
    def executed(self) -> Bools:
        """Which tasks started and ended: those whose service time is known."""
        executed: Bools = self.ended & (self.started_ns != MISSING)
        return executed

    def lateness_ns(self) -> Ints:
        """From due to the begin of the enqueue call, of every task sent."""
        return self.sent_ns - self.due_ns

    def send_ns(self) -> Ints:
        """Duration of the enqueue call, of every acknowledged task."""
        send_ns: Ints = self.acknowledged_ns[self.acknowledged] - self.sent_ns[self.acknowledged]
        return send_ns

    def ack_to_start_ns(self) -> Ints:
        """From the end of the enqueue call to the first start, of every acknowledged task that started: negative where it began
        before the call had returned."""
        known = self.acknowledged & (self.started_ns != MISSING)
        ack_to_start_ns: Ints = self.started_ns[known] - self.acknowledged_ns[known]
        return ack_to_start_ns

    def queue_wait_ns(self) -> Ints:
        """From due to the first start, of every task that started."""
        started = self.started_ns != MISSING
        queue_wait_ns: Ints = self.started_ns[started] - self.due_ns[started]
        return queue_wait_ns

    def service_ns(self) -> Ints:
        """From the first start to the finish, of every task that was :attr:`executed`."""
        executed = self.executed
        service_ns: Ints = self.finished_ns[executed] - self.started_ns[executed]
        return service_ns

    def end_to_end_ns(self) -> Ints:
        """From due to the finish, of every task that ended."""
        ended = self.ended
        end_to_end_ns: Ints = self.finished_ns[ended] - self.due_ns[ended]
        return end_to_end_ns

    def offered_rate_per_s(self) -> float | None:
        """Tasks sent a second: ``(n - 1) / (last send - first send)``."""
        return _rate_per_s(len(self) - 1, self.sent_ns)

    def planned_rate_per_s(self) -> float | None:
        """Tasks due a second, reckoned as the offered rate is, so that the two compare for any arrivals."""
        return _rate_per_s(len(self) - 1, self.due_ns)

    def enqueue_rate_per_s(self) -> float | None:
        """Tasks acknowledged a second, from the begin of the first enqueue call to the end of the last."""
        taken = self.acknowledged
        return _rate_per_s(int(taken.sum()), np.concatenate([self.sent_ns[taken], self.acknowledged_ns[taken]]))

    def drain_rate_per_s(self) -> float | None:
        """Tasks ended a second between the task at 10 % and the one at 90 % of all ends: without start-up and tail."""
        ends_ns = self.finished_ns[self.ended]
        if len(ends_ns) == 0:
            return None
        low, high = int(0.1 * (len(ends_ns) - 1)), int(0.9 * (len(ends_ns) - 1))
        return _rate_per_s(high - low, np.partition(ends_ns, (low, high))[[low, high]])

    def last_end_ns(self) -> int | None:
        """When the last task ended."""
        ended = self.ended
        return int(self.finished_ns[ended].max()) if ended.any() else None

    def started_in_processes(self) -> int:
        """How many processes were the first to start a task, over the whole phase: each that took the place of another counts."""
        return len(np.unique(self.process[self.started_ns != MISSING]))

    def working_processes(self) -> int:
        """How many processes worked at once, at most; one works from the first start of a task in it to the last end of one. So a
        process that took the place of another after so many tasks adds nothing."""
        started = self.started_ns != MISSING
        found, numbers = np.unique(self.process[started], return_inverse=True)
        first_ns = np.full(len(found), np.iinfo(np.int64).max)
        last_ns = np.full(len(found), MISSING, np.int64)
        np.minimum.at(first_ns, numbers, self.started_ns[started])
        np.maximum.at(last_ns, numbers, np.maximum(self.started_ns, self.finished_ns)[started])
        at_ns = np.concatenate([last_ns, first_ns])
        steps = np.repeat(np.array([-1, 1]), len(found))
        # Of what is at one moment the starts first: a process whose only task took no time has worked.
        return int(np.cumsum(steps[np.lexsort((-steps, at_ns))]).max(initial=0))

    def working_threads(self) -> int:
        """How many threads, of all processes, were the first to start a task."""
        started = self.started_ns != MISSING
        return len(np.unique((self.process[started] << 32) | self.thread[started]))

    def to_frame(self) -> pd.DataFrame:
        """The columns as a frame, for Parquet."""
        return pd.DataFrame({f.name: getattr(self, f.name) for f in fields(self) if f.name != "unexpected"}, copy=False)


def _rate_per_s(count: int, times_ns: Ints) -> float | None:
    """``count`` over the span of the times; None where there is no span."""
    span_ns = int(np.ptp(times_ns)) if len(times_ns) else 0
    return count * NS_PER_S / span_ns if span_ns else None


def tasks_frame(tables: Mapping[int, TaskTable]) -> pd.DataFrame:
    """The tables of all phases of a run below one another, with the phase's number as first column."""
    frames = []
    for phase, table in sorted(tables.items()) or [(0, TaskTable.empty())]:
        frame = table.to_frame()
        frame.insert(0, "phase", np.full(len(table), phase, np.uint8))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def build_task_tables(events: Events | Sequence[Events], run: int) -> dict[int, TaskTable]:
    """The task table of every phase of which ``run`` has records.

    ``events`` are arrays of :data:`infrastructure.event_log.EVENT_DTYPE` (one, or one for each node or file, which spares
    joining them), in any order. Records of other runs and of unknown kinds are left out. A start or finish of a sequence number
    that was never sent gets no row, only its number in ``unexpected``; memory therefore grows with the number of records,
    whatever numbers they hold.
    """
    parts = [events] if isinstance(events, np.ndarray) else list(events)
    codes = [_codes(part, run) for part in parts]
    present = np.zeros(_CODES, np.bool_)
    for code in codes:
        present[np.unique(code)] = True
    phases = sorted({int(code) // _KINDS for code in np.flatnonzero(present[:_OTHER])})
    return {phase: _table(parts, codes, phase) for phase in phases}


_KINDS = 4
_OTHER = 256 * _KINDS
_CODES = _OTHER + 1


def _codes(part: Events, run: int) -> npt.NDArray[np.uint16]:
    """Phase and kind of every record in one compact number, so that the wide records are passed over only once."""
    kind = part["kind"]
    code = part["phase"].astype(np.uint16)
    code *= _KINDS
    code += kind
    code[(part["run"] != run) | (kind < Kind.ENQUEUED) | (kind > Kind.FINISHED)] = _OTHER
    return code


class _Selection:
    """The records of one kind and phase; a field is gathered when it is asked for."""

    def __init__(self, parts: Sequence[Events], codes: Sequence[npt.NDArray[np.uint16]], phase: int, kind: Kind) -> None:
        code = phase * _KINDS + kind
        self._parts = parts
        self._picks = [np.flatnonzero(c == code) for c in codes]

    def field(self, name: str, keep: Bools | None = None) -> npt.NDArray[np.generic]:
        gathered = [part[name][pick] for part, pick in zip(self._parts, self._picks, strict=True)]
        values = gathered[0] if len(gathered) == 1 else np.concatenate([np.empty(0, np.uint8), *gathered])
        return values if keep is None else values[keep]

    def ints(self, name: str, keep: Bools | None = None) -> Ints:
        return self.field(name, keep).astype(np.int64, copy=False)


class _Rows:
    """Which row a sequence number has: itself where the numbers are dense from 0, as they should be; else by search."""

    def __init__(self, sent: Ints) -> None:
        size = int(sent.max()) + 1 if len(sent) else 0
        self._dense = size <= len(sent) and bool(np.bincount(sent, minlength=size).all())
        self.sequence: Ints = np.arange(size, dtype=np.int64) if self._dense else np.unique(sent)

    def __len__(self) -> int:
        return len(self.sequence)

    def known(self, sequences: Ints) -> Bools:
        if self._dense:
            return sequences < len(self)
        position = np.minimum(np.searchsorted(self.sequence, sequences), len(self) - 1)
        return np.equal(self.sequence[position], sequences)

    def of(self, sequences: Ints) -> Ints:
        return sequences if self._dense else np.searchsorted(self.sequence, sequences)


def _first_of_each(rows: Ints, size: int, *keys: Ints) -> tuple[Ints, Counts]:
    """For each row the index of its record with the least ``keys`` (the first key weighs most), -1 where it has none; and how
    many records it has."""
    count = np.bincount(rows, minlength=size).astype(np.int32)
    chosen = np.full(size, MISSING, np.int64)
    chosen[rows] = np.arange(len(rows))
    several = np.flatnonzero(count[rows] > 1)
    if len(several):
        # A repeated index has no promised winner in NumPy, hence these rows are decided again, each by one assignment.
        several = several[np.lexsort([key[several] for key in (*reversed(keys), rows)])]
        sorted_rows = rows[several]
        first = np.concatenate([[True], sorted_rows[1:] != sorted_rows[:-1]])
        chosen[sorted_rows[first]] = several[first]
    return chosen, count


def _scatter(chosen: Ints, values: Ints) -> Ints:
    """For each row the value of its chosen record, -1 where it has none."""
    column = np.full(len(chosen), MISSING, np.int64)
    found = chosen != MISSING
    column[found] = values[chosen[found]]
    return column


def _counts(rows: Ints, of: Bools, size: int) -> Counts:
    return np.bincount(rows[of], minlength=size).astype(np.int32)


def _extra_finishes(rows: Ints, attempts: Ints, count: Counts, ok: Counts) -> Counts:
    extra = np.maximum(ok - 1, 0)
    several = count[rows] > 1
    if several.any():
        pairs = np.unique((rows[several] << 16) | attempts[several])
        attempts_finished = np.bincount(pairs >> 16, minlength=len(count))
        more = np.flatnonzero(count > 1)
        extra[more] = np.maximum(extra[more], count[more] - attempts_finished[more])
    return extra


def _table(parts: Sequence[Events], codes: Sequence[npt.NDArray[np.uint16]], phase: int) -> TaskTable:
    sent = _Selection(parts, codes, phase, Kind.ENQUEUED)
    sequence = sent.ints("sequence")
    rows = _Rows(sequence)
    size = len(rows)
    before_ns, ok = sent.ints("second_ns"), sent.field("outcome") == Outcome.OK
    chosen, sends = _first_of_each(rows.of(sequence), size, (~ok).astype(np.int64), before_ns, sent.ints("third_ns"))
    due_ns, acknowledged_ns = sent.ints("first_ns")[chosen], sent.ints("third_ns")[chosen]
    sent_ns, acknowledged = before_ns[chosen], ok[chosen]
    label = sent.ints("label")[chosen].astype(np.int32)
    del sent, sequence, before_ns, ok, chosen

    attempt = np.full(size, MISSING, np.int32)

    begun = _Selection(parts, codes, phase, Kind.STARTED)
    sequence = begun.ints("sequence")
    known = rows.known(sequence)
    unexpected = np.unique(sequence[~known])
    at = rows.of(sequence[known])
    first_ns, process, thread = (begun.ints(name, known) for name in ("first_ns", "process", "thread"))
    np.maximum.at(attempt, at, begun.field("attempt", known).astype(np.int32))
    chosen, starts = _first_of_each(at, size, first_ns, process, thread)
    started_ns, first_process = _scatter(chosen, first_ns), _scatter(chosen, process)
    first_thread, place = _scatter(chosen, thread), _scatter(chosen, begun.ints("place", known)).astype(np.int16)
    del begun, sequence, known, at, first_ns, process, thread, chosen

    ended = _Selection(parts, codes, phase, Kind.FINISHED)
    sequence = ended.ints("sequence")
    known = rows.known(sequence)
    unexpected = np.union1d(unexpected, sequence[~known])
    at = rows.of(sequence[known])
    first_ns, result, attempts = ended.ints("first_ns", known), ended.field("outcome", known), ended.ints("attempt", known)
    np.maximum.at(attempt, at, attempts.astype(np.int32))
    is_ok, is_failed, is_skipped = result == Outcome.OK, result == Outcome.FAILED, result == Outcome.SKIPPED
    rank = np.select([is_ok, is_failed, is_skipped], [0, 1, 2], 3)
    chosen, finishes = _first_of_each(at, size, rank, first_ns)
    finishes_ok, finishes_failed = _counts(at, is_ok, size), _counts(at, is_failed, size)
    finishes_skipped = _counts(at, is_skipped, size)
    outcome = np.zeros(size, np.uint8)
    outcome[finishes > 0] = Outcome.RETRIED
    outcome[finishes_skipped > 0] = Outcome.SKIPPED
    outcome[finishes_failed > 0] = Outcome.FAILED
    outcome[finishes_ok > 0] = Outcome.OK
    return TaskTable(
        sequence=rows.sequence,
        due_ns=due_ns,
        sent_ns=sent_ns,
        acknowledged_ns=acknowledged_ns,
        acknowledged=acknowledged,
        started_ns=started_ns,
        finished_ns=_scatter(chosen, first_ns),
        outcome=outcome,
        label=label,
        sends=sends,
        starts=starts,
        finishes_ok=finishes_ok,
        finishes_failed=finishes_failed,
        finishes_retried=finishes - finishes_ok - finishes_failed - finishes_skipped,
        finishes_skipped=finishes_skipped,
        extra_finishes=_extra_finishes(at, attempts, finishes, finishes_ok),
        attempt=attempt,
        process=first_process,
        thread=first_thread,
        place=place,
        unexpected=unexpected,
    )
