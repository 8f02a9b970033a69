"""The shared columns of a made-up run."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.record.shared import BESIDE_MEMORY, SHARED_COLUMNS, drained_s, latency_measures, shared_measures
from tasks.loads import Prefilled
from tests.unit.made_up import MS, good_run, phase_data, sent

MEMORY = {"memory_mb": 90, "memory_uss_mb": 45, "memory_sharers": 2}


def test_they_are_those_of_a_drain_and_a_paced_phase() -> None:
    found = shared_measures(good_run(), "capacity", "paced")
    assert found.keys() == SHARED_COLUMNS.keys() | BESIDE_MEMORY.keys()
    assert found == {
        "task_count": 200,
        "total_time": pytest.approx(0.2),
        "throughput": pytest.approx(1000),
        "mean_latency": pytest.approx(3),
        "p50": pytest.approx(3),
        "p95": pytest.approx(3),
        "p99": None,
        **MEMORY,
        "cpu_percent": pytest.approx(1000),
    }


def test_what_a_run_does_not_have_is_left_out() -> None:
    assert shared_measures(good_run(), "", "") == MEMORY
    assert shared_measures(good_run(), "nonesuch", "paced").keys() == {*MEMORY, "mean_latency", "p50", "p95", "p99"}
    early = replace(good_run(), phases={}, samples=[])
    assert shared_measures(early, "capacity", "paced") == {"memory_mb": 40, "memory_uss_mb": 20, "memory_sharers": 2}


def test_a_drain_in_which_nothing_ended_has_no_time() -> None:
    silent = phase_data(1, "capacity", Prefilled(1), [sent(0)], 1)
    found = shared_measures(good_run(data={"capacity": silent}), "capacity", "")
    assert drained_s(silent) is None
    assert (found["task_count"], found["total_time"], found["throughput"], found["cpu_percent"]) == (1, None, None, None)


def test_latencies_are_in_ms_and_none_without_any() -> None:
    assert latency_measures(np.array([1, 3], np.int64) * MS)["mean_latency"] == 2
    assert set(latency_measures(np.empty(0, np.int64)).values()) == {None}
