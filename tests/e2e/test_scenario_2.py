"""Scenario 2 on a real Redis and the mock API: no more than the slots allow, and every request is that of a task."""

from pathlib import Path

import pytest

from benchmarks.record.mock_api_books import MOCK_API_LIMIT
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import require_valid, run_scenario, stored

VARIANTS = ("floor", "celery-gevent", "asynctasq-async")
SLOTS, WAVES = 10, 5
SIZES = {"waves_10": WAVES, "waves_50": 0}

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_ten_slots_of_100_ms_give_at_most_100_tasks_a_second(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 2, VARIANTS, SIZES)
    assert results.facts()["mock_api_requests_per_s"] > 1000
    for variant, row in require_valid(results, but={MOCK_API_LIMIT.code}).items():
        assert 0 < measure(row, "throughput") == measure(row, "slots_10_per_s") <= 100
        assert (measure(row, "slots_10_reached"), measure(row, "slots_10_processes")) == (SLOTS, 2)
        assert 1 < measure(row, "slots_10_in_flight_mean") <= measure(row, "slots_10_in_flight_max") <= SLOTS
        assert measure(row, "slots_10_service_p50_ms") >= 100
        assert measure(row, "slots_10_memory_per_slot_mb") * SLOTS == pytest.approx(measure(row, "slots_10_memory_mb"))
        assert 0 < measure(row, "mock_api_used_share") < 0.5
        assert row.measures["slots_50_per_s"] is None
        log = stored(results, variant).reading("mock_api")
        assert sorted(log["id"]) == sorted(f"{row.run}-1-{sequence}-1" for sequence in range(SLOTS * WAVES))
        assert set(log["status"]) == {200}
        assert (log["latency_ms"] >= 100).all()
