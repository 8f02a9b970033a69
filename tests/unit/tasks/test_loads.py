"""Loads and their schedules."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.loads import (
    NS_PER_S,
    Burst,
    Chain,
    Load,
    Mix,
    Paced,
    Prefilled,
    Ramp,
    TaskClass,
    Tasks,
    classes_of,
    count_of,
    load_from,
    only,
    queue_name,
    schedule_ns,
    tasks_from,
    tasks_in_a_unit,
)

RATES = st.floats(0.01, 1000)
DURATIONS_S = st.floats(0.001, 3)
UNIFORM = st.builds(Paced, RATES, DURATIONS_S)
POISSON = st.builds(Paced, RATES, DURATIONS_S, st.just("poisson"), st.integers(0, 2**32))
END_RATES = st.one_of(st.just(0.0), RATES)
RAMPS = st.tuples(END_RATES, END_RATES, DURATIONS_S).filter(lambda r: r[0] + r[1] > 0).map(lambda r: Ramp(*r))
SCHEDULED: st.SearchStrategy[Load] = st.one_of(UNIFORM, POISSON, RAMPS)
LOADS: st.SearchStrategy[Load] = st.one_of(
    SCHEDULED,
    st.builds(Burst, st.integers(0, 10**6)),
    st.builds(Prefilled, st.integers(0, 10**6), st.booleans(), st.integers(1, 1000)),
)


@given(SCHEDULED)
def test_tasks_are_due_in_order_and_within_the_load(load: Paced | Ramp) -> None:
    offsets = schedule_ns(load)
    assert all(a <= b for a, b in pairwise(offsets))
    if offsets:
        assert offsets[0] >= 0
        assert offsets[-1] < load.duration_s * NS_PER_S
    assert count_of(load) == len(offsets)


@given(st.integers(1, 1000), st.integers(1, 3))
def test_uniform_arrivals_are_rate_times_duration_and_evenly_spaced(rate_per_s: int, duration_s: int) -> None:
    offsets = schedule_ns(Paced(rate_per_s, duration_s))
    assert len(offsets) == rate_per_s * duration_s
    assert all(abs(offset - i * NS_PER_S / rate_per_s) <= 1 for i, offset in enumerate(offsets))


@given(UNIFORM)
def test_uniform_arrivals_are_no_more_than_fit(load: Paced) -> None:
    assert len(schedule_ns(load)) == pytest.approx(load.rate_per_s * load.duration_s, abs=1)


@pytest.mark.parametrize(("rate_per_s", "duration_s", "count"), [(100, 0.29, 29), (0.1, 30, 3), (0.5, 1, 0), (3, 0.1, 0)])
def test_uniform_count_survives_binary_fractions(rate_per_s: float, duration_s: float, count: int) -> None:
    assert count_of(Paced(rate_per_s, duration_s)) == count


@given(POISSON)
def test_poisson_arrivals_follow_from_the_seed(load: Paced) -> None:
    assert schedule_ns(load) == schedule_ns(load)


def test_poisson_arrivals_differ_between_seeds_and_uniform_ones_do_not() -> None:
    assert schedule_ns(Paced(100, 1, "poisson", 1)) != schedule_ns(Paced(100, 1, "poisson", 2))
    assert schedule_ns(Paced(100, 1, "uniform", 1)) == schedule_ns(Paced(100, 1, "uniform", 2))


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    rate_per_s, duration_s, seeds = 200, 10, range(20)
    schedules = [schedule_ns(Paced(rate_per_s, duration_s, "poisson", seed)) for seed in seeds]
    expected = rate_per_s * duration_s
    counts = [len(offsets) for offsets in schedules]
    # The standard error of the total is its root; the variance of a Poisson count is its mean.
    assert abs(sum(counts) - expected * len(counts)) < 4 * math.sqrt(expected * len(counts))
    assert 0.3 < statistics.variance(counts) / expected < 3
    gaps = [b - a for offsets in schedules for a, b in pairwise(offsets)]
    assert statistics.mean(gaps) == pytest.approx(NS_PER_S / rate_per_s, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)


@given(RAMPS)
@example(Ramp(100.0, 100.0 + 1e-12, 2.0))
@example(Ramp(100.0, 100.0 - 1e-12, 2.0))
@example(Ramp(100.0, 100.0, 2.0))
@example(Ramp(1000.0, 0.0, 2.0))
@example(Ramp(0.0, 1000.0, 2.0))
def test_a_ramp_follows_its_line(load: Ramp) -> None:
    """Task k is due when the rate, summed up from the start, has reached k."""
    slope = (load.to_per_s - load.from_per_s) / load.duration_s
    offsets = schedule_ns(load)
    assert len(offsets) == pytest.approx((load.from_per_s + load.to_per_s) / 2 * load.duration_s, abs=1)
    for index, offset in enumerate(offsets):
        at_s = offset / NS_PER_S
        assert load.from_per_s * at_s + slope * at_s**2 / 2 == pytest.approx(index, abs=1e-5)


@pytest.mark.parametrize(("load", "rising"), [(Ramp(10, 500, 2), True), (Ramp(500, 10, 2), False), (Ramp(500, 0, 2), False)])
def test_gaps_shrink_on_a_rising_ramp_and_grow_on_a_falling_one(load: Ramp, rising: bool) -> None:
    gaps = [b - a for a, b in pairwise(schedule_ns(load))]
    assert all(a >= b - 1 if rising else a <= b + 1 for a, b in pairwise(gaps))


@given(st.integers(0, 1000))
def test_a_burst_is_due_at_once(count: int) -> None:
    assert schedule_ns(Burst(count)).tolist() == [0] * count
    assert count_of(Burst(count)) == count


def test_a_prefilled_load_has_a_count_and_no_schedule() -> None:
    assert count_of(Prefilled(7)) == 7
    with pytest.raises(ValueError, match="prefilled"):
        schedule_ns(Prefilled(7))


@given(LOADS)
def test_every_load_survives_being_sent_as_json(load: Load) -> None:
    assert load_from(json.loads(json.dumps(asdict(load)))) == load


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"kind": "burst", "count": -1}, "count"),
        ({"kind": "burst", "count": 2.5}, "count"),
        ({"kind": "prefilled", "count": -1}, "count"),
        ({"kind": "prefilled", "count": 1, "chunk": 0}, "chunk"),
        ({"kind": "paced", "rate_per_s": 0, "duration_s": 1}, "rate_per_s"),
        ({"kind": "paced", "rate_per_s": -5, "duration_s": 1}, "rate_per_s"),
        ({"kind": "paced", "rate_per_s": math.inf, "duration_s": 1}, "rate_per_s"),
        ({"kind": "paced", "rate_per_s": math.nan, "duration_s": 1}, "rate_per_s"),
        ({"kind": "paced", "rate_per_s": "10", "duration_s": 1}, "rate_per_s"),
        ({"kind": "paced", "rate_per_s": 1, "duration_s": 0}, "duration_s"),
        ({"kind": "paced", "rate_per_s": 1, "duration_s": math.inf}, "duration_s"),
        ({"kind": "paced", "rate_per_s": 1, "duration_s": 1, "arrivals": "bursty"}, "arrivals"),
        ({"kind": "ramp", "from_per_s": -1, "to_per_s": 9, "duration_s": 1}, "from_per_s"),
        ({"kind": "ramp", "from_per_s": 9, "to_per_s": -1, "duration_s": 1}, "to_per_s"),
        ({"kind": "ramp", "from_per_s": 0, "to_per_s": 0, "duration_s": 1}, "from_per_s and to_per_s"),
        ({"kind": "ramp", "from_per_s": 1, "to_per_s": 2, "duration_s": -1}, "duration_s"),
        ({"kind": "flood", "count": 1}, "kind 'flood' is not one of burst, prefilled, paced, ramp"),
        ({"count": 1}, "kind None"),
    ],
)
def test_a_bad_value_is_named(data: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        load_from(data)


MIX = Mix((TaskClass("noop", label=1, weight=6), TaskClass("sleep", 0.1, 2, 3), TaskClass("noop", [1], 3, 1, "low")), seed=5)


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_longer_draw_begins_with_the_shorter(few: int, more: int) -> None:
    few, more = sorted((few, more))
    assert MIX.draw(more)[:few] == MIX.draw(few)
    assert len(MIX.draw(more)) == more


def test_classes_are_drawn_by_weight_and_the_seed_alone_decides() -> None:
    counts = Counter(MIX.draw(10_000))
    assert [round(counts[i] / 10_000, 1) for i in range(3)] == [0.6, 0.3, 0.1]
    assert MIX.draw(50) != replace(MIX, seed=6).draw(50)
    assert set(only("noop").draw(9)) == {0}


CHAIN = Chain((TaskClass("noop", label=1), TaskClass("sleep", 0.1, 2)), attempts=3, backoff_s=0.5)


def test_what_is_drawn_does_not_depend_on_the_gap_before_it() -> None:
    """Though the arrivals have the same seed."""
    due_ns = schedule_ns(Paced(1000, 20, "poisson", 5))
    mix = Mix((TaskClass("noop"), TaskClass("noop", label=1)), seed=5)
    gaps_ns: dict[int, list[int]] = {0: [], 1: []}
    for drawn, before_ns, now_ns in zip(mix.draw(len(due_ns)), [0, *due_ns], due_ns, strict=False):
        gaps_ns[drawn].append(now_ns - before_ns)
    means_ns = [sum(gaps) / len(gaps) for gaps in gaps_ns.values()]
    assert means_ns == pytest.approx([1_000_000, 1_000_000], rel=0.05)


@pytest.mark.parametrize("tasks", [MIX, CHAIN, only("noop"), only("sleep", 0.2)])
def test_tasks_survive_being_sent_as_json(tasks: Tasks) -> None:
    assert tasks_from(json.loads(json.dumps(asdict(tasks)))) == tasks


def test_a_unit_is_all_stages_of_a_chain_and_one_task_of_a_mix() -> None:
    assert (tasks_in_a_unit(MIX), tasks_in_a_unit(CHAIN)) == (1, 2)
    assert [c.label for c in classes_of(CHAIN)] == [1, 2]
    assert (queue_name("q", ""), queue_name("q", "low")) == ("q", "q-low")


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Mix(()), "at least one class"),
        (lambda: Chain(()), "at least one stage"),
        (lambda: TaskClass("noop", weight=0), "weight"),
        (lambda: TaskClass("noop", label=1 << 16), "label"),
        (lambda: Chain((TaskClass("noop"),), attempts=0), "attempts"),
        (lambda: Chain((TaskClass("noop"),), backoff_s=-1), "backoff_s"),
        (lambda: tasks_from({"kind": "heap"}), "kind 'heap' is not one of mix, chain"),
    ],
)
def test_tasks_that_make_no_sense_are_named(make: Callable[[], object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        make()
