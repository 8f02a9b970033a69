"""Scenario 6 on made-up events."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from benchmarks.plan.wishes import ANY_WORKER, WorkerWish
from benchmarks.record.flags import OFFERED_RATE_MISSED, is_valid
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.record.validity import run_flags
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_6_scalability import (
    CAPACITY_AT_LEAST,
    CAPACITY_NOT_FOUND,
    CEILING,
    LOW,
    SCENARIO,
    Search,
    Step,
    Verdict,
    capacity_of,
    judge,
    steps_of,
)
from tasks.loads import Paced, Prefilled
from tests.unit.made_up import MS, Row, S, context, executed, good_run, phase_data, prefilled_rows, sample, sent, worker

QUICK = {**SCENARIO.sizes["quick"], "low_s": 1, "steps": 4, "step_s": 1}
LIMIT_MS = 103.0


def paced(number: int, name: str, rate_per_s: float, wait_ns: Callable[[int], int], *, sends: float = 1.0) -> PhaseData:
    """A second of tasks at a rate, each of which waits as told and runs for 1 ms; ``sends`` stretches the times of the sends."""
    count = int(rate_per_s)
    rows: list[Row] = []
    for i in range(count):
        due_ns = round(i * S / rate_per_s)
        task = executed(i, due_ns, wait_ns=wait_ns(i), phase=number, process=100 + i % 2)
        late_ns = round(due_ns * (sends - 1)) + 1
        rows += [sent(i, due_ns, phase=number, late_ns=late_ns), *task[1:]]
    load = Paced(rate_per_s, 1, "poisson", number)
    return phase_data(number, name, load, rows, count, rate_may_be_missed=name != LOW)


def soon(_: int) -> int:
    return 2 * MS


def overloaded(i: int) -> int:
    """Each waits 1 ms longer than the one before."""
    return i * MS


def creeping(i: int) -> int:
    """Never above the limit, but the queue is longer at the end than before."""
    return 2 * MS + (95 * MS if i > 650 else 0)


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
            paced(3, LOW, 50, soon),
            paced(4, "step_1", 300, soon),
            paced(5, "step_2", 500, overloaded),
            paced(6, "step_3", 400, soon),
            paced(7, "step_4", 450, soon, sends=1.1),
            phase_data(8, "scale_2", Prefilled(800, many=True), prefilled_rows(800, phase=8, each_ns=MS), 800),
            phase_data(9, "scale_1", Prefilled(400, many=True), prefilled_rows(400, phase=9, each_ns=MS * 3 // 2), 400),
        ]
    )


def test_it_meets_the_protocol_and_names_only_columns_that_it_has() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is SCENARIO
    names = {scenario.headline, *scenario.summary, *scenario.shares, *scenario.shares.values(), *scenario.better}
    assert names <= set(scenario.columns)
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)
    assert [scenario.sizes["full"][f"backlog_{rung}"] for rung in range(1, 6)] == [1_000, 5_000, 10_000, 50_000, 100_000]


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(whole_run())
    assert list(measures) == list(SCENARIO.columns)
    expected = {
        "task_count": 400,
        "total_time": 0.8,
        "throughput": 500,
        "p99": 3,
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
    assert {name for name, value in measures.items() if value is None} == {
        "capacity_share_of_control",
        *(f"scale_{n}_processes_per_s" for n in (4, 8)),
        *(name for name in SCENARIO.columns if name.startswith(("backlog_3", "backlog_4", "backlog_5"))),
    }


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        (paced(1, "step_1", 1000, soon), Verdict.HELD),
        (paced(1, "step_1", 1000, overloaded), Verdict.LATE),
        (paced(1, "step_1", 1000, creeping), Verdict.GROWING),
        (paced(1, "step_1", 1000, soon, sends=1.03), Verdict.NOT_OFFERED),
        (paced(1, "step_1", 1000, overloaded, sends=1.03), Verdict.NOT_OFFERED),
        (phase_data(1, "step_1", Paced(10, 1), [sent(i, i * S // 10) for i in range(10)], 10), Verdict.LATE),
    ],
)
def test_a_step_is_judged_by_what_it_showed(phase: PhaseData, verdict: Verdict) -> None:
    assert judge(phase, LIMIT_MS).verdict is verdict


def test_a_queue_grows_by_the_difference_of_two_quarters() -> None:
    """Overloaded by a fifth: a task in hand more every 5 ms, so 100 more between the middles of the two quarters. Allowed are
    5 % of 500 tasks, twice the root of 500, and 2 slots: 71.7."""
    step = judge(paced(1, "step_1", 1000, lambda i: i * MS // 4), 1000)
    assert step.growth == pytest.approx(100, rel=0.05)
    assert judge(paced(1, "step_1", 1000, lambda i: i * MS * 3 // 20), 1000).verdict is Verdict.HELD
    assert step.verdict is Verdict.GROWING


def test_one_task_that_never_ends_is_no_held_rate() -> None:
    good = paced(1, "step_1", 100, soon)
    rows = [row for i in range(100) for row in executed(i, i * S // 100)[: 2 if i == 99 else 3]]
    assert judge(good, LIMIT_MS).verdict is Verdict.HELD
    assert judge(phase_data(1, "step_1", good.record.load, rows, 100), LIMIT_MS).verdict is Verdict.LATE


def test_the_capacity_is_the_highest_rate_that_held_whatever_failed_below_it() -> None:
    steps = steps_of(run_of([paced(1, LOW, 50, soon), paced(2, "step_1", 300, overloaded), paced(3, "step_2", 400, soon)]))
    assert [step.verdict for step in steps] == [Verdict.LATE, Verdict.HELD]
    held, not_held = capacity_of(steps)
    assert held is not None
    assert (held.rate_per_s, not_held) == (400, None)


def test_a_rate_that_the_producer_could_not_offer_invalidates_no_run() -> None:
    assert is_valid(run_flags(whole_run()))
    low = paced(3, LOW, 50, soon, sends=1.1)
    assert OFFERED_RATE_MISSED.code in [flag.code for flag in run_flags(run_of([low]))]


def test_a_capacity_that_is_only_a_lower_bound_is_noted() -> None:
    (flag,) = SCENARIO.flags(whole_run())
    assert flag.code == CAPACITY_AT_LEAST.code
    assert "400.0 tasks/s were held" in flag.detail
    assert "could not offer 450.0/s" in flag.detail
    all_held = run_of([paced(1, LOW, 50, soon), paced(2, "step_1", 300, soon)])
    assert [f.code for f in SCENARIO.flags(all_held)] == [CAPACITY_AT_LEAST.code]
    assert SCENARIO.measures(all_held)["not_held_per_s"] is None


def test_a_limit_that_was_the_workers_needs_no_note() -> None:
    data = run_of([paced(1, LOW, 50, soon), paced(2, "step_1", 300, soon), paced(3, "step_2", 500, overloaded)])
    assert SCENARIO.flags(data) == ()
    measures = SCENARIO.measures(data)
    assert (measures["not_held_per_s"], measures["capacity_is_producers"]) == (500, 0)
    assert measures["not_held_p99_ms"] == pytest.approx(496, rel=0.01)


def test_without_a_rate_that_held_there_is_a_warning_and_no_capacity() -> None:
    data = run_of([paced(1, LOW, 50, soon), paced(2, "step_1", 300, overloaded), paced(3, "step_2", 200, overloaded)])
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


def test_bisection_halves_what_is_left() -> None:
    search = Search(0, 1600)
    for verdict in (Verdict.HELD, Verdict.LATE, Verdict.GROWING, Verdict.HELD):
        search = search.after(replace(step_at(search.next_per_s), verdict=verdict))
    assert (search.low_per_s, search.high_per_s) == (900, 1000)


def step_at(rate_per_s: float) -> Step:
    return Step(rate_per_s, rate_per_s, 1, paced(1, "step_1", 10, soon), 3, 0, Verdict.HELD)


def test_bisection_goes_on_below_what_could_be_offered() -> None:
    search = Search(400, 1600)
    missed = replace(step_at(1000), offered_per_s=700, verdict=Verdict.NOT_OFFERED)
    assert search.after(missed) == Search(400, 700)
    assert search.after(replace(missed, offered_per_s=300)) == Search(400, 400)


def _go_through(capacity_per_s: float, processes: int = 2) -> list[PhasePlan]:
    """The phases on a system that holds up to a capacity."""
    made: list[PhasePlan] = []
    phases = SCENARIO.phases(context(QUICK, processes=processes, slots=processes))
    plan = next(phases)
    while True:
        made.append(plan)
        load, number = plan.load, len(made)
        data = phase_data(number, plan.name, load, [], 0)
        if plan.name.startswith("backlog"):
            data = phase_data(number, plan.name, load, prefilled_rows(100, phase=number), 100)
        elif isinstance(load, Paced):
            holds = load.rate_per_s <= capacity_per_s
            data = paced(number, plan.name, load.rate_per_s, soon if holds else overloaded)
        try:
            plan = phases.send(lambda data=data: data)  # type: ignore[misc]
        except StopIteration:
            return made


def test_the_search_ends_next_to_the_capacity() -> None:
    plans = _go_through(700)
    assert [plan.name for plan in plans] == [
        *("backlog_1", "backlog_2", "low", "step_1", "step_2", "step_3", "step_4", "scale_2", "scale_1"),
    ]
    steps = [plan for plan in plans if plan.name.startswith("step")]
    rates = [plan.load.rate_per_s for plan in steps if isinstance(plan.load, Paced)]
    assert max(rate for rate in rates if rate <= 700) == pytest.approx(700, abs=CEILING * 1000 / 2**4)
    assert all(plan.rate_may_be_missed for plan in steps)
    assert {plan.rate_may_be_missed for plan in plans if plan not in steps} == {False}
    assert len({plan.load.seed for plan in steps if isinstance(plan.load, Paced)}) == len(steps)


def test_the_worker_that_was_asked_for_is_kept_until_another_is_needed() -> None:
    wishes = [plan.worker for plan in _go_through(700, processes=6)]
    assert wishes == [ANY_WORKER] * 8 + [WorkerWish(processes=n, slots=n) for n in (4, 2, 1)]


def test_nothing_drained_leaves_the_search_out() -> None:
    phases = SCENARIO.phases(context(QUICK))
    next(phases)
    names = []
    empty = phase_data(1, "low", Paced(50, 1), [], 0)
    while True:
        try:
            names.append(phases.send(lambda: empty).name)
        except StopIteration:
            break
    assert names == ["backlog_2", "low", "scale_2", "scale_1"]


@pytest.mark.parametrize("changes", [{"backlog_1": 0}, {"backlog_1": 3_000}, {"backlog_2": 0, "backlog_3": 5}, {"steps": 0}])
def test_sizes_that_make_no_sense_are_named(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=re.escape("backlog_1") if "steps" not in changes else "steps"):
        SCENARIO.check({**QUICK, **changes})


def test_slots_allow_for_noise() -> None:
    """Two quarters differ by up to a worker's slots without that being growth."""
    phase = paced(1, "step_1", 20, lambda i: (2 if i < 15 else 95) * MS)
    crowded = replace(phase, record=replace(phase.record, worker=worker(slots=50)))
    assert judge(crowded, LIMIT_MS).verdict is Verdict.HELD
