"""What became of every task of a soak, by its number: sets of sequence numbers as Roaring bitmaps.

A stretch of numbers that have all gone the same way takes a few bytes, so what is kept grows with what went wrong and not with
the hours. All sets depend on which events were taken, and not on their order. The words are those of
:mod:`benchmarks.record.accounting`.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from benchmarks.record.task_table import MISSING, Ints
from benchmarks.soak.task_events import Ends, Sends, Starts
from tasks.events import Outcome

Arrays = Mapping[str, npt.NDArray[np.generic]]
Ranges = tuple[tuple[int, int], ...]
LISTED_NUMBERS = 100_000
LISTED_RANGES = 100
"""The ranges of the first so many numbers of a kind are listed, and at most so many ranges; the counts are always exact."""
_COMPACTED_AFTER = 4_000_000
"""Events between two compactions of the sets: each passes over all of them."""
_ATTEMPT = "attempt/"


@dataclass(frozen=True, slots=True)
class Totals:
    """The books of a soak so far; every figure counts tasks. At any time
    ``attempted == completed + failed + skipped + lost + outstanding + send_failed`` and
    ``attempted == acknowledged + send_failed + recovered``."""

    attempted: int
    """Sent, whether the send was acknowledged or raised."""
    acknowledged: int
    send_failed: int
    """The send raised, and the task has not ended."""
    recovered: int
    """The send raised, and the task ended all the same."""
    completed: int
    """Ended well at least once."""
    failed: int
    """Ended, and never well."""
    skipped: int
    retried: int
    """Given back for a further attempt at least once, whatever became of them."""
    lost: int
    """Acknowledged, and not ended so long after that they are given up; one that ends after all is lost no longer."""
    outstanding: int
    """Acknowledged, not ended, and not given up yet."""
    doubled: int
    """Executed more often than their retries explain."""
    unexpected: int
    """Numbers that were executed though never sent."""
    late: int
    """Ended longer after they were due than a task may take."""
    after_the_lag: int
    """Events (not tasks) that came when their window was given out already, and were counted in the next."""
    lost_ranges: Ranges
    """First and last number of each stretch, ascending, capped."""
    doubled_ranges: Ranges


def bitmap(sequences: npt.NDArray[np.integer]) -> tuple[BitMap, BitMap]:
    """The numbers as a set, and those of them that come more than once."""
    ordered = np.sort(sequences.astype(np.uint32))
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return BitMap(array("I", ordered.tobytes())), BitMap(array("I", again.tobytes()))


class Books:
    """The sets, as far as events were taken."""

    def __init__(self) -> None:
        self._sent, self._acknowledged, self._executed = BitMap(), BitMap(), BitMap()
        self._settled, self._never_ok, self._raised = BitMap(), BitMap(), BitMap()
        self._retried, self._late, self._doubled = BitMap(), BitMap(), BitMap()
        self._attempts: dict[int, BitMap] = {}
        self._since_compacted = 0

    def take_sends(self, sends: Sends) -> None:
        """Enter what was sent."""
        self._sent |= bitmap(sends.sequence)[0]
        self._acknowledged |= bitmap(sends.sequence[sends.acknowledged_ns != MISSING])[0]
        self._count(len(sends.sequence))

    def take_starts(self, starts: Starts) -> None:
        """Enter what was started."""
        self._executed |= bitmap(starts.sequence)[0]
        self._count(len(starts.sequence))

    def take_ends(self, ends: Ends, late_after_ns: int) -> None:
        """Enter what ended, and how."""
        self._executed |= bitmap(ends.sequence)[0]
        for attempt in np.unique(ends.attempt):
            finished, twice = bitmap(ends.sequence[ends.attempt == attempt])
            known = self._attempts.setdefault(int(attempt), BitMap())
            self._doubled |= twice | (finished & known)
            known |= finished
        is_ok, is_raised = ends.outcome == Outcome.OK, ends.outcome == Outcome.FAILED
        ok, twice = bitmap(ends.sequence[is_ok])
        self._doubled |= twice | ((ok & self._settled) - self._never_ok)
        self._never_ok -= ok
        self._settled |= ok
        raised = bitmap(ends.sequence[is_raised])[0]
        not_ok = raised | bitmap(ends.sequence[ends.outcome == Outcome.SKIPPED])[0]
        self._never_ok |= not_ok - ((not_ok & self._settled) - self._never_ok)
        self._settled |= not_ok
        self._raised |= raised
        self._retried |= bitmap(ends.sequence[ends.outcome == Outcome.RETRIED])[0]
        self._late |= bitmap(ends.sequence[(is_ok | is_raised) & (ends.ended_ns - ends.due_ns > late_after_ns)])[0]
        self._count(len(ends.sequence))

    def totals(self, given_up: int | None, after_the_lag: int) -> Totals:
        """The books balanced. Tasks with numbers up to ``given_up`` that were acknowledged and have not ended are lost, and
        without it all of them."""
        settled, never_ok = self._settled & self._sent, self._never_ok & self._sent
        awaited = self._acknowledged - settled
        lost = awaited
        if given_up is not None:
            lost = awaited & BitMap(range(max(given_up + 1, 0)))
        unacknowledged = self._sent - self._acknowledged
        failed = len(never_ok & self._raised)
        doubled = self._doubled & self._sent
        return Totals(
            attempted=len(self._sent),
            acknowledged=len(self._acknowledged),
            send_failed=len(unacknowledged - settled),
            recovered=len(unacknowledged & settled),
            completed=len(settled) - len(never_ok),
            failed=failed,
            skipped=len(never_ok) - failed,
            retried=len(self._retried & self._sent),
            lost=len(lost),
            outstanding=len(awaited) - len(lost),
            doubled=len(doubled),
            unexpected=len(self._executed - self._sent),
            late=len(self._late & self._sent),
            after_the_lag=after_the_lag,
            lost_ranges=_ranges(lost),
            doubled_ranges=_ranges(doubled),
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that is needed to go on."""
        sets = {name: getattr(self, f"_{name}") for name in _SETS}
        sets |= {f"{_ATTEMPT}{attempt}": numbers for attempt, numbers in self._attempts.items()}
        return {name: np.frombuffer(numbers.serialize(), np.uint8) for name, numbers in sets.items()}

    @classmethod
    def of(cls, arrays: Arrays) -> "Books":
        """The books that gave these :meth:`arrays`."""
        books = cls()
        for name, content in arrays.items():
            numbers = BitMap.deserialize(content.tobytes())
            if name.startswith(_ATTEMPT):
                books._attempts[int(name.removeprefix(_ATTEMPT))] = numbers
            else:
                setattr(books, f"_{name}", numbers)
        return books

    def _count(self, events: int) -> None:
        self._since_compacted += events
        if self._since_compacted < _COMPACTED_AFTER:
            return
        self._since_compacted = 0
        for numbers in (*(getattr(self, f"_{name}") for name in _SETS), *self._attempts.values()):
            numbers.run_optimize()
            numbers.shrink_to_fit()


_SETS = ("sent", "acknowledged", "executed", "settled", "never_ok", "raised", "retried", "late", "doubled")


def _ranges(numbers: BitMap) -> Ranges:
    """The stretches that the first of the numbers make up."""
    listed: Ints = np.array(numbers[:LISTED_NUMBERS].to_array(), np.int64)
    if len(listed) == 0:
        return ()
    breaks = np.flatnonzero(np.diff(listed) > 1)
    firsts, lasts = listed[np.concatenate([[0], breaks + 1])], listed[np.concatenate([breaks, [len(listed) - 1]])]
    return tuple((int(first), int(last)) for first, last in zip(firsts[:LISTED_RANGES], lasts[:LISTED_RANGES], strict=True))
