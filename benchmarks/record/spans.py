"""How long the tasks of a phase took together. Pure arithmetic on their times; None where none ended."""

from benchmarks.arithmetic import ratio
from benchmarks.record.run_data import PhaseData
from benchmarks.record.task_table import MISSING, TaskTable
from tasks.loads import NS_PER_S


def busy_s(tasks: TaskTable) -> float | None:
    """From the first start to the last end: neither how soon a worker notices that there is work, nor what it does afterwards."""
    last_end_ns, starts_ns = tasks.last_end_ns(), tasks.started_ns[tasks.started_ns != MISSING]
    if last_end_ns is None or len(starts_ns) == 0:
        return None
    return (last_end_ns - int(starts_ns.min())) / NS_PER_S


def busy_rate_per_s(phase: PhaseData | None) -> float | None:
    """Tasks ended over :func:`busy_s`, 1/s."""
    return None if phase is None else ratio(phase.account.ended, busy_s(phase.tasks))


def due_to_end_s(tasks: TaskTable) -> float | None:
    """From when the first was due to the last end."""
    last_end_ns = tasks.last_end_ns()
    return None if last_end_ns is None else (last_end_ns - int(tasks.due_ns.min())) / NS_PER_S
