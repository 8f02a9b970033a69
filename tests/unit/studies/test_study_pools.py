"""The study of pools: its grid, its phases, its measures, and what it concludes from made-up figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.grid import Point, name_of
from benchmarks.record.run_data import PhaseData, RunContext
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import PhasePlan
from benchmarks.studies.pool_choice import choices_of, further_slot_mb, pool_conclusions
from benchmarks.studies.study import Place
from benchmarks.studies.study_pools import HALF, IN_C, IN_PYTHON, STUDY, WAITS
from tasks.contract import Variant
from tasks.loads import Paced, Prefilled, classes_of
from tasks.workloads import WORKLOADS
from tests.unit.made_up import MS, S, context, executed, good_run, phase_data, prefilled_rows, worker

FORKED = Variant("some-forked", "child-process", "made up", concurrency_limit=1)
SOLO = Variant("some-solo", "main-thread", "made up", concurrency_limit=1)
THREADS = Variant("some-threads", "thread", "made up", concurrency_limit=6)
GREENLETS = Variant("some-greenlets", "greenlet", "made up")
QUICK = STUDY.sizes["quick"]
FACTS = {"pbkdf2_iterations_per_ms": 4000.0, "pbkdf2_python_iterations_per_ms": 1000.0}


def levels(variant: Variant, preset: str, **sizes: float) -> Sequence[Any]:
    return STUDY.levels(Place(variant, 2, {**STUDY.sizes[preset], **sizes}, preset))["concurrency"]


def test_levels_are_powers_of_two_up_to_what_the_pool_can_have() -> None:
    assert levels(FORKED, "standard") == (1, 2, 4, 8)
    assert levels(SOLO, "standard") == (1,)
    assert levels(THREADS, "standard") == (1, 2, 4, 6)
    assert levels(THREADS, "standard", workers=2) == (1, 2, 4, 8, 12)
    assert levels(GREENLETS, "standard") == (1, 2, 4, 8, 16, 32, 64, 128, 256, 500)


def test_the_preset_quick_has_a_handful() -> None:
    places = [Place(variant, 2, QUICK, "quick") for variant in (FORKED, SOLO, THREADS, GREENLETS)]
    assert len(STUDY.grid(places, {}).entries) == 2 * (2 + 1 + 1 + 1)


def test_more_at_once_than_a_pool_can_have_is_left_out_with_the_nearest() -> None:
    places = [Place(variant, 2, QUICK, "quick") for variant in (SOLO, GREENLETS)]
    grid = STUDY.grid(places, {"concurrency": (50,), "task": (WAITS,)})
    assert [entry.name for entry in grid.entries] == ["some-greenlets-waits-50"]
    assert grid.left_out == ("some-solo-waits-50: a worker of it takes 1 at once and no more: the nearest that works is 1",)


def made(variant: Variant, task: str, concurrency: int, **sizes: float) -> RunContext:
    point = {"task": task, "concurrency": concurrency}
    return context({**QUICK, **sizes}, variant=variant, point=point, facts=FACTS)


def plans(made_up: RunContext, drained_per_s: float = 100) -> tuple[PhasePlan, PhasePlan]:
    """What a run asks for whose drain ends so many tasks a second."""
    phases = STUDY.phases(made_up)
    drain = next(phases)
    count = 50
    rows = prefilled_rows(count, each_ns=round(S / drained_per_s))
    look = phase_data(1, drain.name, Prefilled(count), rows, count)
    return drain, phases.send(lambda: look)


@pytest.mark.parametrize(
    ("variant", "concurrency", "workers", "shape"),
    [(FORKED, 4, 1, (4, 1)), (GREENLETS, 50, 1, (1, 50)), (GREENLETS, 50, 4, (4, 13)), (SOLO, 1, 1, (1, 1))],
)
def test_processes_are_as_many_as_tasks_at_once_only_where_each_has_its_own(
    variant: Variant, concurrency: int, workers: int, shape: tuple[int, int]
) -> None:
    for plan in plans(made(variant, WAITS, concurrency, workers=workers)):
        assert (plan.worker.processes, plan.worker.concurrency) == shape


def test_tasks_arrive_at_the_share_of_what_was_drained_the_same_at_every_point() -> None:
    _, offered = plans(made(GREENLETS, WAITS, 4), drained_per_s=200)
    _, other = plans(made(FORKED, WAITS, 2), drained_per_s=200)
    assert isinstance(offered.load, Paced)
    assert offered.load.rate_per_s == pytest.approx(0.7 * 200, rel=0.05)
    assert offered.load == other.load


@pytest.mark.parametrize("task", [WAITS, IN_C, IN_PYTHON, HALF])
def test_a_task_takes_its_time_by_its_kind(task: str) -> None:
    drain, _ = plans(made(GREENLETS, task, 4))
    (kind,) = classes_of(drain.tasks)
    expected: Mapping[str, Any] = {WAITS: 0.02, IN_C: 80_000, IN_PYTHON: 20_000, HALF: {"wait_s": 0.01, "iterations": 10_000}}
    assert kind.argument == expected[task]
    assert WORKLOADS[kind.workload].longest_s(kind.argument) >= 0.02


@given(st.sampled_from([FORKED, SOLO, THREADS, GREENLETS]), st.sampled_from([WAITS, IN_C, IN_PYTHON, HALF]), st.integers(1, 500))
def test_every_slot_gets_tasks_and_what_a_run_needs_is_said(variant: Variant, task: str, concurrency: int) -> None:
    needs = STUDY.needs(Place(variant, 2, QUICK, "quick"), {"task": task, "concurrency": concurrency})
    drain = next(STUDY.phases(made(variant, task, concurrency)))
    assert isinstance(drain.load, Prefilled)
    assert drain.load.count >= 2 * concurrency
    assert needs.time_s > QUICK["offered_s"]


def run_of(offered: PhaseData) -> Mapping[str, float | int | None]:
    drain = phase_data(1, "drain", Prefilled(100), prefilled_rows(100, each_ns=10 * MS), 100, worker=worker(slots=2))
    phases = {"drain": drain, "offered": offered}
    data = replace(good_run(), scenario=STUDY.name, phases=phases, context=made(FORKED, WAITS, 2), worker=worker(slots=2))
    return STUDY.measures(data)


def test_measures_of_a_run_whose_figures_are_known() -> None:
    waits_ms = [900 if i == 3 else 2 for i in range(20)]
    each = [executed(i, i * 50 * MS, wait_ns=ms * MS, service_ns=20 * MS, phase=2) for i, ms in enumerate(waits_ms)]
    rows = [row for task in each for row in task]
    measures = run_of(phase_data(2, "offered", Paced(20, 1), rows, 20))
    assert list(measures) == list(STUDY.columns)
    assert measures["throughput"] == pytest.approx(100, rel=0.02)
    assert measures["slots_count"] == 2
    assert measures["ideal_share"] == pytest.approx(1, rel=0.02)
    assert measures["within_level_share"] == 0.95
    assert measures["offered_service_p50_ms"] == 20
    assert measures["mb_per_slot"] == pytest.approx((measures["memory_mb"] or 0) / 2)


def figures(*points: tuple[str, int, float, float, float], runs: int = 5, task: str = WAITS) -> ChartData:
    """Points of pools with their concurrency, rate, share within the level and memory; runs lie 1 % apart."""
    measured: dict[str, dict[str, tuple[float, ...]]] = {}
    places: dict[str, Point] = {}
    executed_: dict[str, str] = {}
    for pool, concurrency, rate, within, memory in points:
        name = name_of(pool, {"task": task, "concurrency": concurrency})
        measured[name] = {
            "throughput": tuple(rate * (1 + n / 100) for n in range(runs)),
            "within_level_share": (within,) * runs,
            "memory_mb": (memory,) * runs,
        }
        places[name], executed_[name] = {"task": task, "concurrency": concurrency}, pool
    return ChartData(tuple(measured), None, measured, {}, places, executed_)


def test_the_best_pool_is_named_with_the_least_at_once_that_is_nearly_as_fast() -> None:
    of_a = (("a", 1, 50, 1, 100), ("a", 8, 390, 1, 107), ("a", 64, 400, 1, 163))
    data = figures(*of_a, ("b", 1, 50, 1, 90), ("b", 4, 190, 1, 180))
    (answer,) = pool_conclusions(data, (WAITS, IN_C))
    assert answer.decided
    assert answer.text.startswith("a with 8 at once: 398 (")
    assert "More did not help: 408 tasks/s at best" in answer.text
    assert "Every other pool that was measured is shown to be slower" in answer.text
    assert [row[:2] for row in answer.rows] == [("a", "8 of 64"), ("b", "4 of 4")]
    first, second = choices_of(data, WAITS)
    assert further_slot_mb(data, first) == 1
    assert further_slot_mb(data, second) == 30
    assert second.still_helps
    assert not first.still_helps


def test_a_pool_that_misses_the_service_level_comes_after_all_that_keep_it() -> None:
    (answer,) = pool_conclusions(figures(("fast", 4, 900, 0.5, 100), ("slow", 4, 300, 1, 100)), (WAITS,))
    assert answer.text.startswith("slow with 4")
    (none,) = pool_conclusions(figures(("fast", 4, 900, 0.5, 100), ("slow", 4, 300, 0.9, 100)), (WAITS,))
    assert none.text.startswith("fast with 4")
    assert "No pool keeps the service level" in none.text


def test_a_level_that_misses_the_service_level_is_not_advised_though_it_is_faster() -> None:
    (choice,) = choices_of(figures(("a", 4, 300, 1, 100), ("a", 8, 900, 0.6, 100)), WAITS)
    assert choice.enough.concurrency == 4


@pytest.mark.parametrize(
    ("rate", "runs", "said"),
    [(401.0, 5, "Not decided against b: no difference is shown."), (200.0, 3, "Not decided against b: it takes 4 valid runs")],
)
def test_what_the_figures_do_not_decide_is_said(rate: float, runs: int, said: str) -> None:
    (answer,) = pool_conclusions(figures(("a", 8, 402, 1, 100), ("b", 8, rate, 1, 100), runs=runs), (WAITS,))
    assert not answer.decided
    assert said in answer.text


def test_pictures_have_a_panel_for_each_kind_and_a_line_for_each_pool() -> None:
    charts = STUDY.charts(figures(("a", 1, 50, 1, 100), ("a", 8, 390, 1, 107), ("b", 1, 60, 1, 80)))
    assert [chart.name for chart in charts] == ["throughput", "memory-mb", "within-level-share"]
    (panel,) = charts[0].panels
    assert [(series.variant, list(series.x)) for series in panel.series] == [("a", [1, 8]), ("b", [1])]
