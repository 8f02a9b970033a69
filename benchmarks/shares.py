"""A variant's share of the control: the ratio of their mean figures, with what both are unsure of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.statistics import CONFIDENCE, Description, Interval, described, ratio_interval

FEWEST_PAIRS = 4
"""From so many rounds with a run of both on, only these count."""


@dataclass(frozen=True, slots=True)
class Share:
    """The values of one measure by round, of a variant and of the control, both not empty and the control's above 0.

    Runs of one round were made near in time, so what the machine did to both cancels: with four such pairs or more the share is
    the ratio of the means over the pairs, and its interval Student's of the ratio's logarithm by the delta method, from how far
    each pair lies off the ratio. With fewer pairs it is the ratio of the means of all runs of either, and both arms are resampled
    (:func:`benchmarks.statistics.ratio_interval`). The mean of the rounds' own ratios is not taken: it lies above the ratio of
    the means by the square of the control's coefficient of variation, however many rounds there are.
    """

    own: Mapping[int, float]
    control: Mapping[int, float]

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """The two values of each round that has both, in the order of the variant's runs."""
        return tuple((value, self.control[n]) for n, value in self.own.items() if n in self.control)

    @property
    def is_paired(self) -> bool:
        """Whether it is taken from pairs alone."""
        return len(self.pairs) >= FEWEST_PAIRS

    @property
    def paired_values(self) -> tuple[float, ...]:
        """A value for each pair, to first order its own ratio: ``R (1 + x / mean(x) - y / mean(y))``. Their mean is the share,
        ``R``; their spread that of the pairs about it."""
        if not self.pairs:
            return ()
        own, control = np.array(self.pairs).T
        if not own.mean():
            return tuple(0.0 for _ in own)
        return tuple(map(float, own.mean() / control.mean() * (1 + own / own.mean() - control / control.mean())))

    @property
    def values(self) -> tuple[float, ...]:
        """Those that it is described by: of the pairs, or without enough of them each run's over the control's mean."""
        if self.is_paired:
            return self.paired_values
        mean = float(np.mean(list(self.control.values())))
        return tuple(value / mean for value in self.own.values())

    def describe(self) -> Description:
        """Its values described, with the interval of the ratio."""
        return described(self.values, self.interval())

    def interval(self) -> Interval | None:
        """Of the ratio; None where there are too few values of either, or a logarithm cannot be taken."""
        if not self.is_paired:
            found = ratio_interval(list(self.own.values()), list(self.control.values()))
            return None if found is None else found.interval
        logarithm = self._logarithm()
        if logarithm is None:
            return None
        value, error = logarithm
        return _interval(value, error, len(self.pairs) - 1)

    def _logarithm(self) -> tuple[float, float] | None:
        """Of the share from pairs, with its standard error by the delta method; None for a share of 0."""
        values = np.array(self.paired_values)
        share = float(values.mean())
        return (math.log(share), float(stats.sem(values)) / share) if share > 0 else None


def ratio_of_shares(a: Share, b: Share) -> Interval | None:
    """Of ``a / b``, two shares from pairs that are independent of one another: Welch's, of the difference of the logarithms. None
    where a logarithm cannot be taken."""
    first, second = a._logarithm(), b._logarithm()
    if first is None or second is None:
        return None
    value, variances = first[0] - second[0], (first[1] ** 2, second[1] ** 2)
    if not any(variances):
        return Interval(math.exp(value), math.exp(value))
    shrunk = sum(variance**2 / (len(share.pairs) - 1) for variance, share in zip(variances, (a, b), strict=True))
    return _interval(value, math.sqrt(sum(variances)), sum(variances) ** 2 / shrunk)


def _interval(logarithm: float, error: float, degrees_of_freedom: float) -> Interval:
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees_of_freedom)) * error
    return Interval(math.exp(logarithm - reach), math.exp(logarithm + reach))
