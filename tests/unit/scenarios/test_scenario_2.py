"""Scenario 2 on made-up events."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.record.mock_api_books import (
    MOCK_API_LIMIT,
    REQUESTS_UNBALANCED,
)
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_2_io_bound import SCENARIO, SLOTS
from tasks.contract import Variant
from tasks.loads import Prefilled
from tests.unit.made_up import MS, RUN, S, context, missing, phase_data, sample, worker
from tests.unit.made_up_http import log_of, waves

STANDARD = SCENARIO.sizes["standard"]
FACTS = {"mock_api_requests_per_s": 10_000.0}
ANY = Variant("some-variant", "thread", "made up")
ONE_SLOT = Variant("some-variant", "child-process", "made up", concurrency_limit=1)


def plans(variant: Variant = ANY, **sizes: float) -> list[PhasePlan]:
    return list(SCENARIO.phases(context({**STANDARD, **sizes}, variant=variant)))


def drain(number: int, name: str, slots: int, log: pd.DataFrame | None = None, *, reached: int | None = None) -> PhaseData:
    count = slots * 5
    made = phase_data(
        number, name, Prefilled(count), waves(slots, 5, number=number), count, worker=worker(slots=reached or slots)
    )
    return replace(made, readings={"mock_api": log_of(count, number) if log is None else log})


def run_of(*phases: PhaseData, samples: Sequence[float] = ()) -> RunData:
    return RunData(
        scenario="scenario_2_io_bound",
        variant="some-variant",
        run=RUN,
        context=context(STANDARD, facts=FACTS),
        worker=worker(),
        phases={p.record.name: p for p in phases},
        samples=[sample(S, memory_mb=mb) for mb in samples],
    )


def good_run() -> RunData:
    return run_of(
        drain(1, "slots_10", 10),
        drain(2, "slots_50", 50),
        drain(3, "slots_100", 100),
        drain(4, "slots_200", 200),
        drain(5, "lognormal", 200),
        samples=[60, 95],
    )


def test_it_is_found_by_its_file_and_meets_the_protocol() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()["scenario_2_io_bound"] is scenario
    assert {scenario.headline, *scenario.summary, *scenario.shares, *scenario.shares.values()} <= set(scenario.columns)
    assert set(scenario.better) <= set(scenario.columns)
    assert set(scenario.sizes) == {"quick", "standard", "full"}
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)


def test_every_number_of_slots_has_a_worker_and_a_drain_and_the_last_worker_the_lognormal_one() -> None:
    made = {plan.name: plan for plan in plans()}
    assert {name: (p.worker.processes, p.worker.concurrency, p.load) for name, p in made.items()} == {
        **{f"slots_{slots}": (2, slots // 2, Prefilled(30 * slots)) for slots in SLOTS},
        "lognormal": (2, 100, Prefilled(4000)),
    }
    assert made["lognormal"].worker == made["slots_200"].worker
    assert [p.devices[0].name for p in made.values()] == ["mock_api"] * 5


def test_a_worker_that_would_be_no_larger_is_not_tried_again() -> None:
    shapes = [
        {p.name: (p.worker.processes, p.worker.concurrency) for p in plans(variant)}
        for variant in (ONE_SLOT, replace(ANY, concurrency_limit=6))
    ]
    assert shapes == [
        {"slots_10": (8, 1), "lognormal": (8, 1)},
        {"slots_10": (2, 5), "slots_50": (2, 6), "lognormal": (2, 6)},
    ]


def test_sizes_leave_points_out() -> None:
    assert {p.name for p in plans(waves_10=0, waves_100=0, waves_lognormal=0)} == {"slots_50", "slots_200"}


def test_a_good_run_gives_every_measure_in_order() -> None:
    measures = SCENARIO.measures(good_run())
    assert list(measures) == list(SCENARIO.columns)
    assert missing(measures) == list(SCENARIO.shares)
    assert all(type(value) in (int, float, type(None)) for value in measures.values())


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(good_run())
    expected = {
        "task_count": 1000,
        "total_time": 0.5,
        "throughput": 2000,
        "ideal_share": 1,
        "memory_mb": 95,
        "cpu_percent": 400,
        "slots_10_reached": 10,
        "slots_10_per_s": 100,
        "slots_10_in_flight_max": 10,
        "slots_10_worker_cpu_ms_per_task": 40,
        "slots_50_service_p99_ms": 100,
        "slots_50_memory_mb": 95,
        "slots_50_memory_uss_mb": 47.5,
        "slots_50_memory_per_slot_mb": 1.9,
        "lognormal_reached": 200,
        "mock_api_used_share": 0.1,
        "attempted": 2800,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-2)


def test_what_a_variant_cannot_have_more_of_stands_for_every_larger_number() -> None:
    data = run_of(drain(1, "slots_10", 8))
    data = replace(data, context=replace(data.context, variant=ONE_SLOT))
    measures = SCENARIO.measures(data)
    assert [measures[f"slots_{slots}_reached"] for slots in SLOTS] == [8, 8, 8, 8]
    assert measures["throughput"] == measures["slots_200_per_s"] == pytest.approx(80)
    left_out = replace(data, context=replace(data.context, sizes={**STANDARD, "waves_50": 0}))
    assert SCENARIO.measures(left_out)["slots_50_reached"] is None


def test_a_run_that_ended_early_does_not_make_up_the_rest() -> None:
    measures = SCENARIO.measures(run_of(drain(1, "slots_10", 10)))
    assert measures["slots_50_reached"] is None
    nothing = SCENARIO.measures(run_of())
    assert list(nothing) == list(SCENARIO.columns)
    assert (nothing["throughput"], nothing["attempted"]) == (None, 0)
    assert SCENARIO.flags(run_of()) == ()


def test_a_log_that_differs_makes_the_run_invalid() -> None:
    (flag,) = SCENARIO.flags(run_of(drain(1, "slots_10", 10, log_of(49))))
    assert flag.code == REQUESTS_UNBALANCED.code
    assert "of 50 tasks that say they were answered, 1 are not" in flag.detail
    assert SCENARIO.flags(good_run()) == ()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (log_of(50, apart_ns=MS // 10), "it served 10000 requests/s, 100% of what a core lets it serve"),
        (log_of(50, latency_ms=111), "it answered 11.0 ms late on average where 100 ms were asked for"),
    ],
)
def test_a_mock_api_that_was_the_limit_makes_the_run_invalid(log: pd.DataFrame, reason: str) -> None:
    (flag,) = SCENARIO.flags(run_of(drain(1, "slots_10", 10, log)))
    assert (flag.code, flag.detail) == (MOCK_API_LIMIT.code, f"slots_10: the mock API was the limit: {reason}")


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_ms", 0), ("processes_per_core", 0), ("lognormal_sigma", 3), ("waves_10", 1), ("waves_lognormal", -1)],
)
def test_a_size_that_makes_no_sense_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size {name}")):
        SCENARIO.check({**STANDARD, name: value})


def test_at_least_one_number_of_slots_must_be_tried() -> None:
    with pytest.raises(ValueError, match="at least one of the sizes waves_10, waves_50"):
        SCENARIO.check({**STANDARD, **{f"waves_{slots}": 0 for slots in SLOTS}})
