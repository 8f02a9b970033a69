"""What a suite was asked for."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from benchmarks.plan.suite_plan import Entry, SuitePlan, on_tracks, parse_entries
from benchmarks.results.result_set import ResultSet
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tasks.contract import Track
from tests.unit.results.test_result_set import gathered

KNOWN = {"some-fast": "some", "some-slow": "some", "other": "other"}


def test_entries_are_named_after_their_variant_or_as_told() -> None:
    assert parse_entries("other, some-fast ,again=other", KNOWN) == (
        Entry("other", "other"),
        Entry("some-fast", "some-fast"),
        Entry("again", "other"),
    )


def test_an_entry_may_have_its_own_tasks_at_once_within_a_process() -> None:
    assert parse_entries("other@1,other@10,many=other@100", KNOWN) == (
        Entry("other-1", "other", concurrency=1),
        Entry("other-10", "other", concurrency=10),
        Entry("many", "other", concurrency=100),
    )


ENTRIES = (Entry("floor", "limit"), Entry("a", "some-fast"), Entry("b", "some-fast", concurrency=10))


def test_on_several_tracks_every_entry_but_the_control_is_entered_on_each() -> None:
    entered = on_tracks(ENTRIES, ("normalised", "tuned"), control="limit")
    assert [(e.name, e.track, e.concurrency) for e in entered] == [
        ("floor", "normalised", None),
        ("a", "normalised", None),
        ("a-tuned", "tuned", None),
        ("b", "normalised", 10),
        ("b-tuned", "tuned", 10),
    ]


@pytest.mark.parametrize("track", get_args(Track))
def test_on_one_track_entries_keep_their_names(track: Track) -> None:
    assert on_tracks(ENTRIES, (track,), control=None) == tuple(replace(e, track=track) for e in ENTRIES)


def test_a_name_that_a_track_makes_must_be_free() -> None:
    with pytest.raises(ValueError, match="entered twice: a-tuned"):
        on_tracks((Entry("a", "other"), Entry("a-tuned", "other")), ("normalised", "tuned"), None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("other@", "'other@': after @ stand the tasks at once within a process, a number from 1, as in other@10"),
        ("other@0", "'other@0': after @"),
        ("a=other@x", "as in a=other@10"),
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
    warmup_s=0.5,
    run_timeout_s=30.0,
    seed=4,
)


def test_a_plan_survives_the_manifest(tmp_path: Path) -> None:
    stored = ResultSet.create(tmp_path, "x", gathered(settings={**asdict(PLAN), "redis": {}}))
    assert SuitePlan.from_json(ResultSet.open(stored.path).manifest()["settings"]) == PLAN


def test_a_plan_of_before_concurrency_was_a_setting_is_read_with_its_one_track() -> None:
    newer = asdict(PLAN)
    entries = [{"name": e["name"], "variant": e["variant"]} for e in newer["entries"]]
    del newer["concurrency"]
    older = newer | {"entries": entries, "processes": 2, "slots": 8, "track": "tuned"}
    read = SuitePlan.from_json(older)
    assert (read.processes, read.concurrency, {entry.track for entry in read.entries}) == (2, 4, {"tuned"})


def test_a_manifest_without_a_plan_is_told_from_one_with() -> None:
    with pytest.raises(KeyError):
        SuitePlan.from_json({"runs": 3})


def test_sizes_of_the_user_go_before_those_of_the_preset() -> None:
    sizes = replace(PLAN, sizes={"tasks": 5, "of-another-scenario": 1}).sizes_of(SCENARIO)
    assert sizes == {**SCENARIO.sizes["quick"], "tasks": 5}
