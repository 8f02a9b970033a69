"""Who went before whom, where a worker serves several queues: pure arithmetic on the recorded times of tasks.

A task *waits* from when its send was acknowledged until its body starts; one that started earlier, its send still on the way
back, never waited. All functions take tasks of one phase, in :class:`~benchmarks.record.task_table.TaskTable` s of one lane each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.record.task_table import MISSING, Bools, Ints, TaskTable

NEVER_NS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Inversions:
    """Tasks of less urgent lanes that started: how many, and how many of them while a more urgent one waited."""

    starts: int
    inverted: int

    @property
    def share(self) -> float | None:
        """Of the starts; None where there was none."""
        return self.inverted / self.starts if self.starts else None


def inversions(lanes: Sequence[TaskTable]) -> Inversions:
    """Inversions over all pairs of lanes, the most urgent first."""
    starts = inverted = 0
    for place in range(1, len(lanes)):
        started_ns = _starts_ns(lanes[place])
        before = np.zeros(len(started_ns), np.bool_)
        for urgent in lanes[:place]:
            before |= waiting_at(urgent, started_ns) > 0
        starts += len(started_ns)
        inverted += int(before.sum())
    return Inversions(starts, inverted)


def waiting_at(lane: TaskTable, times_ns: Ints) -> Ints:
    """How many tasks of the lane waited at each of the times."""
    taken = _waited(lane)
    until_ns = _until_ns(lane)[taken]
    begun = np.searchsorted(np.sort(lane.acknowledged_ns[taken]), times_ns, side="right")
    over = np.searchsorted(np.sort(until_ns), times_ns, side="right")
    waiting: Ints = begun - over
    return waiting


def overtaken(urgent: TaskTable, others: Sequence[TaskTable]) -> Ints:
    """For each task of the urgent lane that started, how many of the other lanes started while it waited."""
    started = urgent.started_ns != MISSING
    from_ns, to_ns = urgent.acknowledged_ns[started], urgent.started_ns[started]
    other_starts_ns = _all_starts_ns(others)
    count = np.searchsorted(other_starts_ns, to_ns, side="left") - np.searchsorted(other_starts_ns, from_ns, side="left")
    passed: Ints = np.maximum(count, 0)
    return passed


def longest_starvation_ns(lane: TaskTable, others: Sequence[TaskTable]) -> int | None:
    """The longest time in which tasks of the lane waited and none of them started, while at least one of the others did; 0 where
    that never happened, None where no task of the lane was acknowledged and started.

    With the lane's acknowledgements and starts each in ascending order, the lane waits before its i-th start from the later of
    the start before it and the i-th acknowledgement.
    """
    started = lane.acknowledged & (lane.started_ns != MISSING)
    if not started.any():
        return None
    starts_ns = np.sort(lane.started_ns[started])
    sends_ns = np.sort(lane.acknowledged_ns[lane.acknowledged])[: len(starts_ns)]
    from_ns = np.maximum(sends_ns, np.concatenate([sends_ns[:1], starts_ns[:-1]]))
    other_starts_ns = _all_starts_ns(others)
    served = np.searchsorted(other_starts_ns, starts_ns, side="left") > np.searchsorted(other_starts_ns, from_ns, side="right")
    return int((starts_ns - from_ns)[served].max(initial=0))


def ended_share(lane: TaskTable, by_ns: int) -> float | None:
    """The share of the lane's tasks that had ended by then; None for a lane without tasks."""
    return float((lane.ended & (lane.finished_ns <= by_ns)).mean()) if len(lane) else None


def _waited(lane: TaskTable) -> Bools:
    waited: Bools = lane.acknowledged & (_until_ns(lane) > lane.acknowledged_ns)
    return waited


def _until_ns(lane: TaskTable) -> Ints:
    return np.where(lane.started_ns == MISSING, NEVER_NS, lane.started_ns)


def _starts_ns(lane: TaskTable) -> Ints:
    starts_ns: Ints = lane.started_ns[lane.started_ns != MISSING]
    return starts_ns


def _all_starts_ns(lanes: Sequence[TaskTable]) -> npt.NDArray[np.int64]:
    return np.sort(np.concatenate([np.empty(0, np.int64), *(_starts_ns(lane) for lane in lanes)]))
