"""Which runs a suite makes, in which order and how many, and what it keeps of each."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plan.order import order_of_round
from benchmarks.plan.suite_plan import Entry, SuitePlan, parse_entries
from benchmarks.record.enough import FAILURES_BEFORE_GIVING_UP, RUNS_FOR_AN_INTERVAL, wants_another_run
from benchmarks.record.flags import RUN_FAILED, TASK_LOST, TIME_NAMESPACE_DIFFERS, WORKER_DIED
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.run import suite
from benchmarks.run.one_run.spec import RecordedRun, RunSpec
from benchmarks.run.suite import Suite, outcome_text, record_of, result_of
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tasks.contract import Variant
from tests.unit.made_up import good_run, phase_data, sent, worker
from tests.unit.results.test_result_set import gathered

KNOWN = {"some-fast": "some", "some-slow": "some", "other": "other"}
ENTRIES = tuple(Entry(name, name) for name in "abcdef")
HEADLINE = SCENARIO.headline


def result(value: float | None, repetition: int = 1, variant: str = "some-fast") -> RunResult:
    """A run that gave this, or that failed."""
    return RunResult(
        SCENARIO.name, "some", variant, repetition, repetition, value is not None,
        measures={HEADLINE: value}, failure=None if value is not None else "it would not start",
    )  # fmt: skip


def invalid(repetition: int = 1) -> RunResult:
    return replace(result(100.0, repetition), valid=False, flags=(TIME_NAMESPACE_DIFFERS.flag(),))


# ---- order


@given(
    entries=st.lists(st.sampled_from(ENTRIES), unique=True),
    seed=st.integers(0, 2**40),
    repetition=st.integers(1, 10_000),
)
def test_a_round_holds_every_entry_once_and_its_order_depends_on_nothing_else(
    entries: list[Entry], seed: int, repetition: int
) -> None:
    order = order_of_round(entries, seed, "scenario", repetition)
    assert sorted(order, key=lambda e: e.name) == sorted(entries, key=lambda e: e.name)
    order_of_round(ENTRIES, seed + 1, "other", 1)
    assert order_of_round(tuple(entries), seed, "scenario", repetition) == order


@pytest.mark.parametrize("changed", ["seed", "scenario", "repetition"])
def test_the_order_changes_with(changed: str) -> None:
    arguments = {"seed": 1, "scenario": "scenario", "repetition": 1}
    orders = {
        tuple(order_of_round(ENTRIES, **{**arguments, changed: value}))  # type: ignore[arg-type]
        for value in (("a", "b", "c", "d") if changed == "scenario" else (1, 2, 3, 4))
    }
    assert len(orders) == 4


def test_every_entry_comes_first_and_last_in_some_round() -> None:
    rounds = [order_of_round(ENTRIES, 1, "scenario", repetition) for repetition in range(1, 101)]
    for position in (0, -1):
        assert {order[position] for order in rounds} == set(ENTRIES)


# ---- how many


outcomes = st.lists(
    st.one_of(st.floats(90, 110), st.just(100.0), st.just("invalid"), st.just("failed")), min_size=6, max_size=6
)  # fmt: skip


def made(outcome: float | str, repetition: int) -> RunResult:
    if outcome == "invalid":
        return invalid(repetition)
    return result(None if outcome == "failed" else float(outcome), repetition)


@settings(max_examples=60)
@given(outcomes=outcomes, runs=st.integers(1, 4), more=st.integers(0, 2))
def test_a_variant_gets_its_valid_runs_within_the_budget_unless_it_only_fails(
    outcomes: list[float | str], runs: int, more: int
) -> None:
    max_runs = runs + more
    results: list[RunResult] = []
    while wants_another_run(results, HEADLINE, runs, max_runs):
        results.append(made(outcomes[len(results)], len(results) + 1))
    valid = sum(r.valid for r in results)
    failed = sum(r.failure is not None for r in results)
    assert len(results) <= max_runs
    assert valid >= runs or len(results) == max_runs or (valid == 0 and failed >= FAILURES_BEFORE_GIVING_UP)


@pytest.mark.parametrize("runs", range(1, RUNS_FOR_AN_INTERVAL))
def test_too_few_runs_for_an_interval_are_enough_when_no_more_were_asked_for(runs: int) -> None:
    results = [result(value, i) for i, value in enumerate((10.0, 1000.0)[:runs], start=1)]
    assert not wants_another_run(results, HEADLINE, runs, max_runs=10)
    assert wants_another_run(results[1:], HEADLINE, runs, max_runs=10)


def test_an_uncertain_headline_wants_more_and_a_certain_one_does_not() -> None:
    certain = [result(value, i) for i, value in enumerate((100.0, 100.5, 99.5, 100.2))]
    uncertain = [result(value, i) for i, value in enumerate((100.0, 150.0, 60.0, 90.0))]
    assert not wants_another_run(certain, HEADLINE, 3, 10)
    assert wants_another_run(uncertain, HEADLINE, 3, 10)
    assert not wants_another_run(uncertain, HEADLINE, 3, 4)


def test_one_that_only_fails_is_given_up_but_not_one_that_worked_before() -> None:
    fails = [result(None, i) for i in range(1, FAILURES_BEFORE_GIVING_UP + 1)]
    assert wants_another_run(fails[1:], HEADLINE, 10, 20)
    assert not wants_another_run(fails, HEADLINE, 10, 20)
    assert wants_another_run([*fails, result(100.0)], HEADLINE, 10, 20)


def test_invalid_runs_are_made_up_for() -> None:
    assert wants_another_run([invalid(1), invalid(2), result(100.0, 3)], HEADLINE, 2, 10)


# ---- entries


def test_entries_are_named_after_their_variant_or_as_told() -> None:
    assert parse_entries("other, some-fast ,again=other", KNOWN) == (
        Entry("other", "other"),
        Entry("some-fast", "some-fast"),
        Entry("again", "other"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing-such", "no variant 'nothing-such'; there are: other, some-fast, some-slow"),
        ("a=nothing-such", "no variant 'nothing-such'"),
        ("other,other", "entered twice: other; give one of them another name, as in again=other"),
        ("other,some-fast=other,some-fast", "entered twice: some-fast"),
        ("", "'' cannot name a variant"),
        ("other,", "'' cannot name a variant"),
        ("=other", "'' cannot name a variant"),
        ("A=other", "'A' cannot name a variant: small letters, digits and hyphens only"),
        ("../a=other", "cannot name a variant"),
        ("a_b=other", "cannot name a variant"),
    ],
)
def test_a_bad_entry_is_named(text: str, told: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_entries(text, KNOWN)
    assert told in str(raised.value)


def test_the_advice_for_a_variant_entered_twice_works() -> None:
    with pytest.raises(ValueError, match="as in") as raised:
        parse_entries("x=other,x=some-fast", KNOWN)
    advice = str(raised.value).rpartition(" ")[2]
    assert len(parse_entries(f"x=other,{advice}", KNOWN)) == 2


# ---- the plan


PLAN = SuitePlan(
    lab="local",
    preset="quick",
    scenarios=(SCENARIO.name,),
    entries=(Entry("a", "some-fast"), Entry("b", "some-fast"), Entry("other", "other")),
    sizes={"tasks": 5},
    runs=2,
    max_runs=3,
    processes=1,
    slots=2,
    track="normalised",
    warmup_s=0.5,
    run_timeout_s=30.0,
    seed=4,
)


def test_a_plan_survives_the_manifest(tmp_path: Path) -> None:
    stored = ResultSet.create(tmp_path, "x", gathered(settings={**asdict(PLAN), "redis": {}}))
    assert SuitePlan.from_json(ResultSet.open(stored.path).manifest()["settings"]) == PLAN


def test_a_manifest_without_a_plan_is_told_from_one_with() -> None:
    with pytest.raises(KeyError):
        SuitePlan.from_json({"runs": 3})


def test_sizes_of_the_user_go_before_those_of_the_preset() -> None:
    sizes = replace(PLAN, sizes={"tasks": 5, "of-another-scenario": 1}).sizes_of(SCENARIO)
    assert sizes == {**SCENARIO.sizes["quick"], "tasks": 5}


# ---- what is kept of a run


SPEC = RunSpec(SCENARIO, PLAN.sizes_of(SCENARIO), {}, "some-fast", "some", 1, 1, 1, 2, "normalised", 0.5, 30.0)


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

    def begin_run(self, title: str, number: int, total: int) -> None:
        self.begun.append((title, number, total))

    def end_run(self, title: str, outcome: str, good: bool) -> None:
        self.ended.append(good)

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
