"""Long jobs of a web application on real servers, small: waves of threads, a blocked loop, and what kills cost."""

from pathlib import Path

import pytest

from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from benchmarks.studies.study_fastapi import POOL_THREADS, STUDY
from tests.e2e.scenario_support import require_valid, run_study

pytestmark = pytest.mark.e2e

CONTROL, QUEUE = "floor", "celery-prefork"
DURATION = 0.25
HUNDRED, FEW = 100, 6
SLOTS = 4


def run_of(lab: LocalLab, root: Path, variant: str, way: str, jobs: int, *, kill: bool = True) -> RunResult:
    sizes = {"duration": DURATION, "concurrency": SLOTS, "kill_jobs": jobs if kill else 0}
    [row] = require_valid(run_study(lab, root, STUDY.name, (variant,), {"jobs": (jobs,), "way": (way,)}, sizes)).values()
    return row


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_a_hundred_jobs_take_forty_threads_three_waves_and_are_gone_with_the_application(
    local_lab: LocalLab, tmp_path: Path
) -> None:
    row = run_of(local_lab, tmp_path, CONTROL, "thread", HUNDRED)
    assert (row.measures["jobs_completed_count"], row.measures["jobs_at_once_count"]) == (HUNDRED, POOL_THREADS)
    assert measure(row, "total_time") >= 3 * DURATION
    assert measure(row, "queue_max_s") >= 2 * DURATION
    assert measure(row, "execution_mean_s") >= DURATION
    assert measure(row, "server_memory_peak_mb") > 20
    assert row.measures["worker_memory_peak_mb"] is row.measures["worker_kill_gone_count"] is None
    accepted, completed, gone = (measure(row, f"server_kill_{fate}_count") for fate in ("accepted", "completed", "gone"))
    assert 0 < gone == accepted - completed


def test_a_blocked_loop_answers_nobody(local_lab: LocalLab, tmp_path: Path) -> None:
    row = run_of(local_lab, tmp_path, CONTROL, "blocking", FEW, kill=False)
    assert (row.measures["jobs_completed_count"], row.measures["jobs_at_once_count"]) == (FEW, 1)
    assert measure(row, "accept_max_s") >= (FEW - 1) * DURATION
    # Whoever asks when a job has just begun waits for its end.
    assert measure(row, "health_p99_ms") >= 1000 * DURATION / 2
    assert row.measures["server_kill_gone_count"] is None


def test_a_queue_loses_no_job_with_the_application_and_some_with_its_worker(local_lab: LocalLab, tmp_path: Path) -> None:
    row = run_of(local_lab, tmp_path, QUEUE, "queue", FEW)
    assert (row.measures["jobs_completed_count"], row.measures["jobs_at_once_count"]) == (FEW, SLOTS)
    assert (row.measures["server_kill_completed_count"], row.measures["server_kill_gone_count"]) == (FEW, 0)
    assert measure(row, "worker_kill_gone_count") >= 1
    assert measure(row, "worker_memory_peak_mb") > 20
