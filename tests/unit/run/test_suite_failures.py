"""What a suite makes of runs that fail: kept with all that was recorded, made again, marked, and never the end of the others."""

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from benchmarks.plan.suite_plan import Entry
from benchmarks.record.flags import REPEATED, RUN_FAILED, SCENARIO_FAILED
from benchmarks.record.run_data import RunResult
from benchmarks.results.documents import ResultsDiskError
from benchmarks.results.result_set import ResultSet
from benchmarks.run import suite
from benchmarks.run.labs.lab import LabError
from benchmarks.run.one_run.spec import LabFault, RecordedRun, RunSpec
from benchmarks.run.suite import Suite
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tests.unit.made_up import good_run
from tests.unit.plan.test_suite_plan import KNOWN, PLAN
from tests.unit.results.test_result_set import gathered
from tests.unit.run.test_suite import MadeUpRunner, Recorder, recorded

ONE = replace(PLAN, entries=(Entry("a", "some-fast"),), runs=2, max_runs=4)
FAILED = recorded("Redis was gone\nsince noon", data=None)


@pytest.fixture
def results(tmp_path: Path) -> ResultSet:
    return ResultSet.create(tmp_path, "x", gathered(control="other"))


def execute(monkeypatch: pytest.MonkeyPatch, results: ResultSet, script: Iterable[Any], plan: Any = ONE) -> list[RunResult]:
    """Run the suite; the rows of the set afterwards."""
    specs: list[RunSpec] = []
    steps = iter(script)
    monkeypatch.setattr(suite, "Runner", lambda *_: MadeUpRunner(steps, specs))
    lab: Any = SimpleNamespace(variants=lambda: KNOWN)
    with suppress(KeyboardInterrupt):
        Suite(plan, [SCENARIO], lab, results, Recorder()).execute()
    return [stored.result for stored in results.stored_runs()]


def marks(row: RunResult) -> list[str]:
    return [flag.detail for flag in row.flags if REPEATED.among([flag])]


def test_a_run_that_failed_is_made_again_within_the_budget_and_the_other_says_so(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    rows = execute(monkeypatch, results, [FAILED, recorded(), recorded()])
    assert [(row.repetition, row.valid) for row in rows] == [(1, False), (2, True), (3, True)]
    assert [marks(row) for row in rows] == [[], [], ["made in the place of run 1, which failed: Redis was gone"]]
    assert RUN_FAILED.among(rows[0].flags)


def test_what_failed_is_made_again_when_the_set_is_resumed(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    """Also where the budget was used up: it is that of each go."""
    plan = replace(ONE, max_runs=2)
    first = execute(monkeypatch, results, [recorded(), FAILED], plan)
    assert results.completed() == {(SCENARIO.name, "a", 1)}
    reopened = ResultSet.open(results.path, resume=True)
    rows = execute(monkeypatch, reopened, [recorded()], plan)
    assert [(row.run, row.repetition, row.valid) for row in rows] == [(1, 1, True), (2, 2, False), (3, 2, True)]
    assert marks(rows[2]) == ["made in the place of run 2, which failed: Redis was gone"]
    assert rows[:2] == first
    again = ResultSet.open(results.path, resume=True)
    assert execute(monkeypatch, again, [], plan) == rows, "nothing is left to be made again"


def test_what_was_cut_off_is_made_when_the_set_is_resumed(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    execute(monkeypatch, results, [recorded(), KeyboardInterrupt()])
    rows = execute(monkeypatch, ResultSet.open(results.path, resume=True), [recorded()])
    assert [(row.repetition, row.valid) for row in rows] == [(1, True), (2, True)]


def test_a_variant_that_was_given_up_is_tried_again_when_the_set_is_resumed(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    assert [row.failure is None for row in execute(monkeypatch, results, [FAILED, FAILED])] == [False, False]
    rows = execute(monkeypatch, ResultSet.open(results.path, resume=True), [recorded(), recorded()])
    assert [(row.repetition, row.valid) for row in rows[2:]] == [(1, True), (2, True)]
    assert [len(marks(row)) for row in rows[2:]] == [1, 1]


@pytest.mark.parametrize("part", ["measures", "flags", "measured_in"])
def test_a_scenario_that_raises_costs_its_own_run_and_nothing_that_was_recorded(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet, part: str
) -> None:
    calls = iter([True])
    own = getattr(SCENARIO, part)

    def raises_once(*arguments: Any) -> Any:
        if next(calls, False):
            raise ZeroDivisionError("no tasks")
        return own(*arguments)

    monkeypatch.setattr(SCENARIO, part, raises_once, raising=False)
    readings = {"ledger": pd.DataFrame({"phase": [1], "count": [3]})}
    tables = {1: good_run().phases["capacity"].tasks}
    broken = recorded(tables=tables, readings=readings)
    rows = execute(monkeypatch, results, [broken, recorded(), recorded()])
    assert [row.valid for row in rows] == [False, True, True]
    assert SCENARIO_FAILED.among(rows[0].flags)
    assert (rows[0].failure or "").startswith("ZeroDivisionError: no tasks")
    stored = results.stored_runs()[0]
    assert len(stored.tasks()) == len(tables[1])
    assert stored.reading("ledger").equals(readings["ledger"])
    assert [phase["name"] for phase in stored.record["phases"]] == list(good_run().phases)


def test_a_measure_that_cannot_be_stored_costs_its_own_run_only(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    values = iter([float("nan"), 1.0, 1.0])
    own = SCENARIO.measures
    monkeypatch.setattr(SCENARIO, "measures", lambda data: {**own(data), "drain_per_s": next(values)}, raising=False)
    rows = execute(monkeypatch, results, [recorded(), recorded(), recorded()])
    assert [row.valid for row in rows] == [False, True, True]
    assert "drain_per_s is not a number" in (rows[0].failure or "")


def test_a_lab_without_redis_ends_the_suite_when_the_run_is_stored(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    fault = LabFault("redis", "the lab's Redis is gone; resume", for_all=True, log="bye\n")
    broken = replace(FAILED, lab_fault=fault, logs={"redis": fault.log})
    with pytest.raises(LabError, match="Redis is gone; resume"):
        execute(monkeypatch, results, [recorded(), broken])
    good, failed = results.stored_runs()
    assert (good.result.failure, failed.result.failure) == (None, "Redis was gone\nsince noon")
    assert (failed.folder / "redis.log").read_text() == "bye\n"


def test_a_node_that_is_gone_costs_its_own_runs_and_the_set_is_not_complete(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    plan = replace(ONE, entries=(Entry("a", "some-fast"), Entry("b", "other")))

    class Lame(MadeUpRunner):
        def make(self, spec: RunSpec) -> RecordedRun:
            fault = LabFault("worker-other", "node worker-other: gone", for_all=False, log="")
            return replace(FAILED, spec=spec, lab_fault=fault) if spec.variant == "other" else replace(recorded(), spec=spec)

    monkeypatch.setattr(suite, "Runner", lambda *_: Lame(iter(()), []))
    lab: Any = SimpleNamespace(variants=lambda: KNOWN)
    with pytest.raises(LabError, match="worker-other: gone"):
        Suite(plan, [SCENARIO], lab, results, Recorder()).execute()
    made = [(s.result.variant, s.result.valid) for s in results.stored_runs()]
    assert made.count(("a", True)) == plan.runs
    assert made.count(("b", False)) == 2


def test_a_full_disk_is_said_and_leaves_what_there_is_whole(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    writes = iter(range(1_000))

    def full(self: pd.DataFrame, path: Path, **_: Any) -> None:
        Path(path).write_bytes(b"PAR1 and not more")
        if next(writes) >= 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    execute(monkeypatch, results, [recorded(), KeyboardInterrupt()])
    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_parquet", full)
        with pytest.raises(ResultsDiskError, match=r"No space left.*make room.*benchmark-resume"):
            execute(monkeypatch, results, [recorded()])
    assert not list(results.path.rglob(".unfinished*"))
    rows = execute(monkeypatch, ResultSet.open(results.path, resume=True), [recorded()])
    assert [(row.repetition, row.valid) for row in rows] == [(1, True), (2, True)]
