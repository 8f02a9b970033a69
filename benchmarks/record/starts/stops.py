"""What became of the tasks that a worker had in hand when it was told to stop. Pure arithmetic."""

from dataclasses import dataclass

from benchmarks.record.run_data import StopRecord
from benchmarks.record.task_table import MISSING, Bools, TaskTable
from tasks.loads import NS_PER_S


@dataclass(frozen=True, slots=True)
class InHand:
    """What became of the tasks of one stop."""

    in_hand: int
    """Being executed when the signal came."""
    finished: int
    """Of these, brought to their end by the stopping worker."""
    begun_after: int
    """Begun by the stopping worker after the signal."""
    again: int
    """Begun by the stopping worker, and executed once more by the next."""


def in_hand(table: TaskTable, stop: StopRecord) -> InHand:
    """Follow every task over a stop."""
    gone_ns = stop.asked_ns + round(stop.took_s * NS_PER_S)
    started, finished = table.started_ns != MISSING, table.finished_ns != MISSING
    by_the_first: Bools = started & (table.started_ns <= gone_ns)
    had = started & (table.started_ns <= stop.asked_ns) & ~(finished & (table.finished_ns <= stop.asked_ns))
    return InHand(
        in_hand=int(had.sum()),
        finished=int((had & finished & (table.finished_ns <= gone_ns)).sum()),
        begun_after=int((by_the_first & (table.started_ns > stop.asked_ns)).sum()),
        again=int((by_the_first & (table.starts > 1)).sum()),
    )
