"""Scenario 4 on a real Redis and the mock API: the same tasks for all, and long ones in the way of short ones."""

from pathlib import Path

import pytest

from benchmarks.record.flags import OFFERED_RATE_MISSED
from benchmarks.record.mock_api_books import MOCK_API_LIMIT
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import require_valid, run_scenario, stored

VARIANTS = ("floor", "celery-threads", "asynctasq-async")
HEAVY_MS = 40
SIZES = {"tasks": 60, "paced_s": 1.5, "utilisation": 0.3, "slots": 8, "heavy_ms": HEAVY_MS}
BEST = 1.1
"""A task may take so much less than it was calibrated to: the clock frequency is not constant."""

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_every_class_is_counted_and_every_variant_has_the_same_tasks(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 4, VARIANTS, SIZES)
    sequences = []
    for variant, row in require_valid(results, but={OFFERED_RATE_MISSED.code, MOCK_API_LIMIT.code}).items():
        run = stored(results, variant)
        tasks, log = run.tasks(), run.reading("mock_api")
        assert measure(row, "completed") == measure(row, "attempted")
        assert (measure(row, "slots"), measure(row, "processes")) == (8, 2)
        assert sum(measure(row, f"{name}_count") for name in ("io", "light", "heavy")) == measure(row, "attempted") - 60
        io = tasks[(tasks["phase"] > 0) & (tasks["label"] == 0)]
        assert sorted(log["id"]) == sorted(f"{row.run}-{t.phase}-{t.sequence}-1" for t in io.itertuples())
        assert measure(row, "io_added_p50_ms") > 0
        heavy = tasks[(tasks["phase"] > 0) & (tasks["label"] == 2)]
        assert ((heavy["finished_ns"] - heavy["started_ns"]) / 1e6).min() >= HEAVY_MS / BEST
        capacity = tasks[tasks["phase"] == 1]
        sequences.append(capacity.sort_values("sequence")["label"].tolist())
    assert sequences[0] == sequences[1] == sequences[2]
    assert set(sequences[0]) == {0, 1, 2}
