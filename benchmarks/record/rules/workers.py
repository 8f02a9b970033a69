"""Whether the workers of a run were what they were promised to be."""

from collections.abc import Iterator

from benchmarks.record.flags import (
    FOREIGN_CONNECTION,
    TIME_NAMESPACE_DIFFERS,
    TOO_FEW_PROCESSES,
    TOO_MANY_PROCESSES,
    WORKER_DIED,
    Flag,
)
from benchmarks.record.run_data import PhaseData, RunData, measured_phases
from tasks.loads import Burst, Prefilled, goes_through_web


def worker_flags(data: RunData) -> Iterator[Flag]:
    """A worker that died, whose clock is not the runner's, or that had to do with more than the lab."""
    if data.worker.died is not None:
        yield WORKER_DIED.flag(reason=data.worker.died)
    if not data.worker.same_time_namespace:
        yield TIME_NAMESPACE_DIFFERS.flag()
    if data.elsewhere:
        yield FOREIGN_CONNECTION.flag(addresses=", ".join(data.elsewhere))


def process_flags(data: RunData) -> Iterator[Flag]:
    """Fewer processes at work than promised, which takes all phases of that worker with it, or more than it can have. Only a
    backlog reaches every process, hence only loads that make one tell of too few."""
    for phase in measured_phases(data):
        most, working = phase.record.worker.processes, phase.tasks.working_processes()
        if working > most and not phase.record.stopped_midway and not goes_through_web(phase.record.tasks):
            yield TOO_MANY_PROCESSES.flag(phase=phase.record.name, working=working, most=most)
    backlogs: dict[int, list[PhaseData]] = {}
    for phase in measured_phases(data):
        if isinstance(phase.record.load, Prefilled | Burst) and not goes_through_web(phase.record.tasks):
            backlogs.setdefault(phase.record.worker.number, []).append(phase)
    for phases in backlogs.values():
        working, promised = max(p.tasks.started_in_processes() for p in phases), phases[0].record.worker.working_processes
        if working < min(promised, max(p.account.planned for p in phases)):
            number = phases[0].record.worker.number
            its_own = [p.record.name for p in measured_phases(data) if p.record.worker.number == number]
            for name in [""] if len(its_own) == len(measured_phases(data)) else its_own:
                yield TOO_FEW_PROCESSES.flag(phase=name, working=working, promised=promised)
