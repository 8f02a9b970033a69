"""What repeated runs may look like that a mean hides: outliers, a drift over time, two clusters. Pure functions of the values of
one measure, in the order in which the runs were made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.statistics import SEED

FEWEST_FOR_OUTLIERS = 5
OUTLYING_SCORE = 3.5
OUTLYING_DISTANCE = 0.15
FEWEST_FOR_DRIFT = 5
FEWEST_FOR_CLUSTERS = 10
SMALLEST_CLUSTER = 3
SIMULATED_SAMPLES = 9999

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend over the runs: Kendall's tau of the values against their order, its p-value, and the change from the first run to
    the last by the Theil-Sen line, relative to the median (None for a median of 0)."""

    tau: float
    p: float
    change: float | None


@dataclass(frozen=True, slots=True)
class Clusters:
    """The best division of the values into a lower and an upper cluster, each of three values or more."""

    low_mean: float
    high_mean: float
    low_n: int
    high_n: int
    p: float


def outliers(values: Sequence[float]) -> list[int]:
    """Positions of values that lie far from the rest: a modified z-score, ``0.6745 * (x - median) / MAD``, beyond 3.5
    (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993; where half of the values are the same, 1.2533 times the mean
    absolute deviation takes the place of ``MAD / 0.6745``) *and* more than 15 % off the median.

    The second condition is for the few runs of a benchmark: of samples of 10 values from a normal distribution 12 % have a
    score beyond 3.5 by chance, and what is closer than that matters to nobody. None for fewer than five values.
    """
    data = np.asarray(values, np.float64)
    if len(data) < FEWEST_FOR_OUTLIERS:
        return []
    deviations = data - np.median(data)
    scale = float(np.median(np.abs(deviations))) / 0.6745 or 1.2533 * float(np.abs(deviations).mean())
    if not scale:
        return []
    far = np.abs(deviations) > OUTLYING_SCORE * scale
    off = np.abs(deviations) > OUTLYING_DISTANCE * abs(float(np.median(data)))
    return [int(i) for i in np.flatnonzero(far & off)]


def drift(values: Sequence[float]) -> Drift | None:
    """The Mann-Kendall test for a trend (Mann, "Nonparametric Tests Against Trend", Econometrica 13, 1945): Kendall's tau against
    the order, exact where no two values are the same. None for fewer than five values, which could not show one, or if all are
    the same."""
    data = np.asarray(values, np.float64)
    if len(data) < FEWEST_FOR_DRIFT or np.ptp(data) == 0:
        return None
    order = np.arange(len(data))
    test = stats.kendalltau(order, data)
    median = float(np.median(data))
    change = float(stats.theilslopes(data, order).slope) * (len(data) - 1)
    return Drift(float(test.statistic), float(test.pvalue), change / abs(median) if median else None)


def clusters(values: Sequence[float]) -> Clusters | None:
    """Whether the values fall into two clusters: the test of Engelman and Hartigan, "Percentage Points of a Test for Clusters",
    JASA 64, 1969. Its statistic is the greatest ratio of the sums of squares between and within that any cut can reach; ``p`` is
    the share of 9,999 seeded samples of the same number from a normal distribution that reach as much.

    Both clusters have three values or more, so that an outlier is not taken for one. Needs ten values, from where on it finds
    two equal clusters that lie 10 standard deviations apart nearly always; None for fewer, or if all are the same.
    """
    data = np.sort(np.asarray(values, np.float64))
    if len(data) < FEWEST_FOR_CLUSTERS or np.ptp(data) == 0:
        return None
    ratios = _separations(data[None, :])[0]
    cut = int(ratios.argmax()) + SMALLEST_CLUSTER
    by_chance = _separations_by_chance(len(data))
    reached = len(by_chance) - int(np.searchsorted(by_chance, ratios.max()))
    return Clusters(
        low_mean=float(data[:cut].mean()),
        high_mean=float(data[cut:].mean()),
        low_n=cut,
        high_n=len(data) - cut,
        p=(reached + 1) / (len(by_chance) + 1),
    )


def _separations(ordered: _Floats) -> _Floats:
    """The ratio of the sums of squares between and within for every cut of every sorted row."""
    n = ordered.shape[1]
    centred = ordered - ordered.mean(axis=1, keepdims=True)
    low_n = np.arange(SMALLEST_CLUSTER, n - SMALLEST_CLUSTER + 1)
    low_sum = np.cumsum(centred, axis=1)[:, low_n - 1]
    between = low_sum**2 * n / (low_n * (n - low_n))
    total = (centred**2).sum(axis=1, keepdims=True)
    within = np.maximum(total - between, np.finfo(np.float64).eps * total)
    ratios: _Floats = between / within
    return ratios


@cache
def _separations_by_chance(n: int) -> _Floats:
    samples = np.random.default_rng(SEED).standard_normal((SIMULATED_SAMPLES, n))
    return np.sort(_separations(np.sort(samples, axis=1)).max(axis=1))
