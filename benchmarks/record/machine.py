"""What a machine had for a run: its speed by a fixed piece of work, CPU that others took, and limits on its CPU. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.loads import NS_PER_S

TAKERS_KEPT = 5
LEAST_TAKEN_S = 0.01


@dataclass(frozen=True, slots=True)
class SpeedReading:
    """How long the fixed piece of work took on each core, one core after another and on all at once; s, in the same order."""

    at_ns: int
    alone_s: tuple[float, ...]
    together_s: tuple[float, ...]

    @property
    def per_s(self) -> float:
        """Pieces of work that a core did a second, over all cores and both ways."""
        return pieces_per_s(self.alone_s, self.together_s)


def pieces_per_s(alone_s: Iterable[float], together_s: Iterable[float]) -> float:
    """The speed that these times come to."""
    times = (*alone_s, *together_s)
    return len(times) / sum(times)


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """A control group with a CPU limit, this process's own or one above it: its limit, and since its beginning how many of its
    periods there were, in how many it was held back, and for how long, summed over the cores."""

    group: str
    cores: float
    periods: int
    throttled_periods: int
    throttled_s: float


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """A process: the id of its parent, whether it is the lab's own, its CPU time and that of the children that it has waited for,
    s."""

    parent: int
    name: str
    own: bool
    cpu_s: float


@dataclass(frozen=True, slots=True)
class CpuSnapshot:
    """CPU time at one moment. ``busy_s`` is that of all processes, of the machine or of the control group that limits this one,
    from an origin of its own; ``processes`` are those that can be seen, by process id and start."""

    at_ns: int
    busy_s: float
    processes: Mapping[tuple[int, int], ProcessTimes]


@dataclass(frozen=True, slots=True)
class CpuTaken:
    """CPU time taken between two marks, s: by all processes, by the lab's own, and by each of those others that took most."""

    elapsed_s: float
    busy_s: float
    own_s: float
    takers: Mapping[str, float]

    @property
    def foreign_s(self) -> float:
        """What was not the lab's own. The two are not read in one instant, so it may come out a little below nothing: then it
        is nothing."""
        return max(0.0, self.busy_s - self.own_s)


def taken_between(begin: CpuSnapshot, end: CpuSnapshot) -> CpuTaken | None:
    """What was taken from one snapshot to a later one; None where none of the lab's own processes could be seen.

    A process that has ended in between is in the time of the process that waited for it, which is the lab's own as well: an
    agent adopts and awaits all that its worker leaves behind.
    """
    if not any(p.own for p in begin.processes.values()) or not any(p.own for p in end.processes.values()):
        return None
    own_s = sum(p.cpu_s for p in end.processes.values() if p.own) - sum(p.cpu_s for p in begin.processes.values() if p.own)
    return CpuTaken(
        elapsed_s=(end.at_ns - begin.at_ns) / NS_PER_S,
        busy_s=end.busy_s - begin.busy_s,
        own_s=own_s,
        takers=_most(_takers(begin, end)),
    )


def added(parts: Iterable[CpuTaken]) -> CpuTaken:
    """What was taken over several spans, one after another."""
    spans = list(parts)
    takers: dict[str, float] = {}
    for span in spans:
        for name, seconds in span.takers.items():
            takers[name] = takers.get(name, 0.0) + seconds
    return CpuTaken(
        elapsed_s=sum(s.elapsed_s for s in spans),
        busy_s=sum(s.busy_s for s in spans),
        own_s=sum(s.own_s for s in spans),
        takers=_most(takers),
    )


def _takers(begin: CpuSnapshot, end: CpuSnapshot) -> dict[str, float]:
    """What the living processes of others took, by name. A child that has ended brings its parent all that it ever took, of which
    what it had taken before is no part of this span."""
    alive = {key[0]: key for key in end.processes}
    before: dict[tuple[int, int], float] = {}
    for key, process in begin.processes.items():
        kept = key if key in end.processes else alive.get(process.parent)
        if kept is not None:
            before[kept] = before.get(kept, 0.0) + process.cpu_s
    takers: dict[str, float] = {}
    for key, process in end.processes.items():
        if not process.own:
            since_s = max(0.0, process.cpu_s - before.get(key, 0.0))
            takers[process.name] = takers.get(process.name, 0.0) + since_s
    return takers


def _most(takers: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(takers.items(), key=lambda item: (-item[1], item[0]))
    return {name: seconds for name, seconds in ranked[:TAKERS_KEPT] if seconds > LEAST_TAKEN_S}
