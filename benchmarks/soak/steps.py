"""Steps of a series told from its slope: where its level jumps, and whether a jump or a slope is the better account of a rise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from benchmarks.soak.slopes import BATCHES, FEWEST_WINDOWS, Batches, Floats, batches_of, fit, slope_interval
from benchmarks.statistics import Interval

MOST_STEPS = 3
EVIDENCE = 10.0
"""How much more likely, as a logarithm, the series must be with a step than without; among series without any, one in a hundred
seems that much so somewhere."""
MARGIN = 1.0
"""So much more likely, as a logarithm, must a slope be than a step."""
UNDONE = (0.5, 2.0)
"""Steps that take back this share of what the slope between them adds up to, from and to, make it a coming and going."""


@dataclass(frozen=True, slots=True)
class Step:
    """A jump of the level, by ``size``, between two windows, of which ``window`` is the second."""

    window: int
    size: float


def best_cut(x: Floats, y: Floats, cuts: Sequence[int]) -> int | None:
    """The window before which one more jump accounts for most of what levels and slope leave (least squares); None where the
    pieces are too short to be cut."""
    count = len(y)
    margin = max(count // BATCHES, 1)
    edges = [0, *cuts, count]
    levels = np.zeros((count, len(edges) - 1))
    allowed = np.zeros(count, np.bool_)
    for number, (begin, end) in enumerate(pairwise(edges)):
        levels[begin:end, number] = 1.0
        allowed[begin + margin : end - margin + 1] = True
    if not allowed.any():
        return None
    kept = levels.any(axis=0)
    model = np.column_stack([levels[:, kept], (x - x.mean()) / (np.ptp(x) or 1.0)])
    inverse = np.linalg.pinv(model.T @ model)
    rest = y - model @ (inverse @ (model.T @ y))
    after = np.cumsum(rest[::-1])[::-1]
    shared = np.cumsum(model[::-1], axis=0)[::-1]
    own = np.arange(count, 0, -1) - ((shared @ inverse) * shared).sum(axis=1)
    gain = np.where(allowed & (own > 1e-9), after**2 / np.maximum(own, 1e-9), -1.0)
    return int(np.argmax(gain))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How likely a series is with a slope alone, with a step alone, and with both, as logarithms, and the size of the step."""

    slope: float
    step: float
    both: float
    size: float


def compare(x: Floats, y: Floats, cuts: Sequence[int], cut: int) -> Comparison | None:
    """The three accounts of one and the same batches; None where too few are left."""
    both = batches_of(x, y, sorted((*cuts, cut)))
    place = sorted((*cuts, cut)).index(cut) + 1
    if len(both.x) < len(np.unique(both.piece)) + 7 or not {place - 1, place} <= set(both.piece.tolist()):
        return None
    joined = replace(both, piece=np.where(both.piece >= place, both.piece - 1, both.piece))
    series = both.y[None] / (float(np.abs(both.y).max()) or 1.0)

    def likelihood(batches: Batches, *, slope: bool) -> float:
        return float(fit(series, batches.design(slope=slope), batches.begins).likelihood[0])

    found = fit(both.y[None], both.design(slope=True), both.begins).coefficients[0]
    numbers = np.unique(both.piece).tolist()
    size = float(found[numbers.index(place)] - found[numbers.index(place - 1)])
    return Comparison(likelihood(joined, slope=True), likelihood(both, slope=False), likelihood(both, slope=True), size)


@dataclass(frozen=True, slots=True)
class Trend:
    """What a series does: a slope with its interval, jumps of unknown cause, and whether they take back what the slope adds up
    to. ``slope_told`` says whether a slope is the better account of the rise than one more jump."""

    slope: float
    interval: Interval
    steps: tuple[Step, ...]
    undone: bool
    slope_told: bool

    @property
    def shown(self) -> bool:
        """Whether there is a slope beyond doubt."""
        return self.slope_told and (self.interval.low > 0 or self.interval.high < 0)


def trend_of(x: Floats, y: Floats, known_cuts: Sequence[int] = ()) -> Trend | None:
    """The trend of a series of windows without gaps, of which pieces begin at ``known_cuts`` (after a restart). None for too few
    windows to tell."""
    if len(y) < FEWEST_WINDOWS:
        return None
    cuts, steps = sorted(known_cuts), list[Step]()
    while len(steps) < MOST_STEPS and (found := _next_step(x, y, cuts)) and found[1].both - found[1].slope > EVIDENCE:
        cut, accounts = found
        steps.append(Step(cut, accounts.size))
        cuts = sorted((*cuts, cut))
    told = slope_interval(batches_of(x, y, cuts))
    if told is None:
        return None
    undone = _undone(told[0] * float(np.ptp(x)), told[1], steps)
    if undone:
        cuts = sorted(known_cuts)
        told = slope_interval(batches_of(x, y, cuts)) or told
    last = _next_step(x, y, cuts)
    slope_told = last is None or last[1].slope > last[1].step + MARGIN
    return Trend(*told, tuple(sorted(steps, key=lambda step: step.window)), undone, slope_told)


def _undone(added: float, interval: Interval, steps: Sequence[Step]) -> bool:
    """Whether steps take back what a slope that is there beyond doubt adds."""
    taken = -sum(step.size for step in steps)
    return not interval.low <= 0 <= interval.high and added * taken > 0 and UNDONE[0] <= taken / added <= UNDONE[1]


def _next_step(x: Floats, y: Floats, cuts: Sequence[int]) -> tuple[int, Comparison] | None:
    cut = best_cut(x, y, cuts)
    accounts = None if cut is None else compare(x, y, cuts, cut)
    return None if cut is None or accounts is None else (cut, accounts)
