"""Statistics of repeated runs, against published examples and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.statistics import (
    FEWEST_FOR_BOOTSTRAP,
    Interval,
    compare,
    describe,
    difference_shown,
    effect,
    holm,
    interval_narrow_enough,
    mean_interval,
    percentile,
    ratio_interval,
    runs_needed,
)

STUDENT_SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
STUDENT_SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
"""R's data set ``sleep`` (Student, "The Probable Error of a Mean", Biometrika 6, 1908)."""

positive = st.floats(0.001, 1e6)


def test_description_of_a_known_sample() -> None:
    described = describe([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
    assert (described.n, described.mean, described.median) == (8, 5, 4.5)
    assert described.sd == pytest.approx(math.sqrt(32 / 7))
    assert described.cv == pytest.approx(math.sqrt(32 / 7) / 5)


def test_too_few_values_give_no_spread() -> None:
    nothing, one = describe([]), describe([3.0])
    assert (nothing.n, nothing.mean, nothing.median, nothing.sd, nothing.cv, nothing.interval) == (0, *[None] * 5)
    assert (one.n, one.mean, one.median, one.sd, one.cv, one.interval) == (1, 3, 3, None, None, None)


def test_a_mean_of_zero_has_no_coefficient_of_variation() -> None:
    assert describe([-1.0, 1.0]).cv is None


def test_constant_values_have_an_interval_without_width() -> None:
    assert mean_interval([7.0, 7.0, 7.0]) == Interval(7.0, 7.0)
    assert mean_interval([0.0, 0.0]) == Interval(0.0, 0.0)
    assert mean_interval([0.1 + 0.2, 0.3]) is not None


def test_the_interval_is_reproducible_and_about_that_of_student() -> None:
    values = list(np.random.default_rng(3).normal(100, 10, 50))
    interval = mean_interval(values)
    assert interval == mean_interval(values)
    low, high = stats.t.interval(0.95, 49, np.mean(values), stats.sem(values))
    assert interval is not None
    assert interval.low == pytest.approx(low, rel=0.01)
    assert interval.high == pytest.approx(high, rel=0.01)


@pytest.mark.parametrize("values", [[80.0, 90.0], [80.0, 90.0, 110.0, 120.0, 125.0]])
def test_few_values_get_the_interval_of_student(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval is not None
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high))


@given(st.lists(positive, min_size=FEWEST_FOR_BOOTSTRAP, max_size=12))
def test_bootstrap_intervals_are_finite_and_within_the_values(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval is not None
    slack = 1e-9 * max(values)
    assert min(values) - slack <= interval.low <= interval.high <= max(values) + slack


def test_narrow_enough_means_within_five_percent_of_the_mean() -> None:
    assert interval_narrow_enough([100.0, 101.0, 99.0, 100.0])
    assert not interval_narrow_enough([100.0, 150.0, 60.0, 100.0])
    assert interval_narrow_enough([100.0, 150.0, 60.0, 100.0], relative_half_width=0.6)
    assert not interval_narrow_enough([100.0])


def test_the_runs_needed_are_those_of_the_t_interval() -> None:
    values = [80.0, 90.0, 110.0, 120.0]
    more = runs_needed(values)
    assert more is not None
    total, cv = len(values) + more, float(np.std(values, ddof=1) / np.mean(values))

    def half_width(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1)) * cv / math.sqrt(n)

    assert half_width(total) <= 0.05 < half_width(total - 1)


def test_no_more_runs_are_needed_once_the_interval_is_narrow() -> None:
    assert runs_needed([100.0, 100.5, 99.5]) == 0
    assert runs_needed([5.0, 5.0]) == 0
    assert runs_needed([5.0]) is None
    assert runs_needed([-1.0, 1.0]) is None


@given(st.lists(positive, min_size=2, max_size=8))
def test_runs_are_needed_exactly_when_the_interval_is_too_wide(values: list[float]) -> None:
    assert (runs_needed(values) == 0) is interval_narrow_enough(values)


def test_a_ratio_has_an_interval_around_it() -> None:
    found = ratio_interval([200.0, 202.0, 198.0, 201.0], [100.0, 101.0, 99.0, 100.0])
    assert found is not None
    assert found.interval.low < found.ratio < found.interval.high
    assert found.ratio == pytest.approx(200.25 / 100)
    assert found.interval.high - found.interval.low < 0.06


def test_a_ratio_that_is_not_defined_is_none() -> None:
    assert ratio_interval([1.0], [1.0, 2.0]) is None
    assert ratio_interval([1.0, 2.0], [0.0, 2.0]) is None
    assert ratio_interval([1.0, 2.0], [-1.0, 2.0]) is None


def test_a_ratio_of_few_values_lies_on_a_logarithmic_interval() -> None:
    a, b = [200.0, 210.0, 190.0], [100.0, 104.0, 99.0, 101.0]
    found, turned = ratio_interval(a, b), ratio_interval(b, a)
    assert found is not None
    assert turned is not None
    assert found.interval.low * found.interval.high == pytest.approx(found.ratio**2)
    assert (turned.interval.low, turned.interval.high) == pytest.approx((1 / found.interval.high, 1 / found.interval.low))
    assert ratio_interval([-1.0, 1.0], [2.0, 3.0]) is None


def test_a_ratio_of_constants_has_no_width() -> None:
    found = ratio_interval([4.0, 4.0], [2.0, 2.0])
    assert found is not None
    assert (found.ratio, found.interval) == (2.0, Interval(2.0, 2.0))
    half_constant = ratio_interval([4.0, 4.0, 4.0], [1.0, 2.0, 3.0])
    assert half_constant is not None
    assert half_constant.interval.low < 2.0 < half_constant.interval.high


def test_the_tests_agree_with_published_figures() -> None:
    # R: t.test(extra ~ group, data = sleep) gives p = 0.07939, wilcox.test(..., exact = FALSE) p = 0.06933.
    compared = compare(STUDENT_SLEEP_1, STUDENT_SLEEP_2)
    assert compared.welch_p == pytest.approx(0.07939, abs=5e-6)
    assert compared.mann_whitney_p == pytest.approx(0.06933, abs=5e-6)


def test_the_spread_is_that_of_the_planned_runs_once_more_were_added() -> None:
    a, b = [100.0, 90.0, 110.0, 95.0, 101.0, 101.0], [120.0, 130.0, 110.0, 125.0]
    planned = compare(a, b, 4)
    assert planned.welch_p is not None
    # By hand: means of all values, variances and degrees of freedom of the first four.
    error_a, error_b = np.var(a[:4], ddof=1) / 6, np.var(b, ddof=1) / 4
    t = (np.mean(a) - np.mean(b)) / math.sqrt(error_a + error_b)
    freedom = (error_a + error_b) ** 2 / (error_a**2 / 3 + error_b**2 / 3)
    assert planned.welch_p == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    assert compare(a, b, 6) == compare(a, b) == compare(a, b, 1)
    assert compare([5.0, 5.0, 5.0, 6.0], b[:3], 3) == compare([5.0, 5.0, 5.0, 6.0], b[:3])


def test_effects_are_those_that_r_gives() -> None:
    # R: effectsize::cohens_d(extra ~ group, data = sleep) gives -0.83; by hand -1.58 / 1.8986.
    slept = effect(STUDENT_SLEEP_1, STUDENT_SLEEP_2)
    assert slept is not None
    assert slept.cohens_d == pytest.approx(-0.8322, abs=5e-5)
    assert slept.name == "large"
    # R: the example of effsize::cliff.delta gives -0.25.
    treatment = [10.0, 10, 20, 20, 20, 30, 30, 30, 40, 50]
    treated = effect(treatment, [10.0, 20, 30, 40, 40, 50])
    assert treated is not None
    assert treated.cliffs_delta == pytest.approx(-0.25)


def test_effects_have_their_usual_names() -> None:
    def name_of(d: float) -> str:
        found = effect([d - 1, d, d + 1], [-1.0, 0.0, 1.0])
        assert found is not None
        assert found.cohens_d == pytest.approx(d)
        return found.name

    assert [name_of(d) for d in (0.1, 0.3, -0.6, 2.0)] == ["negligible", "small", "medium", "large"]


def test_constant_groups_have_no_d_but_a_name() -> None:
    apart, same = effect([6.0, 6.0], [5.0, 5.0]), effect([5.0, 5.0], [5.0, 5.0])
    assert apart is not None
    assert same is not None
    assert (apart.cohens_d, apart.cliffs_delta, apart.name) == (None, 1.0, "large")
    assert (same.cohens_d, same.cliffs_delta, same.name) == (0.0, 0.0, "negligible")
    assert effect([1.0], [1.0, 2.0]) is None


@given(st.lists(positive, min_size=2, max_size=9), st.lists(positive, min_size=2, max_size=9))
def test_an_effect_turns_its_sign_with_the_sides(a: list[float], b: list[float]) -> None:
    there, back = effect(a, b), effect(b, a)
    assert there is not None
    assert back is not None
    assert there.cliffs_delta == pytest.approx(-back.cliffs_delta)
    assert there.name == back.name
    assert -1 <= there.cliffs_delta <= 1


def test_a_percentile_needs_values_and_its_interval_more() -> None:
    random = np.random.default_rng(1)
    assert percentile(list(random.normal(size=19)), 0.95) is None
    twenty = percentile(list(random.normal(size=20)), 0.95)
    assert twenty is not None
    assert twenty.interval is None
    assert percentile(list(random.normal(size=99)), 0.99) is None
    # The greatest of n values lies above the 95th percentile with probability 1 - 0.95^n, which passes 0.975 at 72.
    few, enough = percentile(list(random.normal(size=71)), 0.95), percentile(list(random.normal(size=72)), 0.95)
    assert few is not None
    assert enough is not None
    assert few.interval is None
    assert enough.interval is not None
    assert enough.interval.low < enough.value < enough.interval.high


def test_constant_groups_differ_for_certain_or_not_at_all() -> None:
    same, apart = compare([5.0, 5.0], [5.0, 5.0]), compare([5.0, 5.0, 5.0, 5.0], [6.0, 6.0, 6.0, 6.0])
    assert (same.welch_p, same.mann_whitney_p) == (1.0, 1.0)
    assert apart.welch_p == 0.0
    assert apart.mann_whitney_p is not None
    assert apart.mann_whitney_p < 0.05


def test_one_value_a_side_cannot_be_tested() -> None:
    compared = compare([5.0], [6.0, 7.0])
    assert (compared.welch_p, compared.mann_whitney_p) == (None, None)


def test_holm_gives_what_r_gives() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    by_p = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def test_no_test_shows_no_difference() -> None:
    assert not difference_shown(None, 0.01)
    assert not difference_shown(0.01, None)


def test_a_difference_is_shown_where_the_means_differ_and_the_ranks_agree() -> None:
    assert difference_shown(0.049, 0.049)
    assert not difference_shown(0.05, 0.01)
    assert not difference_shown(0.01, 0.05)
