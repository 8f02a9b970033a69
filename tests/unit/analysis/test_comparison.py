"""Every pair of variants: what is tested, what is shown, and in which words."""

from itertools import combinations

import numpy as np
import pytest

from benchmarks.analysis.comparison import Contest, compare_family, compare_pairs, compared_measures, equals_p
from benchmarks.analysis.model import PairComparison
from benchmarks.record.better import Direction, nearest
from benchmarks.record.shared import MEMORY_SUMMARY
from benchmarks.statistics import compare, holm, ratio_interval

FAST = [200.0, 202.0, 198.0, 201.0, 199.0, 200.5]
SLOW = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2]
ALIKE = [100.3, 99.7, 100.8, 99.4, 100.1, 99.9]


def pair(a: list[float], b: list[float], better: Direction | None = "higher") -> PairComparison:
    (found,), _ = compare_family([Contest("rate", "a", "b", a, b, better)], None)
    return found


def test_a_share_of_the_control_is_not_tested_a_second_time() -> None:
    shares = {"share": "rate", "other_share": "unseen"}
    assert compared_measures("rate", ["rate", "share", "p99", "other_share"], shares) == ("rate", "p99", "other_share")
    assert compared_measures("rate", ["p99"], shares) == ("rate", "p99")


def test_the_conditions_of_a_measurement_are_no_contest() -> None:
    summary = list(MEMORY_SUMMARY)
    assert compared_measures("rate", summary, {}) == ("rate", *(m for m in summary if m != "memory_sharers"))


def test_the_family_is_every_pair_in_every_measure() -> None:
    values = {"x": FAST, "y": SLOW, "z": ALIKE}
    comparisons, family = compare_pairs({"rate": values, "p99": values}, {"rate": "higher", "p99": "lower"})
    assert family == len(comparisons) == 6
    assert [(c.measure, c.a, c.b) for c in comparisons[:3]] == [("rate", "x", "y"), ("rate", "x", "z"), ("rate", "y", "z")]
    expected = holm([compare(values[a], values[b]).welch_p or 0.0 for _ in range(2) for a, b in combinations(values, 2)])
    assert [c.holm_p for c in comparisons] == pytest.approx(expected)


def test_what_could_not_be_tested_does_not_count() -> None:
    comparisons, family = compare_pairs({"rate": {"x": FAST, "y": SLOW, "once": [5.0], "never": []}}, {})
    assert family == 1
    assert [c.holm_p is None for c in comparisons] == [False, *[True] * 5]


def test_the_better_one_depends_on_the_measure() -> None:
    assert pair(FAST, SLOW, "higher").better == "a"
    assert pair(FAST, SLOW, "lower").better == "b"
    assert pair(FAST, SLOW, None).better is None
    assert pair(ALIKE, SLOW, "higher").better is None


def test_a_difference_in_words() -> None:
    # The means are 200.083 and 100.033.
    assert pair(FAST, SLOW).verdict == "a is 2 times b, better (large effect)"
    assert pair(SLOW, FAST).verdict == "a is 50 % lower than b, worse (large effect)"
    assert pair([value * 0.6 for value in FAST], SLOW, "lower").verdict == "a is 20 % higher than b, worse (large effect)"
    assert pair(FAST, SLOW, None).verdict == "a is 2 times b (large effect)"


def test_the_nearer_one_is_better() -> None:
    low, near, high = ([centre * value for value in ALIKE] for centre in (0.5, 0.9, 1.3))
    assert pair(near, low, nearest(100)).better == "a"
    assert pair(low, near, nearest(100)).better == "b"
    assert pair(near, high, nearest(100)).better == "a"
    assert pair(near, low, nearest(0)).better == "b"
    assert pair(near, ALIKE, nearest(100)).verdict == "a is 10 % lower than b, worse: farther from 100 (large effect)"
    assert pair(near, high, nearest(100)).verdict == "a is 30.8 % lower than b, better: nearer to 100 (large effect)"


def test_what_differs_may_still_be_as_near_from_the_other_side() -> None:
    below, above = [0.9 * value for value in ALIKE], [1.1 * value for value in ALIKE]
    found = pair(below, above, nearest(100))
    assert found.shown
    assert found.better is None
    assert found.verdict.endswith("lower than b, and which is nearer to 100 is not shown (large effect)")
    assert pair([4.0] * 4, [6.0] * 4, nearest(5)).better is None
    assert pair([4.0] * 4, [5.5] * 4, nearest(5)).better == "b"


def test_no_difference_in_words() -> None:
    alike = pair(ALIKE, SLOW)
    assert not alike.shown
    assert alike.verdict.startswith("no difference shown: the ratio lies from 0.99")
    assert alike.verdict.endswith("over 1 comparisons)")
    assert pair(FAST[:3], SLOW).verdict == "no difference shown: 3 and 6 valid runs, it takes 4 a side"
    assert pair([], SLOW).verdict == "not compared: a has no valid run with this measure"
    assert pair(FAST, []).verdict == "not compared: b has no valid run with this measure"


def test_what_only_the_means_show_is_not_shown() -> None:
    # One run of `a` is slow enough to keep the ranks apart from what the means say.
    a, b = [10.0, 10.1, 10.2, 10.3, 5.9, 5.8], [6.0, 6.1, 6.2, 6.3, 6.4, 6.05]
    found = pair(a, b)
    assert found.mann_whitney_p is not None
    assert found.holm_p is not None
    assert found.mann_whitney_p > 0.05
    assert not found.shown


def test_figures_are_those_of_the_statistics() -> None:
    found, ratio = pair(FAST, SLOW), ratio_interval(FAST, SLOW)
    assert ratio is not None
    assert found.ratio == pytest.approx(ratio.ratio)
    assert found.interval == ratio.interval
    assert (found.mean_a, found.mean_b) == pytest.approx((np.mean(FAST), np.mean(SLOW)))
    assert (found.n_a, found.n_b) == (6, 6)
    assert found.cliffs_delta == 1.0


def test_a_ratio_across_zero_is_none() -> None:
    assert pair([-1.0, -2.0, -1.5, -1.2], SLOW).ratio is None
    assert pair(SLOW, [0.0, 0.0, 0.0, 0.0]).ratio is None
    assert pair(SLOW, [0.0, 0.0, 0.0, 0.0]).verdict == "a is higher than b, better (large effect)"
    assert pair([0.0, 0.0, 0.0, 0.0], SLOW).verdict == "a is lower than b, worse (large effect)"


def test_one_run_has_a_ratio_and_no_test() -> None:
    found = pair([200.0], [100.0])
    assert (found.ratio, found.interval, found.welch_p, found.holm_p, found.effect) == (2.0, None, None, None, None)
    assert not found.shown


def test_variants_without_any_spread_differ_for_certain() -> None:
    found = pair([9.0] * 4, [3.0] * 4)
    assert found.shown
    assert (found.ratio, found.cohens_d, found.effect) == (3.0, None, "large")


def test_p_values_in_words() -> None:
    assert [equals_p(p) for p in (0.0, 0.0123, None)] == ["< 0.001", "= 0.012", "= –"]
