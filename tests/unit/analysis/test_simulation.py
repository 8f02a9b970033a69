"""Intervals and verdicts hold what they promise, on thousands of made-up samples. Fixed seeds: each figure is always the same."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from benchmarks import statistics
from benchmarks.shares import Share, ratio_of_shares
from benchmarks.statistics import compare, difference_shown, holm, mean_interval, ratio_interval

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]

SAMPLES = 800
SKEWED: dict[str, tuple[Draw, float]] = {
    "exponential": (lambda random, n: random.exponential(1.0, n), 1.0),
    "lognormal": (lambda random, n: random.lognormal(0.0, 0.5, n), math.exp(0.125)),
}


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the resamples blurs an interval's ends and moves its coverage by less than can be seen here."""
    monkeypatch.setattr(statistics, "RESAMPLES", 1999)


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("name", SKEWED)
def test_intervals_of_thirty_skewed_values_hold_the_mean_95_times_in_100(name: str) -> None:
    draw, mean = SKEWED[name]
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(SAMPLES):
        interval = mean_interval(list(draw(random, 30)))
        assert interval is not None
        covered += interval.low <= mean <= interval.high
    assert 0.93 <= covered / SAMPLES <= 0.97


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("n", [4, 10])
def test_intervals_of_as_many_runs_as_usual_hold_the_mean_of_a_usual_spread(n: int) -> None:
    """At a coefficient of variation of 0.15, above which a measure is flagged."""
    random = np.random.default_rng(2)
    mean = math.exp(0.15**2 / 2)
    covered = 0
    for _ in range(SAMPLES):
        interval = mean_interval(list(random.lognormal(0, 0.15, n)))
        assert interval is not None
        covered += interval.low <= mean <= interval.high
    assert 0.93 <= covered / SAMPLES <= 0.97


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("n", [(4, 4), (30, 30)])
def test_intervals_of_a_ratio_hold_it_95_times_in_100(n: tuple[int, int]) -> None:
    draw, _ = SKEWED["lognormal"]
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(SAMPLES):
        found = ratio_interval(list(draw(random, n[0])), list(draw(random, n[1])))
        assert found is not None
        covered += found.interval.low <= 1 <= found.interval.high
    assert 0.93 <= covered / SAMPLES <= 0.97


SHARE = 0.4
ROUNDS = (4, 6, 10, 30)
"""From the fewest of which an interval is shown."""
SPREADS = {
    "alike": (0.02, 0.02, 0.0),
    "a restless control": (0.02, 0.25, 0.0),
    "a machine that moves": (0.05, 0.05, 0.2),
    "all of it": (0.1, 0.15, 0.15),
}
"""Coefficients of variation: of the variant, of the control, and of the machine from round to round, which both follow."""


def rounds_of(random: np.random.Generator, n: int, spread: tuple[float, float, float], kept: float = 1.0) -> Share:
    """As many rounds of a variant with a known share; each run of either is kept with that chance."""

    def around(mean: float, cv: float) -> npt.NDArray[np.float64]:
        sigma = math.sqrt(math.log1p(cv**2))
        return mean * random.lognormal(-(sigma**2) / 2, sigma, n)

    own, control, machine = spread
    speed = around(1.0, machine)
    both = (around(SHARE, own) * speed, around(1.0, control) * speed)
    kept_of = [random.random(n) < kept for _ in both]
    return Share(*({int(r): float(values[r]) for r in np.flatnonzero(keep)} for values, keep in zip(both, kept_of, strict=True)))


def coverage(shares: list[Share]) -> float:
    intervals = [interval for share in shares if share.own and share.control and (interval := share.interval())]
    assert len(intervals) > 0.9 * len(shares)
    return sum(interval.low <= SHARE <= interval.high for interval in intervals) / len(intervals)


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("n", ROUNDS)
def test_intervals_of_a_share_hold_it_95_times_in_100(n: int, spread: str) -> None:
    random = np.random.default_rng(5)
    assert 0.93 <= coverage([rounds_of(random, n, SPREADS[spread]) for _ in range(1500)]) <= 0.97


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("spread", SPREADS)
def test_they_hold_it_where_a_quarter_of_the_runs_of_either_was_invalid(spread: str) -> None:
    random = np.random.default_rng(6)
    assert 0.93 <= coverage([rounds_of(random, 10, SPREADS[spread], kept=0.75) for _ in range(1500)]) <= 0.97


@pytest.mark.usefixtures("fewer_resamples")
def test_they_hold_it_where_no_round_has_both() -> None:
    random = np.random.default_rng(7)
    shares = []
    for _ in range(400):
        variant, control = (rounds_of(random, 5, SPREADS["a restless control"]) for _ in range(2))
        shares.append(Share(variant.own, {10 + n: value for n, value in control.control.items()}))
    assert not any(share.is_paired for share in shares)
    assert 0.93 <= coverage(shares) <= 0.97


def test_the_mean_of_the_rounds_own_ratios_would_not_hold_it() -> None:
    random = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        share = rounds_of(random, 30, SPREADS["a restless control"])
        ratios = np.array([own / control for own, control in share.pairs])
        reach = float(stats.t.ppf(0.975, len(ratios) - 1)) * float(stats.sem(ratios))
        held += abs(float(ratios.mean()) - SHARE) <= reach
    assert held / 400 < 0.9


def test_two_sets_of_one_share_are_shown_different_in_fewer_than_5_of_100_comparisons() -> None:
    """Whatever the machine did between them."""

    def wrong(spread: tuple[float, float, float], n: int) -> float:
        random = np.random.default_rng(9)
        tests = [
            compare(rounds_of(random, n, spread).paired_values, rounds_of(random, n, spread).paired_values) for _ in range(600)
        ]
        return sum(difference_shown(test.welch_p, test.mann_whitney_p) for test in tests) / len(tests)

    assert all(wrong(spread, n) < 0.05 for spread in SPREADS.values() for n in (4, 10))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("n", [4, 10])
def test_intervals_of_the_ratio_of_two_sets_shares_hold_it_95_times_in_100(n: int, spread: str) -> None:
    random = np.random.default_rng(10)
    sets = ((rounds_of(random, n, SPREADS[spread]), rounds_of(random, 2 * n, SPREADS["alike"])) for _ in range(1500))
    intervals = [interval for a, b in sets if (interval := ratio_of_shares(a, b))]
    assert len(intervals) == 1500
    assert 0.93 <= sum(interval.low <= 1 <= interval.high for interval in intervals) / len(intervals) <= 0.97


def false_alarms(groups: Callable[[np.random.Generator], list[list[float]]], families: int, planned: int | None = None) -> float:
    """The share of families, each of groups that are alike, in which a difference between any two is shown."""
    random = np.random.default_rng(4)
    wrong = 0
    for _ in range(families):
        tests = [compare(a, b, planned) for a, b in combinations(groups(random), 2)]
        adjusted = holm([1.0 if test.welch_p is None else test.welch_p for test in tests])
        wrong += any(difference_shown(p, test.mann_whitney_p) for p, test in zip(adjusted, tests, strict=True))
    return wrong / families


@pytest.mark.parametrize("name", SKEWED)
def test_alike_variants_are_shown_different_in_fewer_than_5_of_100_families(name: str) -> None:
    draw, _ = SKEWED[name]
    assert false_alarms(lambda random: [list(draw(random, 10)) for _ in range(4)], families=200) < 0.05


def until_narrow(random: np.random.Generator, at_least: int, at_most: int) -> list[float]:
    """Runs as a suite makes them: more until the interval (here Student's, for speed) is narrower than ±5 %."""
    values = random.lognormal(0, 0.1, at_most)
    for n in range(at_least, at_most):
        seen = values[:n]
        if stats.t.ppf(0.975, n - 1) * seen.std(ddof=1) / math.sqrt(n) <= 0.05 * seen.mean():
            return [float(value) for value in seen]
    return [float(value) for value in values]


def test_runs_added_until_the_interval_is_narrow_do_not_raise_the_false_alarms() -> None:
    def groups(random: np.random.Generator) -> list[list[float]]:
        return [until_narrow(random, 4, 12) for _ in range(4)]

    assert false_alarms(groups, families=200, planned=4) < 0.05
    assert false_alarms(groups, families=200) > 0.06  # as it would be without
