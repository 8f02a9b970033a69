"""Scenario 4 on made-up events."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.record.mock_api_books import REQUESTS_UNBALANCED
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.run.devices.mock_api import frame_of
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_4_mixed import HEAVY, IO, LIGHT, SCENARIO
from tasks.loads import Load, Mix, Paced, Prefilled
from tests.unit.made_up import MS, RUN, S, context, missing, phase_data, prefilled_rows, reading, sample, worker

QUICK = SCENARIO.sizes["quick"]
CONTEXT = context(QUICK, facts={"mock_api_requests_per_s": 10_000.0, "pbkdf2_iterations_per_ms": 1000.0})
COUNT = 100
SERVICE_MS = {LIGHT: 4, HEAVY: 60}


def planned() -> list[PhasePlan]:
    """Both phases, after a drain of a task every 4 ms."""
    phases = SCENARIO.phases(CONTEXT)
    first = next(phases)
    rows = prefilled_rows(COUNT, each_ns=4 * MS)
    second = phases.send(lambda: phase_data(1, "capacity", Prefilled(COUNT), rows, COUNT))
    return [first, second]


def mix() -> Mix:
    tasks = planned()[0].tasks
    assert isinstance(tasks, Mix)
    return tasks


def rows_of(phase: int, wait_ns: int) -> list[tuple[int, ...]]:
    """Tasks of the mix 10 ms apart: each waits, then takes its latency and 1 ms, or its length."""
    rows: list[tuple[int, ...]] = []
    classes = [mix().classes[pick] for pick in mix().draw(COUNT)]
    for i, task_class in enumerate(classes):
        due_ns, label = i * 10 * MS, task_class.label
        service_ms = task_class.argument["ms"] + 1 if label == IO else SERVICE_MS[label]
        begun_ns = due_ns + wait_ns
        rows.append((1, 1, 0, phase, 0, label, RUN, i, 50, 0, due_ns, due_ns + 1, due_ns + 10))
        rows.append((2, 0, 1, phase, 1, 0, RUN, i, 100, 100, begun_ns, due_ns, 0))
        rows.append((3, 1, 0, phase, 1, 0, RUN, i, 100, 100, begun_ns + round(service_ms * MS), due_ns, 0))
    return rows


def log_of(phase: int) -> pd.DataFrame:
    drawn = [(i, mix().classes[pick]) for i, pick in enumerate(mix().draw(COUNT))]
    return frame_of([[f"{RUN}-{phase}-{i}-1", S + i * MS, 200, c.argument["ms"] + 0.5] for i, c in drawn if c.label == IO])


def phase_of(number: int, name: str, load: Load, wait_ns: int = 2 * MS, log: pd.DataFrame | None = None) -> PhaseData:
    made = phase_data(number, name, load, rows_of(number, wait_ns), COUNT, tasks=mix(), worker=worker(slots=20))
    return replace(made, readings={"mock_api": log_of(number) if log is None else log})


def run_of(*phases: PhaseData) -> RunData:
    return RunData(
        scenario="scenario_4_mixed",
        variant="some-variant",
        run=RUN,
        context=CONTEXT,
        worker=worker(),
        phases={p.record.name: p for p in phases},
        samples=[sample(S, memory_mb=90)],
    )


def good_run() -> RunData:
    return run_of(phase_of(1, "capacity", Prefilled(COUNT)), phase_of(2, "paced", Paced(100, 1)))


def test_it_is_found_by_its_file_and_meets_the_protocol() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()["scenario_4_mixed"] is scenario
    assert {scenario.headline, *scenario.summary, *scenario.shares, *scenario.shares.values()} <= set(scenario.columns)
    assert set(scenario.better) <= set(scenario.columns)
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)


def test_the_paced_phase_offers_the_same_mix_at_a_share_of_the_capacity() -> None:
    capacity, paced = planned()
    assert (capacity.name, capacity.load, capacity.worker.processes, capacity.worker.concurrency) == (
        *("capacity", Prefilled(200)),
        *(2, 10),
    )
    assert paced.tasks == capacity.tasks
    assert paced.worker == capacity.worker
    assert isinstance(paced.load, Paced)
    assert paced.load.rate_per_s == pytest.approx(0.7 * 250)
    assert (paced.load.duration_s, paced.load.arrivals) == (2, "poisson")


def test_without_a_capacity_nothing_is_paced() -> None:
    phases = SCENARIO.phases(CONTEXT)
    next(phases)
    with pytest.raises(StopIteration):
        phases.send(lambda: phase_data(1, "capacity", Prefilled(COUNT), [], COUNT))


def test_a_variant_of_processes_gets_what_the_cores_bear() -> None:
    one_slot = replace(CONTEXT, variant=replace(CONTEXT.variant, concurrency_limit=1))
    worker = next(SCENARIO.phases(one_slot)).worker
    assert (worker.processes, worker.concurrency) == (8, 1)


def test_the_mix_has_its_weights_and_lengths() -> None:
    classes = mix().classes
    assert [(c.workload, c.argument, c.label) for c in classes] == [
        ("http_get", {"ms": 20}, IO),
        ("http_get", {"ms": 50}, IO),
        ("http_get", {"ms": 100}, IO),
        ("pbkdf2", 2000, LIGHT),
        ("pbkdf2", 40_000, HEAVY),
    ]
    weights = {label: sum(c.weight for c in classes if c.label == label) for label in (IO, LIGHT, HEAVY)}
    assert weights == pytest.approx({IO: 0.6, LIGHT: 0.3, HEAVY: 0.1})


def test_a_good_run_gives_every_measure_in_order() -> None:
    measures = SCENARIO.measures(good_run())
    assert list(measures) == list(SCENARIO.columns)
    # No task of it ever waits for a slot.
    assert missing(measures) == [*SCENARIO.shares, "paced_hand_over_mean_ms"]
    assert all(type(value) in (int, float, type(None)) for value in measures.values())


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(good_run())
    picks = mix().draw(COUNT)
    counts = {label: sum(mix().classes[pick].label == label for pick in picks) for label in (IO, LIGHT, HEAVY)}
    expected = {
        "task_count": COUNT,
        "memory_mb": 90,
        "memory_idle_mb": 40,
        "slots": 20,
        "worker_cpu_ms_per_task": 20,
        "paced_rate_offered_per_s": 100,
        "io_count": counts[IO],
        "light_count": counts[LIGHT],
        "heavy_count": counts[HEAVY],
        "light_p50_ms": 6,
        "light_p95_ms": 6,
        "light_ack_to_start_p50_ms": 2,
        "heavy_service_p50_ms": 60,
        "heavy_max_ms": 62,
        "heavy_slowdown_ratio": 1.5,
        "io_added_p50_ms": 3,
        "mock_api_late_ms": 0.5,
        "waiting_at_last_send": 1,
        "attempted": 2 * COUNT,
        "completed": 2 * COUNT,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)
    shares = [measures[f"{name}_per_s"] or 0 for name in ("io", "light", "heavy")]
    assert [round(share / sum(shares), 2) for share in shares] == [round(counts[c] / COUNT, 2) for c in (IO, LIGHT, HEAVY)]


def test_what_the_worker_is_behind_shows() -> None:
    slow = phase_of(2, "paced", Paced(100, 1), wait_ns=100 * MS)
    measures = SCENARIO.measures(run_of(slow))
    assert measures["waiting_at_last_send"] == 10
    assert measures["io_added_p50_ms"] == pytest.approx(101)


def test_cpu_of_the_paced_phase_is_over_all_of_it() -> None:
    paced = phase_of(2, "paced", Paced(100, 1))
    before, after = reading(20 * S, worker_cpu_s=1.0), reading(22 * S, worker_cpu_s=2.0)
    measures = SCENARIO.measures(run_of(replace(paced, record=replace(paced.record, before=before, after=after))))
    assert measures["paced_cpu_percent"] == pytest.approx(50)


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    measures = SCENARIO.measures(run_of())
    assert list(measures) == list(SCENARIO.columns)
    assert (measures["throughput"], measures["light_p99_ms"], measures["attempted"]) == (None, None, 0)
    empty = phase_data(2, "paced", Paced(100, 1), [], COUNT, tasks=mix())
    assert SCENARIO.measures(run_of(empty))["light_p99_ms"] is None


def test_only_the_tasks_that_call_the_mock_api_must_be_in_its_log() -> None:
    assert SCENARIO.flags(good_run()) == ()
    (flag,) = SCENARIO.flags(run_of(phase_of(2, "paced", Paced(100, 1), log=log_of(2)[1:])))
    assert flag.code == REQUESTS_UNBALANCED.code
    assert "1 are not in the mock API's log" in flag.detail


def test_a_request_of_nobody_is_told_and_counts_for_no_latency() -> None:
    log = pd.concat([log_of(2), frame_of([["somebody", 2 * S, 200, 5000.0]])], ignore_index=True)
    (flag,) = SCENARIO.flags(run_of(phase_of(2, "paced", Paced(100, 1), log=log)))
    assert "it answered 1 requests that no such task made" in flag.detail


@pytest.mark.parametrize(
    ("name", "value"), [("tasks", 0), ("paced_s", -1), ("io_usual_ms", 0), ("slots", 0), ("utilisation", 1.1), ("utilisation", 0)]
)
def test_a_size_that_makes_no_sense_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size {name}")):
        SCENARIO.check({**QUICK, name: value})
