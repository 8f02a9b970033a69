"""Scenario 6 on made-up events."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest

from benchmarks.plan.wishes import ANY_WORKER, WorkerWish
from benchmarks.record.flags import OFFERED_RATE_MISSED, is_valid
from benchmarks.record.rate_search import Verdict, capacity_of
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_6_scalability import (
    CAPACITY_AT_LEAST,
    CAPACITY_NOT_FOUND,
    CEILING,
    LOW,
    SCENARIO,
    steps_of,
)
from tasks.loads import Paced, Prefilled
from tests.unit.made_up import (
    MS,
    S,
    context,
    good_run,
    missing,
    overloaded,
    paced_phase,
    phase_data,
    prefilled_rows,
    sample,
    soon,
)

QUICK = {**SCENARIO.sizes["quick"], "low_s": 1, "steps": 4, "step_s": 1}


def run_of(phases: Iterable[PhaseData], **sizes: float) -> RunData:
    named = {phase.record.name: phase for phase in phases}
    return replace(
        good_run(),
        scenario=SCENARIO.name,
        phases=named,
        context=context({**QUICK, **sizes}),
        samples=[sample(5 * S // 10, memory_mb=60), sample(9 * S, memory_mb=90)],
    )


def backlog(number: int, rung: int, count: int, each_ns: int = MS) -> PhaseData:
    rows = prefilled_rows(count, phase=number, each_ns=each_ns)
    return phase_data(number, f"backlog_{rung}", Prefilled(count, many=True), rows, count)


def whole_run() -> RunData:
    return run_of(
        [
            backlog(1, 1, 100),
            backlog(2, 2, 400, each_ns=2 * MS),
            paced_phase(3, LOW, 50, soon),
            paced_phase(4, "step_1", 300, soon),
            paced_phase(5, "step_2", 500, overloaded),
            paced_phase(6, "step_3", 400, soon),
            paced_phase(7, "step_4", 450, soon, sends=1.1),
            phase_data(8, "scale_2", Prefilled(800, many=True), prefilled_rows(800, phase=8, each_ns=MS), 800),
            phase_data(9, "scale_1", Prefilled(400, many=True), prefilled_rows(400, phase=9, each_ns=MS * 3 // 2), 400),
        ]
    )


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is SCENARIO
    assert [scenario.sizes["full"][f"backlog_{rung}"] for rung in range(1, 6)] == [1_000, 5_000, 10_000, 50_000, 100_000]


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(whole_run())
    assert list(measures) == list(SCENARIO.columns)
    expected = {
        "task_count": 400,
        "total_time": 0.8,
        "throughput": 500,
        "p95": 3,
        "capacity_per_s": 400,
        "capacity_share_of_drain": 0.8,
        "capacity_limit_ms": 103,
        "capacity_p99_ms": 3,
        "capacity_depth_mean_tasks": 400 * 0.003,
        "not_held_per_s": 450,
        "capacity_is_producers": 1,
        "steps_tried": 4,
        "steps_held": 2,
        "steps_late": 1,
        "steps_growing": 0,
        "steps_not_offered": 1,
        "backlog_1_tasks": 100,
        "backlog_1_drain_per_s": 1000,
        "backlog_2_drain_per_s": 500,
        "backlog_2_redis_memory_bytes_per_task": 500,
        "backlog_2_redis_memory_mb": 0.2,
        "backlog_1_memory_mb": 70,
        "backlog_1_memory_uss_mb": 35,
        "backlog_drain_ratio": 0.5,
        "scale_1_process_per_s": 1000 / 1.5,
        "scale_2_processes_per_s": 1000,
        "scale_per_s": 1000,
        "scale_speedup": 1.5,
        "scale_efficiency": 0.75,
        "memory_mb": 90,
        "lost": 0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=0.02)
    assert set(missing(measures)) == {
        *SCENARIO.shares,
        *(f"scale_{n}_processes_per_s" for n in (4, 8)),
        *(name for name in SCENARIO.columns if name.startswith(("backlog_3", "backlog_4", "backlog_5"))),
    }


def test_the_capacity_is_the_highest_rate_that_held_whatever_failed_below_it() -> None:
    steps = steps_of(
        run_of([paced_phase(1, LOW, 50, soon), paced_phase(2, "step_1", 300, overloaded), paced_phase(3, "step_2", 400, soon)])
    )
    assert [step.verdict for step in steps] == [Verdict.LATE, Verdict.HELD]
    held, not_held = capacity_of(steps)
    assert held is not None
    assert (held.rate_per_s, not_held) == (400, None)


def test_a_rate_that_the_producer_could_not_offer_invalidates_no_run() -> None:
    assert is_valid(run_flags(whole_run()))
    low = paced_phase(3, LOW, 50, soon, sends=1.1)
    assert OFFERED_RATE_MISSED.code in [flag.code for flag in run_flags(run_of([low]))]


def test_a_capacity_that_is_only_a_lower_bound_is_noted() -> None:
    (flag,) = SCENARIO.flags(whole_run())
    assert flag.code == CAPACITY_AT_LEAST.code
    assert "400.0 tasks/s were held" in flag.detail
    assert "could not offer 450.0/s" in flag.detail
    all_held = run_of([paced_phase(1, LOW, 50, soon), paced_phase(2, "step_1", 300, soon)])
    assert [f.code for f in SCENARIO.flags(all_held)] == [CAPACITY_AT_LEAST.code]
    assert SCENARIO.measures(all_held)["not_held_per_s"] is None


def test_a_limit_that_was_the_workers_needs_no_note() -> None:
    data = run_of([paced_phase(1, LOW, 50, soon), paced_phase(2, "step_1", 300, soon), paced_phase(3, "step_2", 500, overloaded)])
    assert SCENARIO.flags(data) == ()
    measures = SCENARIO.measures(data)
    assert (measures["not_held_per_s"], measures["capacity_is_producers"]) == (500, 0)
    assert measures["not_held_p99_ms"] == pytest.approx(496, rel=0.01)


def test_without_a_rate_that_held_there_is_a_warning_and_no_capacity() -> None:
    data = run_of(
        [paced_phase(1, LOW, 50, soon), paced_phase(2, "step_1", 300, overloaded), paced_phase(3, "step_2", 200, overloaded)]
    )
    (flag,) = SCENARIO.flags(data)
    assert flag.code == CAPACITY_NOT_FOUND.code
    assert "2 rates from 200.0 to 300.0" in flag.detail
    assert "2 late" in flag.detail
    assert SCENARIO.measures(data)["capacity_per_s"] is None


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    for phases in ([], [backlog(1, 1, 100)], [phase_data(1, LOW, Paced(50, 1), [], 0)]):
        data = run_of(phases)
        assert list(SCENARIO.measures(data)) == list(SCENARIO.columns)
        assert SCENARIO.flags(data) == ()


def _go_through(capacity_per_s: float, processes: int = 2) -> list[PhasePlan]:
    """The phases on a system that holds up to a capacity."""
    made: list[PhasePlan] = []
    phases = SCENARIO.phases(context(QUICK, processes=processes))
    plan = next(phases)
    while True:
        made.append(plan)
        load, number = plan.load, len(made)
        data = phase_data(number, plan.name, load, [], 0)
        if plan.name.startswith("backlog"):
            data = phase_data(number, plan.name, load, prefilled_rows(100, phase=number), 100)
        elif isinstance(load, Paced):
            holds = load.rate_per_s <= capacity_per_s
            data = paced_phase(number, plan.name, load.rate_per_s, soon if holds else overloaded)
        try:
            plan = phases.send(lambda data=data: data)  # type: ignore[misc]
        except StopIteration:
            return made


def test_the_search_ends_next_to_the_capacity() -> None:
    plans = _go_through(700)
    names = [plan.name for plan in plans]
    assert set(names[:2]) == {"backlog_1", "backlog_2"}
    assert names[2:-2] == ["low", "step_1", "step_2", "step_3", "step_4"]
    assert set(names[-2:]) == {"scale_1", "scale_2"}
    steps = [plan for plan in plans if plan.name.startswith("step")]
    rates = [plan.load.rate_per_s for plan in steps if isinstance(plan.load, Paced)]
    assert max(rate for rate in rates if rate <= 700) == pytest.approx(700, abs=CEILING * 1000 / 2**4)
    assert all(plan.rate_may_be_missed for plan in steps)
    assert {plan.rate_may_be_missed for plan in plans if plan not in steps} == {False}
    assert len({plan.load.seed for plan in steps if isinstance(plan.load, Paced)}) == len(steps)


def test_the_worker_that_was_asked_for_does_all_but_the_drains_of_fewer_processes() -> None:
    wishes = {plan.name: plan.worker for plan in _go_through(700, processes=6)}
    fewer = {f"scale_{n}": WorkerWish(processes=n) for n in (1, 2, 4)}
    assert {name: wish for name, wish in wishes.items() if wish != ANY_WORKER} == fewer
    assert "scale_6" in wishes


def test_nothing_drained_leaves_the_search_out() -> None:
    phases = SCENARIO.phases(context(QUICK))
    names = [next(phases).name]
    empty = phase_data(1, "low", Paced(50, 1), [], 0)
    while True:
        try:
            names.append(phases.send(lambda: empty).name)
        except StopIteration:
            break
    assert set(names) == {"backlog_1", "backlog_2", "low", "scale_1", "scale_2"}
    assert names.index("low") == 2


@pytest.mark.parametrize("changes", [{"backlog_1": 0}, {"backlog_1": 3_000}, {"backlog_2": 0, "backlog_3": 5}, {"steps": 0}])
def test_sizes_that_make_no_sense_are_named(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=re.escape("backlog_1") if "steps" not in changes else "steps"):
        SCENARIO.check({**QUICK, **changes})
