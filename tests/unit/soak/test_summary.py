"""What a soak came to is read as it was written, and what it must not show is said."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from benchmarks.soak.books import Totals
from benchmarks.soak.judging import Finding, Verdict
from benchmarks.soak.steps import Step
from benchmarks.soak.summary import COMPLETE, DISK_FULL, FAILED, INTERRUPTED, RUNNING, SoakSummary, faults
from benchmarks.soak.unusual import Unusual
from benchmarks.statistics import Interval

_COUNTS: dict[str, Any] = {f.name: () if f.name.endswith("_ranges") else 0 for f in fields(Totals)}
TOTALS = Totals(**{**_COUNTS, "attempted": 1000, "acknowledged": 1000, "completed": 995, "failed": 5})
SUMMARY = SoakSummary(
    variant="v",
    framework="f",
    state=COMPLETE,
    failure=None,
    began_unix_ns=1,
    lasted_s=10.0,
    planned_s=10.0,
    window_s=1.0,
    windows=10,
    slots=4,
    capacity_per_s=200.0,
    rate_per_s=100.0,
    offered_per_s=100.0,
    done_per_s=100.0,
    p50_ms=5.0,
    p99_ms=50.0,
    slo_ms=0.0,
    totals=TOTALS,
    planned_failures=5,
    worker_deaths=0,
    suspended_s=0.0,
    bursts=2,
    bursts_emptied=2,
    longest_emptying_s=1.0,
    lab_memory_greatest_bytes=None,
    disk_bytes=10,
)


def with_totals(**values: Any) -> SoakSummary:
    return replace(SUMMARY, totals=replace(TOTALS, **values))


def test_it_is_read_as_it_was_written_also_by_an_older_version() -> None:
    summary = with_totals(lost=3, lost_ranges=((1, 2), (9, 9)))
    written = json.loads(json.dumps(summary.as_json()))
    assert SoakSummary.from_json({**written, "of_a_version_to_come": 1}) == summary


def test_a_leak_is_a_fault_and_a_slope_that_is_not_shown_is_none() -> None:
    steps = (Step(4, 1.5),)
    leak = Verdict("worker_pss", "MB", Finding.DRIFTS, "the worker's memory (PSS): rises", 50, 3.5, Interval(2, 5), steps=steps)
    good = [Verdict("x", "MB", finding, "words", 50) for finding in Finding if finding is not Finding.DRIFTS]
    summary = replace(SUMMARY, verdicts=(leak, *good), stand_out=(Unusual(3, ("high",)),))
    assert faults(summary) == ["the worker's memory (PSS): rises"]
    assert SoakSummary.from_json(json.loads(json.dumps(summary.as_json()))) == summary


@pytest.mark.parametrize("state", [COMPLETE, INTERRUPTED])
def test_a_sound_soak_has_no_fault_however_short(state: str) -> None:
    assert faults(replace(SUMMARY, state=state)) == []


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (with_totals(lost=3, lost_ranges=((1, 2), (9, 9))), "3 of 1,000 tasks were lost: numbers 1-2, 9"),
        (with_totals(outstanding=7), "7 of 1,000 tasks had not ended"),
        (with_totals(doubled=1, doubled_ranges=((4, 4),)), "1 tasks were executed more often"),
        (with_totals(send_failed=2), "2 tasks could not be sent"),
        (with_totals(unexpected=1), "nobody had sent"),
        (with_totals(failed=7), "2 tasks failed that were not to"),
        (replace(SUMMARY, worker_deaths=2), "died 2 times"),
        (replace(SUMMARY, bursts_emptied=1), "after 1 of 2 bursts"),
        (replace(SUMMARY, slo_ms=49), "is 50 ms, and was to be at most 49 ms"),
        (replace(SUMMARY, slo_ms=49, p99_ms=None), "is not known"),
        (replace(SUMMARY, state=FAILED, failure="the node is gone"), "the node is gone"),
        (replace(SUMMARY, state=DISK_FULL), "running full"),
        (replace(SUMMARY, state=RUNNING), "without a chance to say so"),
    ],
)
def test_what_it_must_not_show_is_said(summary: SoakSummary, said: str) -> None:
    [fault] = faults(summary)
    assert said in fault


def test_a_service_level_that_is_met_is_no_fault() -> None:
    assert faults(replace(SUMMARY, slo_ms=51)) == []
