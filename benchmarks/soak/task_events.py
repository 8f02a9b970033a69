"""What a fold takes: the records of a segment of the event log, as columns for each kind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.record.task_table import MISSING, Ints
from infrastructure.event_log import Events
from tasks.events import Kind, Outcome

Bytes = npt.NDArray[np.uint8]
ClassOf = Callable[[Ints], Ints]
"""The class codes of tasks by their sequence numbers: workers record none."""


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """One row for each send. Times are nanoseconds on the time line of the soak, here and below."""

    sequence: Ints
    class_code: Ints
    due_ns: Ints
    sent_ns: Ints
    acknowledged_ns: Ints
    """After the enqueue call; -1 where it raised."""


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """One row for each start of a task's body."""

    sequence: Ints
    class_code: Ints
    due_ns: Ints
    started_ns: Ints
    attempt: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """One row for each end of an execution, or word that there will be none (``SKIPPED``)."""

    sequence: Ints
    class_code: Ints
    due_ns: Ints
    ended_ns: Ints
    outcome: Bytes
    """Of :class:`tasks.events.Outcome`."""
    attempt: Ints


@dataclass(frozen=True, slots=True, eq=False)
class TaskEvents:
    """The events of a segment, in any order."""

    sends: Sends
    starts: Starts
    ends: Ends

    @classmethod
    def of(cls, events: Events, run: int, phase: int, class_of: ClassOf, shift_ns: int = 0) -> "TaskEvents":
        """The records of one run and phase among those of a segment. ``shift_ns`` is added to every time: the offset from the
        monotonic clock to the time line of the soak."""
        ours = (events["run"] == run) & (events["phase"] == phase)
        sent, started, ended = (events[ours & (events["kind"] == kind)] for kind in (Kind.ENQUEUED, Kind.STARTED, Kind.FINISHED))

        def common(part: Events) -> tuple[Ints, Ints]:
            sequence = part["sequence"].astype(np.int64)
            return sequence, class_of(sequence)

        return cls(
            Sends(
                *common(sent),
                due_ns=sent["first_ns"] + shift_ns,
                sent_ns=sent["second_ns"] + shift_ns,
                acknowledged_ns=np.where(sent["outcome"] == Outcome.OK, sent["third_ns"] + shift_ns, MISSING),
            ),
            Starts(
                *common(started),
                due_ns=started["second_ns"] + shift_ns,
                started_ns=started["first_ns"] + shift_ns,
                attempt=started["attempt"].astype(np.int64),
            ),
            Ends(
                *common(ended),
                due_ns=ended["second_ns"] + shift_ns,
                ended_ns=ended["first_ns"] + shift_ns,
                outcome=ended["outcome"].copy(),
                attempt=ended["attempt"].astype(np.int64),
            ),
        )
