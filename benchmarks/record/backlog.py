"""How many tasks a system has in hand at any moment, from the events of a phase. Pure arithmetic, no polling.

A task is in hand from its sending until its end; one that never ended stays so.
"""

import numpy as np

from benchmarks.record.task_table import MISSING, Ints, TaskTable

_NEVER = np.iinfo(np.int64).max


def _ends_ns(tasks: TaskTable) -> Ints:
    return np.where(tasks.finished_ns == MISSING, _NEVER, tasks.finished_ns)


def mean_depth(tasks: TaskTable, begin_ns: int, end_ns: int) -> float:
    """Mean number of tasks in hand between two moments: the time that tasks spent in hand then, over the time."""
    inside_ns = np.minimum(_ends_ns(tasks), end_ns) - np.maximum(tasks.sent_ns, begin_ns)
    return float(np.maximum(inside_ns, 0).sum()) / (end_ns - begin_ns)


def depth_over_time(tasks: TaskTable) -> tuple[Ints, Ints]:
    """The moments at which the number of tasks in hand changes, ascending, and the number from each of them on."""
    sent_ns, ended_ns = tasks.sent_ns, tasks.finished_ns[tasks.finished_ns != MISSING]
    times_ns = np.concatenate([sent_ns, ended_ns])
    steps = np.concatenate([np.ones(len(sent_ns), np.int64), np.full(len(ended_ns), -1, np.int64)])
    order = np.lexsort((-steps, times_ns))
    return times_ns[order], np.cumsum(steps[order])


def highest_depth(tasks: TaskTable) -> int:
    """The most tasks that were in hand at once."""
    _, depths = depth_over_time(tasks)
    return int(depths.max(initial=0))


def not_started_by(tasks: TaskTable, at_ns: int) -> int:
    """How many tasks had not started by a moment, those among them that never did."""
    return int(((tasks.started_ns == MISSING) | (tasks.started_ns > at_ns)).sum())
