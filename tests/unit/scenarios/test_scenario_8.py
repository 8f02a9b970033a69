"""Scenario 8 on made-up starts."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from benchmarks.plan.wishes import StartWish
from benchmarks.record.flags import TASK_DOUBLED_AT_STOP, TASK_LOST, TASK_LOST_AT_STOP, is_valid
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, RunContext, RunData, StartRecord, StopRecord
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_8_cold_start import PAGE_CACHE_WARM, SCENARIO, STOP_NOT_GRACEFUL
from infrastructure.readings import StartTimes
from tasks.loads import Burst
from tests.unit.made_up import MS, Row, S, executed, finished, good_run, missing, phase_data, reading, sent, started

QUICK = SCENARIO.sizes["quick"]
WAITING, READY = StartWish("waiting"), StartWish("ready")


def times(*, up_ms: int = 5, first_ms: int = 90, connected_ms: int = 100, read_bytes: int = 0) -> StartTimes:
    return StartTimes(S, S + up_ms * MS, S + first_ms * MS, S + connected_ms * MS, 2, read_bytes, (40, 40))


def start(number: int, kind: str, wish: StartWish, at: StartTimes, end_ms: int, **changes: Any) -> PhaseData:
    """One start: its task ended ``end_ms`` after the spawn. It settled 0.4 s after the spawn, with 0.2 s of CPU."""
    due_ns = 0 if wish.when == "waiting" else S + 500 * MS
    rows = executed(0, due_ns, wait_ns=S + (end_ms - 1) * MS - due_ns, phase=number)
    settled = reading(S + 400 * MS, memory_mb=40, worker_cpu_s=0.2)
    record = StartRecord(wish, at, None)
    return phase_data(
        number, f"{kind}-{changes.pop('index', number)}", Burst(1), rows, 1, start=record, filled=settled, **changes
    )


def stop_rows() -> list[Row]:
    """Eight tasks; the signal came at 3 s. Two had ended, two ran, of which one was cut off and executed again; one was begun
    after the signal; of the three left one is lost."""
    rows: list[Row] = [sent(i, 2 * S, phase=1) for i in range(8)]
    rows += executed(0, 2 * S, phase=1)[1:] + executed(1, 2 * S, phase=1)[1:]
    rows += [started(2, 3 * S - 10 * MS), finished(2, 3 * S + 50 * MS), started(3, 3 * S - 10 * MS)]
    rows += [started(4, 3 * S + 55 * MS), finished(4, 3 * S + 100 * MS)]
    rows += [started(3, 5 * S, attempt=2, process=200), finished(3, 5 * S + 50 * MS, attempt=2, process=200)]
    rows += [r for i in (5, 6) for r in (started(i, 6 * S, process=200), finished(i, 6 * S + MS, process=200))]
    return rows


def stop(rows: Iterable[Row] | None = None, *, graceful: bool = True) -> PhaseData:
    restarted = StartTimes(4 * S, 4 * S, 4 * S + 80 * MS, 4 * S + 80 * MS, 2, 0, (0,))
    record = StartRecord(replace(READY, stop_after=2), times(), StopRecord(3 * S, graceful, 0.2, restarted))
    return phase_data(1, "stop-1", Burst(8), stop_rows() if rows is None else rows, 8, start=record)


def imports() -> pd.DataFrame:
    """Two commands; the second imports most."""
    rows = [(0, 0, "site", 1_000, False), (0, 1, "redis", 9_000, False)]
    rows += [(1, 0, "encodings", 2_000, False), (1, 1, "site", 1_000, False), (1, 2, "redis", 60_000, False)]
    rows += [(1, 3, "tasks", 500, True)]
    return pd.DataFrame(rows, columns=["command", "position", "module", "self_us", "connected"])


def run_of(*phases: PhaseData) -> RunData:
    return replace(good_run(), scenario=SCENARIO.name, phases={p.record.name: p for p in phases}, samples=[])


def whole_run() -> RunData:
    profiled = start(6, "imports", replace(READY, profile_imports=True), times(connected_ms=110), 520)
    bare = pd.DataFrame({"took_s": [0.01, 0.02, 0.012]})
    return run_of(
        stop(),
        start(2, "waiting", WAITING, times(connected_ms=100, up_ms=5), 120),
        start(3, "ready", READY, times(connected_ms=200, up_ms=7), 503),
        start(4, "waiting", WAITING, times(connected_ms=300, up_ms=6), 140),
        start(5, "ready", READY, times(connected_ms=400, up_ms=8), 505),
        replace(profiled, readings={"imports": imports(), "bare_starts": bare}),
        start(7, "bytecode-cold", replace(WAITING, bytecode_cold=True), times(connected_ms=900), 950),
        start(8, "page-cache-cold", replace(WAITING, page_cache_cold=True), times(connected_ms=500, read_bytes=2 * 10**6), 600),
    )


def context(**sizes: float) -> RunContext:
    return RunContext({**QUICK, **sizes}, good_run().context.variant, 2, 1, 2, 1)


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is scenario
    assert {"startup_ms", "memory_mb", "cpu_percent"} <= set(scenario.columns)
    assert all(2 * sizes["starts"] >= 10 for sizes in scenario.sizes.values())


def test_figures_are_those_of_the_starts() -> None:
    data = whole_run()
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    assert missing(measures) == []
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    expected = {
        "task_count": 15,
        "memory_mb": 70,
        "cpu_percent": 50,
        "starts": 4,
        "startup_ms": 250,
        "startup_max_ms": 400,
        "processes_up_ms": 6.5,
        "first_task_waiting_ms": 130,
        "first_task_waiting_max_ms": 140,
        "connected_to_first_task_ms": 40,
        "first_task_ready_ms": 4,
        "first_task_ready_max_ms": 5,
        "interpreter_ms": 12,
        "import_interpreter_ms": 3,
        "import_ms": 60,
        "import_rest_ms": 47,
        "import_startup_ms": 110,
        "import_modules": 3,
        "import_first_task_ms": 0.5,
        "ready_processes": 2,
        "first_task_processes": 3,
        "memory_ready_pss_mb": 40,
        "memory_first_task_pss_mb": 70,
        "memory_first_task_uss_mb": 35,
        "start_cpu_s": 0.2,
        "bytecode_cold_startup_ms": 900,
        "bytecode_cold_first_task_ms": 950,
        "page_cache_cold_startup_ms": 500,
        "page_cache_cold_first_task_ms": 600,
        "page_cache_cold_read_mb": 2,
        "attempted": 15,
        "lost": 1,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected)


def test_what_becomes_of_the_tasks_in_hand_is_counted_task_by_task() -> None:
    measures = SCENARIO.measures(run_of(stop()))
    expected = {
        "stop_ms": 200,
        "stop_graceful_share": 1,
        "stop_in_hand_tasks": 2,
        "stop_finished_in_hand_tasks": 1,
        "stop_begun_after_signal_tasks": 1,
        "stop_executed_again_tasks": 1,
        "stop_lost_tasks": 1,
        "stop_doubled_tasks": 0,
        "restart_first_task_ms": 1050,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected)


def test_a_loss_over_a_stop_is_a_finding_and_one_without_makes_the_run_invalid() -> None:
    flags = run_flags(run_of(stop()))
    (lost,) = [f for f in flags if f.code == TASK_LOST_AT_STOP.code]
    assert "1 of 8 acknowledged tasks never ended" in lost.detail
    assert "at-least-once" in lost.detail
    assert is_valid(flags)
    unstopped = stop()
    unstopped = replace(unstopped, record=replace(unstopped.record, start=None))
    assert TASK_LOST.code in [f.code for f in run_flags(run_of(unstopped))]


def test_a_task_that_ended_twice_over_a_stop_is_a_finding_too() -> None:
    twice = [*stop_rows(), finished(7, 6 * S), finished(7, 7 * S, process=200), finished(3, 3 * S + 60 * MS)]
    data = run_of(stop(twice))
    assert [f.code for f in run_flags(data)].count(TASK_DOUBLED_AT_STOP.code) == 1
    measures = SCENARIO.measures(data)
    assert (measures["stop_lost_tasks"], measures["stop_doubled_tasks"], measures["stop_finished_in_hand_tasks"]) == (0, 2, 2)


def test_a_worker_that_had_to_be_killed_is_named() -> None:
    (flag,) = SCENARIO.flags(run_of(stop(graceful=False)))
    assert flag.code == STOP_NOT_GRACEFUL.code
    assert SCENARIO.measures(run_of(stop(graceful=False)))["stop_graceful_share"] == 0


def test_starts_that_read_nothing_were_not_cold() -> None:
    data = run_of(start(2, "page-cache-cold", replace(WAITING, page_cache_cold=True), times(), 600))
    measures = SCENARIO.measures(data)
    assert {measures[name] for name in SCENARIO.columns if name.startswith("page_cache")} == {None}
    (flag,) = SCENARIO.flags(data)
    assert flag.code == PAGE_CACHE_WARM.code
    assert SCENARIO.flags(run_of()) == []


def test_nothing_executed_gives_no_first_task() -> None:
    phase = phase_data(2, "waiting-1", Burst(1), [sent(0, phase=2)], 1, start=StartRecord(WAITING, times(), None))
    measures = SCENARIO.measures(run_of(phase))
    assert measures["startup_ms"] == 100
    assert (measures["first_task_waiting_ms"], measures["connected_to_first_task_ms"], measures["lost"]) == (None, None, 1)


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    measures = SCENARIO.measures(run_of())
    assert list(measures) == list(SCENARIO.columns)
    assert (measures["startup_ms"], measures["import_ms"], measures["stop_ms"], measures["ready_processes"]) == (None,) * 4
    assert (measures["starts"], measures["task_count"], measures["memory_mb"]) == (0, 0, 40)


def test_phases_follow_the_sizes() -> None:
    plans = list(SCENARIO.phases(context(starts=2, stops=1, import_starts=1, bytecode_cold_starts=1, page_cache_cold_starts=0)))
    names = [plan.name for plan in plans]
    assert names[0] == "stop-1"
    assert set(names[1:5]) == {"waiting-1", "ready-1", "imports-1", "bytecode-cold-1"}
    assert set(names[5:]) == {"waiting-2", "ready-2"}
    assert all(plan.start is not None for plan in plans)
    assert (plans[0].load, plans[0].start) == (Burst(16), StartWish("ready", stop_after=4))
    assert {plan.load for plan in plans[1:]} == {Burst(1)}
    assert {plan.name: [device.name for device in plan.devices] for plan in plans if plan.devices} == {
        "imports-1": ["bare_starts", "imports"]
    }


@pytest.mark.parametrize(
    ("name", "value"), [("starts", 0), ("stop_task_s", 0), ("bare_starts", 0), ("stops", -1), ("stop_tasks_per_slot", 3)]
)
def test_a_size_that_makes_no_sense_is_named(name: str, value: float) -> None:
    SCENARIO.check(QUICK)
    with pytest.raises(ValueError, match=re.escape(f"size {name} of")):
        SCENARIO.check({**QUICK, name: value})
