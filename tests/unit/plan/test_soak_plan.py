"""What a soak offers follows its plan at every moment, and every task's class is known by its number."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.soak_plan import (
    FAILING,
    RETRIED,
    STRETCH_AT_MOST_S,
    Numbering,
    SoakPlan,
    Stretch,
    stretch_at,
    with_failures,
)
from tasks.loads import Mix, TaskClass

MIX = Mix((TaskClass("noop", None, 0, 0.6), TaskClass("noop", None, 1, 0.3), TaskClass("noop", None, 2, 0.1)), seed=5)


def course(plan: SoakPlan, rate_per_s: float) -> list[tuple[float, Stretch]]:
    """All stretches and when they begin, where each takes as long as it is to."""
    found, at_s = [], 0.0
    while (stretch := stretch_at(plan, rate_per_s, at_s)) is not None:
        found.append((at_s, stretch))
        at_s += stretch.seconds + 1e-9
        assert len(found) < 10_000
    return found


def test_a_burst_of_several_times_the_rate_comes_at_intervals_and_not_at_once() -> None:
    plan = SoakPlan(duration_s=100, window_s=1, burst_every_s=30, burst_s=4, burst_factor=3)
    stretches = course(plan, 10)
    assert [round(at) for at, s in stretches if s.is_burst] == [30, 60, 90]
    assert {s.rate_per_s for _, s in stretches if s.is_burst} == {30}
    assert {s.rate_per_s for _, s in stretches if not s.is_burst} == {10}
    assert sum(s.seconds for _, s in stretches) == pytest.approx(100, abs=1e-3)
    assert all(s.seconds <= STRETCH_AT_MOST_S for _, s in stretches)


def test_a_curve_is_followed_again_and_again() -> None:
    plan = SoakPlan(duration_s=50, window_s=1, burst_every_s=1000, steps=((10, 5), (5, 0), (5, 20)))
    rates = {round(at): s.rate_per_s for at, s in course(plan, 999)}
    assert rates[0] == 5
    assert rates[10] == 0
    assert rates[15] == 20
    assert rates[20] == 5
    assert rates[30] == 0
    assert plan.base_rate_per_s(None) == 5


@given(st.floats(0, 1e5), st.floats(1, 1000), st.floats(0.1, 100))
def test_at_every_moment_there_is_a_stretch_until_the_end(elapsed_s: float, every_s: float, burst_s: float) -> None:
    plan = SoakPlan(duration_s=86_400, window_s=60, burst_every_s=every_s + burst_s, burst_s=burst_s)
    stretch = stretch_at(plan, 10, elapsed_s)
    if elapsed_s >= 86_400:
        assert stretch is None
    else:
        assert stretch is not None
        assert 0 < stretch.seconds <= min(STRETCH_AT_MOST_S, 86_400 - elapsed_s)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"duration_s": 0}, "duration_s"),
        ({"window_s": -1}, "window_s"),
        ({"share": 1.5}, "share"),
        ({"fail_share": 0.9}, "fail"),
        ({"burst_s": 700}, "burst_every_s"),
        ({"steps": ((0, 5),)}, "step"),
        ({"steps": ((5, 0),)}, "step"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(values: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SoakPlan(**{"duration_s": 3600, "window_s": 60, "burst_every_s": 600, **values})  # type: ignore[arg-type]


def test_a_short_soak_has_short_windows_and_a_long_one_those_of_a_minute() -> None:
    assert SoakPlan.of(24 * 3600, {}).window_s == 60
    assert SoakPlan.of(3600, {}).window_s == 10
    assert SoakPlan.of(120, {}).window_s == 2
    assert SoakPlan.of(120, {"window_s": 7}).window_s == 7


def test_the_class_of_each_task_is_that_which_the_producer_draws() -> None:
    mix = with_failures(MIX, 0.1)
    numbering = Numbering(mix)
    expected: list[int] = []
    for count, retries in ((50, 2), (200, 0), (10, 3), (120, 1)) * 40:
        drawn = numbering.begin_mixed(len(expected), count)
        expected += [drawn.classes[place].label for place in drawn.draw(count)]
        if retries:
            numbering.begin_retried(len(expected))
            expected += [RETRIED] * retries
    numbers = np.arange(len(expected), dtype=np.int64)
    assert numbering.class_of(numbers).tolist() == expected
    shuffled = np.random.default_rng(1).permutation(numbers)
    assert numbering.class_of(shuffled).tolist() == [expected[n] for n in shuffled]
    assert numbering.planned_failures(0, len(expected)) == expected.count(FAILING)
    assert 0.08 < expected.count(FAILING) / len(expected) < 0.12


def test_stretches_one_after_another_do_not_draw_the_same() -> None:
    numbering = Numbering(MIX)
    draws = [numbering.begin_mixed(100 * n, 100).draw(100) for n in range(10)]
    assert all(earlier != later for earlier, later in pairwise(draws))
