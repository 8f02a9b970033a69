"""Whether there are runs enough of a variant."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.record.enough import FAILURES_BEFORE_GIVING_UP, FEWEST_RUNS, RUNS_FOR_AN_INTERVAL, group_flags, wants_another_run
from benchmarks.record.flags import CV_HIGH, TIME_NAMESPACE_DIFFERS, TOO_FEW_RUNS
from benchmarks.record.run_data import RunResult
from benchmarks.scenarios.scenario_1_throughput import SCENARIO

HEADLINE = SCENARIO.headline


def result(value: float | None, repetition: int = 1, variant: str = "some-fast") -> RunResult:
    """A run that gave this, or that failed."""
    return RunResult(
        SCENARIO.name, "some", variant, repetition, repetition, value is not None,
        measures={HEADLINE: value}, failure=None if value is not None else "it would not start",
    )  # fmt: skip


def invalid(repetition: int = 1) -> RunResult:
    return replace(result(100.0, repetition), valid=False, flags=(TIME_NAMESPACE_DIFFERS.flag(),))


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


def test_runs_that_measure_something_else_than_the_headline_want_no_more_for_its_sake() -> None:
    others = [replace(result(100.0, i), measures={HEADLINE: None, "other": 1.0}) for i in range(1, 5)]
    assert wants_another_run(others[:3], HEADLINE, 4, 10)
    assert not wants_another_run(others, HEADLINE, 4, 10)


def test_one_that_only_fails_is_given_up_but_not_one_that_worked_before() -> None:
    fails = [result(None, i) for i in range(1, FAILURES_BEFORE_GIVING_UP + 1)]
    assert wants_another_run(fails[1:], HEADLINE, 10, 20)
    assert not wants_another_run(fails, HEADLINE, 10, 20)
    assert wants_another_run([*fails, result(100.0)], HEADLINE, 10, 20)


def test_invalid_runs_are_made_up_for() -> None:
    assert wants_another_run([invalid(1), invalid(2), result(100.0, 3)], HEADLINE, 2, 10)


def test_steady_values_raise_no_group_flag() -> None:
    assert group_flags("drain_per_s", [100.0, 101.0, 99.0, 100.5]) == ()


def test_spread_and_few_runs_are_said_of_a_group() -> None:
    wild = group_flags("drain_per_s", [100.0, 150.0, 60.0, 130.0])
    assert [flag.code for flag in wild] == [CV_HIGH.code, TOO_FEW_RUNS.code]
    assert "more would narrow it" in wild[1].detail
    assert [flag.code for flag in group_flags("p50", [1.0] * (FEWEST_RUNS - 1))] == [TOO_FEW_RUNS.code]
    assert [flag.code for flag in group_flags("p50", [])] == [TOO_FEW_RUNS.code]
