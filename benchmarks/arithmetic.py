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


def speedups(rates: Mapping[int, float | None]) -> dict[int, float | None]:
    """The rate of each count of processes over that of one."""
    return {n: ratio(rate, rates.get(1)) for n, rate in rates.items()}
