"""Scenario 4 on a real Redis and the mock API: the same tasks for all, and long ones in the way of short ones."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.record.mock_api_books import MOCK_API_LIMIT
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import require_valid, run_scenario, stored

VARIANTS = ("floor", "celery-threads", "asynctasq-async")
LIGHT_MS, HEAVY_MS = 2, 40
SIZES = {"tasks": 60, "paced_s": 1.5, "utilisation": 0.3, "slots": 8, "light_ms": LIGHT_MS, "heavy_ms": HEAVY_MS}

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def shortest_ns(tasks: pd.DataFrame, label: int) -> float:
    mine = tasks[(tasks["phase"] > 0) & (tasks["label"] == label)]
    return float((mine["finished_ns"] - mine["started_ns"]).min())


def test_every_class_is_counted_and_every_variant_has_the_same_tasks(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 4, VARIANTS, SIZES)
    sequences = []
    for variant, row in require_valid(results, but={MOCK_API_LIMIT.code}).items():
        run = stored(results, variant)
        tasks, log = run.tasks(), run.reading("mock_api")
        assert measure(row, "completed") == measure(row, "attempted")
        assert (measure(row, "slots"), measure(row, "processes")) == (8, 2)
        assert sum(measure(row, f"{name}_count") for name in ("io", "light", "heavy")) == measure(row, "attempted") - 60
        io = tasks[(tasks["phase"] > 0) & (tasks["label"] == 0)]
        assert sorted(log["id"]) == sorted(f"{row.run}-{t.phase}-{t.sequence}-1" for t in io.itertuples())
        assert measure(row, "io_added_p50_ms") > 0
        # How long each takes on this machine changes from minute to minute; what one is to the other does not.
        light_ns, heavy_ns = (shortest_ns(tasks, label) for label in (1, 2))
        assert heavy_ns / light_ns > HEAVY_MS / LIGHT_MS / 2
        capacity = tasks[tasks["phase"] == 1]
        sequences.append(capacity.sort_values("sequence")["label"].tolist())
    assert sequences[0] == sequences[1] == sequences[2]
    assert set(sequences[0]) == {0, 1, 2}
