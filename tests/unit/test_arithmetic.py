"""Figures that may be missing."""

import math

import pytest

from benchmarks.arithmetic import difference, median, ratio, speedups


@pytest.mark.parametrize(("over", "under", "expected"), [(6, 4, 1.5), (0, 4, 0), (None, 4, None), (6, None, None), (6, 0, None)])
def test_a_ratio_needs_both(over: float | None, under: float | None, expected: float | None) -> None:
    assert ratio(over, under) == expected


def test_speedups_are_over_one_process() -> None:
    assert speedups({1: 50, 2: 90, 4: None}) == {1: 1, 2: 1.8, 4: None}
    assert speedups({1: None, 2: 90}) == {1: None, 2: None}


def test_a_difference_needs_both() -> None:
    assert (difference(6, 4), difference(0, 4)) == (2, -4)
    assert difference(None, 4) is None
    assert difference(6, None) is None


def test_a_median_is_that_of_what_is_there() -> None:
    assert median([3, None, 1, math.nan, 8]) == 3
    assert median([None, math.nan]) is None
    assert median([]) is None
