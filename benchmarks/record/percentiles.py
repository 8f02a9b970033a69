"""Latencies in a few figures."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.arithmetic import carried
from benchmarks.record.task_table import Ints

Floats = npt.NDArray[np.float64]
NS_PER_US, NS_PER_MS, US_PER_MS = 1_000, 1_000_000, 1_000
_SHARES = (0.5, 0.95, 0.99, 0.999)
TAIL = 0.99
"""The quantile that service levels are about."""
FIGURE_WORDS: Mapping[str, str] = {
    "mean": "mean",
    "p50": "median",
    "p95": "95th percentile",
    "p99": "99th percentile",
    "p99_9": "99.9th percentile",
    "max": "greatest",
}
"""What the figures of a :class:`LatencySummary` are called in words."""


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles, greatest and mean of ``count`` latencies, in milliseconds. A percentile is None where there are too few to
    carry it (:func:`benchmarks.arithmetic.carried`), and all are None where there was nothing to measure, which is not the same
    as 0."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p99_9_ms: float | None
    max_ms: float | None
    mean_ms: float | None


def summarise(latencies_ns: Ints) -> LatencySummary:
    """Summarise latencies in nanoseconds. Percentiles interpolate linearly between the two nearest ranks (type 7 of Hyndman and
    Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50, 1996)."""
    if len(latencies_ns) == 0:
        return LatencySummary(0, None, None, None, None, None, None)
    p50, p95, p99, p99_9 = (None if p is None else p / NS_PER_MS for p in (quantile(latencies_ns, share) for share in _SHARES))
    return LatencySummary(
        count=len(latencies_ns),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        p99_9_ms=p99_9,
        max_ms=float(latencies_ns.max()) / NS_PER_MS,
        mean_ms=float(latencies_ns.mean()) / NS_PER_MS,
    )


def quantile(values: Ints | Floats, share: float) -> float | None:
    """The value that ``share`` of all lie below, in their unit; None where there are too few to carry it."""
    return float(np.quantile(values, share)) if carried(len(values), share) else None


def tail_ms(latencies_ns: Ints) -> float | None:
    """What a service level judges: the 99th percentile of latencies in nanoseconds, and of too few to carry it the greatest, for
    then not one of them may be late. None where there was nothing to measure."""
    if len(latencies_ns) == 0:
        return None
    found = quantile(latencies_ns, TAIL)
    return (float(latencies_ns.max()) if found is None else found) / NS_PER_MS


def figures(name: str, latencies_ns: Ints, chosen: Collection[str]) -> dict[str, float | int | None]:
    """The chosen figures (of :data:`FIGURE_WORDS`) as measures, such as ``NAME_p50_ms``."""
    summary = summarise(latencies_ns)
    return {f"{name}_{figure}_ms": getattr(summary, f"{figure}_ms") for figure in chosen}
