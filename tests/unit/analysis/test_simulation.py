"""Intervals and verdicts hold what they promise, on thousands of made-up samples. Fixed seeds: each figure is always the same."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from benchmarks import statistics
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
