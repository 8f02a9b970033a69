"""Scenario 6 on a real Redis: backlogs are as long as they were asked to be, and a capacity is a rate that was shown."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.record.rate_search import Verdict
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from benchmarks.scenarios.scenario_6_scalability import CEILING
from tests.e2e.scenario_support import require_valid, run_scenario, stored

SIZES = {"backlog_1": 100, "backlog_2": 300, "scale_tasks_per_process": 100, "low_s": 0.6, "steps": 2, "step_s": 0.4}
VARIANTS = ("floor", "celery-solo", "asynctasq-async")

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_backlogs_rates_and_processes(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 6, VARIANTS, SIZES)
    rows = require_valid(results)
    for variant, row in rows.items():
        run = stored(results, variant)
        tasks, numbers = run.tasks(), {phase["name"]: phase["number"] for phase in run.record["phases"]}
        assert measure(row, "task_count") == 300
        for rung, count in ((1, 100), (2, 300)):
            waiting = tasks[tasks["phase"] == numbers[f"backlog_{rung}"]]
            assert measure(row, f"backlog_{rung}_tasks") == len(waiting) == count
            assert waiting["started_ns"].min() > waiting["acknowledged_ns"].max(), "all waited before the first was started"
            assert measure(row, f"backlog_{rung}_drain_per_s") > 0
        assert measure(row, "backlog_2_redis_memory_mb") > 0
        assert sum(measure(row, f"steps_{verdict.value}") for verdict in Verdict) == measure(row, "steps_tried") == 2
        capacity, not_held = row.measures["capacity_per_s"], row.measures["not_held_per_s"]
        if capacity is None:
            assert measure(row, "steps_held") == 0
        else:
            assert capacity <= CEILING * measure(row, "backlog_2_drain_per_s")
            assert measure(row, "capacity_p50_ms") <= measure(row, "capacity_limit_ms")
            assert not_held is None or not_held > capacity
        for processes in (1, 2):
            at_work = tasks[(tasks["phase"] == numbers[f"scale_{processes}"])]
            assert len(np.unique(at_work["process"])) == processes
        assert measure(row, "scale_per_s") == row.measures["scale_2_processes_per_s"]
        assert row.measures["completed"] == row.measures["attempted"]
