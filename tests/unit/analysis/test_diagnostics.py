"""What repeated runs may look like that a mean hides."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.analysis.diagnostics import FEWEST_FOR_CLUSTERS, clusters, drift, outliers

GRUBBS = [199.31, 199.53, 200.19, 200.82, 201.92, 201.95, 202.18, 245.57]
"""The example of the NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17.1, whose last value is an outlier."""

positive = st.floats(0.001, 1e6)


def test_the_outlier_of_the_handbook_is_found_and_nothing_else() -> None:
    assert outliers(GRUBBS) == [7]


def test_an_outlier_matters_only_when_it_is_far_off() -> None:
    # The modified z-score of the last is 0.6745 * 10 / 1; 10 of 1,000 is 1 %.
    assert outliers([998.0, 999.0, 1000.0, 1001.0, 1010.0]) == []
    assert outliers([98.0, 99.0, 100.0, 101.0, 120.0]) == [4]


def test_an_outlier_among_equals_is_found() -> None:
    assert outliers([5.0] * 9 + [9.0]) == [9]
    assert outliers([5.0] * 10) == []
    assert outliers([0.0] * 9 + [9.0]) == [9]


def test_four_values_have_no_outlier() -> None:
    assert outliers([1.0, 1.0, 1.0, 100.0]) == []


def test_a_drift_is_that_of_kendall_against_the_order() -> None:
    found = drift([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    # All five in order: one of 5! = 120 orders, and the other way round.
    assert (found.tau, found.p) == pytest.approx((1, 2 / 120))
    assert found.change == pytest.approx(4 / 3)


def test_what_cannot_drift_has_none() -> None:
    assert drift([1.0, 2.0, 3.0, 4.0]) is None
    assert drift([5.0] * 10) is None
    around_zero = drift([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert around_zero is not None
    assert around_zero.change is None


@given(st.lists(positive, min_size=5, max_size=12, unique=True))
def test_a_drift_turns_with_the_order(values: list[float]) -> None:
    there, back = drift(values), drift(values[::-1])
    assert there is not None
    assert back is not None
    assert there.tau == pytest.approx(-back.tau)
    assert there.p == pytest.approx(back.p)


def test_two_clusters_are_found_with_their_means() -> None:
    found = clusters([100.0, 121.0, 101.0, 119.0, 99.0, 120.0, 100.5, 120.5, 99.5, 119.5])
    assert found is not None
    assert (found.low_n, found.high_n) == (5, 5)
    assert (found.low_mean, found.high_mean) == pytest.approx((100, 120))
    assert found.p < 0.001


def test_an_outlier_is_not_a_cluster() -> None:
    found = clusters([100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8, 100.7, 99.3, 150.0])
    assert found is not None
    assert found.p > 0.05


def test_too_few_or_equal_values_have_no_clusters() -> None:
    assert clusters([1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0]) is None
    assert clusters([5.0] * FEWEST_FOR_CLUSTERS) is None


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize(
    "draw",
    [lambda random, n: random.normal(100, 5, n), lambda random, n: random.lognormal(0, 0.15, n)],
    ids=["normal", "lognormal"],
)
def test_one_cluster_is_taken_for_two_as_seldom_as_promised(
    draw: Callable[[np.random.Generator, int], npt.NDArray[np.float64]], n: int
) -> None:
    random = np.random.default_rng(1)
    p_values = [found.p for _ in range(1000) if (found := clusters(list(draw(random, n)))) is not None]
    assert len(p_values) == 1000
    # Within what 1,000 draws of a share of 5 % may give.
    assert stats.binomtest(sum(p < 0.05 for p in p_values), 1000, 0.05).pvalue > 0.01
