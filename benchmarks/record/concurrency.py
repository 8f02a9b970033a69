"""How many tasks a worker had in execution at once. Pure arithmetic on events."""

from dataclasses import dataclass

import numpy as np

from benchmarks.record.task_table import MISSING, Ints, TaskTable
from tasks.loads import NS_PER_S


@dataclass(frozen=True, slots=True)
class Executing:
    """Tasks in execution while others were waiting: from the first start of a phase to its last. None where there is no such
    stretch."""

    tasks_per_s: float | None
    """Ended within the stretch, over its length. With ``s`` slots and tasks that take ``t`` each this cannot exceed ``s / t``: in
    the stretch no slot ends more of them than fit into it. The time that the first tasks take counts, so short drains come out
    low rather than high."""
    in_flight_mean: float | None
    in_flight_max: int


def executing(tasks: TaskTable) -> Executing:
    """What the events of a drained phase say."""
    started = tasks.started_ns != MISSING
    starts_ns, ends_ns = np.sort(tasks.started_ns[started]), tasks.finished_ns[started & (tasks.finished_ns != MISSING)]
    stretch_ns = int(np.ptp(starts_ns)) if len(starts_ns) else 0
    if not stretch_ns:
        return Executing(None, None, most_at_once(starts_ns, ends_ns))
    until_ns = int(starts_ns[-1])
    inside_ns = (until_ns - starts_ns).sum() - (until_ns - ends_ns[ends_ns < until_ns]).sum()
    return Executing(
        tasks_per_s=int((ends_ns <= until_ns).sum()) * NS_PER_S / stretch_ns,
        in_flight_mean=float(inside_ns) / stretch_ns,
        in_flight_max=most_at_once(starts_ns, ends_ns),
    )


def overlapped_share(tasks: TaskTable) -> float | None:
    """Share of the tasks after the first that were due before the one before had ended; one that never ended is overlapped by
    the next. None with fewer than two."""
    if len(tasks) < 2:
        return None
    before, after = tasks.finished_ns[:-1], tasks.due_ns[1:]
    return float(((before == MISSING) | (after < before)).mean())


def most_at_once(starts_ns: Ints, ends_ns: Ints) -> int:
    """A task that ends at the moment when another starts has made room for it."""
    at_ns = np.concatenate([ends_ns, starts_ns])
    steps = np.repeat(np.array([-1, 1]), [len(ends_ns), len(starts_ns)])
    return int(np.cumsum(steps[np.argsort(at_ns, kind="stable")]).max(initial=0))
