"""The job-queue suite: its parts, its measures on made-up events, its targets, its document."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from benchmarks.plan.grid import Point
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.results.chart_data import ChartData
from benchmarks.studies.queue_answers import TARGETS, judged, queue_conclusions
from benchmarks.studies.queue_document import queue_documents
from benchmarks.studies.study import Place
from benchmarks.studies.study_queue import STUDY
from tasks.contract import Execution, Variant
from tasks.loads import Paced, Prefilled
from tests.unit.made_up import (
    MS,
    S,
    context,
    executed,
    good_run,
    missing,
    phase_data,
    prefilled_rows,
    sample,
    worker,
)

QUICK = STUDY.sizes["quick"]
MB = 1_000_000
IDLE_MB, BUSY_MB = 60, 130


def point(workers: int, only: str = "all") -> Point:
    return {"workers": workers, "only": only}


def place(variant: Variant | None = None, **changes: float) -> Place:
    return Place(variant or Variant("some-many", "greenlet", "made up"), 2, {**QUICK, **changes}, "quick")


def asked(only: str, workers: int = 10) -> list[tuple[str, Any, int | None]]:
    plans = STUDY.phases(context(QUICK, point=point(workers, only)))
    return [(plan.name, plan.load, plan.worker.processes) for plan in plans]


def test_a_run_has_the_parts_that_it_is_asked_for_that_of_memory_first() -> None:
    memory = ("memory", Prefilled(300), 10)
    latency = ("latency", Paced(100, 1), 10)
    throughput = ("throughput", Prefilled(500), 10)
    assert asked("all") == [memory, latency, throughput]
    assert [asked(only) for only in ("memory", "latency", "throughput")] == [[memory], [latency], [throughput]]
    assert {workers for *_, workers in asked("all", workers=1)} == {1}


def test_it_has_one_worker_and_ten_and_with_the_preset_quick_ten_only_where_each_is_a_process() -> None:
    def workers(execution: Execution, preset: str) -> list[object]:
        there = replace(place(Variant("some-variant", execution, "made up")), preset=preset)
        return [entry.point["workers"] for entry in STUDY.grid([there], {}).entries]

    assert workers("child-process", "quick") == workers("thread", "standard") == workers("thread", "full") == [1, 10]
    assert workers("thread", "quick") == [1]


def run_of(workers: int, **phases: PhaseData) -> RunData:
    record = worker(processes=workers, slots=workers, idle=sample(memory_mb=IDLE_MB))
    made = {name: replace(phase, record=replace(phase.record, worker=record)) for name, phase in phases.items()}
    busy = [sample(11 * S, memory_mb=BUSY_MB)]
    return replace(
        good_run(), scenario=STUDY.name, context=context(QUICK, point=point(workers)), worker=record, phases=made, samples=busy
    )


def throughput_phase() -> PhaseData:
    return phase_data(3, "throughput", Prefilled(200), prefilled_rows(200, phase=3), 200)


def latency_phase() -> PhaseData:
    rows = [row for i in range(100) for row in executed(i, i * 10 * MS, wait_ns=(i + 1) * MS, service_ns=2 * (i + 1) * MS)]
    return phase_data(1, "latency", Paced(100, 1), rows, 100)


def memory_phase() -> PhaseData:
    phase = phase_data(1, "memory", Prefilled(100), prefilled_rows(100), 100)
    marks = {name: getattr(phase.record, name) for name in ("before", "filled", "after")}
    record = replace(
        phase.record,
        began_ns=10 * S,
        drained_ns=13 * S,
        before=replace(marks["before"], redis=replace(marks["before"].redis, memory_bytes=2_000_000)),
        filled=replace(marks["filled"], redis=replace(marks["filled"].redis, memory_bytes=2_123_400)),
    )
    read = pd.DataFrame(
        [{f"{kind}_bytes": n * MB for kind, n in (("pss", pss), ("uss", 30), ("rss", 50))} for pss in (39, 40, 99)]
    )
    return replace(phase, record=record, readings={"bare_imports": read})


def test_submission_and_processing_have_rates_and_times_apart() -> None:
    found = STUDY.measures(run_of(1, throughput=throughput_phase()))
    # Sent 0.1 ms apart, the last call takes 10 ns; then 1 ms each, one after another.
    assert found["task_count"] == 200
    assert found["submit_s"] == pytest.approx(0.0199, rel=1e-3)
    assert found["submit_per_s"] == pytest.approx(200 / 0.0199, rel=1e-3)
    assert (found["total_time"], found["throughput"]) == pytest.approx((0.2, 1000))
    assert found["drain_per_s"] == pytest.approx(1000)
    assert found["enqueue_to_start_p95_ms"] is found["redis_kb_per_task"] is None


def test_latency_has_its_two_parts_each_with_its_tail() -> None:
    found = STUDY.measures(run_of(1, latency=latency_phase()))
    assert found["enqueue_to_start_mean_ms"] == pytest.approx(50.5)
    assert found["enqueue_to_start_p95_ms"] == pytest.approx(95.05)
    assert found["enqueue_to_start_p99_ms"] == pytest.approx(99.01)
    assert found["start_to_complete_p95_ms"] == pytest.approx(2 * 95.05)
    assert found["start_to_complete_p99_ms"] == pytest.approx(2 * 99.01)
    assert found["throughput"] is None


@pytest.mark.parametrize("workers", [1, 10])
def test_memory_is_a_workers_share_of_the_tree_and_overhead_what_it_takes_beyond_the_import(workers: int) -> None:
    found = STUDY.measures(run_of(workers, memory=memory_phase()))
    assert (found["worker_baseline_mb"], found["worker_baseline_uss_mb"], found["worker_baseline_rss_mb"]) == (40, 30, 50)
    assert found["worker_idle_mb"] == IDLE_MB / workers
    assert found["worker_processing_mb"] == BUSY_MB / workers
    assert found["worker_overhead_mb"] == BUSY_MB / workers - 40
    assert found["redis_kb_per_task"] == pytest.approx(1.234)


def test_a_run_of_all_parts_has_every_measure() -> None:
    whole = run_of(1, memory=memory_phase(), latency=latency_phase(), throughput=throughput_phase())
    assert missing(STUDY.measures(whole)) == []


def test_each_measure_is_of_its_own_part() -> None:
    found = STUDY.measured_in(context(QUICK, point=point(1)))
    parts = {"submit_per_s": "throughput", "drain_per_s": "throughput", "throughput": "throughput"}
    parts |= {"enqueue_to_start_p95_ms": "latency", "start_to_complete_p99_ms": "latency"}
    parts |= {"worker_overhead_mb": "memory", "worker_idle_uss_mb": "memory", "redis_kb_per_task": "memory"}
    assert {name: found[name] for name in parts} == {name: (part,) for name, part in parts.items()}


@pytest.mark.parametrize(
    ("levels", "sizes", "said"),
    [
        ({"workers": (500,)}, {}, "--workers 500 is too many: the nearest that works is 64"),
        ({}, {"concurrency": 8}, "a process of it takes 1 at once and no more: the nearest that works is --concurrency 1"),
    ],
)
def test_points_that_make_no_sense_are_refused_with_the_nearest_that_works(
    levels: Mapping[str, Any], sizes: Mapping[str, Any], said: str
) -> None:
    one = Variant("some-one", "main-thread", "made up", concurrency_limit=1)
    with pytest.raises(ValueError, match=said):
        STUDY.grid([place(one, **sizes)], levels)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"tasks": 0}, "--tasks 0 is too small: the nearest that works is 100"),
        ({"memory_tasks": 2_000_000}, "--memory-tasks 2,000,000 is too large: the nearest that works is 1,000,000"),
        ({"rate_per_s": 0.0}, "--rate-per-s 0 is too small: the nearest that works is 1"),
        ({"latency_s": 0.01}, "--latency-s 0.01 is too small: the nearest that works is 0.2"),
    ],
)
def test_sizes_that_make_no_sense_are_refused_with_the_nearest_that_works(sizes: Mapping[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        STUDY.check({**QUICK, **sizes})


def test_parts_alone_take_less_and_more_workers_more_memory() -> None:
    needs = {only: STUDY.needs(place(), point(1, only)).time_s for only in ("all", "throughput", "latency", "memory")}
    assert needs["all"] == pytest.approx(needs["throughput"] + needs["latency"] + needs["memory"])
    assert STUDY.needs(place(), point(10)).memory_bytes > 5 * STUDY.needs(place(), point(1)).memory_bytes


def chart_data(points: Mapping[str, Point], measured: Mapping[str, Mapping[str, tuple[float, ...]]]) -> ChartData:
    executed_at = {name: name.partition("_")[0] for name in points}
    return ChartData(tuple(points), None, measured, {}, points, executed_at)


POINTS = {"slow_1": point(1), "quick_1": point(1), "quick_10": point(10)}
RATES = {
    "slow_1": {"throughput": (99.0, 102.0, 98.0, 103.0)},
    "quick_1": {"throughput": (200.0, 201.0, 199.0, 200.0)},
    "quick_10": {"throughput": (400.0, 401.0, 399.0, 400.0)},
}


def test_a_target_is_met_or_missed_by_the_mean_and_certain_by_its_interval() -> None:
    data = chart_data(POINTS, RATES)
    one, ten = (judged(data, target) for target in TARGETS[:2])
    assert [(j.variant, j.met, j.certain, j.words) for j in one] == [
        ("quick", True, True, "met"),
        ("slow", True, False, "met, but the interval reaches across"),
    ]
    assert [(j.variant, j.met, j.certain, j.words) for j in ten] == [("quick", False, True, "missed")]
    (alone,) = judged(chart_data({"quick_1": point(1)}, {"quick_1": {"throughput": (90.0,)}}), TARGETS[0])
    assert (alone.met, alone.words) == (False, "missed, by too few runs for an interval")


@pytest.mark.parametrize(
    ("measure", "value", "met"),
    [
        ("enqueue_to_start_p95_ms", 49.9, True),
        ("enqueue_to_start_p95_ms", 50, False),
        ("start_to_complete_p95_ms", 99.9, True),
        ("start_to_complete_p95_ms", 100, False),
        ("worker_overhead_mb", 99.9, True),
        ("worker_overhead_mb", 100, False),
        ("redis_kb_per_task", 4.99, True),
        ("redis_kb_per_task", 5, False),
    ],
)
def test_every_target_of_the_suite_has_its_limit_in_its_unit(measure: str, value: float, met: bool) -> None:
    data = chart_data({"some_1": point(1)}, {"some_1": {measure: (value,)}})
    (found,) = [one for target in TARGETS for one in judged(data, target)]
    assert found.met is met


def test_the_answers_are_one_side_by_side_and_one_for_each_target_that_was_measured() -> None:
    side_by_side, one, ten = queue_conclusions(chart_data(POINTS, RATES))
    assert "With 1 worker quick processes most, 200 " in side_by_side.text
    assert "10 workers process so many times as much as 1: quick 2 " in side_by_side.text
    assert [row[:2] for row in side_by_side.rows] == [("quick", "1"), ("quick", "10"), ("slow", "1")]
    assert side_by_side.decided
    assert one.text == "Met by quick with 1, slow with 1. Missed by none. Not certain of slow with 1."
    assert not one.decided
    assert ten.text == "Met by none. Missed by quick with 10."
    assert (side_by_side.missed, one.missed) == ((), ())
    (missed,) = ten.missed
    assert missed.startswith("10 Workers: > 500 tasks/sec, quick_10: ")
    assert ten.decided


FIGURES = {
    "task_count": (1000.0, 1000.0),
    "throughput": (150.0, 151.0),
    "total_time": (6.6, 6.68),
    "enqueue_to_start_mean_ms": (12.5, 12.5),
    "enqueue_to_start_p95_ms": (25.0, 25.0),
    "enqueue_to_start_p99_ms": (45.0, 45.0),
    "worker_overhead_mb": (45.2, 45.2),
    "redis_kb_per_task": (2.5, 2.5),
}


def test_the_document_has_the_suites_structure_and_all_variants_beside_it() -> None:
    rated = {name: {**FIGURES, **RATES.get(name, {})} for name in POINTS}
    (name,) = (documents := queue_documents(chart_data(POINTS, rated), "2024-01-15T10:30:00+00:00"))
    assert name == "benchmark_results_20240115_103000.json"
    document = json.loads(documents[name])
    assert document["timestamp"] == "2024-01-15T10:30:00"
    assert document["throughput"]["single_worker"]["num_tasks"] == 1000
    assert document["throughput"]["single_worker"]["process_rate"] == 200
    assert document["throughput"]["single_worker"]["process_time"] == pytest.approx(6.64)
    assert document["throughput"]["multi_worker"]["num_workers"] == 10
    assert document["throughput"]["multi_worker"]["process_rate"] == 400
    latency = document["latency"]["enqueue_to_start"]
    assert (latency["avg_latency_ms"], latency["p95_latency_ms"], latency["p99_latency_ms"]) == (12.5, 25, 45)
    assert document["memory"]["worker"]["worker_overhead_mb"] == 45.2
    assert document["memory"]["redis"]["memory_per_task_kb"] == 2.5
    assert (document["variant"], list(document["variants"])) == ("quick", ["quick", "slow"])
    assert "multi_worker" not in document["variants"]["slow"]["throughput"]
    (missed,) = [target for target in document["targets"] if not target["met"]]
    assert (missed["target"], missed["figure"], missed["certain"]) == ("10 Workers: > 500 tasks/sec", 400, True)
    assert missed["interval"]["low"] < 400 < missed["interval"]["high"]


def test_the_document_has_the_sections_that_were_measured_and_there_is_none_where_nothing_was() -> None:
    data = chart_data({"some_1": point(1, "latency")}, {"some_1": {"enqueue_to_start_p95_ms": (25.0,)}})
    (text,) = queue_documents(data, "2024-01-15T10:30:00+00:00").values()
    assert not {"throughput", "memory"} & set(json.loads(text))
    assert json.loads(text)["latency"]["enqueue_to_start"]["p95_latency_ms"] == 25
    assert queue_documents(ChartData((), None, {}, {}), "2024-01-15T10:30:00+00:00") == {}
