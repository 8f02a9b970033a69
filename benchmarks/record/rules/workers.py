"""Whether the workers of a run were what they were promised to be."""

from collections.abc import Iterator

from benchmarks.record.flags import TIME_NAMESPACE_DIFFERS, TOO_FEW_PROCESSES, WORKER_DIED, Flag
from benchmarks.record.run_data import PhaseData, RunData, measured_phases
from tasks.loads import Burst, Prefilled, goes_through_web


def worker_flags(data: RunData) -> Iterator[Flag]:
    """A worker that died, or whose clock is not the runner's."""
    if data.worker.died is not None:
        yield WORKER_DIED.flag(reason=data.worker.died)
    if not data.worker.same_time_namespace:
        yield TIME_NAMESPACE_DIFFERS.flag()


def process_flags(data: RunData) -> Iterator[Flag]:
    """Fewer processes at work than promised. Only a backlog reaches every process, hence only loads that make one count."""
    backlogs: dict[int, list[PhaseData]] = {}
    for phase in measured_phases(data):
        if isinstance(phase.record.load, Prefilled | Burst) and not goes_through_web(phase.record.tasks):
            backlogs.setdefault(phase.record.worker.number, []).append(phase)
    for phases in backlogs.values():
        working, promised = max(p.tasks.working_processes() for p in phases), phases[0].record.worker.working_processes
        if working < min(promised, max(p.account.planned for p in phases)):
            yield TOO_FEW_PROCESSES.flag(working=working, promised=promised)
