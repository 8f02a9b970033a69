"""Which runs a suite makes, in which order and how many, and what it keeps of each."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from benchmarks.plan.order import order_of_round
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.enough import FAILURES_BEFORE_GIVING_UP
from benchmarks.record.flags import MACHINE_SHARED, RUN_FAILED, TASK_LOST, WORKER_DIED
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.run import suite
from benchmarks.run.contract import Scenario
from benchmarks.run.one_run.spec import RecordedRun, RunSpec
from benchmarks.run.suite import Suite, outcome_text, record_of, result_of
from benchmarks.run.watching import Shares
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tasks.contract import Variant
from tests.unit.made_up import good_run, phase_data, sent, worker
from tests.unit.plan.test_suite_plan import KNOWN, PLAN
from tests.unit.results.test_result_set import gathered

# ---- what is kept of a run


SPEC = RunSpec(SCENARIO, PLAN.sizes_of(SCENARIO), {}, "some-fast", "some", 1, 1, 1, 1, 2, "normalised", 0.5, 30.0)


def recorded(failure: str | None = None, **changes: Any) -> RecordedRun:
    made = RecordedRun(spec=SPEC, data=good_run(), failure=failure, phase_names={}, tables={}, samples=(), readings={})
    return replace(made, **changes)


def test_a_good_run_has_its_measures() -> None:
    row = result_of(recorded(), "a")
    assert row.valid
    assert (row.variant, row.framework, row.failure) == ("a", "some", None)
    assert row.measures == SCENARIO.measures(good_run())
    assert outcome_text(row, SCENARIO).startswith("drain/s 1,000, ")


@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (123.456, "123.5"), (0.0123456, "0.01235"), (0, "0")])
def test_figures_in_the_line_are_short(value: float, text: str) -> None:
    row = replace(result_of(recorded(), "a"), measures={"drain_per_s": value})
    assert outcome_text(row, SCENARIO) == f"drain/s {text}"


def test_what_was_not_measured_is_left_out_of_the_line() -> None:
    row = result_of(recorded(), "a")
    unknown = replace(row, measures={**row.measures, "p99": None})
    assert "p99" not in outcome_text(unknown, SCENARIO)
    assert "p50" in outcome_text(unknown, SCENARIO)


def test_a_run_that_broke_a_rule_is_kept_with_its_measures_and_the_reason() -> None:
    lossy = phase_data(3, "paced", good_run().phases["paced"].record.load, [sent(0, phase=3)], 1)
    row = result_of(recorded(data=good_run(data={"paced": lossy})), "a")
    assert not row.valid
    assert row.measures["throughput"] == 1000
    assert TASK_LOST.code in {f.code for f in row.flags}
    assert "task-lost: paced: 1 of 1" in outcome_text(row, SCENARIO)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, RUN_FAILED.code),
        (good_run(), RUN_FAILED.code),
        (replace(good_run(), worker=worker(died="killed")), WORKER_DIED.code),
    ],
)
def test_a_run_that_failed_has_no_measures_whatever_was_recorded_of_it(data: Any, code: str) -> None:
    row = result_of(recorded("it hung; its log ends:\nline 1\nline 2", data=data), "a")
    assert (row.valid, row.measures) == (False, {})
    assert [f.code for f in row.flags] == [code]
    assert row.failure is not None
    assert row.failure.endswith("line 2"), "the log's tail is kept"
    assert outcome_text(row, SCENARIO) == "it hung; its log ends:"


@pytest.mark.parametrize("failure", [None, "it hung"])
def test_what_stands_against_every_run_stands_in_each_row(failure: str | None) -> None:
    shared = MACHINE_SHARED.flag(others="another lab ran")
    alone, beside = result_of(recorded(failure), "a"), result_of(recorded(failure), "a", [shared])
    assert beside.flags == (*alone.flags, shared)
    assert beside.valid == alone.valid


def test_the_books_are_kept_beside_the_row() -> None:
    record = record_of(recorded(data=good_run(), phase_names={1: "capacity"}))
    assert record["executed_variant"] == "some-fast"
    assert record["accounts"]["capacity"].completed == 200
    assert [phase.name for phase in record["phases"]] == ["capacity", "bulk", "paced", "half"]
    nothing = record_of(recorded("broken", data=None))
    assert (nothing["worker"], nothing["phases"], nothing["accounts"]) == (None, [], {})


# ---- a whole suite, with runs that are made up


class Recorder:
    """A display that remembers."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.ended: list[bool] = []
        self.tables: list[tuple[str, int]] = []
        self.so_far: list[tuple[int, int, list[str]]] = []
        """Runs ended, rows and variants of which more follow, each time that the planned runs are done."""

    def begin_run(self, title: str, number: int, total: int) -> None:
        self.begun.append((title, number, total))

    def end_run(self, title: str, outcome: str, good: bool) -> None:
        self.ended.append(good)

    def end_planned_runs(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares, wanting: Sequence[str]) -> None:
        self.so_far.append((len(self.ended), len(rows), list(wanting)))

    def end_scenario(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
        self.tables.append((scenario.name, len(rows)))

    def phase(self, name: str, planned: int) -> None: ...

    def progress(self, done: int) -> None: ...


class MadeUpRunner:
    """Makes runs without a lab; ``script`` says how each ends, and an exception ends the suite."""

    def __init__(self, script: Iterator[RecordedRun | BaseException], specs: list[RunSpec]) -> None:
        self._script = script
        self._specs = specs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def variant(self, framework: str, name: str) -> Variant:
        return Variant(name, "main-thread", f"of {framework}")

    def make(self, spec: RunSpec) -> RecordedRun:
        outcome = next(self._script)
        if isinstance(outcome, BaseException):
            raise outcome
        self._specs.append(spec)
        return replace(outcome, spec=spec)


@pytest.fixture
def results(tmp_path: Path) -> ResultSet:
    return ResultSet.create(tmp_path, "x", gathered(control="other"))


def execute(
    monkeypatch: pytest.MonkeyPatch,
    results: ResultSet,
    plan: SuitePlan,
    script: Iterable[RecordedRun | BaseException],
    *,
    rows_only: bool = False,
) -> tuple[list[tuple[str, int]], Recorder]:
    """Run the suite; which variants ran (by the name they were entered under) with their repetition, and what was displayed."""
    shown, specs, steps = Recorder(), [], iter(script)  # type: ignore[var-annotated]
    monkeypatch.setattr(suite, "Runner", lambda *_: MadeUpRunner(steps, specs))
    lab: Any = SimpleNamespace(variants=lambda: KNOWN)
    before = results.completed()
    with suppress(KeyboardInterrupt):
        Suite(plan, [SCENARIO], lab, results, shown).execute()
    stored = [s.result for s in results.stored_runs()]
    assert rows_only or [s.run for s in stored[len(before) :]] == [spec.run for spec in specs]
    return [(r.variant, r.repetition) for r in stored[len(before) :]], shown


def rounds(plan: SuitePlan, count: int) -> list[tuple[str, int]]:
    return [
        (entry.name, repetition)
        for repetition in range(1, count + 1)
        for entry in order_of_round(plan.entries, plan.seed, SCENARIO.name, repetition)
    ]


def rows(results: ResultSet) -> int:
    return len((results.path / f"{SCENARIO.name}.csv").read_text().splitlines()) - 1


def test_a_suite_makes_its_rounds_in_order(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    ran, shown = execute(monkeypatch, results, PLAN, repeat(recorded()))
    assert ran == rounds(PLAN, 2)
    assert shown.begun[0][1:] == (1, 6)
    assert shown.begun[-1][1:] == (6, 6)
    assert rows(results) == 6
    assert shown.tables == [(SCENARIO.name, 6)]


def test_after_each_run_its_row_is_there_and_at_the_end_of_a_scenario_its_statistics(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    seen: list[tuple[int, bool]] = []

    def script() -> Iterator[RecordedRun]:
        yield recorded()
        while True:
            seen.append((rows(results), (results.path / f"{SCENARIO.name}_stats.json").exists()))
            yield recorded()

    execute(monkeypatch, results, PLAN, script())
    assert seen == [(number, False) for number in range(1, 6)]
    assert (results.path / f"{SCENARIO.name}_stats.json").exists()


def test_a_suite_that_is_stopped_leaves_the_statistics_of_what_it_made(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    _, shown = execute(monkeypatch, results, PLAN, [recorded(), recorded(), KeyboardInterrupt()])
    stats = json.loads((results.path / f"{SCENARIO.name}_stats.json").read_text())
    assert sum(len(variant["runs"]) for variant in stats["variants"].values()) == 2
    assert not shown.tables, "it is not done"


def test_what_the_planned_runs_gave_is_shown_before_time_is_spent_on_more(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet
) -> None:
    plan = replace(PLAN, max_runs=3)
    moved = recorded(data=good_run(same_time_namespace=False))
    bad = order_of_round(plan.entries, plan.seed, SCENARIO.name, 1)[0]
    _, shown = execute(monkeypatch, results, plan, [moved, *repeat(recorded(), 6)])
    assert shown.so_far == [(6, 6, [bad.name])]
    assert shown.tables == [(SCENARIO.name, 7)]


def test_what_is_complete_as_planned_is_shown_once(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    _, shown = execute(monkeypatch, results, PLAN, repeat(recorded()))
    assert (shown.so_far, len(shown.tables)) == ([], 1)


@pytest.mark.parametrize("kept", range(7))
def test_a_resumed_suite_goes_on_as_if_it_had_never_stopped(
    monkeypatch: pytest.MonkeyPatch, results: ResultSet, kept: int
) -> None:
    stopping: list[RecordedRun | BaseException] = [*repeat(recorded(), kept), KeyboardInterrupt()]
    first, _ = execute(monkeypatch, results, PLAN, stopping)
    reopened = ResultSet.open(results.path, resume=True)
    second, shown = execute(monkeypatch, reopened, PLAN, repeat(recorded()))
    assert first + second == rounds(PLAN, 2)
    assert [number for _, number, _ in shown.begun] == list(range(kept + 1, 7))
    assert rows(reopened) == 6


def test_a_variant_that_cannot_do_it_has_one_row_that_says_why(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    unable = next(entry for entry in PLAN.entries if entry.variant == "other")
    reason = {"other": "it lacks chains"}
    monkeypatch.setattr(type(SCENARIO), "unsupported", lambda _, variant: reason.get(variant.name))
    ran, shown = execute(monkeypatch, results, PLAN, repeat(recorded()), rows_only=True)
    assert [name for name, _ in ran].count(unable.name) == 1
    (row,) = [s.result for s in results.stored_runs() if s.result.variant == unable.name]
    assert [str(flag) for flag in row.flags] == ["unsupported: it lacks chains"]
    assert (row.valid, row.failure) == (False, None)
    assert all(shown.ended)


def test_tables_that_a_kill_left_behind_the_runs_are_made_again(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    execute(monkeypatch, results, PLAN, repeat(recorded()))
    complete = (results.path / f"{SCENARIO.name}.csv").read_text()
    (results.path / f"{SCENARIO.name}.csv").unlink()
    ran, _ = execute(monkeypatch, ResultSet.open(results.path, resume=True), PLAN, [])
    assert ran == []
    assert (results.path / f"{SCENARIO.name}.csv").read_text() == complete


def test_a_variant_that_fails_costs_its_own_runs_only(monkeypatch: pytest.MonkeyPatch, results: ResultSet) -> None:
    plan = replace(PLAN, runs=4, max_runs=6)
    failing = order_of_round(plan.entries, plan.seed, SCENARIO.name, 1)[1]

    def script() -> Iterator[RecordedRun]:
        for entry in chain.from_iterable(order_of_round(plan.entries, plan.seed, SCENARIO.name, n) for n in range(1, 7)):
            if entry == failing:
                if failures:
                    failures.pop()
                    yield recorded("it would not start", data=None)
            else:
                yield recorded()

    failures = [1] * FAILURES_BEFORE_GIVING_UP
    ran, shown = execute(monkeypatch, results, plan, script())
    assert [repetition for name, repetition in ran if name == failing.name] == [1, 2]
    for entry in set(plan.entries) - {failing}:
        assert [repetition for name, repetition in ran if name == entry.name] == [1, 2, 3, 4]
    assert shown.ended.count(False) == FAILURES_BEFORE_GIVING_UP
    assert rows(results) == 10


@pytest.mark.parametrize("bad", range(4))
def test_the_number_of_runs_shown_comes_true(monkeypatch: pytest.MonkeyPatch, results: ResultSet, bad: int) -> None:
    plan = replace(PLAN, entries=(Entry("a", "some-fast"),), runs=2, max_runs=3)
    lossy = recorded(data=good_run(same_time_namespace=False))
    ran, shown = execute(monkeypatch, results, plan, [*repeat(lossy, bad), *repeat(recorded(), 3)])
    number, total = shown.begun[-1][1:]
    assert number == total == len(ran)
    assert all(number <= total <= plan.max_runs for _, number, total in shown.begun)
