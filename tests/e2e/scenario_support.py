"""Runs one scenario in a local lab, as the command line does, for tests of what comes out."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.cli.choices import described_variants, entries_of, manifest_of
from benchmarks.cli.progress import PlainDisplay
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.flags import (
    CPU_LIMITED,
    CPU_STEAL,
    CPU_STEAL_HIGH,
    FOREIGN_CPU,
    FOREIGN_CPU_HIGH,
    MACHINE_SPEED_MOVED,
    OFFERED_RATE_MISSED,
    SWAPPING,
    is_valid,
)
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.contract import Scenario
from benchmarks.run.labs.lab import Lab
from benchmarks.run.suite import Suite
from benchmarks.run.watching import Display
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_3_cpu_bound import CPU_TASK_SLOWED
from benchmarks.studies import all_studies
from benchmarks.studies.study import Levels, Place
from tasks.contract import Track

OF_THE_MACHINE = frozenset(
    kind.code
    for kind in (
        CPU_LIMITED,
        CPU_STEAL,
        CPU_STEAL_HIGH,
        FOREIGN_CPU,
        FOREIGN_CPU_HIGH,
        MACHINE_SPEED_MOVED,
        OFFERED_RATE_MISSED,
        SWAPPING,
        CPU_TASK_SLOWED,
    )
)
"""The flags that a machine raises which is busy with something else, or not always equally fast: no test of what the lab does may
fail by them."""


def run_scenario(
    lab: Lab,
    root: Path,
    number: int,
    variants: Sequence[str],
    sizes: Mapping[str, float | int],
    *,
    processes: int = 2,
    display: Display | None = None,
    tracks: Sequence[Track] = ("normalised",),
) -> ResultSet:
    """One run of each variant, with the quick sizes but for those given. Returns the result set, which lies below ``root``."""
    scenario = next(s for s in all_scenarios().values() if s.number == number)
    entries = entries_of(",".join(variants), lab, tracks)
    return _run(lab, root, scenario, entries, sizes, processes, display)


def run_study(
    lab: Lab, root: Path, name: str, variants: Sequence[str], levels: Levels, sizes: Mapping[str, float | int]
) -> ResultSet:
    """One run of each point of a study at these levels, with the quick sizes but for those given."""
    study = all_studies()[name]
    wanted = {**study.sizes["quick"], **sizes}
    places = [Place(variant, len(os.sched_getaffinity(0)), wanted, "quick") for variant in described_variants(lab, variants)]
    return _run(lab, root, study, study.grid(places, levels).entries, sizes)


def _run(
    lab: Lab,
    root: Path,
    scenario: Scenario,
    entries: tuple[Entry, ...],
    sizes: Mapping[str, float | int],
    processes: int = 2,
    display: Display | None = None,
) -> ResultSet:
    plan = SuitePlan(
        lab="local",
        preset="quick",
        scenarios=(scenario.name,),
        entries=entries,
        sizes=sizes,
        runs=1,
        max_runs=1,
        processes=processes,
        concurrency=1,
        warmup_s=0.1,
        run_timeout_s=120,
        seed=1,
    )
    scenario.check(plan.sizes_of(scenario))
    results = ResultSet.create(root, "test", manifest_of(plan, [scenario], lab))
    Suite(plan, [scenario], lab, results, display or PlainDisplay(Console(stderr=True))).execute()
    results.finish("complete")
    return results


def stored(results: ResultSet, variant: str) -> StoredRun:
    """The one run of a variant."""
    (run,) = [s for s in results.stored_runs() if s.result.variant == variant]
    return replace(run, result=whole(run.result))


def number_of(run: StoredRun, phase: str) -> int:
    """The number of a phase, which depends on the order that the run has drawn."""
    (number,) = [record["number"] for record in run.record["phases"] if record["name"] == phase]
    assert isinstance(number, int)
    return number


def require_valid(results: ResultSet, but: Collection[str] = ()) -> Mapping[str, RunResult]:
    """All rows by variant; each must be valid, or the first reason why it is not fails the test. Flags :data:`OF_THE_MACHINE` and
    those of ``but`` do not count."""
    rows = {row.variant: row for row in (s.result for s in results.stored_runs())}
    for row in rows.values():
        assert row.failure is None, f"{row.variant}: {row.failure}"
        flags = [flag for flag in row.flags if flag.code not in {*OF_THE_MACHINE, *but}]
        assert is_valid(flags), f"{row.variant}: {'; '.join(map(str, flags))}"
    return {variant: whole(row) for variant, row in rows.items()}


def whole(row: RunResult) -> RunResult:
    """A row with its measures as they were taken, also where the machine has made a phase invalid."""
    return replace(row, measures={**row.measures, **row.spoiled}, spoiled={})
