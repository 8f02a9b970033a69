"""Latencies as counts in bins that grow by 2 %: any quantile of any number of them to within 1 %, in a few kilobytes.

``boost-histogram`` bins; what is kept of a window is the stretch of bins that are occupied. Histograms add up exactly, whatever
was counted where and in which order.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import boost_histogram as bh
import numpy as np
import numpy.typing as npt

from benchmarks.arithmetic import carried
from benchmarks.record.task_table import Ints

LEAST_NS = 1_000
"""Shorter ones, and negative ones, are counted as such and told as 0: they lie less than a microsecond off."""
GREATEST_NS = 10**15
"""Eleven days; longer ones are told as the greatest, which is kept as it was."""
GROWTH = 1.02
RELATIVE_ERROR = math.sqrt(GROWTH) - 1
"""A quantile is told as the geometric middle of its bin."""
BINS = math.ceil(math.log(GREATEST_NS / LEAST_NS) / math.log(GROWTH))
_STEP = math.log(GREATEST_NS / LEAST_NS) / BINS


def latency_axis() -> bh.axis.Regular:
    """The bins, with one below and one above."""
    return bh.axis.Regular(BINS, LEAST_NS, GREATEST_NS, transform=bh.axis.transform.log)


def to_fill(latencies_ns: Ints) -> npt.NDArray[np.float64]:
    """Latencies as the axis takes them: it has no place for negative ones, which count with the shortest."""
    return np.maximum(latencies_ns, 1).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class LatencyHistogram:
    """``counts[i]`` latencies lie in bin ``first_bin + i``; bin 0 is what is below :data:`LEAST_NS`."""

    first_bin: int
    counts: Ints
    total_ns: float
    """The sum of all of them, which may round."""
    greatest_ns: int

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    @property
    def mean_ns(self) -> float | None:
        """Their mean, which no bin blurs; None where there are none."""
        return self.total_ns / self.count if self.count else None

    def quantile_ns(self, share: float) -> float | None:
        """The value that ``share`` of all lie below, within :data:`RELATIVE_ERROR` of the value at that rank, or within
        :data:`LEAST_NS` where that is more; None where there are too few to carry it (:func:`benchmarks.arithmetic.carried`)."""
        if not carried(self.count, share):
            return None
        rank = math.ceil(share * self.count - 1e-9)
        found = self.first_bin + int(np.searchsorted(np.cumsum(self.counts), max(rank, 1)))
        if found == 0:
            return 0.0
        if found > BINS:
            return float(self.greatest_ns)
        return min(LEAST_NS * math.exp((found - 0.5) * _STEP), float(self.greatest_ns))

    def above(self, limit_ns: float) -> int:
        """How many are longer, to within the bin that the limit lies in, which counts as not longer."""
        last = 0 if limit_ns < LEAST_NS else 1 + math.floor(math.log(limit_ns / LEAST_NS) / _STEP)
        return int(self.counts[max(last + 1 - self.first_bin, 0) :].sum())


def of_counts(counts: Ints, total_ns: float, greatest_ns: int) -> LatencyHistogram:
    """From the counts of all bins: what is below, :data:`BINS` of them, what is above."""
    occupied = np.flatnonzero(counts)
    if len(occupied) == 0:
        return LatencyHistogram(0, np.zeros(0, np.int64), 0.0, 0)
    first = int(occupied[0])
    return LatencyHistogram(first, counts[first : int(occupied[-1]) + 1].copy(), total_ns, greatest_ns)


def merged(histograms: Iterable[LatencyHistogram]) -> LatencyHistogram:
    """All latencies of several as those of one."""
    counts = np.zeros(BINS + 2, np.int64)
    total_ns, greatest_ns = 0.0, 0
    for histogram in histograms:
        counts[histogram.first_bin : histogram.first_bin + len(histogram.counts)] += histogram.counts
        total_ns += histogram.total_ns
        greatest_ns = max(greatest_ns, histogram.greatest_ns)
    return of_counts(counts, total_ns, greatest_ns)
