"""Scenario 8 on a real Redis: a start's parts follow one another, cold starts are colder, and a stop loses nothing."""

import shutil
from pathlib import Path

import pytest

from benchmarks.record.flags import TASK_LOST_AT_STOP
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from tasks.contract import FRAMEWORKS_PATH_VARIABLE
from tests.e2e import contrived_tasks
from tests.e2e.contrived_tasks import HASTY
from tests.e2e.scenario_support import OF_THE_MACHINE, require_valid, run_scenario, stored

SIZES = {"starts": 1, "bare_starts": 2, "stop_tasks_per_slot": 4}
CONTROL, FORKING, POLLING = "floor", "celery-prefork", "asynctasq-async"

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_starts_and_stops_are_what_the_frameworks_do(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 8, (CONTROL, FORKING, POLLING), SIZES)
    rows = require_valid(results)
    assert set(rows) == {CONTROL, FORKING, POLLING}
    for row in rows.values():
        assert measure(row, "starts") == 2
        assert measure(row, "task_count") == measure(row, "attempted") == measure(row, "completed") == 8 + 2 + 3
        assert 0 < measure(row, "processes_up_ms") <= measure(row, "startup_max_ms")
        assert measure(row, "import_ms") > measure(row, "import_interpreter_ms") > 0
        parts = sum(measure(row, name) for name in ("import_ms", "import_interpreter_ms", "import_rest_ms"))
        assert parts == pytest.approx(measure(row, "import_startup_ms"))
        assert measure(row, "import_rest_ms") > 0
        assert measure(row, "bytecode_cold_startup_ms") > measure(row, "startup_ms")
        assert measure(row, "memory_first_task_pss_mb") > 10
        assert (measure(row, "stop_graceful_share"), measure(row, "stop_lost_tasks"), measure(row, "lost")) == (1, 0, 0)
        assert measure(row, "stop_in_hand_tasks") <= 2
        assert measure(row, "stop_finished_in_hand_tasks") <= measure(row, "stop_in_hand_tasks")
        assert measure(row, "restart_first_task_ms") > 0
    assert measure(rows[FORKING], "ready_processes") == 3
    assert measure(rows[CONTROL], "ready_processes") == measure(rows[POLLING], "ready_processes") == 2
    assert measure(rows[FORKING], "import_modules") > measure(rows[CONTROL], "import_modules")
    modules = stored(results, FORKING).reading("imports")["module"]
    assert {"celery", "kombu", "site"} <= set(modules)


def test_a_size_of_zero_leaves_a_kind_of_start_out(local_lab: LocalLab, tmp_path: Path) -> None:
    none = dict.fromkeys(("stops", "import_starts", "bytecode_cold_starts", "page_cache_cold_starts"), 0)
    results = run_scenario(local_lab, tmp_path, 8, (CONTROL,), {**SIZES, **none})
    row = require_valid(results)[CONTROL]
    assert measure(row, "starts") == measure(row, "task_count") == measure(row, "completed") == 2
    left_out = ("stop_ms", "stop_lost_tasks", "import_ms", "bytecode_cold_startup_ms", "page_cache_cold_startup_ms")
    assert [row.measures[name] for name in left_out] == [None] * 5


def test_tasks_that_a_stop_takes_away_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(contrived_tasks.__file__, tmp_path / "contrived_tasks.py")
    monkeypatch.setenv(FRAMEWORKS_PATH_VARIABLE, str(tmp_path))
    few = {**SIZES, "import_starts": 0, "bytecode_cold_starts": 0, "page_cache_cold_starts": 0, "stop_task_s": 0.3}
    with LocalLab() as lab:
        results = run_scenario(lab, tmp_path / "results", 8, (HASTY,), few)
    row = require_valid(results)[HASTY]
    assert [flag.code for flag in row.flags if flag.code not in OF_THE_MACHINE] == [TASK_LOST_AT_STOP.code]
    assert measure(row, "stop_lost_tasks") == measure(row, "lost") >= 1
    assert measure(row, "stop_finished_in_hand_tasks") == 0
    assert 1 <= measure(row, "stop_in_hand_tasks") <= 2
    assert measure(row, "completed") == measure(row, "task_count") - measure(row, "lost")
    assert row.measures["import_ms"] is None
