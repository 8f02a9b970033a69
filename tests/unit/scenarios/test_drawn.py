"""What every scenario draws: the same for all variants of a repetition, another in every other, and no order that favours."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest

from benchmarks.record.mock_api_books import asked_latencies_ms
from benchmarks.run.contract import PhasePlan
from tasks.loads import Mix, Paced, classes_of, schedule_ns
from tests.unit.scenarios.going import ALONE, SCENARIOS, SHARED, plans

REPETITIONS = 200
ALTERNATIVES: dict[int, list[tuple[str, ...]]] = {
    1: [("capacity", "bulk"), ("paced", "half")],
    2: [("slots_10", "slots_50", "slots_100", "slots_200", "lognormal")],
    3: [("processes_1", "processes_2"), ("pool_native", "pool_python", "pool_heavy"), ("light_alone", "light_beside")],
    5: [
        ("paced_json", "stale_pickle"),
        ("paced_json", "paced_large_json"),
        ("filled_json_nested_1kb", "filled_json_text_100kb", "filled_json_bytes_1kb"),
        ("filled_pickle_nested_1kb", "filled_pickle_nested_100kb"),
    ],
    6: [("backlog_1", "backlog_2", "backlog_3"), ("scale_1", "scale_2")],
    8: [("waiting-1", "ready-1", "imports-1", "bytecode-cold-1"), ("waiting-2", "ready-2")],
    9: [("many_lanes", "one_lane")],
    10: [("off", "on_0", "on_1", "on_5", "on_slow")],
    11: [("nothing_flat_out", "dispatch_flat_out")],
}
"""By number of the scenario, the names of phases that are held against one another."""
POISSON = {1: ("half",), 4: ("paced",), 6: ("low", "step_1", "step_2"), 9: ("overload",), 11: ("calm", "waited")}
MIXED = {4: "capacity", 9: "overload", 11: "calm"}
"""A phase whose tasks are of classes that are drawn."""


def first_of(names: tuple[str, ...], made: dict[str, PhasePlan]) -> str:
    return next(name for name in made if name in names)


@pytest.mark.parametrize("number", ALTERNATIVES)
def test_each_alternative_comes_first_about_as_often(number: int) -> None:
    runs = [plans(number, repetition=repetition) for repetition in range(1, REPETITIONS + 1)]
    for names in ALTERNATIVES[number]:
        counts = Counter(first_of(names, made) for made in runs)
        fair = REPETITIONS / len(names)
        assert set(counts) == set(names)
        assert all(count == pytest.approx(fair, abs=4 * fair**0.5) for count in counts.values())


@pytest.mark.parametrize("number", SCENARIOS)
def test_all_variants_of_a_repetition_draw_the_same_and_other_repetitions_and_seeds_others(number: int) -> None:
    orders: dict[tuple[int, int], tuple[str, ...]] = {}
    for suite_seed, repetition in product((1, 2), range(1, 6)):
        asked, other = (plans(number, repetition=repetition, suite_seed=suite_seed, variant=v) for v in (SHARED, ALONE))
        assert [name for name in asked if name in other] == [name for name in other if name in asked]
        assert {name: drawn(plan) for name, plan in asked.items() if name in other} == {
            name: drawn(plan) for name, plan in other.items() if name in asked
        }
        again = plans(number, repetition=repetition, suite_seed=suite_seed)
        assert (list(again), list(again.values())) == (list(asked), list(asked.values()))
        orders[suite_seed, repetition] = tuple(asked)
    if number in ALTERNATIVES:
        assert len(set(orders.values())) > 1
        assert len({tuple(order for (of, _), order in orders.items() if of == seed) for seed in (1, 2)}) == 2


def drawn(plan: PhasePlan) -> tuple[object, ...]:
    """What chance decides of a phase, however fast or large it is for a variant."""
    seeds = [
        c.argument["failures_seed"]
        for c in classes_of(plan.tasks)
        if isinstance(c.argument, dict) and "failures_seed" in c.argument
    ]
    return (getattr(plan.load, "seed", None), getattr(plan.tasks, "seed", None), seeds)


@pytest.mark.parametrize(("number", "name"), [(number, name) for number, names in POISSON.items() for name in names])
def test_every_repetition_and_every_phase_has_arrivals_of_its_own(number: int, name: str) -> None:
    paths = set()
    for repetition in range(1, 11):
        load = plans(number, repetition=repetition)[name].load
        assert isinstance(load, Paced)
        assert load.arrivals == "poisson"
        paths.add(tuple(schedule_ns(replace(load, rate_per_s=100, duration_s=1))))
    assert len(paths) == 10
    seeds = [
        plan.load.seed for plan in plans(number).values() if isinstance(plan.load, Paced) and plan.load.arrivals == "poisson"
    ]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("number", MIXED)
def test_every_repetition_has_a_mix_of_its_own(number: int) -> None:
    mixes = {
        tuple(mix.draw(200))
        for mix in (plans(number, repetition=r)[MIXED[number]].tasks for r in range(1, 11))
        if isinstance(mix, Mix)
    }
    assert len(mixes) == 10


def test_latencies_and_failures_that_are_injected_are_drawn_anew_as_well() -> None:
    latencies = {classes_of(plans(2, repetition=r)["lognormal"].tasks)[0].argument["seed"] for r in range(1, 11)}
    failures = {drawn(plans(7, repetition=r)["orders"])[2][0] for r in range(1, 11)}  # type: ignore[index]
    assert len(latencies) == len(failures) == 10


def test_the_latency_of_a_task_is_the_same_for_every_variant_of_a_repetition() -> None:
    asked = [dict(classes_of(plans(2, variant=variant)["lognormal"].tasks)[0].argument) for variant in (SHARED, ALONE)]
    ids = [pd.DataFrame({"id": [f"{run}-{phase}-{sequence}-1" for sequence in range(20)]}) for run, phase in ((3, 1), (4, 2))]
    first, other = (asked_latencies_ms(log, parameters).tolist() for log, parameters in zip(ids, asked, strict=True))
    assert first == other
    assert len(set(first)) == 20


def test_no_seed_is_a_size() -> None:
    assert [name for scenario in SCENARIOS.values() for name in scenario.sizes["quick"] if "seed" in name] == []


@pytest.mark.parametrize(("number", "before", "after"), [
    (1, "capacity", "half"),
    (4, "capacity", "paced"),
    (5, "stale_json", "paced_json"),
    (6, "backlog_2", "low"),
    (6, "low", "step_1"),
    (8, "stop-1", "waiting-1"),
    (8, "ready-2", "page-cache-cold-1"),
    (9, "capacity", "overload"),
    (11, "first", "calm"),
    (11, "dispatch_flat_out", "dispatch_step_1"),
])  # fmt: skip
def test_what_depends_on_a_phase_comes_after_it(number: int, before: str, after: str) -> None:
    for repetition in range(1, 21):
        order = list(plans(number, repetition=repetition))
        assert order.index(before) < order.index(after)
