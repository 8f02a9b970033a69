"""What a framework's own task events came to: how many were handed over, how many arrived, how late. Pure arithmetic on the task
table and on the readings of ``benchmarks.run.devices.subscribers``."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.record.percentiles import NS_PER_US, TAIL, quantile
from benchmarks.record.run_data import PhaseData
from benchmarks.record.task_table import MISSING, Ints, TaskTable
from tasks.events import Streamed

RECEIPTS, EMISSIONS = "receipts", "emissions"
"""What the readings of what subscribers received, and of what the worker emitted, are called."""
UNKNOWN = -1
"""The sequence number in the receipt of an event that names no task of the phase."""


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """What the subscribers of a phase have received, against what they were owed: start and end of each task executed, for each
    subscriber."""

    subscribers: int
    broken: int
    """Times that a subscriber had to subscribe anew."""
    owed: int
    received: int
    duplicated: int
    """Receipts of an event that the subscriber had had already."""
    unknown: int
    """Events of tasks that the phase has not run."""
    start_delivery_ns: Ints
    """From the recorded start of a task to the receipt that tells of it."""
    delivery_ns: Ints
    """From its recorded end."""
    transit_ns: Ints
    """From the event's own time."""

    @property
    def lost(self) -> int:
        """Owed, and not received when the subscribers were ended."""
        return self.owed - self.received

    @classmethod
    def of(cls, phase: PhaseData) -> "EventStream | None":
        """None for a phase without subscribers."""
        if RECEIPTS not in phase.readings:
            return None
        table, frame = phase.tasks, phase.readings[RECEIPTS]
        subscribed = frame[frame.what == Streamed.NOTHING]
        events = frame[frame.what != Streamed.NOTHING]
        known = events[events.sequence != UNKNOWN]
        subscribers = int(subscribed.subscriber.nunique())
        first = known.sort_values("received_ns").drop_duplicates(["subscriber", "what", "sequence"])
        return cls(
            subscribers=subscribers,
            broken=len(subscribed) - subscribers,
            owed=subscribers * int((table.starts > 0).sum() + table.ended.sum()),
            received=len(first),
            duplicated=len(known) - len(first),
            unknown=len(events) - len(known),
            start_delivery_ns=_since(table, table.started_ns, first[first.what == Streamed.STARTED]),
            delivery_ns=_since(table, table.finished_ns, first[first.what == Streamed.FINISHED]),
            transit_ns=(first.received_ns - first.occurred_ns).to_numpy(),
        )


def _since(table: TaskTable, recorded_ns: Ints, receipts: pd.DataFrame) -> Ints:
    """From a recorded time of each task to the receipts that tell of it."""
    rows = np.searchsorted(table.sequence, receipts.sequence.to_numpy())
    times_ns = recorded_ns[rows]
    since_ns: Ints = (receipts.received_ns.to_numpy() - times_ns)[times_ns != MISSING]
    return since_ns


@dataclass(frozen=True, slots=True)
class Emission:
    """What the worker of a phase has handed to Redis, and how long the calls took, µs."""

    events: int
    calls: int
    p50_us: float | None
    p99_us: float | None

    @classmethod
    def of(cls, phase: PhaseData) -> "Emission | None":
        """None for a phase in which nothing was handed over, or that was not looked at for it."""
        frame = phase.readings.get(EMISSIONS)
        if frame is None or frame.empty:
            return None
        took_us = frame.took_ns.to_numpy() / NS_PER_US
        return cls(int(frame.events.sum()), len(frame), quantile(took_us, 0.5), quantile(took_us, TAIL))
