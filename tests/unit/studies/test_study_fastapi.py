"""Long jobs of a web application: the study's grid, its measures on made-up events, its verdict and its documents."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.grid import Point, name_of
from benchmarks.plan.wishes import KillWish
from benchmarks.record.flags import LOSSES_COUNTED, TASK_LOST, is_valid
from benchmarks.record.rules.books import book_flags
from benchmarks.record.run_data import PhaseData, Produced, RunData
from benchmarks.record.web.application import WEB_SAMPLES
from benchmarks.record.web.jobs import WEB_HEALTH
from benchmarks.results.chart_data import ChartData
from benchmarks.run.devices.web import WebHealth, WebSamples
from benchmarks.studies.job_answers import BACKGROUND, QUEUE, Crossing, crossing, job_conclusions
from benchmarks.studies.job_documents import HEADINGS, job_documents
from benchmarks.studies.study import Place
from benchmarks.studies.study_fastapi import AWAITING, BLOCKING, MOST_RUN_S, STUDY, THREAD
from tasks.contract import Execution, Variant
from tasks.loads import Burst, classes_of
from tests.unit.made_up import MS, RUN, Row, S, context, finished, good_run, missing, phase_data, reading, sample, sent, started

QUICK, STANDARD = STUDY.sizes["quick"], STUDY.sizes["standard"]
CONTROL = Variant("bare", "main-thread", "made up", control=True, concurrency_limit=1)
FORKED = Variant("some-forked", "child-process", "made up", concurrency_limit=1)
STAMP = "2026-11-27T19:00:00+00:00"


def place(variant: Variant, preset: str = "quick", **changes: float) -> Place:
    return Place(variant, 2, {**STUDY.sizes[preset], **changes}, preset)


def points(variant: Variant, preset: str, asked: Mapping[str, tuple[str | int, ...]] | None = None) -> set[tuple[object, object]]:
    grid = STUDY.grid([place(variant, preset)], asked or {})
    return {(entry.point["way"], entry.point["jobs"]) for entry in grid.entries}


def test_queues_have_their_worker_and_background_tasks_the_application_of_the_control() -> None:
    assert points(FORKED, "standard") == {(QUEUE, jobs) for jobs in (10, 50, 100)}
    own = {(way, jobs) for way in (THREAD, AWAITING) for jobs in (10, 50)} | {(BLOCKING, 10)}
    assert points(CONTROL, "quick") == own
    assert points(CONTROL, "quick", {"jobs": (50,), "way": (BLOCKING,)}) == {(BLOCKING, 50)}
    executions: tuple[Execution, ...] = ("child-process", "thread", "greenlet", "coroutine")
    assert [STUDY.enters(Variant("some", execution, "")) for execution in executions] == [True, False, False, False]
    assert STUDY.enters(CONTROL)


def test_what_makes_no_sense_is_refused_with_the_nearest_that_works() -> None:
    with pytest.raises(ValueError, match="--jobs 10000 is too many: the nearest that works is 1000"):
        STUDY.grid([place(FORKED, "standard"), place(CONTROL, "standard")], {"jobs": (10_000,)})
    with pytest.raises(ValueError, match=r"1000 jobs of it take about 15,000 s: the nearest that works is --jobs 720"):
        STUDY.grid([place(FORKED, "standard", duration=60.0)], {"jobs": (1000,)})
    with pytest.raises(ValueError, match="background tasks need no queue"):
        STUDY.grid([place(FORKED)], {"way": (THREAD,)})


@given(st.integers(1, 1000), st.sampled_from((QUEUE, THREAD, AWAITING, BLOCKING)), st.floats(0.1, 3600), st.integers(1, 64))
def test_the_nearest_that_works_does(jobs: int, way: str, duration: float, concurrency: int) -> None:
    there = place(CONTROL if way != QUEUE else FORKED, duration=duration, concurrency=concurrency, kill_jobs=0)
    said = STUDY.objection(there, {"jobs": jobs, "way": way})
    assert (said is None) == (STUDY.needs(there, {"jobs": jobs, "way": way}).time_s <= MOST_RUN_S)
    if said is not None:
        nearest = int(said.rpartition(" ")[2])
        assert 0 < nearest < jobs
        assert STUDY.objection(there, {"jobs": nearest, "way": way}) is None


def plans(variant: Variant, way: str, jobs: int) -> list[tuple[str, str, KillWish | None]]:
    made = context(QUICK, variant=variant, point={"jobs": jobs, "way": way})
    found = []
    for plan in STUDY.phases(made):
        (task,) = classes_of(plan.tasks)
        assert (task.workload, task.argument, plan.load) == ("sleep", 1.0, Burst(jobs))
        assert plan.worker.long_jobs == (way == QUEUE)
        found.append((plan.name, task.endpoint, plan.kill))
        measured = {device.name for device in plan.devices}
        assert measured == ({WebSamples.NAME, WebHealth.NAME} if plan.kill is None else set())
    return found


def test_with_few_jobs_the_application_is_killed_half_way_and_so_is_the_worker_of_a_queue() -> None:
    assert plans(FORKED, QUEUE, 10) == [
        ("submitted", "/job", None),
        ("server_killed", "/job", KillWish("web", 1.5)),
        ("worker_killed", "/job", KillWish("worker", 1.5)),
    ]
    assert plans(CONTROL, BLOCKING, 4)[1:] == [("server_killed", "/background-blocking", KillWish("web", 2.0))]
    assert plans(CONTROL, THREAD, 10)[1:] == [("server_killed", "/background", KillWish("web", 0.5))]
    assert [name for name, *_ in plans(FORKED, QUEUE, 50)] == ["submitted"]


def job(sequence: int, *, answer_ms: int, start_ms: int, service_ms: int = 1000, phase: int = 1) -> list[Row]:
    return [
        sent(sequence, 0, late_ns=0, send_ns=answer_ms * MS, phase=phase),
        started(sequence, start_ms * MS, phase=phase),
        finished(sequence, (start_ms + service_ms) * MS, phase=phase),
    ]


def waves(count: int, at_once: int) -> list[Row]:
    return [row for i in range(count) for row in job(i, answer_ms=10 + i, start_ms=10 + 1000 * (i // at_once))]


def health(answer_ms: Iterable[int], limit_ms: int = 2000) -> pd.DataFrame:
    """Asked every 50 ms from 0.1 s before the jobs on; an answer that would take the limit or longer is given up."""
    rows = [
        (due := (i * 50 - 100) * MS, due, due + min(ms, limit_ms) * MS, "answered" if ms < limit_ms else "late")
        for i, ms in enumerate(answer_ms)
    ]
    return pd.DataFrame(rows, columns=["due_ns", "asked_ns", "ended_ns", "outcome"])


def server(*rows: tuple[int, float, float]) -> pd.DataFrame:
    made = [(at_ms * MS, int(mb * 1e6), int(mb * 5e5), cpu_s) for at_ms, mb, cpu_s in rows]
    return pd.DataFrame(made, columns=["at_ns", "pss_bytes", "uss_bytes", "cpu_s"])


def submitted(rows: list[Row], count: int, answers: pd.DataFrame, taken: pd.DataFrame) -> PhaseData:
    phase = phase_data(1, "submitted", Burst(count), rows, count, produced=Produced(count, count, 0, {}, 0, S, 0.1))
    return replace(phase, readings={WEB_HEALTH: answers, WEB_SAMPLES: taken})


def run_of(way: str, jobs: int, **phases: PhaseData) -> RunData:
    made = context(QUICK, point={"jobs": jobs, "way": way})
    samples = [sample(10 * S + 500 * MS, memory_mb=200, cpu_s=2.0)]
    return RunData(STUDY.name, "some", RUN, made, good_run().worker, phases, samples)


def test_figures_are_those_of_the_events() -> None:
    taken = server((-300, 40, 1.0), (-50, 50, 1.0), (450, 60, 1.1), (3050, 55, 1.6), (4000, 99, 9))
    phase = submitted(waves(100, 40), 100, health([5] * 64), taken)
    values = STUDY.measures(run_of(THREAD, 100, submitted=phase))
    expected = {
        "task_count": 100,
        "total_time": 3.01,
        "jobs_completed_count": 100,
        "jobs_lost_count": 0,
        "jobs_at_once_count": 40,
        "accept_mean_s": 0.0595,
        "accept_max_s": 0.109,
        "queue_mean_s": 0.81,
        "queue_max_s": 2.01,
        "execution_mean_s": 1,
        "total_max_s": 3.01,
        "health_count": 61,
        "health_within_share": 1,
        "health_p99_ms": 5,
        "health_late_count": 0,
        "server_cpu_mean_percent": 100 * 0.6 / 3.1,
        "server_cpu_peak_percent": 20,
        "server_memory_mean_mb": 55,
        "server_memory_peak_mb": 60,
        "queue_limit_s": 0.5,
    }
    assert values["worker_memory_peak_mb"] is None, "a queue's worker has no part in background tasks"
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_a_blocked_application_gives_late_answers_and_jobs_one_after_another() -> None:
    rows = [row for i in range(3) for row in job(i, answer_ms=1000 * i + 5, start_ms=1000 * i + 5)]
    blocked = health([max(5, 3005 - max(0, i * 50 - 100)) for i in range(64)])
    values = STUDY.measures(run_of(BLOCKING, 3, submitted=submitted(rows, 3, blocked, server((0, 50, 1), (3100, 50, 1.1)))))
    assert (values["jobs_at_once_count"], values["queue_max_s"]) == (1, 2.005)
    assert values["health_p99_ms"] == 2000
    assert (values["health_within_share"] or 0) < 0.1
    # Due within the first second of three: so long before the loop is free that they are given up.
    assert values["health_late_count"] == 21


def test_what_a_kill_costs_is_counted_and_is_no_fault_of_the_run() -> None:
    rows = [row for i in range(4) for row in job(i, answer_ms=5, start_ms=10, phase=2)]
    rows += [sent(4, 0, phase=2), started(4, 10 * MS, phase=2), sent(5, 0, phase=2), sent(6, 0, ok=False, phase=2)]
    killed = phase_data(2, "server_killed", Burst(7), rows, 7, losses_counted=True, killed_ns=S)
    values = STUDY.measures(run_of(QUEUE, 7, server_killed=killed))
    fates = {fate: values[f"server_kill_{fate}_count"] for fate in ("accepted", "completed", "gone", "refused")}
    assert fates == {"accepted": 6, "completed": 4, "gone": 2, "refused": 1}
    assert values["worker_kill_gone_count"] is None
    flags = list(book_flags(killed))
    assert [flag.code for flag in flags] == [LOSSES_COUNTED.code]
    assert is_valid(flags)
    uncounted = replace(killed, record=replace(killed.record, losses_counted=False))
    assert TASK_LOST.code in [flag.code for flag in book_flags(uncounted)]


def test_a_whole_run_of_a_queue_has_every_measure() -> None:
    rows = [row for i in range(10) for row in job(i, answer_ms=5, start_ms=10 + 1000 * (i // 4))]
    phase = submitted(rows, 10, health([5] * 64), server((0, 50, 1), (3100, 50, 1.1)))
    before, after = reading(-S, worker_cpu_s=1.0), reading(4 * S, memory_mb=70, worker_cpu_s=1.5)
    phase = replace(phase, record=replace(phase.record, before=before, after=after))
    kills = {
        name: phase_data(
            number, name, Burst(10), [row for i in range(10) for row in job(i, answer_ms=5, start_ms=9, phase=number)], 10
        )
        for number, name in ((2, "server_killed"), (3, "worker_killed"))
    }
    values = STUDY.measures(run_of(QUEUE, 10, submitted=phase, **kills))
    assert list(values) == list(STUDY.columns)
    assert missing(values) == []
    assert (values["worker_cpu_mean_percent"], values["worker_memory_peak_mb"]) == (10, 70)


@given(st.lists(st.booleans(), max_size=6))
def test_a_crossing_is_the_first_number_that_misses(kept: list[bool]) -> None:
    found = crossing({10 * (i + 1): is_kept for i, is_kept in enumerate(kept)})
    first = kept.index(False) if False in kept else None
    assert found.missed_at == (None if first is None else 10 * (first + 1))
    below = len(kept) if first is None else first
    assert found.kept_to == (10 * below if below else None)


Figures = tuple[str, str, int, float, float, float | None, float | None]
"""Variant, way, jobs, longest wait, share in time, gone by a kill of the application, and of the worker."""
MEASURED: tuple[Figures, ...] = (
    ("bare", THREAD, 10, 0.01, 1, 10, None),
    ("bare", THREAD, 50, 1.0, 1, None, None),
    ("bare", BLOCKING, 10, 9.0, 0.05, 4, None),
    ("some-forked", QUEUE, 10, 2.0, 1, 0, 8),
    ("some-forked", QUEUE, 50, 12.0, 1, None, None),
)


def figures(*points_: Figures, runs: int = 4) -> ChartData:
    measured: dict[str, dict[str, tuple[float, ...]]] = {}
    places: dict[str, Point] = {}
    executed: dict[str, str] = {}
    for variant, way, jobs, wait_s, within, server_gone, worker_gone in points_:
        name = name_of(variant, {"jobs": jobs, "way": way})
        single = {
            "jobs_completed_count": float(jobs),
            "jobs_failed_count": 0.0,
            "accept_mean_s": 0.01,
            "total_mean_s": 1 + wait_s / 2,
            "queue_max_s": wait_s,
            "health_within_share": within,
            "queue_limit_s": 0.5,
            "health_limit_ms": 200.0,
            "server_cpu_peak_percent": 12.0,
            "server_memory_peak_mb": 55.0,
        }
        for what, gone in (("server", server_gone), ("worker", worker_gone)):
            if gone is not None:
                single |= {f"{what}_kill_gone_count": gone, f"{what}_kill_accepted_count": float(jobs)}
        measured[name] = {measure: (value,) * runs for measure, value in single.items()}
        places[name], executed[name] = {"jobs": jobs, "way": way}, variant
    return ChartData(tuple(measured), None, measured, {}, places, executed)


def test_the_verdict_is_made_of_the_crossings_that_were_measured() -> None:
    verdict, kills, _ = job_conclusions(figures(*MEASURED))
    assert verdict.decided
    assert verdict.rows == (
        ("fastapi (blocking)", "10", "10"),
        ("fastapi (thread)", "50 (not 10)", "not up to 50"),
        ("some-forked", "10", "not up to 50"),
    )
    assert "fastapi (blocking) from 10 jobs on, some-forked from 10 jobs on, fastapi (thread) from 50 jobs on" in verdict.text
    assert "There fastapi (blocking) needs a queue from 10 jobs on: kept by some-forked." in verdict.text
    assert "A queue of this concurrency does not help there: kept with 10 jobs by fastapi (thread)." in verdict.text
    assert "fastapi (thread) 10 of 10, some-forked 0 of 10" in kills.text
    assert "So jobs that must outlive the application need a queue, however few: some-forked lost none." in kills.text
    assert "With the worker killed half-way and started again are gone, of the accepted jobs: some-forked 8 of 10." in kills.text


def test_other_figures_make_another_verdict() -> None:
    quick = tuple((*row[:3], 0.1, 1.0, *row[5:]) for row in MEASURED)
    verdict, *_ = job_conclusions(figures(*quick))
    assert {crossed for _, *crossings in verdict.rows for crossed in crossings} == {"not up to 10", "not up to 50"}
    assert "needs a queue" not in verdict.text
    assert verdict.text.count(": nowhere.") == 2
    careless = [(*row[:5], 0.0 if row[1] != QUEUE else 3.0, row[6]) for row in MEASURED]
    _, kills, _ = job_conclusions(figures(*careless))
    assert "need a queue" not in kills.text
    assert "some-forked did not keep all of them" in kills.text


def test_few_runs_decide_nothing() -> None:
    assert not any(answer.decided for answer in job_conclusions(figures(*MEASURED, runs=1)))


def test_documents_have_the_table_of_the_published_comparison_and_the_same_figures_as_json() -> None:
    documents = job_documents(figures(*MEASURED), STAMP)
    names = {*(f"{group}_{jobs}_jobs" for group in ("fastapi", "some") for jobs in (10, 50)), "comparison"}
    stems = {f"{name}_20261127_190000" for name in names}
    assert set(documents) == {f"{stem}.{kind}" for stem in stems for kind in ("md", "json")}
    comparison = documents["comparison_20261127_190000.md"]
    assert f"| {' | '.join(HEADINGS)} |" in comparison
    assert "| 10 | FASTAPI (THREAD) | 10/10 | 0 | 0.01s | 1s | 12% | 55 MB | ✓ |" in comparison
    assert "| 10 | FASTAPI (BLOCKING) | 10/10 | 0 | 0.01s | 5.5s | 12% | 55 MB | ✗ |" in comparison
    data = json.loads(documents["fastapi_10_jobs_20261127_190000.json"])
    assert {row["implementation"] for row in data["results"]} == {f"{BACKGROUND} (blocking)", f"{BACKGROUND} (thread)"}
    assert {row["figures"]["jobs_completed_count"] for row in data["results"]} == {10}
    assert job_documents(ChartData((), None, {}, {}), STAMP) == {}


def test_a_limit_of_which_nothing_is_known_is_crossed_nowhere_and_kept_nowhere() -> None:
    assert crossing({}) == Crossing(None, None)
    assert crossing({}).words == "–"


def test_pictures_have_a_panel_for_each_way_and_a_line_for_each_variant() -> None:
    total, wait = STUDY.charts(figures(*MEASURED))
    assert [total.name, wait.name] == ["total-mean-s", "queue-max-s"], "no picture of what was not measured"
    found = {panel.title: [(line.variant, list(line.x), list(line.y)) for line in panel.series] for panel in wait.panels}
    assert found == {
        "fastapi (blocking)": [("bare", [10], [9])],
        "fastapi (thread)": [("bare", [10, 50], [0.01, 1])],
        "A queue": [("some-forked", [10, 50], [2, 12])],
    }
