"""Arithmetic with figures that may be missing: what is made of a missing one is missing."""

import math
from collections.abc import Iterable, Mapping

import numpy as np


def ratio(over: float | None, under: float | None) -> float | None:
    """One over the other; None where one is missing or there is nothing to divide by."""
    return over / under if over is not None and under else None


def difference(value: float | None, less: float | None) -> float | None:
    """One less another."""
    return None if value is None or less is None else value - less


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are there; NaN is not."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return float(np.median(known)) if known else None


def carried(count: int, share: float) -> bool:
    """Whether so many values carry the quantile that ``share`` of them lie below: at least one of them must lie beyond it, so it
    takes 20 for 0.95, 100 for 0.99, 1,000 for 0.999, as anything else is little but the greatest of them. Up to the median any
    number does, for that is the middle of however few there are."""
    return count > 0 and (share <= 0.5 or count * (1 - share) >= 1 - 1e-9)


def speedups(rates: Mapping[int, float | None]) -> dict[int, float | None]:
    """The rate of each count of processes over that of one."""
    return {n: ratio(rate, rates.get(1)) for n, rate in rates.items()}
