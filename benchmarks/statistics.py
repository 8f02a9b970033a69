"""Statistics of repeated runs. SciPy does the mathematics; every random number comes from a fixed seed, so that the same runs
always give the same figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.arithmetic import carried

CONFIDENCE = 0.95
RESAMPLES = 9999
VALUES_AT_ONCE = 4_000_000
"""So that the resamples of many measures take tens of megabytes."""
SEED = 20_000
NARROW_ENOUGH = 0.05
SIGNIFICANCE = 0.05
FEWEST_FOR_BOOTSTRAP = 6
"""A bootstrap never leaves the span of the values, and that of five holds the median only 94 times in 100 (1 - 2 / 2**5)."""
BOOTSTRAP = f"BCa, expanded; Student's t below {FEWEST_FOR_BOOTSTRAP} values"
EFFECT_NAMES = ("negligible", "small", "medium", "large")
COHEN = (0.2, 0.5, 0.8)
"""Where an effect of Cohen's d begins to be small, medium, large (Cohen, "Statistical Power Analysis for the Behavioral
Sciences", 2nd edition, 1988)."""
ROMANO = (0.147, 0.33, 0.474)
"""The same for Cliff's delta (Romano, Kromrey, Coraggio, Skowronek, "Appropriate statistics for ordinal level data", 2006)."""


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


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile of repeated values and its interval, which is None where there are too few values for one."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Effect:
    """How far two groups lie apart, whatever their number of values. ``name`` is that of Cohen's d, or of Cliff's delta where
    two groups without any spread leave d undefined."""

    cohens_d: float | None
    cliffs_delta: float
    name: str


def describe(values: Sequence[float]) -> Description:
    """Describe the values of one measure."""
    return describe_each([values])[0]


def describe_each(groups: Sequence[Sequence[float]]) -> list[Description]:
    """Describe the values of many measures: the same as one after another, and several times as fast."""
    return [described(values, interval) for values, interval in zip(groups, mean_intervals(groups), strict=True)]


def described(values: Sequence[float], interval: Interval | None) -> Description:
    """Describe the values of one measure, given the interval of what their mean is."""
    data = np.asarray(values, np.float64)
    if len(data) == 0:
        return Description(0, None, None, None, None, None)
    return Description(
        n=len(data),
        mean=float(data.mean()),
        median=float(np.median(data)),
        sd=float(data.std(ddof=1)) if len(data) > 1 else None,
        cv=coefficient_of_variation(values),
        interval=interval,
    )


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """The sample's standard deviation relative to the size of its mean; None for fewer than two values or a mean of 0."""
    if len(values) < 2 or not (mean := float(np.mean(values))):
        return None
    return float(np.std(values, ddof=1)) / abs(mean)


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron, "Better Bootstrap Confidence Intervals", JASA 82,
    1987), expanded for few values (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69,
    2015); Student's t interval for fewer than six values, of which no bootstrap can be 95 % sure. None for fewer than two values;
    values that are all the same give an interval without width.

    The bootstrap takes its spread for that of the population, which makes an interval of few values too narrow; the expansion
    asks it for the confidence at which it is as wide as Student's t would have it. In 4,000 simulated samples the plain
    interval held the mean of an exponential distribution in 88 % of the samples of 10 values and 93 % of those of 30, the
    expanded one in 93 % and 95 %.
    """
    return mean_intervals([values])[0]


def mean_intervals(groups: Sequence[Sequence[float]]) -> list[Interval | None]:
    """:func:`mean_interval` of each group; groups of the same size share their resamples."""
    arrays = [np.asarray(values, np.float64) for values in groups]
    intervals = [_plain_interval(data) for data in arrays]
    resampled: dict[int, list[int]] = {}
    for position, (data, interval) in enumerate(zip(arrays, intervals, strict=True)):
        if interval is None and len(data) >= 2:
            resampled.setdefault(len(data), []).append(position)
    for positions in resampled.values():
        rows = np.stack([arrays[position] for position in positions])
        low, high = _bootstrap((rows,), (1.0,), _means)
        for position, ends in zip(positions, zip(low, high, strict=True), strict=True):
            intervals[position] = Interval(*map(float, ends))
    return intervals


def _plain_interval(data: npt.NDArray[np.float64]) -> Interval | None:
    """The interval of values that need no bootstrap for it."""
    if len(data) < 2:
        return None
    if _constant(data):
        return Interval(float(data[0]), float(data[0]))
    if len(data) >= FEWEST_FOR_BOOTSTRAP:
        return None
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(data) - 1)) * float(stats.sem(data))
    return Interval(float(data.mean()) - reach, float(data.mean()) + reach)


def percentile(values: Sequence[float], share: float) -> Percentile | None:
    """The value that ``share`` of all lie below, interpolated, and its interval from order statistics (SciPy's
    ``quantile_test``; Conover, "Practical Nonparametric Statistics", 1999), which holds for any distribution.

    None with fewer values than carry it (:func:`benchmarks.arithmetic.carried`: 20 for 0.95, 100 for 0.99). The
    interval needs more: its upper end is a value above the percentile, which takes about 72 values for 0.95, 367 for 0.99.
    """
    if not carried(len(values), share):
        return None
    data = np.asarray(values, np.float64)
    bounds = stats.quantile_test(data, q=float(np.median(data)), p=share).confidence_interval(CONFIDENCE)
    low, high = float(bounds.low), float(bounds.high)
    interval = Interval(low, high) if math.isfinite(low) and math.isfinite(high) else None
    return Percentile(float(np.quantile(data, share)), interval)


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
    """The mean of ``a`` over the mean of ``b`` with its bootstrap interval, both sides resampled; with fewer than six values a
    side, Student's t interval of its logarithm (delta method, degrees of freedom by Welch and Satterthwaite).

    None for fewer than two values a side, where a mean of ``b`` near 0 leaves the ratio undefined (``b`` holds 0 or both signs),
    and where there is no logarithm to take.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) < 2 or len(right) < 2 or not (np.all(right > 0) or np.all(right < 0)):
        return None
    ratio = float(left.mean() / right.mean())
    if _constant(left) and _constant(right):
        return RatioInterval(ratio, Interval(ratio, ratio))
    slopes = (1 / float(right.mean()), ratio / float(right.mean()))
    if min(len(left), len(right)) < FEWEST_FOR_BOOTSTRAP:
        if ratio <= 0:
            return None
        spread = _spread((left, right), slopes)
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, spread.freedom)) * spread.error / ratio
        return RatioInterval(ratio, Interval(ratio * math.exp(-reach), ratio * math.exp(reach)))
    low, high = _bootstrap((left, right), slopes, lambda x, y, axis: _means(x, axis) / _means(y, axis))
    return RatioInterval(ratio, Interval(float(low), float(high)))


def compare(a: Sequence[float], b: Sequence[float], planned: int | None = None) -> Comparison:
    """Test whether two groups of runs differ. Two constant groups differ for certain (p = 0) or not at all (p = 1).

    ``planned`` is how many runs each side was to have before it was looked at whether more are needed. Runs added until an
    interval is narrow stop too early wherever the spread seen so far happens to be small, so that a test which believes that
    spread finds too many differences (simulated at a coefficient of variation of 0.1, at least 4 and at most 12 runs, five
    variants that are the same: 12 % of the families instead of 5 %). The variances, and their degrees of freedom, are therefore
    those of the first ``planned`` values, the means those of all (Stein, "A Two-Sample Test for a Linear Hypothesis Whose Power
    Is Independent of the Variance", Annals of Mathematical Statistics 16, 1945).
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) < 2 or len(right) < 2:
        return Comparison(None, None)
    if _constant(left) and _constant(right):
        welch_p = 1.0 if math.isclose(left[0], right[0]) else 0.0
    else:
        welch_p = _welch_p(left, right, planned)
    if _constant(np.concatenate([left, right])):
        return Comparison(welch_p, 1.0)
    return Comparison(welch_p, float(stats.mannwhitneyu(left, right).pvalue))


def effect(a: Sequence[float], b: Sequence[float]) -> Effect | None:
    """How far ``a`` lies above ``b``: Cohen's d, the difference of the means over the pooled standard deviation, and Cliff's
    delta, P(a > b) - P(a < b) (Cliff, "Dominance statistics", Psychological Bulletin 114, 1993). None for fewer than two values
    a side."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) < 2 or len(right) < 2:
        return None
    delta = float(np.sign(left[:, None] - right[None, :]).mean())
    if _constant(left) and _constant(right):
        if math.isclose(left[0], right[0]):
            return Effect(0.0, 0.0, EFFECT_NAMES[0])
        return Effect(None, delta, _effect_name(delta, ROMANO))
    freedom = len(left) + len(right) - 2
    pooled = math.sqrt(((len(left) - 1) * left.var(ddof=1) + (len(right) - 1) * right.var(ddof=1)) / freedom)
    d = float((left.mean() - right.mean()) / pooled)
    return Effect(d, delta, _effect_name(d, COHEN))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in the same order (Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
    Scandinavian Journal of Statistics 6, 1979): the i-th least of m, times m - i + 1, never falling and at most 1."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(value) for value in adjusted]


def difference_shown(adjusted_p: float | None, mann_whitney_p: float | None) -> bool:
    """Whether a comparison shows a difference: ``adjusted_p``, Welch's p-value after :func:`holm` over the whole family, is below
    0.05, and the ranks alone do not contradict it (``mann_whitney_p``, not corrected, is below 0.05 as well).

    The second condition keeps a few extreme runs from deciding, and rests on no distribution; it also means that three runs a
    side never show anything. None, where no test could be made, shows none.
    """
    if adjusted_p is None or mann_whitney_p is None:
        return False
    return adjusted_p < SIGNIFICANCE and mann_whitney_p < SIGNIFICANCE


def _constant(data: npt.NDArray[np.float64]) -> bool:
    """All the same but for rounding: nothing here is measured to twelve digits."""
    return bool(np.ptp(data) <= 1e-12 * np.abs(data).max())


def _welch_p(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], planned: int | None) -> float:
    first = (_first(left, planned), _first(right, planned))
    # SciPy warns of a side without any spread, for which the formula holds all the same.
    if (len(first[0]), len(first[1])) == (len(left), len(right)) and not (_constant(left) or _constant(right)):
        return float(stats.ttest_ind(left, right, equal_var=False).pvalue)
    errors = [float(spread.var(ddof=1)) / len(all_of) for spread, all_of in zip(first, (left, right), strict=True)]
    freedom = sum(errors) ** 2 / sum(e**2 / (len(spread) - 1) for e, spread in zip(errors, first, strict=True))
    return float(2 * stats.t.sf(abs(left.mean() - right.mean()) / math.sqrt(sum(errors)), freedom))


def _first(data: npt.NDArray[np.float64], planned: int | None) -> npt.NDArray[np.float64]:
    """The values that the spread is taken of: all of them where the first show none."""
    if planned is None or planned < 2 or _constant(data[:planned]):
        return data
    return data[:planned]


def _effect_name(size: float, limits: Sequence[float]) -> str:
    return EFFECT_NAMES[sum(abs(size) >= limit for limit in limits)]


@dataclass(frozen=True, slots=True)
class _Spread:
    """The standard error of a statistic, its degrees of freedom, and how many times too narrow a bootstrap takes it for."""

    error: float
    freedom: float
    narrowness: float


def _spread(samples: Sequence[npt.NDArray[np.float64]], slopes: Sequence[float]) -> _Spread:
    """``slopes`` says how much the statistic moves with the mean of each sample (delta method); the degrees of freedom of more
    than one are Welch's (Satterthwaite, 1946)."""
    n = np.array([len(sample) for sample in samples])
    variances = np.array([(slope * sample.std(ddof=1)) ** 2 for sample, slope in zip(samples, slopes, strict=True)]) / n
    shares = variances / variances.sum()
    return _Spread(
        error=math.sqrt(variances.sum()),
        freedom=float(1 / (shares**2 / (n - 1)).sum()),
        narrowness=math.sqrt(1 / (shares * (n - 1) / n).sum()),
    )


def _expanded_confidence(samples: Sequence[npt.NDArray[np.float64]], slopes: Sequence[float]) -> float:
    """The confidence to ask of a bootstrap for an interval as wide as Student's t makes it (Hesterberg, 2015), and no more than
    the outermost resamples can give."""
    spread = _spread(samples, slopes)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, spread.freedom)) * spread.narrowness
    return min(2 * float(stats.norm.cdf(quantile)) - 1, 1 - 2 / RESAMPLES)


def _means(samples: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """In memory as for one measure alone, so that NumPy adds in the same order and rounds alike for one and for many."""
    means: npt.NDArray[np.float64] = np.ascontiguousarray(samples).mean(axis=axis)
    return means


def _bootstrap(samples: tuple[npt.NDArray[np.float64], ...], slopes: Sequence[float], statistic: Any) -> tuple[Any, Any]:
    """The ends of the interval. A single sample may hold many measures as rows, each of which gets its own."""
    result = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, VALUES_AT_ONCE // samples[0].size),
        confidence_level=_expanded_confidence([np.atleast_2d(sample)[0] for sample in samples], slopes),
        method="BCa",
        vectorized=True,
        axis=-1,
        rng=np.random.default_rng(SEED),
    )
    return result.confidence_interval.low, result.confidence_interval.high
