"""The slope of a series of windows, with an interval that holds although each window resembles the one before.

The windows are taken together to about twenty batches, each told by the mean of its middle half, so that single windows that
stand out weigh nothing and what is left of the resemblance is that of neighbours: a process of the first order. The slope is
then that of generalised least squares (Prais and Winsten, "Trend Estimators and Serial Correlation", Cowles Commission 383,
1954), with the resemblance freed of most of its bias (Kendall, "Note on Bias in the Estimation of Autocorrelation", Biometrika
41, 1954). Few batches that resemble each other say less than their spread: the interval is as wide as 95 % of simulated series
without any slope, of the same length and the same resemblance, need it to be.

Where the level of the series jumps it is cut: each piece has a level of its own, and all have the slope in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from benchmarks.statistics import CONFIDENCE, SEED, Interval

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BATCHES = 20
FEWEST_WINDOWS = 2 * BATCHES
MOST_RESEMBLANCE = 0.98
ROUNDING = 1e-12
"""Nothing here is measured to twelve digits: what is left of a series that never moves is no slope."""
_SPARE = 6
"""So many batches must remain beside the levels and the slope."""
_SIMULATED = 2_000
_GRID = (-0.5, 0.0, 0.4, 0.6, 0.8, 0.9, 0.95, MOST_RESEMBLANCE)


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Windows taken together: where they lie, what they say, and of which piece they are. All arrays have the length of ``x``."""

    x: Floats
    y: Floats
    piece: npt.NDArray[np.int64]

    def design(self, *, slope: bool) -> Floats:
        """A level for each piece, and the slope as the last column, over the length of the whole."""
        levels: Floats = (self.piece[:, None] == np.unique(self.piece)).astype(np.float64)
        if not slope:
            return levels
        return np.column_stack([levels, (self.x - self.x.mean()) / np.ptp(self.x)])

    @property
    def begins(self) -> Bools:
        """Which batches are the first of a piece."""
        begins: Bools = np.concatenate([[True], np.diff(self.piece) != 0])
        return begins


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A model of some series at once; one row for each series."""

    coefficients: Floats
    errors: Floats
    """Of the last coefficient."""
    resemblance: Floats
    likelihood: Floats
    """Its logarithm, but for a constant."""


def batches_of(x: Floats, y: Floats, cuts: Sequence[int] = ()) -> Batches:
    """Windows ``x``, ``y`` in batches that are all of the same size and lie within a piece; ``cuts`` are the numbers of the
    windows with which a piece begins. What does not fill a batch is left out at the begin of its piece, where it is not settled
    yet; windows without a value (NaN) are no part of it."""
    known = ~np.isnan(y)
    edges = [0, *(int(known[:cut].sum()) for cut in cuts), int(known.sum())]
    x, y = x[known], y[known]
    size = max(len(y) // BATCHES, 1)
    xs, ys, pieces = [], [], []
    for number, (begin, end) in enumerate(pairwise(edges)):
        count = (end - begin) // size
        if count == 0:
            continue
        chosen = slice(end - count * size, end)
        xs.append(x[chosen].reshape(count, size).mean(axis=1))
        ys.append(middle(y[chosen].reshape(count, size)))
        pieces.append(np.full(count, number))
    if not xs:
        return Batches(np.empty(0), np.empty(0), np.empty(0, np.int64))
    return Batches(np.concatenate(xs), np.concatenate(ys), np.concatenate(pieces))


def middle(rows: Floats) -> Floats:
    """The mean of the middle half of each row; of three the median, of fewer all."""
    size = rows.shape[1]
    cut = max(size // 4, 1) if size >= 3 else 0
    found: Floats = np.sort(rows, axis=1)[:, cut : size - cut].mean(axis=1)
    return found


def fit(series: Floats, design: Floats, begins: Bools) -> Fit:
    """Generalised least squares of each row of ``series``, whose neighbours within a piece resemble each other."""
    count, columns = design.shape
    follows = np.flatnonzero(~begins)
    coefficients = series @ design @ np.linalg.pinv(design.T @ design, hermitian=True)
    for _ in range(3):
        rest = series - coefficients @ design.T
        before = rest[:, follows - 1]
        spread = (before**2).sum(axis=1)
        raw = (rest[:, follows] * before).sum(axis=1) / np.where(spread > 0, spread, 1.0)
        resemblance = np.clip((count * raw + columns) / (count - columns - 1), -0.9, MOST_RESEMBLANCE)
        first = np.sqrt(1 - resemblance**2)
        whitened = series * first[:, None]
        whitened[:, follows] = series[:, follows] - resemblance[:, None] * series[:, follows - 1]
        model = design[None] * first[:, None, None]
        model[:, follows] = design[None, follows] - resemblance[:, None, None] * design[None, follows - 1]
        turned = model.swapaxes(1, 2)
        inverse = np.linalg.pinv(turned @ model, hermitian=True)
        coefficients = (inverse @ (turned @ whitened[:, :, None]))[:, :, 0]
        squares = ((whitened - (model @ coefficients[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
    squares = np.maximum(squares, count * (ROUNDING * np.abs(series).max(axis=1)) ** 2)
    errors = np.sqrt(squares / (count - columns) * inverse[:, -1, -1])
    with np.errstate(divide="ignore"):
        likelihood = begins.sum() * np.log(first) - count / 2 * np.log(squares / count)
    return Fit(coefficients, errors, resemblance, likelihood)


def slope_interval(batches: Batches) -> tuple[float, Interval] | None:
    """The slope over ``x`` and its 95 % interval; None where there are too few batches to tell, or ``x`` stands still in each
    piece."""
    pieces = np.unique(batches.piece)
    if len(batches.x) < len(pieces) + 1 + _SPARE:
        return None
    if not any(np.ptp(batches.x[batches.piece == piece]) > 0 for piece in pieces):
        return None
    design, span = batches.design(slope=True), float(np.ptp(batches.x))
    scale = float(np.abs(batches.y).max()) or 1.0
    found = fit(batches.y[None] / scale, design, batches.begins)
    slope, error = (float(values) * scale / span for values in (found.coefficients[0, -1], found.errors[0]))
    lengths = tuple(np.unique(batches.piece, return_counts=True)[1].tolist())
    wide = float(np.interp(found.resemblance[0], _GRID, _widths(lengths)))
    return slope, Interval(slope - wide * error, slope + wide * error)


@lru_cache(maxsize=1024)
def _widths(lengths: tuple[int, ...]) -> Floats:
    """How many errors wide an interval must be, for each resemblance of the grid; ``lengths`` are the batches of each piece."""
    count = sum(lengths)
    batches = Batches(np.arange(count, dtype=np.float64), np.zeros(count), np.repeat(np.arange(len(lengths)), lengths))
    design, begins = batches.design(slope=True), batches.begins
    drawn = np.random.default_rng(SEED).standard_normal((_SIMULATED, count))
    widths = []
    for resemblance in _GRID:
        series = drawn.copy()
        series[:, begins] /= np.sqrt(1 - resemblance**2)
        for place in np.flatnonzero(~begins):
            series[:, place] += resemblance * series[:, place - 1]
        found = fit(series, design, begins)
        widths.append(np.quantile(np.abs(found.coefficients[:, -1] / found.errors), CONFIDENCE))
    return np.array(widths)
