"""What a soak offers and when: a rate, bursts of several times that at intervals, or a day's curve; and of which class each of
its tasks is, by its number. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from benchmarks.plan.seeds import seed_of
from tasks.loads import Mix, TaskClass

Ints = npt.NDArray[np.int64]
Step = tuple[float, float]
"""Seconds, and the tasks a second that are offered meanwhile."""

IO, LIGHT, HEAVY, FAILING, RETRIED = range(5)
CLASSES: Mapping[int, str] = {IO: "io", LIGHT: "light", HEAVY: "heavy", FAILING: "failing", RETRIED: "retried"}
"""The classes of a soak's tasks by their codes: those of the mix, tasks that are to fail for good, tasks whose first attempt is
to fail."""
STRETCH_AT_MOST_S = 5.0
"""The load is offered in stretches of at most so long, one directly after the other: so long a soak that is to end goes on."""
LONG_S = 3600.0
DRAWS = 64
BURST_S = 5.0


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """A soak of one variant. Raises ValueError for what makes no sense, naming it."""

    duration_s: float
    window_s: float
    burst_every_s: float
    share: float = 0.5
    """Of the capacity just measured, what is offered between bursts."""
    burst_factor: float = 3.0
    burst_s: float = BURST_S
    fail_share: float = 0.005
    """Of the tasks, those that are to fail for good."""
    retry_share: float = 0.005
    """As many tasks more, whose first attempt is to fail."""
    capacity_tasks: int = 2_000
    """What the capacity is measured with."""
    warm_up_s: float = 0.0
    """Left out where slopes are judged; 0: a tenth of the soak, and at most 10 minutes."""
    slo_ms: float = 0.0
    """What the 99th percentile of latency over the whole soak may be; 0: nothing is asked of it."""
    steps: tuple[Step, ...] = ()
    """A curve in the place of the share, again and again until the end."""

    def __post_init__(self) -> None:
        for name in ("duration_s", "window_s", "burst_every_s", "share", "burst_factor", "burst_s", "capacity_tasks"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} of a soak must be positive, not {getattr(self, name)}")
        for name in ("fail_share", "retry_share", "warm_up_s", "slo_ms"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} of a soak must be at least 0, not {getattr(self, name)}")
        if self.fail_share > 0.5 or self.retry_share > 0.5:
            raise ValueError("at most half of a soak's tasks may be planned to fail or to be retried")
        if self.share > 1:
            raise ValueError(f"share of a soak is of the capacity, and at most 1, not {self.share}")
        if self.burst_every_s <= self.burst_s:
            raise ValueError(f"bursts of {self.burst_s} s cannot come every {self.burst_every_s} s: raise burst_every_s")
        if self.steps and (not any(rate > 0 for _, rate in self.steps) or any(s <= 0 or rate < 0 for s, rate in self.steps)):
            raise ValueError("each step of a load is more than 0 seconds at a rate of at least 0, and one rate must be above 0")

    @classmethod
    def of(cls, duration_s: float, sizes: Mapping[str, float], steps: Sequence[Step] = ()) -> "SoakPlan":
        """A plan with sizes by name. Where they do not say so, windows are of a 360th of it, within 2 and 60 s: enough of them
        to be judged; and a burst comes every 10 minutes, in a soak of less than an hour at every 6th of it."""
        defaults = {
            "window_s": min(60.0, max(2.0, round(duration_s / 360))),
            "burst_every_s": 600.0 if duration_s >= LONG_S else max(duration_s / 6, 2 * sizes.get("burst_s", BURST_S)),
        }
        return cls(duration_s, steps=tuple(steps), **{**defaults, **sizes})  # type: ignore[arg-type]

    @property
    def judged_after_s(self) -> float:
        """When what is judged begins."""
        return self.warm_up_s or min(600.0, self.duration_s / 10)

    def base_rate_per_s(self, capacity_per_s: float | None) -> float:
        """What is offered between bursts, at the beginning of a curve."""
        return self.steps[0][1] if self.steps or capacity_per_s is None else self.share * capacity_per_s


SIZES = tuple(f.name for f in fields(SoakPlan) if f.name not in ("duration_s", "steps"))
"""What of a soak can be set as ``name=number``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the load: so many seconds at one rate."""

    seconds: float
    rate_per_s: float
    is_burst: bool


def stretch_at(plan: SoakPlan, rate_per_s: float, elapsed_s: float) -> Stretch | None:
    """What is to be offered from ``elapsed_s`` on, up to the next moment at which the rate changes; None when the soak is over.
    ``rate_per_s`` is that between bursts where the plan has no steps."""
    left_s = plan.duration_s - elapsed_s
    if left_s <= 0:
        return None
    if plan.steps:
        rate_per_s, until_s = _step_at(plan.steps, elapsed_s)
        left_s = min(left_s, until_s)
    round_s = elapsed_s % plan.burst_every_s
    is_burst = elapsed_s >= plan.burst_every_s and round_s < plan.burst_s
    left_s = min(left_s, (plan.burst_s if is_burst else plan.burst_every_s) - round_s, STRETCH_AT_MOST_S)
    return Stretch(left_s, rate_per_s * (plan.burst_factor if is_burst else 1), is_burst)


def _step_at(steps: Sequence[Step], elapsed_s: float) -> tuple[float, float]:
    """The rate at a moment, and how long it stays."""
    at_s = elapsed_s % sum(seconds for seconds, _ in steps)
    for seconds, rate in steps:
        if at_s < seconds:
            return rate, seconds - at_s
        at_s -= seconds
    return steps[-1][1], steps[-1][0]  # what rounding leaves over


def with_failures(mix: Mix, fail_share: float) -> Mix:
    """The mix, with a share of tasks that are to fail for good."""
    if fail_share == 0:
        return mix
    weight = sum(c.weight for c in mix.classes) * fail_share / (1 - fail_share)
    failing = TaskClass("fail", "planned by the soak", FAILING, weight)
    return Mix((*mix.classes, failing), mix.seed, evenly=mix.evenly)


class Numbering:
    """Of which class a task is, by its number. Each stretch draws from the mix with one of :data:`DRAWS` seeds, in turn, so that
    what is kept is the first number of each stretch, and as many draws as there are seeds."""

    def __init__(self, mix: Mix) -> None:
        self._mix = mix
        self._labels: dict[int, npt.NDArray[np.int8]] = {}
        self._firsts: Ints = np.empty(0, np.int64)
        self._draws: Ints = np.empty(0, np.int64)
        self._mixed = 0

    def begin_mixed(self, first: int, count: int) -> Mix:
        """A stretch of ``count`` tasks of the mix, numbered from ``first``, is about to be offered. Returns the mix to draw them
        from."""
        draw = self._mixed % DRAWS
        self._mixed += 1
        mix = replace(self._mix, seed=seed_of(self._mix.seed, f"stretch/{draw}"))
        if count > len(self._labels.get(draw, ())):
            labels = np.array([c.label for c in mix.classes], np.int8)
            self._labels[draw] = labels[np.array(mix.draw(count), np.int64)]
        self._note(first, draw)
        return mix

    def begin_retried(self, first: int) -> None:
        """Tasks whose first attempt is to fail, numbered from ``first``, are about to be offered."""
        self._note(first, -1)

    def class_of(self, sequences: Ints) -> Ints:
        """The class codes of tasks that were offered."""
        classes = np.full(len(sequences), RETRIED, np.int64)
        places = np.searchsorted(self._firsts, sequences, side="right") - 1
        for place in np.unique(places):
            if (draw := int(self._draws[place])) >= 0:
                chosen = places == place
                classes[chosen] = self._labels[draw][sequences[chosen] - self._firsts[place]]
        return classes

    def planned_failures(self, first: int, count: int) -> int:
        """How many of so many tasks from ``first`` on are to fail for good."""
        return int((self.class_of(np.arange(first, first + count, dtype=np.int64)) == FAILING).sum())

    def _note(self, first: int, draw: int) -> None:
        self._firsts, self._draws = np.append(self._firsts, first), np.append(self._draws, draw)
