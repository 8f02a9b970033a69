"""Scenario 1 on made-up events."""

import re
from contextlib import suppress
from dataclasses import replace

import pytest

from benchmarks.record.flags import NOTHING_EXECUTED
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_1_throughput import PACED_RATE_CAPPED, SCENARIO
from tasks.loads import Paced, Prefilled
from tests.unit.made_up import MS, RUN, S, context, good_run, missing, paced_rows, phase_data, prefilled_rows, sent

QUICK = SCENARIO.sizes["quick"]


def test_scenarios_come_in_the_order_of_their_numbers() -> None:
    numbers = [scenario.number or 0 for scenario in all_scenarios().values()]
    assert numbers == sorted(numbers)


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is scenario
    assert scenario.sizes["full"]["tasks"] == 20_000


def test_a_good_run_gives_every_measure_in_order() -> None:
    measures = SCENARIO.measures(good_run())
    assert list(measures) == list(SCENARIO.columns)
    # No task of it ever waits for a slot.
    assert missing(measures) == [*SCENARIO.shares, "half_hand_over_mean_ms"]
    assert all(type(value) in (int, float, type(None)) for value in measures.values())


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(good_run())
    expected = {
        "task_count": 200,
        "total_time": 0.2,
        "throughput": 1000,
        "drain_per_s": 1000,
        "enqueue_per_s": 200 / (199 * 1e-4 + 10e-9),
        "cpu_percent": 1000,
        "mean_latency": 3,
        "p50": 3,
        "memory_mb": 90,
        "memory_idle_pss_mb": 40,
        "memory_peak_rss_mb": 180,
        "memory_after_uss_mb": 35,
        "paced_rate_offered_per_s": 100,
        "half_rate_per_s": 500,
        "paced_lateness_p50_ms": 1e-6,
        "paced_send_max_ms": 1e-5,
        "paced_ack_to_start_p95_ms": 2,
        "half_end_to_end_max_ms": 3,
        "redis_commands_per_task": 3,
        "redis_memory_bytes_per_queued_task": 500,
        "working_processes": 2,
        "working_threads": 2,
        "attempted": 340,
        "completed": 340,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
        "steal_share": 0,
        "load_1min": 1,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)
    assert (measures["p99"], measures["half_service_p99_9_ms"]) == (None, None), "50 and 40 tasks carry neither"


def test_nothing_executed_reports_no_latency_and_no_rate() -> None:
    phases = {}
    for name, phase in good_run().phases.items():
        number, count = phase.record.number, phase.record.planned
        rows = [sent(i, i * MS, phase=number) for i in range(count)]
        phases[name] = phase_data(number, name, phase.record.load, rows, count)
    data = good_run(data=phases)
    measures = SCENARIO.measures(data)
    latencies = [name for name in SCENARIO.columns if name.endswith("_ms") or name in ("mean_latency", "p50", "p95", "p99")]
    rates = ["total_time", "throughput", "drain_per_s", "cpu_percent", "worker_cpu_s_per_1000", "redis_commands_per_task"]
    assert {measures[name] for name in latencies + rates} == {None}
    assert (measures["attempted"], measures["completed"], measures["lost"]) == (340, 0, 340)
    assert NOTHING_EXECUTED.code in [flag.code for flag in run_flags(data)]


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    data = replace(good_run(), phases={}, samples=[])
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    assert (measures["throughput"], measures["memory_after_pss_mb"], measures["memory_mb"], measures["attempted"]) == (
        None,
        None,
        40,
        0,
    )
    assert SCENARIO.flags(data) == ()


def test_the_warm_up_is_in_no_total() -> None:
    data = good_run(data={"warm-up": phase_data(0, "warm-up", Prefilled(5), prefilled_rows(5, phase=0), 5)})
    assert SCENARIO.measures(data) == SCENARIO.measures(good_run())


def plans(capacity: PhaseData, **sizes: float) -> list[PhasePlan]:
    """The phases of a run whose capacity phase was this."""
    phases = SCENARIO.phases(context({**QUICK, **sizes}))
    made = [next(phases)]
    with suppress(StopIteration):
        while True:
            made.append(phases.send(lambda: capacity))
    return made


def capacity_of(each_ns: int) -> PhaseData:
    """A drain of one task per ``each_ns``; enqueueing reached 10,000/s."""
    return phase_data(1, "capacity", Prefilled(200), prefilled_rows(200, each_ns=each_ns), 200)


def test_phases_follow_the_sizes() -> None:
    loads = {plan.name: plan.load for plan in plans(capacity_of(MS))}
    assert loads.keys() == {"capacity", "bulk", "paced", "half"}
    assert loads["capacity"] == Prefilled(2000)
    assert loads["bulk"] == Prefilled(500, many=True)
    assert loads["paced"] == Paced(100, 2.5)
    assert Prefilled(1, many=True) in [plan.load for plan in plans(capacity_of(MS), tasks=1)]


@pytest.mark.parametrize("name", ["tasks", "rate_per_s", "paced_s", "half_s"])
def test_a_size_that_makes_no_sense_is_named(name: str) -> None:
    SCENARIO.check(QUICK)
    with pytest.raises(ValueError, match=re.escape(f"size {name}")):
        SCENARIO.check({**QUICK, name: 0})


def half_load(capacity: PhaseData) -> Paced:
    """The load at half of this capacity."""
    (load,) = (plan.load for plan in plans(capacity) if plan.name == "half")
    assert isinstance(load, Paced)
    return load


def test_half_of_the_capacity_is_offered_with_random_arrivals() -> None:
    load = half_load(capacity_of(MS))
    assert load.rate_per_s == pytest.approx(500)
    assert (load.duration_s, load.arrivals) == (2.5, "poisson")


def test_the_producer_caps_the_rate() -> None:
    assert half_load(capacity_of(MS // 100)).rate_per_s == pytest.approx(5025, rel=0.01)


def test_without_a_capacity_the_enqueue_rate_or_the_fixed_rate_stands_in() -> None:
    assert half_load(phase_data(1, "capacity", Prefilled(200), [], 200)).rate_per_s == 100


def test_a_capped_rate_is_noted_and_the_run_stays_valid() -> None:
    fast = phase_data(1, "capacity", Prefilled(200), prefilled_rows(200, each_ns=MS // 100), 200)
    (flag,) = SCENARIO.flags(good_run(data={"capacity": fast}))
    assert flag.code == PACED_RATE_CAPPED.code
    assert "half: 500.0 tasks/s" in flag.detail
    assert SCENARIO.flags(good_run()) == ()


def test_latency_counts_from_the_intended_time_so_that_a_stall_shows() -> None:
    rows = paced_rows(30, 100, phase=3)
    stalled = [(*r[:11], r[11] + S, r[12] + S) if r[0] == 1 else (*r[:10], r[10] + S, *r[11:]) for r in rows]
    data = good_run(data={"paced": phase_data(3, "paced", Paced(100, 0.3), stalled, 30)})
    assert {row[6] for row in stalled} == {RUN}
    assert SCENARIO.measures(data)["p50"] == pytest.approx(1003)
    assert SCENARIO.measures(data)["paced_service_p50_ms"] == pytest.approx(1)
