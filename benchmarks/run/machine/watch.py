"""The machine as it is at the marks of a phase."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.record.machine import CpuSnapshot, QuotaReading, taken_between
from benchmarks.record.run_data import HostReading
from benchmarks.run.host import read_host
from benchmarks.run.machine.control_groups import ControlGroups
from benchmarks.run.machine.cpu import CpuReader


class MachineWatch:
    """Reads the machine at the marks of phases, one after another."""

    def __init__(self, owns: Callable[[int], bool], quotas: Callable[[], Sequence[QuotaReading]]) -> None:
        """``owns`` says of a process of this machine whether it is one of the lab's; ``quotas`` gives the CPU limits on these,
        beside those on this process."""
        self._quotas_of_lab = quotas
        self._groups = ControlGroups.of_this_process()
        self._cpu = CpuReader(owns, self._groups)
        self._last: CpuSnapshot | None = None

    def begin(self) -> HostReading:
        """The first mark of a phase."""
        self._last = self._cpu.read()
        return replace(read_host(), quotas=self._quotas())

    def mark(self) -> HostReading:
        """A later mark, with what was taken since the one before."""
        now, last = self._cpu.read(), self._last
        self._last = now
        taken = taken_between(last, now) if last is not None and now is not None else None
        return replace(read_host(), taken=taken, quotas=self._quotas())

    def _quotas(self) -> tuple[QuotaReading, ...]:
        """Each group once, this process's own first."""
        found: dict[str, QuotaReading] = {}
        for quota in (*self._groups.quotas(), *self._quotas_of_lab()):
            found.setdefault(quota.group, quota)
        return tuple(found.values())
