"""Slopes and their intervals hold what they promise on made-up series. Fixed seeds: each figure is always the same. The large
simulation is part of the lab's own benchmark."""

import numpy as np
import pytest

from benchmarks.harness.made_up_series import noise, rising, sawtooth
from benchmarks.soak.slopes import BATCHES, FEWEST_WINDOWS, batches_of, middle, slope_interval
from benchmarks.soak.steps import best_cut, trend_of

SERIES = 60


def hours(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.arange(count) / 60


@pytest.mark.parametrize("resemblance", [0.0, 0.6, 0.9])
def test_the_interval_covers_the_slope_in_95_of_100_series(resemblance: float) -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(SERIES * 4):
        found = slope_interval(batches_of(hours(240), rising(random, 240, resemblance, by=4.0)))
        assert found is not None
        covered += found[1].low <= 1.0 <= found[1].high
    assert 0.92 <= covered / (SERIES * 4) <= 0.98


@pytest.mark.parametrize("resemblance", [0.0, 0.8])
@pytest.mark.parametrize("kind", ["noise", "step", "sawtooth"])
def test_what_has_no_slope_is_accused_in_at_most_5_of_100_series(kind: str, resemblance: float) -> None:
    random = np.random.default_rng(2)
    accused = 0
    for _ in range(SERIES):
        match kind:
            case "noise":
                series = noise(random, 240, resemblance)
            case "step":
                series = noise(random, 240, resemblance) + 8.0 * (np.arange(240) >= random.choice([60, 145]))
            case _:
                series = sawtooth(random, 240, resemblance, teeth=float(random.uniform(1.3, 30)))
        trend = trend_of(hours(240), series)
        assert trend is not None
        accused += trend.shown and trend.slope > 0
    assert accused / SERIES <= 0.05


def test_a_leak_is_found_whether_the_level_jumps_beside_it_or_not() -> None:
    random = np.random.default_rng(3)
    for jump in (0.0, 20.0):
        found = [trend_of(hours(240), rising(random, 240, 0.5, by=12.0) + jump * (np.arange(240) >= 100)) for _ in range(40)]
        assert sum(trend is not None and trend.shown and trend.slope > 0 for trend in found) >= 36


def test_a_jump_is_told_with_its_place_and_size_and_without_a_slope() -> None:
    series = noise(np.random.default_rng(4), 240, 0.3) + 10.0 * (np.arange(240) >= 90)
    trend = trend_of(hours(240), series)
    assert trend is not None
    assert not trend.shown
    [step] = trend.steps
    assert abs(step.window - 90) <= 2
    assert step.size == pytest.approx(10.0, abs=1.0)


def test_what_jumps_take_back_is_no_slope() -> None:
    tooth = 20.0 * ((np.arange(240) / 240 * 1.5) % 1)
    trend = trend_of(hours(240), noise(np.random.default_rng(5), 240, 0.2) + tooth)
    assert trend is not None
    assert (trend.undone, trend.shown) == (True, False)


def test_pieces_that_are_known_have_levels_of_their_own_and_one_slope() -> None:
    leak = np.concatenate([np.arange(120), np.arange(120)]) / 10
    trend = trend_of(hours(240), noise(np.random.default_rng(6), 240, 0.2) + leak, known_cuts=[120])
    assert trend is not None
    assert trend.shown
    assert trend.interval.low <= 6.0 <= trend.interval.high
    assert trend.steps == ()


def test_single_windows_that_stand_out_weigh_nothing() -> None:
    series = noise(np.random.default_rng(7), 400, 0.3)
    plain = slope_interval(batches_of(hours(400), series))
    series[380:398:6] += 1e6
    spiked = slope_interval(batches_of(hours(400), series))
    assert plain is not None
    assert spiked is not None
    assert spiked[0] == pytest.approx(plain[0], abs=plain[1].high - plain[1].low)


def test_gaps_are_no_values() -> None:
    series = noise(np.random.default_rng(8), 240, 0.3) + np.arange(240)
    series[50:120] = np.nan
    found = slope_interval(batches_of(hours(240), series))
    assert found is not None
    assert found[1].low <= 60 <= found[1].high


def test_a_series_that_never_moves_has_no_slope_and_no_width() -> None:
    trend = trend_of(hours(60), np.full(60, 17.0))
    assert trend is not None
    assert (trend.slope, trend.interval.low, trend.interval.high) == pytest.approx((0, 0, 0), abs=1e-9)
    assert not trend.shown


def test_what_is_counted_by_tasks_has_no_slope_where_none_was_done() -> None:
    series, still = noise(np.random.default_rng(10), 120, 0.3), np.repeat([0.0, 7.0], 60)
    assert trend_of(still, series, known_cuts=[60]) is None


def test_too_few_windows_or_too_short_pieces_say_nothing() -> None:
    assert trend_of(hours(FEWEST_WINDOWS - 1), np.zeros(FEWEST_WINDOWS - 1)) is None
    many = list(range(3, 60, 3))
    assert trend_of(hours(60), noise(np.random.default_rng(9), 60, 0.0), known_cuts=many) is None


def test_batches_lie_within_pieces_and_leave_out_what_is_not_settled() -> None:
    batches = batches_of(hours(205), np.arange(205.0), cuts=[104])
    assert batches.piece.tolist() == [0] * 10 + [1] * 10
    assert batches.y[0] == np.arange(4, 14).mean()
    assert batches.y[10] == np.arange(105, 115).mean()
    assert len(batches_of(hours(FEWEST_WINDOWS), np.zeros(FEWEST_WINDOWS)).x) == BATCHES


def test_the_middle_of_a_row() -> None:
    assert middle(np.array([[9.0, 1.0, 2.0]])).tolist() == [2.0]
    assert middle(np.array([[1.0, 3.0]])).tolist() == [2.0]
    assert middle(np.array([[100.0, 1, 2, 3, 4, 5, 6, -100]])).tolist() == [3.5]


def test_pieces_that_are_too_short_cannot_be_cut() -> None:
    assert best_cut(hours(40), np.zeros(40), list(range(1, 40))) is None
