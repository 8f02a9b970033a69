"""What disturbed a run: CPU time that was withheld, swapping, other programs, a CPU limit. Pure arithmetic on readings."""

from collections.abc import Iterator

from benchmarks.arithmetic import ratio
from benchmarks.record.flags import CPU_STEAL, HOST_LOAD_HIGH, SWAPPING, THROTTLED, Flag
from benchmarks.record.run_data import HostReading, RunData, measured_phases
from tasks.loads import NS_PER_S

STEAL_SHARE = 0.05
OTHER_LAB_PROCESSES = 5
"""Producer, Redis, mock API, node agent and runner: what may rightly keep a core busy besides the worker's own tree."""


def disturbance_flags(data: RunData) -> Iterator[Flag]:
    """What was seen at the marks of the measured phases."""
    marks = host_marks(data)
    if not marks:
        return
    steal = steal_share(marks[0], marks[-1])
    if steal is not None and steal > STEAL_SHARE:
        yield CPU_STEAL.flag(share=steal)
    swapped = marks[-1].swapped_pages - marks[0].swapped_pages
    if swapped > 0:
        yield SWAPPING.flag(pages=swapped)
    load, cores = min(mark.load_1min for mark in marks), host_cores(marks[0], marks[-1])
    own = data.worker.idle.processes + OTHER_LAB_PROCESSES
    if cores is not None and load > max(cores, own):
        yield HOST_LOAD_HIGH.flag(load=load, cores=cores, own=own)
    throttled = throttled_s(data)
    if throttled is not None and throttled > 0:
        yield THROTTLED.flag(seconds=throttled)


def host_marks(data: RunData) -> list[HostReading]:
    """The host's readings at all marks of the measured phases, in order."""
    return [mark.host for p in measured_phases(data) for mark in (p.record.before, p.record.filled, p.record.after)]


def steal_share(begin: HostReading, end: HostReading) -> float | None:
    """The share of the host's CPU time, over all cores and idle time included, that its hypervisor withheld."""
    return ratio(end.cpu_steal_s - begin.cpu_steal_s, end.cpu_total_s - begin.cpu_total_s)


def host_cores(begin: HostReading, end: HostReading) -> int | None:
    """How many cores the host has: its CPU time, idle time included, grows by that many seconds a second."""
    elapsed_s = (end.at_ns - begin.at_ns) / NS_PER_S
    return round((end.cpu_total_s - begin.cpu_total_s) / elapsed_s) if elapsed_s > 0 else None


def throttled_s(data: RunData) -> float | None:
    """For how long the worker's control group was held back by its CPU limit; None where it has none of its own."""
    phases = measured_phases(data)
    if not phases:
        return None
    begin, end = phases[0].record.before.worker.cgroup_throttled_s, phases[-1].record.after.worker.cgroup_throttled_s
    return None if begin is None or end is None else end - begin
