"""Scenario 9 on a real Redis: urgent lanes go first, and a lane that nobody listens to stays as it is."""

from pathlib import Path

import pytest

from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import number_of, require_valid, run_scenario, stored

SIZES = {"task_ms": 20, "capacity_tasks": 30, "overload_s": 1, "overload_ratio": 1.8, "drain_tasks": 60, "lanes": 5}
CONTROL, STRICT, PREFETCHING = "floor", "asynctasq-async", "celery-threads"

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_urgent_lanes_go_first_and_routing_is_exact(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 9, (CONTROL, STRICT, PREFETCHING), SIZES)
    rows = require_valid(results)
    for row in rows.values():
        assert measure(row, "offered_over_capacity_ratio") > 1.3
        assert measure(row, "backlog_tasks") > 2
        assert measure(row, "capacity_per_s") <= 1.05 * 2 / 0.02
        assert measure(row, "low_mean_ms") > 2 * measure(row, "high_mean_ms")
        assert measure(row, "low_ended_by_last_send_share") < measure(row, "high_ended_by_last_send_share")
        assert sum(measure(row, f"{lane}_task_count") for lane in ("high", "normal", "low")) == measure(row, "task_count")
        assert (measure(row, "unlistened_task_count"), measure(row, "misrouted")) == (20, 0)
        assert measure(row, "lanes_served_count") == 5
        run = stored(results, row.variant)
        aside = run.reading("unlistened_lane")
        assert aside[["phase", "lane", "waiting", "started"]].to_dict("records") == [
            {"phase": number_of(run, "one_lane"), "lane": "aside", "waiting": 20, "started": 0}
        ]
    assert measure(rows[PREFETCHING], "inversion_share") > 2 * measure(rows[CONTROL], "inversion_share")
    assert measure(rows[PREFETCHING], "high_overtaken_mean_tasks") > measure(rows[STRICT], "high_overtaken_mean_tasks")
    assert measure(rows[STRICT], "added_lane_redis_commands_per_task") > 0.2
    assert measure(rows[PREFETCHING], "added_lane_redis_commands_per_task") < 0.2
