"""What a suite was asked for."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.plan.suite_plan import Entry, SuitePlan, parse_entries
from benchmarks.results.result_set import ResultSet
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tests.unit.results.test_result_set import gathered

KNOWN = {"some-fast": "some", "some-slow": "some", "other": "other"}


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


PLAN = SuitePlan(
    lab="local",
    preset="quick",
    scenarios=(SCENARIO.name,),
    entries=(Entry("a", "some-fast"), Entry("b", "some-fast"), Entry("other", "other")),
    sizes={"tasks": 5},
    runs=2,
    max_runs=3,
    processes=1,
    concurrency=2,
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
