"""Starts of a worker that are phases of their own: what each took, and what had to be fetched for it. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.record.run_data import PhaseData, RunData, StopRecord, measured_phases
from infrastructure.readings import StartTimes, TreeSample


@dataclass(frozen=True, slots=True)
class Start:
    """A phase that is a start."""

    phase: PhaseData
    times: StartTimes
    stop: StopRecord | None

    @property
    def startup_ns(self) -> int:
        """From the spawn of the first process until each command is connected."""
        return self.times.connected_ns - self.times.spawned_ns

    @property
    def up_ns(self) -> int:
        """From the spawn of the first process until all are there."""
        return self.times.up_ns - self.times.spawned_ns

    @property
    def ready(self) -> TreeSample:
        """Connected and settled; only where no task was waiting."""
        return self.phase.record.filled.worker

    def first_end_ns(self, since_ns: int) -> int | None:
        """When the first task ended of those that ended after this time."""
        table = self.phase.tasks
        ends_ns = table.finished_ns[table.ended & (table.finished_ns > since_ns)]
        return int(ends_ns.min()) if len(ends_ns) else None

    def first_task_ns(self, from_ns: int) -> int | None:
        """From this time, at the begin or in the midst of the start, to the end of its first task."""
        end_ns = self.first_end_ns(self.times.spawned_ns)
        return None if end_ns is None else end_ns - from_ns


def starts_of(data: RunData, kind: str) -> list[Start]:
    """The starts of one kind, in order: phases that are called ``KIND-1``, ``KIND-2``, ..."""
    found = []
    for phase in measured_phases(data):
        start = phase.record.start
        if start is not None and phase.record.name.rpartition("-")[0] == kind:
            found.append(Start(phase, start.times, start.stop))
    return found


def first_task_ns(starts: Sequence[Start]) -> list[int | None]:
    """Of each start the time from the spawn to the end of its first task."""
    return [start.first_task_ns(start.times.spawned_ns) for start in starts]


def were_cold(starts: Sequence[Start]) -> bool:
    """Whether these starts had to fetch something from storage, each of them."""
    return all(start.times.read_bytes > 0 for start in starts)
