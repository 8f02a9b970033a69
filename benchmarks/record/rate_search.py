"""The search for the highest rate that holds, by bisection, and what a rate that was tried has shown. Pure arithmetic."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.record.backlog import mean_depth
from benchmarks.record.percentiles import summarise, tail_ms
from benchmarks.record.rules.rates import missed_rate
from benchmarks.record.run_data import PhaseData
from tasks.loads import NS_PER_S, Paced

GROWTH_SHARE = 0.05
GROWTH_DEVIATIONS = 2
"""A queue is taken for one that does not grow if it does so by less than this share of the tasks due meanwhile, so many standard
deviations of their number (the arrivals are Poisson's) and the worker's slots."""


class Tried(Protocol):
    """A rate that was tried."""

    @property
    def rate_per_s(self) -> float:
        """As it was planned."""
        ...

    @property
    def offered_per_s(self) -> float:
        """The same, unless the producer could not offer it: then what it did."""
        ...

    @property
    def held(self) -> bool:
        """Whether it held."""
        ...


@dataclass(frozen=True, slots=True)
class Search:
    """A bisection between two rates of which the lower is taken to hold and the upper not to."""

    low_per_s: float
    high_per_s: float

    @property
    def next_per_s(self) -> float:
        """The rate to try next."""
        return (self.low_per_s + self.high_per_s) / 2

    def after(self, step: Tried) -> "Search":
        """What is left once a step at :attr:`next_per_s` has been tried. It never goes on above what could be offered."""
        if step.held:
            return Search(step.rate_per_s, self.high_per_s)
        return Search(self.low_per_s, max(self.low_per_s, min(step.rate_per_s, step.offered_per_s)))


def capacity_of[Step: Tried](steps: Sequence[Step]) -> tuple[Step | None, Step | None]:
    """The highest step that held, and the lowest above it that did not."""
    held = max((s for s in steps if s.held), key=lambda s: s.rate_per_s, default=None)
    above = (s for s in steps if not s.held and (held is None or s.rate_per_s > held.rate_per_s))
    return held, min(above, key=lambda s: s.rate_per_s, default=None)


class Verdict(enum.StrEnum):
    """What a rate showed."""

    HELD = "held"
    LATE = "late"
    """Its p99 (of too few tasks to carry one: the greatest) was above the limit, or not all tasks ended."""
    GROWING = "growing"
    """Its p99 was within the limit, but the queue grew."""
    NOT_OFFERED = "not_offered"
    """The producer could not offer it, so it says nothing of the worker."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rate of the search for a worker's capacity, and what it showed. ``growth`` is by how many tasks those in hand grew from
    the mean over the second quarter of the step to the mean over the last, which lie half of ``duration_s`` apart."""

    rate_per_s: float
    offered_per_s: float
    """The same, unless the producer could not offer it: then what it did."""
    duration_s: float
    phase: PhaseData
    p99_ms: float | None
    growth: float
    verdict: Verdict

    @property
    def held(self) -> bool:
        """Whether it held."""
        return self.verdict is Verdict.HELD


def judge(phase: PhaseData, limit_ms: float) -> Step:
    """What a paced step showed. Its queue grows if the mean number of tasks in hand over the last quarter of the step is above
    that over the second quarter by more than :data:`GROWTH_SHARE` and :data:`GROWTH_DEVIATIONS` allow for half a step."""
    load = phase.record.load
    if not isinstance(load, Paced):
        raise TypeError(f"a step of the search is a paced load, not {load}")
    latencies_ns, growth = phase.tasks.end_to_end_ns(), _growth(phase, load)
    level_ms = tail_ms(latencies_ns)
    due = load.rate_per_s * load.duration_s / 2
    allowed = GROWTH_SHARE * due + GROWTH_DEVIATIONS * math.sqrt(due) + phase.record.worker.slots
    missed = missed_rate(phase)
    if missed is not None:
        verdict = Verdict.NOT_OFFERED
    elif level_ms is None or level_ms > limit_ms or phase.account.ended < phase.account.attempted:
        verdict = Verdict.LATE
    elif growth > allowed:
        verdict = Verdict.GROWING
    else:
        verdict = Verdict.HELD
    offered_per_s = load.rate_per_s if missed is None else missed[1]
    return Step(load.rate_per_s, offered_per_s, load.duration_s, phase, summarise(latencies_ns).p99_ms, growth, verdict)


def _growth(phase: PhaseData, load: Paced) -> float:
    began_ns, quarter_ns = phase.record.began_ns, int(load.duration_s * NS_PER_S / 4)
    second, last = (mean_depth(phase.tasks, began_ns + n * quarter_ns, began_ns + (n + 1) * quarter_ns) for n in (1, 3))
    return last - second
