"""What disturbed a run, phase by phase: a machine that was not always equally fast, CPU time that others took or that was
withheld, limits on CPU, swapping. Pure arithmetic on readings."""

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.arithmetic import ratio
from benchmarks.record.flags import (
    CPU_LIMITED,
    CPU_STEAL,
    CPU_STEAL_HIGH,
    FOREIGN_CPU,
    FOREIGN_CPU_HIGH,
    MACHINE_SPEED_MOVED,
    SWAPPING,
    THROTTLED,
    Flag,
)
from benchmarks.record.machine import CpuTaken, QuotaReading, added
from benchmarks.record.run_data import HostReading, PhaseData, PhaseRecord, RunData, measured_phases
from tasks.loads import NS_PER_S

MOVED_WITHIN_A_RUN = 0.10
MOVED_WITHIN_THE_SET = 0.15
FLAGGED_CORES = 0.05
INVALID_CORES = 0.15
"""CPU time that was not the lab's to use, in cores, that is seconds a second."""


def disturbance_flags(data: RunData) -> Iterator[Flag]:
    """What was seen at the marks of the measured phases."""
    phases = measured_phases(data)
    if not phases:
        return
    of_run = [speed for phase in phases for speed in speeds_per_s(phase.record)]
    for phase in phases:
        yield from _speed_flags(phase, of_run, data.context.earlier_speeds_per_s)
        yield from _cpu_flags(phase)
        yield from _limit_flags(phase)
    marks = host_marks(data)
    swapped = marks[-1].swapped_pages - marks[0].swapped_pages
    if swapped > 0:
        yield SWAPPING.flag(pages=swapped)
    throttled = throttled_s(data)
    if throttled is not None and throttled > 0:
        yield THROTTLED.flag(seconds=throttled)


def _speed_flags(phase: PhaseData, of_run: Sequence[float], earlier: Sequence[float]) -> Iterator[Flag]:
    """The phase's marks against one another and against the run's, then the phase against the set, as it is known by the end of
    the run. No mark is judged by what was measured, nor by runs that are made later."""
    mine = speeds_per_s(phase.record)
    if not mine:
        return
    usual, usual_of_set = median(of_run), median((*earlier, *of_run))
    within = max(apart(max(mine), min(mine)), *(apart(speed, usual) for speed in mine))
    off = apart(median(mine), usual_of_set)
    if within > MOVED_WITHIN_A_RUN:
        low, high, of = min(mine) / usual, max(mine) / usual, "run"
    elif off > MOVED_WITHIN_THE_SET:
        low, high, of = min(mine) / usual_of_set, max(mine) / usual_of_set, "set"
    else:
        return
    yield MACHINE_SPEED_MOVED.flag(phase=phase.record.name, low=low, high=high, of=of)


def apart(a: float, b: float) -> float:
    """By what share the higher of two speeds, both above 0, is above the lower."""
    return max(a, b) / min(a, b) - 1


def same_speed(a: float, b: float) -> bool:
    """Whether two speeds, both above 0, are as near as a run's must be to its set's."""
    return apart(a, b) <= MOVED_WITHIN_THE_SET


def _cpu_flags(phase: PhaseData) -> Iterator[Flag]:
    record = phase.record
    taken = taken_in(record)
    if taken is not None and taken.elapsed_s > 0 and (cores := taken.foreign_s / taken.elapsed_s) > FLAGGED_CORES:
        kind = FOREIGN_CPU_HIGH if cores > INVALID_CORES else FOREIGN_CPU
        yield kind.flag(phase=record.name, cores=cores, takers=_takers_text(taken))
    begin, end = record.before.host, record.after.host
    stolen = ratio(end.cpu_steal_s - begin.cpu_steal_s, (end.at_ns - begin.at_ns) / NS_PER_S)
    if stolen is not None and stolen > FLAGGED_CORES:
        kind = CPU_STEAL_HIGH if stolen > INVALID_CORES else CPU_STEAL
        yield kind.flag(phase=record.name, cores=stolen)


def _takers_text(taken: CpuTaken) -> str:
    """Those that took most, as far as they can be seen; some have ended by the time of a reading."""
    if not taken.takers:
        return "processes that have ended since, or that cannot be seen from here"
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in taken.takers.items())


def _limit_flags(phase: PhaseData) -> Iterator[Flag]:
    """For each CPU limit on the runner's own processes that has held them back in the phase."""
    for begin, end in quota_spans(phase.record):
        held = end.throttled_periods - begin.throttled_periods
        if held > 0:
            yield CPU_LIMITED.flag(
                phase=phase.record.name,
                cores=end.cores,
                group=end.group,
                held=held,
                periods=end.periods - begin.periods,
                seconds=end.throttled_s - begin.throttled_s,
            )


def quota_spans(record: PhaseRecord) -> list[tuple[QuotaReading, QuotaReading]]:
    """Each CPU limit before and after a phase."""
    begin = {quota.group: quota for quota in record.before.host.quotas}
    return [(begin[quota.group], quota) for quota in record.after.host.quotas if quota.group in begin]


def speeds_per_s(record: PhaseRecord) -> list[float]:
    """The machine's speed at those marks of a phase at which it was taken. Two marks that are one reading count once."""
    marks = (record.before.host, record.filled.host, record.after.host)
    taken = {speed.at_ns: speed.per_s for mark in marks if (speed := mark.speed) is not None}
    return list(taken.values())


def machine_speed(data: RunData) -> float | None:
    """The machine's speed at the marks of the run, 1 being that of the set by its end; None where it was not taken."""
    of_run = [speed for phase in measured_phases(data) for speed in speeds_per_s(phase.record)]
    return median(of_run) / median((*data.context.earlier_speeds_per_s, *of_run)) if of_run else None


def taken_in(record: PhaseRecord) -> CpuTaken | None:
    """The CPU time taken in a phase, from its first mark to its last; None where that could not be seen."""
    parts = [record.after.host.taken]
    if record.filled.host.at_ns != record.before.host.at_ns:
        parts.append(record.filled.host.taken)
    known = [part for part in parts if part is not None]
    return added(known) if len(known) == len(parts) else None


def foreign_cores(data: RunData) -> float | None:
    """The most cores that others took in any measured phase; None where it could be seen in none."""
    spans = [taken for phase in measured_phases(data) if (taken := taken_in(phase.record)) is not None]
    return max((taken.foreign_s / taken.elapsed_s for taken in spans if taken.elapsed_s > 0), default=None)


def limited_s(data: RunData) -> float | None:
    """For how long CPU limits on the runner's own processes have held them back in the measured phases, s, summed over the
    cores; None where no phase was measured."""
    phases = measured_phases(data)
    spans = (span for phase in phases for span in quota_spans(phase.record))
    return sum((end.throttled_s - begin.throttled_s for begin, end in spans), start=0.0) if phases else None


def host_marks(data: RunData) -> list[HostReading]:
    """The host's readings at all marks of the measured phases, in order."""
    return [mark.host for p in measured_phases(data) for mark in (p.record.before, p.record.filled, p.record.after)]


def steal_share(begin: HostReading, end: HostReading) -> float | None:
    """The share of the host's CPU time, over all cores and idle time included, that its hypervisor withheld."""
    return ratio(end.cpu_steal_s - begin.cpu_steal_s, end.cpu_total_s - begin.cpu_total_s)


def throttled_s(data: RunData) -> float | None:
    """For how long the worker's control group was held back by its CPU limit; None where it has none of its own."""
    phases = measured_phases(data)
    if not phases:
        return None
    begin, end = phases[0].record.before.worker.cgroup_throttled_s, phases[-1].record.after.worker.cgroup_throttled_s
    return None if begin is None or end is None else end - begin
