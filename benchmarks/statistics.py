"""Statistics of repeated runs. SciPy does the mathematics; every random number comes from a fixed seed, so that the same runs
always give the same figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9999
SEED = 20_000
NARROW_ENOUGH = 0.05
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Description:
    """The values of one measure over ``n`` runs. ``sd`` is the sample's (n - 1), ``cv`` the same relative to the mean's size;
    ``interval`` is the mean's. None where the number of values does not allow it."""

    n: int
    mean: float | None
    median: float | None
    sd: float | None
    cv: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """The ratio of two means and its interval."""

    ratio: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups of runs tested against each other, two-sided: by Welch's t-test (means; unequal variances allowed) and the
    Mann-Whitney U test (ranks; no assumption of a distribution). None with fewer than two values a side."""

    welch_p: float | None
    mann_whitney_p: float | None


def describe(values: Sequence[float]) -> Description:
    """Describe the values of one measure."""
    data = np.asarray(values, np.float64)
    if len(data) == 0:
        return Description(0, None, None, None, None, None)
    return Description(
        n=len(data),
        mean=float(data.mean()),
        median=float(np.median(data)),
        sd=float(data.std(ddof=1)) if len(data) > 1 else None,
        cv=coefficient_of_variation(values),
        interval=mean_interval(values),
    )


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """The sample's standard deviation relative to the size of its mean; None for fewer than two values or a mean of 0."""
    if len(values) < 2 or not (mean := float(np.mean(values))):
        return None
    return float(np.std(values, ddof=1)) / abs(mean)


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron, "Better Bootstrap Confidence Intervals", JASA 82,
    1987). None for fewer than two values; values that are all the same give an interval without width."""
    data = np.asarray(values, np.float64)
    if len(data) < 2:
        return None
    if _constant(data):
        return Interval(float(data[0]), float(data[0]))
    return _bootstrap((data,), lambda sample, axis: np.mean(sample, axis=axis))


def interval_narrow_enough(values: Sequence[float], relative_half_width: float = NARROW_ENOUGH) -> bool:
    """Whether the mean's interval reaches no further than this share of the mean to either side."""
    interval = mean_interval(values)
    if interval is None:
        return False
    mean = float(np.mean(values))
    return max(interval.high - mean, mean - interval.low) <= relative_half_width * abs(mean)


def runs_needed(values: Sequence[float], relative_half_width: float = NARROW_ENOUGH) -> int | None:
    """About how many more runs would make the mean's interval narrow enough: 0 if it is; None if nothing can be said (fewer than
    two values, or a mean of 0).

    The least N with ``t(0.975, N - 1) * sd / sqrt(N) <= w * |mean|``: the t interval of the mean, given that mean and deviation
    stay as they are.
    """
    cv = coefficient_of_variation(values)
    if cv is None:
        return None
    if interval_narrow_enough(values, relative_half_width):
        return 0
    spread = cv / relative_half_width
    quantile = (1 + CONFIDENCE) / 2
    total = max(len(values) + 1, math.ceil((float(stats.norm.ppf(quantile)) * spread) ** 2))
    while float(stats.t.ppf(quantile, total - 1)) * spread > math.sqrt(total):
        total += 1
    return total - len(values)


def ratio_interval(a: Sequence[float], b: Sequence[float]) -> RatioInterval | None:
    """The mean of ``a`` over the mean of ``b`` with its bootstrap interval, both sides resampled. None for fewer than two values
    a side or where a mean of ``b`` near 0 leaves the ratio undefined (``b`` holds 0 or both signs)."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) < 2 or len(right) < 2 or not (np.all(right > 0) or np.all(right < 0)):
        return None
    ratio = float(left.mean() / right.mean())
    if _constant(left) and _constant(right):
        return RatioInterval(ratio, Interval(ratio, ratio))
    return RatioInterval(ratio, _bootstrap((left, right), lambda x, y, axis: np.mean(x, axis=axis) / np.mean(y, axis=axis)))


def compare(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Test whether two groups of runs differ. Two constant groups differ for certain (p = 0) or not at all (p = 1)."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) < 2 or len(right) < 2:
        return Comparison(None, None)
    if _constant(left) and _constant(right):
        welch_p = 1.0 if math.isclose(left[0], right[0]) else 0.0
    else:
        welch_p = float(stats.ttest_ind(left, right, equal_var=False).pvalue)
    if _constant(np.concatenate([left, right])):
        return Comparison(welch_p, 1.0)
    return Comparison(welch_p, float(stats.mannwhitneyu(left, right).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in the same order (Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
    Scandinavian Journal of Statistics 6, 1979): the i-th least of m, times m - i + 1, never falling and at most 1."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(value) for value in adjusted]


def difference_shown(adjusted_p: float | None) -> bool:
    """Whether a comparison shows a difference. ``adjusted_p`` is Welch's p-value after :func:`holm` over the whole family; None,
    where no test could be made, shows none."""
    return adjusted_p is not None and adjusted_p < SIGNIFICANCE


def _constant(data: npt.NDArray[np.float64]) -> bool:
    """All the same but for rounding."""
    return bool(np.ptp(data) <= 4 * np.finfo(np.float64).eps * np.abs(data).max())


def _bootstrap(samples: tuple[npt.NDArray[np.float64], ...], statistic: Any) -> Interval:
    result = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(SEED),
    )
    return Interval(float(result.confidence_interval.low), float(result.confidence_interval.high))
