"""Scenario 11 on made-up events."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.plan.wishes import ANY_WORKER, WorkerWish
from benchmarks.record.flags import PARTLY_UNSUPPORTED, TOO_FEW_PROCESSES
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, Produced, RunData
from benchmarks.record.shared import BESIDE_MEMORY
from benchmarks.record.web.application import BARE, WHOLE
from benchmarks.record.web.requests import answered_per_s
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.run.devices.web import WebSamples, WebStarts
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_11_fastapi import (
    ENDPOINTS,
    SCENARIO,
    SERVICE_LEVEL_NOT_HELD,
    WEB_CLIENT_LIMIT,
)
from tasks.contract import Variant
from tasks.loads import Burst, Load, Mix, Paced, TaskClass
from tests.unit.made_up import MS, RUN, Row, S, context, missing, phase_data, sample, sent, table_of, worker
from tests.unit.made_up_http import asked, requests

QUICK = SCENARIO.sizes["quick"]
NO_RESULTS = Variant("some-variant", "coroutine", "made up", lacks={"results": "it keeps none"})
NOTHING, THREADED, DISPATCH, BACKGROUND, WAIT = range(len(ENDPOINTS))


def tasks_to(*labels: int) -> Mix:
    return Mix(tuple(TaskClass("noop", label=label, endpoint=f"/{ENDPOINTS[label]}") for label in labels))


def samples(cpu_s: float, pss_mb: float = 60, threads: int = 9) -> pd.DataFrame:
    """The first and the last sample of a phase."""
    rows = [(0, int(40e6), int(30e6), 1.0, 4), (S, int(pss_mb * 1e6), int(pss_mb * 5e5), 1.0 + cpu_s, threads)]
    return pd.DataFrame(rows, columns=["at_ns", "pss_bytes", "uss_bytes", "cpu_s", "threads"])


def web_phase(
    number: int, name: str, load: Load, rows: Iterable[Row], count: int, *, web_cpu_s: float = 0.4, **changes: object
) -> PhaseData:
    changes = {"tasks": tasks_to(DISPATCH), "worker": worker(working_processes=1), **changes}
    phase = phase_data(number, name, load, rows, count, **changes)
    return replace(phase, readings={WebSamples.NAME: samples(web_cpu_s)})


STARTS = pd.DataFrame(
    [
        (BARE, 300.0, None, None, 250.0, 30.0, 20.0),
        (BARE, 320.0, None, None, 260.0, 32.0, 22.0),
        (WHOLE, 500.0, 120.0, 3.0, 400.0, 45.0, 35.0),
        (WHOLE, 520.0, 140.0, 5.0, 420.0, 47.0, 37.0),
    ],
    columns=["kind", "ready_ms", "import_ms", "lifespan_ms", "cpu_ms", "pss_mb", "uss_mb"],
)


def calm_rows(phase: int = 3) -> list[Row]:
    """200/s to four endpoints in turn; a task dispatched ends 1 ms before its answer or, every other, 2 ms after it."""
    answers = {NOTHING: 2.0, THREADED: 3.0, DISPATCH: 5.0, BACKGROUND: 2.5}
    rows: list[Row] = []
    for i in range(200):
        label = i % 4
        finish_ms = {DISPATCH: 4.0 if i % 8 == DISPATCH else 7.0, BACKGROUND: 2.8}.get(label, 1.0)
        rows += asked(i, i * 5 * MS, label=label, answer_ms=answers[label], finish_ms=finish_ms, phase=phase)
    return rows


def good_run(*, data: Mapping[str, PhaseData] | None = None, variant: Variant | None = None) -> RunData:
    """The empty endpoint answers 200 requests in 0.2 s flat out and holds 600/s but not 800; dispatch does half as well."""
    first = phase_data(1, "first", Burst(1), asked(0, 0, label=DISPATCH, answer_ms=30, finish_ms=31), 1, tasks=tasks_to(DISPATCH))
    phases = {
        "first": replace(first, readings={WebStarts.NAME: STARTS}),
        "calm": web_phase(3, "calm", Paced(200, 1), calm_rows(), 200),
        "waited": web_phase(
            14,
            "waited",
            Paced(200, 0.1),
            [
                row
                for i in range(20)
                for row in asked(
                    i, i * 5 * MS, label=WAIT if i % 2 else NOTHING, answer_ms=8 if i % 2 else 4, finish_ms=3, phase=14
                )
            ],
            20,
        ),
    }
    number = 4
    for label, slower in ((NOTHING, 1), (DISPATCH, 2)):
        endpoint = ENDPOINTS[label]
        flat = requests(200, 1000 / slower, label=label, answer_ms=1, phase=number)
        phases[f"{endpoint}_flat_out"] = web_phase(number, f"{endpoint}_flat_out", Burst(200), flat, 200)
        for step, (rate, answer_ms) in enumerate(((600, 20.0), (800, 80.0), (700, 49.0)), start=1):
            rows = requests(100, rate / slower, label=label, answer_ms=answer_ms, phase=number + step)
            name = f"{endpoint}_step_{step}"
            phases[name] = web_phase(number + step, name, Paced(rate / slower, 0.1), rows, 100, rate_may_be_missed=True)
        number += 4
    made = variant or Variant("some-variant", "main-thread", "made up")
    return RunData(
        scenario=SCENARIO.name,
        variant="some-variant",
        run=RUN,
        context=context(QUICK, variant=made),
        worker=worker(),
        phases=phases | dict(data or {}),
        # The second is of the worker that keeps results.
        samples=[sample(2 * S, memory_mb=90), sample(5 * S, memory_mb=120)],
    )


def test_it_is_found_by_its_file_and_names_only_columns_that_it_has() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()["scenario_11_fastapi"] is SCENARIO
    assert {scenario.headline, *scenario.summary, *scenario.better} <= set(scenario.columns)
    assert all(scenario.columns.values())
    assert set(scenario.sizes) == {"quick", "standard", "full"}
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1


def test_a_good_run_gives_every_measure_in_order() -> None:
    measures = SCENARIO.measures(good_run())
    assert list(measures) == list(SCENARIO.columns)
    assert missing(measures) == [*SCENARIO.shares]
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    assert SCENARIO.flags(good_run()) == []
    assert run_flags(good_run()) == ()


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(good_run())
    expected = {
        "task_count": 200,
        "total_time": 0.399,
        "throughput": 200 / 0.399,
        "mean_latency": 5.5,
        "p50": 5.5,
        "memory_mb": 90,
        "memory_uss_mb": 45,
        "memory_sharers": 2,
        "web_memory_bare_uss_mb": 21,
        "web_memory_ready_uss_mb": 36,
        "web_memory_peak_uss_mb": 30,
        "calm_rate_per_s": 200,
        "nothing_p50_ms": 2,
        "nothing_mean_ms": 2,
        "nothing_threaded_p95_ms": 3,
        "dispatch_p50_ms": 5,
        "dispatch_over_nothing_p50_ms": 3,
        "dispatch_over_nothing_p50_ratio": 2.5,
        "background_p95_ms": 2.5,
        "background_task_p50_ms": 2.8,
        "wait_p50_ms": 8,
        "wait_over_nothing_p50_ratio": 2,
        "lateness_p99_ms": 0,
        "answer_to_finish_p50_ms": 0.5,
        "finished_before_answer_share": 0.5,
        "first_dispatch_ms": 30,
        "service_limit_ms": 50,
        "nothing_flat_out_per_s": 1000,
        "nothing_service_level_per_s": 700,
        "nothing_service_level_p99_ms": 49,
        "dispatch_flat_out_per_s": 200 / 0.399,
        "dispatch_service_level_per_s": 350,
        "dispatch_service_level_ratio": 0.5,
        "dispatch_web_busy_percent": 40,
        "dispatch_client_busy_percent": 50,
        "dispatch_web_cpu_s_per_1000": 2,
        "start_count": 2,
        "startup_ms": 510,
        "startup_bare_ms": 310,
        "startup_added_ms": 200,
        "startup_import_ms": 130,
        "startup_lifespan_ms": 4,
        "startup_cpu_ms": 410,
        "startup_bare_cpu_ms": 255,
        "web_memory_bare_mb": 31,
        "web_memory_ready_mb": 46,
        "web_memory_peak_mb": 60,
        "web_threads_peak": 9,
        "attempted": 1 + 200 + 20 + 2 * 500,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_waiting_is_compared_with_the_empty_endpoint_of_its_own_phase() -> None:
    measures = SCENARIO.measures(good_run())
    assert (measures["nothing_p50_ms"], measures["wait_over_nothing_p50_ms"]) == (2, 4)


def test_a_framework_without_a_lifespan_has_no_time_for_it() -> None:
    starts = STARTS.assign(lifespan_ms=pd.Series([None] * len(STARTS), dtype=float))
    first = replace(good_run().phases["first"], readings={WebStarts.NAME: starts})
    measures = SCENARIO.measures(good_run(data={"first": first}))
    assert (measures["startup_lifespan_ms"], measures["startup_import_ms"]) == (None, 130)


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    data = replace(good_run(), phases={}, samples=[])
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    known = {name for name, value in measures.items() if value is not None}
    assert known == {"memory_mb", *BESIDE_MEMORY, "service_limit_ms", "attempted", "completed", "failed", "lost", "duplicated"}
    assert SCENARIO.flags(data) == []


def test_requests_of_which_none_was_accepted_give_no_figure() -> None:
    refused = {
        name: web_phase(
            p.record.number, name, p.record.load, [sent(i, i * MS, ok=False, phase=p.record.number) for i in range(9)], 9
        )
        for name, p in good_run().phases.items()
    }
    measures = SCENARIO.measures(good_run(data=refused))
    assert list(measures) == list(SCENARIO.columns)
    assert {measures[n] for n in SCENARIO.columns if n.endswith(("_p50_ms", "_per_s", "_p99_ratio"))} - {
        measures["calm_rate_per_s"]
    } == {None}


def plans_of(variant: Variant, answer_ms: float = 1.0, flat_per_s: float = 1000) -> list[PhasePlan]:
    """The phases that are asked for where every request is answered after ``answer_ms``."""
    phases = SCENARIO.phases(context(QUICK, variant=variant))
    plans = [next(phases)]

    def look() -> PhaseData:
        plan, number = plans[-1], len(plans)
        rate = plan.load.rate_per_s if isinstance(plan.load, Paced) else flat_per_s
        rows = requests(100, rate, label=DISPATCH, answer_ms=answer_ms, phase=number)
        return web_phase(number, plan.name, plan.load, rows, 100)

    while True:
        try:
            plans.append(phases.send(look))
        except StopIteration:
            return plans


def test_phases_follow_one_another() -> None:
    plans = plans_of(Variant("some-variant", "thread", "made up"))
    assert [p.name for p in plans] == [
        *("first", "warm", "calm", "nothing_flat_out", "nothing_step_1"),
        *("dispatch_flat_out", "dispatch_step_1", "dispatch_step_2", "warm_wait", "waited"),
    ]
    assert [p.worker for p in plans] == [ANY_WORKER] * 8 + [WorkerWish(results=True)] * 2
    endpoints = [{c.endpoint for c in p.tasks.classes} for p in plans if isinstance(p.tasks, Mix)]
    assert endpoints[:4] == [{"/dispatch"}, *[{"/nothing", "/nothing-threaded", "/dispatch", "/background"}] * 2, {"/nothing"}]
    assert endpoints[-2:] == [{"/wait"}, {"/nothing", "/wait"}]


def test_what_keeps_no_results_is_not_waited_for_and_says_so() -> None:
    plans = plans_of(NO_RESULTS)
    assert plans[-1].name == "dispatch_step_2"
    assert {p.worker.results for p in plans} == {False}
    (flag,) = SCENARIO.flags(good_run(variant=NO_RESULTS))
    assert (flag.code, flag.detail) == (PARTLY_UNSUPPORTED.code, "wait_* not measured: it keeps none")
    assert SCENARIO.unsupported(NO_RESULTS) is None
    assert SCENARIO.unsupported(replace(NO_RESULTS, lacks={"web": "no client"})) == "no client"


@pytest.mark.parametrize(("answer_ms", "shares"), [(1.0, [0.6, 0.8]), (51.0, [0.6, 0.4])])
def test_the_service_level_is_bisected_below_what_is_answered_flat_out(answer_ms: float, shares: list[float]) -> None:
    plans = plans_of(NO_RESULTS, answer_ms)
    flat_per_s = answered_per_s(table_of(requests(100, 1000, label=0, answer_ms=answer_ms, phase=1)))
    assert flat_per_s is not None
    steps = [p for p in plans if p.name.startswith("dispatch_step")]
    rates = [p.load.rate_per_s for p in steps if isinstance(p.load, Paced)]
    assert rates == pytest.approx([share * flat_per_s for share in shares])
    assert all(p.rate_may_be_missed for p in steps)


def test_a_level_that_was_never_held_is_said_with_the_rates_tried() -> None:
    slow = {
        f"nothing_step_{i}": web_phase(
            i, f"nothing_step_{i}", Paced(100 * i, 0.1), requests(10, 100 * i, label=0, answer_ms=60, phase=i), 10
        )
        for i in (1, 2, 3)
    }
    data = good_run(data=slow)
    (flag,) = SCENARIO.flags(data)
    assert flag.code == SERVICE_LEVEL_NOT_HELD.code
    assert "nothing: at none of 100, 200, 300 requests/s" in flag.detail
    measures = SCENARIO.measures(data)
    assert (measures["nothing_service_level_per_s"], measures["dispatch_service_level_ratio"]) == (None, None)


@pytest.mark.parametrize(("client_cpu_s", "web_cpu_s", "flagged"), [(0.95, 0.5, True), (0.95, 0.95, False), (0.5, 0.5, False)])
def test_the_client_is_told_apart_from_the_application(client_cpu_s: float, web_cpu_s: float, flagged: bool) -> None:
    rows = requests(200, 1000, label=DISPATCH, answer_ms=1, phase=8)
    produced = Produced(200, 200, 0, {}, 0, S, cpu_s=client_cpu_s)
    flat = web_phase(8, "dispatch_flat_out", Burst(200), rows, 200, web_cpu_s=web_cpu_s, produced=produced)
    codes = [flag.code for flag in SCENARIO.flags(good_run(data={"dispatch_flat_out": flat}))]
    assert codes == ([WEB_CLIENT_LIMIT.code] if flagged else [])


def test_requests_are_no_backlog_that_must_reach_every_process() -> None:
    rows = requests(200, 1000, label=DISPATCH, answer_ms=1, phase=8)
    promised = worker(working_processes=2)
    posted = web_phase(8, "dispatch_flat_out", Burst(200), rows, 200, worker=promised)
    pushed = replace(posted, record=replace(posted.record, tasks=Mix((TaskClass("noop"),))))
    assert run_flags(good_run(data={"dispatch_flat_out": posted})) == ()
    assert [f.code for f in run_flags(good_run(data={"dispatch_flat_out": pushed}))] == [TOO_FEW_PROCESSES.code]


@pytest.mark.parametrize("name", list(QUICK))
def test_a_size_that_makes_no_sense_is_named(name: str) -> None:
    SCENARIO.check(QUICK)
    with pytest.raises(ValueError, match=re.escape(f"size {name} of")):
        SCENARIO.check({**QUICK, name: SCENARIO.least.get(name, 1) - 1})
