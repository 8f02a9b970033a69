"""Scenario 3 on a real Redis: no process computes more than a core can, and what shares a process shares its GIL."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.record.run_data import RunResult
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import require_valid, run_scenario, stored

TASK_MS, HEAVY_MS = 10, 150
SIZES = {
    **{"task_ms": TASK_MS, "heavy_ms": HEAVY_MS, "tasks_per_process": 8, "heavy_tasks_per_process": 1},
    **{"pool_tasks": 8, "pool_heavy_tasks": 2, "light_rate_per_s": 50, "heavy_each": 10, "light_s": 0.6},
}
PROCESSES, THREADS, LOOP = "floor", "celery-threads", "asynctasq-async"
ONE_CORE = 1.15
"""What one process can use of the cores while it holds the GIL: one of them, and a little in system calls."""

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def phase_record(run: StoredRun, name: str) -> Any:
    return next(phase for phase in run.record["phases"] if phase["name"] == name)


def of_phase(run: StoredRun, name: str) -> pd.DataFrame:
    tasks = run.tasks()
    number = phase_record(run, name)["number"]
    return pd.DataFrame(tasks[tasks["phase"] == number])


def shortest_ms(run: StoredRun, name: str) -> float:
    tasks = of_phase(run, name)
    return float((tasks["finished_ns"] - tasks["started_ns"]).min()) / 1e6


def cores_used(run: StoredRun, name: str) -> float:
    """CPU seconds a second of the worker's tree while a phase was drained."""
    phase = phase_record(run, name)
    begin, end = phase["filled"]["worker"], phase["after"]["worker"]
    return float((end["cpu_s"] - begin["cpu_s"]) / (end["at_ns"] - begin["at_ns"]) * 1e9)


def test_processes_share_the_cores_and_threads_the_gil(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 3, (PROCESSES, THREADS, LOOP), SIZES)
    rows, facts = require_valid(results), results.facts()
    assert facts["pbkdf2_iterations_per_ms"] > facts["pbkdf2_python_iterations_per_ms"] > 0
    for variant, row in rows.items():
        run = stored(results, variant)
        assert measure(row, "throughput_1_process_per_s") <= 1000 / shortest_ms(run, "processes_1")
        assert measure(row, "throughput") == measure(row, "throughput_2_processes_per_s")
        assert measure(row, "throughput") <= 2 * 1000 / shortest_ms(run, "processes_2")
        assert measure(row, "heavy_throughput_per_s") <= 2 * 1000 / shortest_ms(run, "heavy")
        assert shortest_ms(run, "pool_heavy") > 3 * shortest_ms(run, "processes_1")
        assert measure(row, "processes") == 2
        assert measure(row, "worker_cpu_ms_per_task") > 0
        assert row.measures["completed"] == row.measures["attempted"]
    assert [measure(rows[v], "pool_processes") for v in (PROCESSES, THREADS, LOOP)] == [2, 1, 1]
    for variant in (THREADS, LOOP):
        assert cores_used(stored(results, variant), "pool_heavy") < ONE_CORE
    loop = of_phase(stored(results, LOOP), "pool_native").sort_values("started_ns")
    assert (loop["started_ns"].iloc[1:].to_numpy() >= loop["finished_ns"].iloc[:-1].to_numpy()).all(), "one at a time"
    waited_ms, heavy_ms = measure(rows[LOOP], "light_beside_max_ms"), measure(rows[LOOP], "heavy_beside_service_p50_ms")
    assert waited_ms > heavy_ms / 2, "a task that came during a heavy one had to wait for it"
