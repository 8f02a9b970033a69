"""Which start belongs to which end: the service time of every execution, once both are sure to have come."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.record.task_table import Ints
from benchmarks.soak.books import Arrays
from benchmarks.soak.task_events import Ends, Starts
from tasks.events import Outcome

MOST_RUNNING = 1_000_000
"""Of starts without an end (a worker was killed) so many are remembered, the youngest."""
_ATTEMPT_BITS, _REPEAT_BITS = 16, 12


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Executions that have ended: their class, when, and how long they took."""

    class_code: Ints
    ended_ns: Ints
    service_ns: Ints


class Running:
    """Executions whose start or end was taken and that are not told yet. Those of one task and attempt are paired in the order
    of their times: the first start with the first end."""

    def __init__(self) -> None:
        self._starts: list[Ints] = [np.empty((0, 2), np.int64)]
        self._ends: list[Ints] = [np.empty((0, 3), np.int64)]

    def take(self, starts: Starts, ends: Ends) -> None:
        """Remember them."""
        self._starts.append(np.column_stack([_key(starts.sequence, starts.attempt), starts.started_ns]))
        ran = ends.outcome != Outcome.SKIPPED
        columns = (_key(ends.sequence, ends.attempt), ends.ended_ns, ends.class_code)
        self._ends.append(np.column_stack([column[ran] for column in columns]))

    def ended_before(self, at_ns: int) -> Served:
        """All executions that ended before, each once. Every event from before then must have been taken."""
        ends, starts = np.concatenate(self._ends), np.concatenate(self._starts)
        over = ends[:, 1] < at_ns
        self._ends = [ends[~over]]
        ends = ends[over]
        ends, end_keys = _ordered(ends)
        begun = starts[:, 1] < at_ns
        later, starts = starts[~begun], starts[begun]
        starts, start_keys = _ordered(starts)
        place = np.searchsorted(start_keys, end_keys)
        found = place < len(start_keys)
        found[found] = start_keys[place[found]] == end_keys[found]
        place = place[found]
        still = np.ones(len(starts), np.bool_)
        still[place] = False
        left = np.concatenate([starts[still], later])
        if len(left) > MOST_RUNNING:
            left = left[np.argpartition(left[:, 1], len(left) - MOST_RUNNING)[-MOST_RUNNING:]]
        self._starts = [left]
        return Served(ends[found, 2], ends[found, 1], ends[found, 1] - starts[place, 1])

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that is needed to go on."""
        return {"starts": np.concatenate(self._starts), "ends": np.concatenate(self._ends)}

    @classmethod
    def of(cls, arrays: Arrays) -> "Running":
        """Those that gave these :meth:`arrays`."""
        running = cls()
        running._starts, running._ends = [arrays["starts"].astype(np.int64)], [arrays["ends"].astype(np.int64)]
        return running


def _key(sequence: Ints, attempt: Ints) -> Ints:
    return (sequence << _ATTEMPT_BITS) | attempt


def _ordered(rows: Ints) -> tuple[Ints, Ints]:
    """Rows of key and time (and more) by both, and beside them the key with how many of the same key came before."""
    ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    same = ordered[1:, 0] == ordered[:-1, 0]
    if same.any():
        ordered = rows[np.lexsort([rows[:, 1], rows[:, 0]])]
    places = np.arange(len(ordered))
    first = np.maximum.accumulate(np.where(np.concatenate([[True], ~same])[: len(ordered)], places, 0))
    repeat = np.minimum(places - first, (1 << _REPEAT_BITS) - 1)
    return ordered, (ordered[:, 0] << _REPEAT_BITS) | repeat
