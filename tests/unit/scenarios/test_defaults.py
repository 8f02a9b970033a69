"""A tiny scenario on the base."""

from collections.abc import Generator, Mapping
from dataclasses import replace

import pytest

from benchmarks.plan.sizes import Sizes
from benchmarks.record.better import Direction
from benchmarks.record.run_data import Measures, RunContext, RunData
from benchmarks.record.shared import BESIDE_MEMORY, SHARED_COLUMNS
from benchmarks.record.totals import TOTAL_COLUMNS
from benchmarks.run.contract import Look, PhasePlan, Scenario
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.contract import Variant
from tasks.loads import Prefilled, only
from tests.unit.made_up import context, good_run, missing

SIZES = {"tasks": 10, "slots": 2}


class Tiny(ScenarioDefaults):
    """One drain."""

    number = 99
    name = "scenario_99_tiny"
    title = "Tiny"
    question = "How much?"
    headline = "throughput"
    sizes: Mapping[str, Sizes] = {"quick": SIZES}
    summary: Mapping[str, str] = {"throughput": "tasks/s"}
    drained = "capacity"
    paced = "paced"
    own_columns: Mapping[str, str] = {"p50": "median, in other words", "drain_per_s": "capacity", "bulk_per_s": "bulk"}
    own_better: Mapping[str, Direction | None] = {**directions(higher=("drain_per_s", "bulk_per_s")), "total_time": None}

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The drain."""
        yield PhasePlan("capacity", only("noop"), Prefilled(int(context.sizes["tasks"])))

    def own_measures(self, data: RunData) -> Measures:
        """Only what was drained."""
        capacity = data.phases.get("capacity")
        return {} if capacity is None else {"drain_per_s": capacity.tasks.drain_rate_per_s()}


class Lacking(Tiny):
    """Without a paced phase."""

    lacking = ("mean_latency", "p50", "p95", "p99")
    own_columns: Mapping[str, str] = {"drain_per_s": "capacity"}
    own_better: Mapping[str, Direction | None] = {}


class Misnaming(Tiny):
    """Measures what is no column."""

    def own_measures(self, data: RunData) -> Measures:
        """Something else."""
        return {"drained_per_s": 1}


def test_it_is_a_scenario() -> None:
    tiny: Scenario = Tiny()
    assert len(list(tiny.phases(context(SIZES)))) == 1
    assert tiny.unsupported(Variant("x", "thread", "x")) is None
    assert (tiny.flags(good_run()), tiny.shares, tiny.facts, tiny.own_flags) == ((), {}, (), ())


def test_columns_are_the_shared_ones_its_own_and_the_totals() -> None:
    columns = Tiny().columns
    assert list(columns) == [*SHARED_COLUMNS, *BESIDE_MEMORY, "drain_per_s", "bulk_per_s", *TOTAL_COLUMNS]
    assert columns["p50"] == "median, in other words"
    assert columns["p95"] == SHARED_COLUMNS["p95"]
    assert list(Lacking().columns) == [
        *("task_count", "total_time", "throughput", "memory_mb", "cpu_percent", *BESIDE_MEMORY, "drain_per_s"),
        *TOTAL_COLUMNS,
    ]


def test_better_is_what_holds_for_the_shared_ones_and_its_own_word() -> None:
    lower = ("mean_latency", "p50", "p95", "p99", "memory_mb", "memory_uss_mb", "failed", "lost", "duplicated")
    assert Tiny().better == directions(higher=("throughput", "drain_per_s", "bulk_per_s"), lower=lower)
    assert Lacking().better == directions(
        higher=("throughput",), lower=("total_time", "memory_mb", "memory_uss_mb", "failed", "lost", "duplicated")
    )


def test_every_size_must_be_above_zero() -> None:
    Tiny().check(SIZES)
    with pytest.raises(ValueError, match="size tasks of scenario_99_tiny must be positive, not 0"):
        Tiny().check({**SIZES, "tasks": 0})
    with pytest.raises(KeyError, match="tasks"):
        Tiny().check({"slots": 1})


def test_measures_come_in_the_order_of_the_columns_with_none_for_what_was_not_measured() -> None:
    measures = Tiny().measures(good_run())
    assert list(measures) == list(Tiny().columns)
    assert measures["drain_per_s"] == pytest.approx(1000)
    assert (measures["task_count"], measures["attempted"]) == (200, 340)
    assert missing(measures) == ["bulk_per_s"]
    early = Tiny().measures(replace(good_run(), phases={}, samples=[]))
    assert list(early) == list(measures)
    assert (early["throughput"], early["drain_per_s"], early["memory_mb"], early["attempted"]) == (None, None, 40, 0)
    assert list(Lacking().measures(good_run())) == list(Lacking().columns)


def test_a_measure_that_is_no_column_is_an_error() -> None:
    with pytest.raises(KeyError, match="scenario_99_tiny measures what is no column of it: drained_per_s"):
        Misnaming().measures(good_run())
