"""Scenario 3 on made-up events."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.record.run_data import PhaseData, RunContext, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_3_cpu_bound import (
    CPU_TASK_OFF,
    CPU_TASK_SLOWED,
    HEAVY_LABEL,
    HEAVY_TASKS_OVERLAP,
    LIGHT_LABEL,
    SCENARIO,
    WARM,
)
from tasks.contract import Execution, Variant
from tasks.loads import Mix, Paced, Prefilled
from tests.unit.made_up import MS, Row, S, context, executed, good_run, phase_data, sample

QUICK = SCENARIO.sizes["quick"]
FACTS = {"pbkdf2_iterations_per_ms": 4000.0, "pbkdf2_python_iterations_per_ms": 1000.0}


def context_of(execution: Execution, processes: int = 2, **sizes: float) -> RunContext:
    variant = Variant("some-variant", execution, "made up")
    return context({**QUICK, **sizes}, variant=variant, facts=FACTS, processes=processes)


def drained(number: int, name: str, count: int, lanes: int, each_ms: float, *, processes: int | None = None) -> PhaseData:
    """``count`` tasks, ``lanes`` at once, from 50 ms after the workers were let go; all in as many processes as told."""
    rows: list[Row] = []
    for i in range(count):
        begun_ns = S + 50 * MS + int(i // lanes * each_ms * MS)
        process = 100 + i % (lanes if processes is None else processes)
        rows += executed(i, i, wait_ns=begun_ns - i, service_ns=int(each_ms * MS), phase=number, process=process)
    return phase_data(number, name, Prefilled(count), rows, count)


def paced(number: int, name: str, waits_ms: Sequence[float], heavy: Iterable[int] = ()) -> PhaseData:
    """Light tasks 20 ms apart that wait as told and end at once; those listed are heavy ones and take 200 ms."""
    heavy = set(heavy)
    rows: list[Row] = []
    for i, wait_ms in enumerate(waits_ms):
        service_ns, label = (200 * MS, HEAVY_LABEL) if i in heavy else (0, LIGHT_LABEL)
        rows += executed(i, i * 20 * MS, wait_ns=int(wait_ms * MS), service_ns=service_ns, phase=number, label=label)
    return phase_data(number, name, Paced(50, len(waits_ms) / 50), rows, len(waits_ms))


def run_of(phases: Iterable[PhaseData], made: RunContext) -> RunData:
    named = {phase.record.name: phase for phase in phases}
    return replace(good_run(), scenario=SCENARIO.name, phases=named, context=made, samples=[sample(5 * S, memory_mb=90)])


LIGHT = [
    paced(8, "light_alone", [2.0] * 100),
    paced(9, "light_beside", [10.0 if 5 <= i < 15 else 4.0 for i in range(104)], heavy=[5, 25]),
]


def of_processes() -> RunData:
    """A variant whose tasks each have a process: 1 takes 20 ms a task, 2 take 25 ms each, and the GIL does not matter."""
    return run_of(
        [
            drained(1, "processes_1", 15, 1, 20),
            drained(2, "processes_2", 30, 2, 25),
            drained(3, "heavy", 4, 2, 250),
            drained(4, "pool_python", 16, 2, 25),
            drained(5, "pool_heavy", 4, 2, 250),
            *LIGHT,
        ],
        context_of("child-process"),
    )


def of_threads() -> RunData:
    """The same with a pool of two threads in one process, which run one after another what holds the GIL."""
    return run_of(
        [
            *(phase for name, phase in of_processes().phases.items() if name in ("processes_1", "processes_2", "heavy")),
            drained(4, "pool_native", 16, 2, 25, processes=1),
            drained(5, "pool_python", 16, 1, 20, processes=1),
            drained(6, "pool_heavy", 4, 1, 200, processes=1),
            *LIGHT,
        ],
        context_of("thread"),
    )


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is SCENARIO


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(of_processes())
    assert list(measures) == list(SCENARIO.columns)
    expected = {
        "task_count": 30,
        "total_time": 15 * 0.025,
        "throughput": 80,
        "processes": 2,
        "cpu_percent": 100 * 2 / 0.375,
        "utilisation_share": 2 / 0.375 / 2,
        "ideal_share": 0.8,
        "worker_cpu_ms_per_task": 2000 / 30,
        "throughput_1_process_per_s": 50,
        "throughput_2_processes_per_s": 80,
        "speedup": 1.6,
        "speedup_2_processes": 1.6,
        "speedup_per_added_process": 0.6,
        "task_service_p50_ms": 20,
        "loaded_service_p50_ms": 25,
        "heavy_throughput_per_s": 8,
        "pool_processes": 2,
        "pool_native_per_s": 80,
        "pool_python_per_s": 80,
        "pool_heavy_python_per_s": 8,
        "gil_cost_ratio": 1,
        "slots_speedup_native": 1.6,
        "slots_speedup_python": 1.6,
        "light_alone_p50_ms": 2,
        "light_alone_p99_ms": 2,
        "p50": 4,
        "p99": 10,
        "mean_latency": (93 * 4 + 9 * 10) / 102,
        "light_beside_max_ms": 10,
        "light_p50_added_ms": 2,
        "light_p99_added_ms": 8,
        "light_p99_ratio": 5,
        "light_rate_offered_per_s": 50,
        "heavy_beside_service_p50_ms": 200,
        "heavy_overlap_share": 0,
        "memory_mb": 90,
        "lost": 0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=0.02)
    assert {name for name, value in measures.items() if value is None} == {
        *SCENARIO.shares,
        *("throughput_4_processes_per_s", "throughput_8_processes_per_s", "speedup_4_processes", "speedup_8_processes"),
    }


def test_the_gil_shows_in_a_pool_that_shares_a_process() -> None:
    measures = SCENARIO.measures(of_threads())
    expected = {
        "throughput": 80,
        "pool_processes": 1,
        "pool_native_per_s": 80,
        "pool_python_per_s": 50,
        "pool_heavy_python_per_s": 5,
        "gil_cost_ratio": 1.6,
        "slots_speedup_native": 1.6,
        "slots_speedup_python": 1,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected)


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    for data in (of_threads(), of_processes()):
        kept: dict[str, PhaseData] = {}
        for name, phase in [*data.phases.items(), ("", None)]:
            measures = SCENARIO.measures(replace(data, phases=dict(kept)))
            assert list(measures) == list(SCENARIO.columns)
            if phase is not None:
                kept[name] = phase
    measures = SCENARIO.measures(replace(of_threads(), phases={}))
    assert {measures[name] for name in ("throughput", "speedup", "pool_python_per_s", "p99", "gil_cost_ratio")} == {None}


def test_nothing_executed_gives_no_rate() -> None:
    empty = [phase_data(1, "processes_1", Prefilled(5), [], 5), phase_data(2, "light_beside", Paced(50, 1), [], 50)]
    measures = SCENARIO.measures(run_of(empty, context_of("thread")))
    assert (measures["throughput_1_process_per_s"], measures["p99"], measures["task_service_p50_ms"]) == (None, None, None)


def plans_of(made: RunContext) -> list[PhasePlan]:
    phases = SCENARIO.phases(made)
    plans = [next(phases)]
    with suppress(StopIteration):
        while True:
            plans.append(phases.send(lambda: pytest.fail("it looks at a phase")))
    return plans


def test_tasks_are_as_long_as_the_machine_was_measured_to_make_them() -> None:
    arguments = {
        plan.name: [(c.workload, c.argument) for c in plan.tasks.classes]
        for plan in plans_of(context_of("thread"))
        if isinstance(plan.tasks, Mix)
    }
    assert arguments == {
        "processes_1": [("pbkdf2", 80_000)],
        "processes_2": [("pbkdf2", 80_000)],
        "heavy": [("pbkdf2", 800_000)],
        "pool_native": [("pbkdf2", 80_000)],
        "pool_python": [("pbkdf2_python", 20_000)],
        "pool_heavy": [("pbkdf2_python", 200_000)],
        "light_alone": [("noop", None)],
        "light_beside": [("noop", None), ("pbkdf2_python", 200_000)],
    }


@pytest.mark.parametrize("execution", ["thread", "greenlet", "coroutine"])
def test_a_pool_shares_one_process_where_tasks_can(execution: Execution) -> None:
    plans = {plan.name: plan.worker for plan in plans_of(context_of(execution, processes=4))}
    shapes = {name: (wish.processes, wish.concurrency) for name, wish in plans.items()}
    assert shapes == {
        **{f"processes_{n}": (n, 1) for n in (1, 2, 4)},
        "heavy": (4, 1),
        **dict.fromkeys(("pool_native", "pool_python", "pool_heavy", "light_alone", "light_beside"), (1, 4)),
    }
    assert {wish.warm for wish in plans.values()} == {WARM}
    assert all(wish.long_tasks for wish in plans.values()), "it computes for 20 ms and more"


@pytest.mark.parametrize("execution", ["child-process", "main-thread"])
def test_a_pool_of_processes_is_the_worker_on_all_cores(execution: Execution) -> None:
    plans = plans_of(context_of(execution))
    names = {"processes_1", "processes_2", "heavy", "pool_python", "pool_heavy", "light_alone", "light_beside"}
    assert {plan.name for plan in plans} == names
    assert len({plan.worker for plan in plans}) == 2


def test_every_so_many_tasks_is_a_heavy_one_and_the_light_ones_come_as_often_alone() -> None:
    plans = {plan.name: plan for plan in plans_of(context_of("thread", light_s=4))}
    alone, beside = plans["light_alone"], plans["light_beside"]
    assert isinstance(beside.tasks, Mix)
    assert isinstance(alone.load, Paced)
    picks = beside.tasks.draw(200)
    heavy = [i for i, pick in enumerate(picks) if beside.tasks.classes[pick].label == HEAVY_LABEL]
    assert {b - a for a, b in pairwise(heavy)} == {20}
    assert len(heavy) == 10
    assert alone.load.rate_per_s == pytest.approx(47.5)


def test_a_task_that_is_off_its_calibration_is_warned_of() -> None:
    assert not SCENARIO.flags(of_processes())
    slow = run_of([drained(1, "processes_1", 15, 1, 27)], context_of("thread"))
    (flag,) = SCENARIO.flags(slow)
    assert flag.code == CPU_TASK_OFF.code
    assert "27.0 ms alone where it was calibrated to 20 ms" in flag.detail
    assert not SCENARIO.flags(replace(slow, phases={}))


def test_heavy_tasks_that_overlap_are_warned_of() -> None:
    """Due at 0, 180, 380 and 600 ms: the second comes while the first runs, and the third while the second does."""
    overlapping = run_of([paced(1, "light_beside", [4.0] * 31, heavy=[0, 9, 19, 30])], context_of("thread"))
    assert SCENARIO.measures(overlapping)["heavy_overlap_share"] == pytest.approx(2 / 3)
    (flag,) = SCENARIO.flags(overlapping)
    assert flag.code == HEAVY_TASKS_OVERLAP.code
    assert "67% of the heavy tasks" in flag.detail


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        *(({name: 0}, f"size {name}") for name in QUICK),
        ({"heavy_each": 1}, "heavy_each"),
        ({"light_rate_per_s": 100}, "would overlap"),
    ],
)
def test_sizes_that_make_no_sense_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        SCENARIO.check({**QUICK, **changes})


def test_a_task_with_a_core_of_its_own_that_took_half_as_long_again_makes_its_phase_invalid() -> None:
    data = of_processes()
    slow = drained(2, "processes_2", 30, 2, 31)
    flags = [(flag.code, flag.phase) for flag in SCENARIO.flags(replace(data, phases={**data.phases, "processes_2": slow}))]
    assert flags == [(CPU_TASK_SLOWED.code, "processes_2")]
    one_core = replace(data, phases={**data.phases, "processes_2": slow}, context=replace(data.context, cores=1))
    assert SCENARIO.flags(one_core) == [], "two that share a core take twice as long, and nothing is wrong"
