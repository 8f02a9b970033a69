"""The study that docs/adding-a-study.md adds works as it stands there, and so does the engine with it."""

import csv
import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benchmarks.studies
from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.export import export
from benchmarks.analysis.storing import store as store_analysis
from benchmarks.plan.suite_plan import SuitePlan
from benchmarks.record.run_data import RunResult
from benchmarks.report.write import write_report
from benchmarks.results.manifest import describe_scenario
from benchmarks.results.result_set import ResultSet
from benchmarks.studies import all_studies
from benchmarks.studies.expectation import expected, require_fits
from benchmarks.studies.study import Place, Study
from tasks.contract import Variant
from tasks.loads import Paced, classes_of
from tests.support import CHECKOUT
from tests.unit.made_up import MS, context, executed, good_run, phase_data
from tests.unit.plan.test_suite_plan import PLAN
from tests.unit.results.test_result_set import gathered, store

BLOCK = re.compile(r"^```python\n# (?P<file>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDE = CHECKOUT / "docs" / "adding-a-study.md"
MOST_LINES = 90
NAME = "study_oversleeping"
MANY = Variant("some-fast", "greenlet", "as many as asked for")
ONE = Variant("some-slow", "main-thread", "one at a time", concurrency_limit=1)
CONTROL = Variant("bare", "main-thread", "the limit", control=True)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """The guide's study, found beside those of the lab."""
    (block,) = BLOCK.finditer(GUIDE.read_text(encoding="utf-8"))
    file = tmp_path / block["file"]
    file.parent.mkdir(parents=True)
    file.write_text(block["code"], encoding="utf-8")
    assert len(block["code"].splitlines()) <= MOST_LINES
    monkeypatch.setattr(benchmarks.studies, "__path__", [*benchmarks.studies.__path__, str(file.parent)])
    importlib.invalidate_caches()
    try:
        yield all_studies()[NAME]
    finally:
        monkeypatch.delitem(sys.modules, f"benchmarks.studies.{NAME}", raising=False)


def place(study: Study, variant: Variant = MANY, **changes: float) -> Place:
    return Place(variant, 2, {**study.sizes["quick"], **changes}, "quick")


def test_its_grid_is_of_every_variant_and_level_and_names_say_both(study: Study) -> None:
    grid = study.grid([place(study), place(study, ONE)], {})
    assert [entry.name for entry in grid.entries] == ["some-fast-5", "some-fast-50", "some-slow-5", "some-slow-50"]
    assert [entry.point for entry in grid.entries] == [{"told_ms": 5}, {"told_ms": 50}] * 2
    assert {entry.study for entry in grid.entries} == {NAME}
    assert grid.left_out == ()
    assert not study.enters(CONTROL)


def test_levels_of_the_user_take_the_place_of_its_own_and_points_without_sense_are_left_out_with_the_reason(study: Study) -> None:
    grid = study.grid([place(study), place(study, ONE)], {"told_ms": (200,)})
    assert [entry.name for entry in grid.entries] == ["some-fast-200"]
    assert grid.left_out == ("some-slow-200: it would have to sleep 4 times at once: a lower --rate-per-s works",)
    with pytest.raises(ValueError, match=r"no point that makes sense.*some-slow-200: it would have to sleep 4 times"):
        study.grid([place(study, ONE)], {"told_ms": (200,)})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_per_s": 0.0}, "--rate-per-s 0 makes no sense, it must be above 0: 20 works"),
        ({"rate_per_s": 5000.0}, "--rate-per-s 5,000 is too large: the nearest that works is 1,000"),
        ({"sleeps_s": 0.01}, "--sleeps-s 0.01 is too small: the nearest that works is 0.1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_with_the_nearest_that_works(
    study: Study, changes: Mapping[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        study.check({**study.sizes["quick"], **changes})


def test_what_it_is_expected_to_take_is_said_and_what_does_not_fit_is_refused_with_the_largest_that_does(study: Study) -> None:
    grid = study.grid([place(study)], {})
    assert expected([grid], runs=4, warmup_s=1.0) == "2 points, 4 runs of each: about 64 s, and up to 200 MB of memory"
    require_fits(grid, timeout_s=600, available_bytes=1e9)
    with pytest.raises(ValueError, match="needs about 200 MB, and what this machine has left is 100 MB: not one point"):
        require_fits(grid, timeout_s=600, available_bytes=1e8)
    mixed = replace(grid, needs=(replace(grid.needs[0], time_s=700), grid.needs[1]))
    with pytest.raises(ValueError, match=r"some-fast-5 needs about 700 s, .* is 600 s: the largest that works is some-fast-50"):
        require_fits(mixed, timeout_s=600, available_bytes=1e9)


def test_its_phases_and_measures_see_the_point(study: Study) -> None:
    made = context(study.sizes["quick"], point={"told_ms": 5})
    (plan,) = study.phases(made)
    (kind,) = classes_of(plan.tasks)
    assert (kind.workload, kind.argument, plan.load) == ("sleep", 0.005, Paced(20, 2))
    rows = [row for i in range(20) for row in executed(i, i * 50 * MS, service_ns=7 * MS)]
    data = replace(good_run(), context=made, phases={"sleeps": phase_data(1, "sleeps", Paced(20, 1), rows, 20)})
    measures = study.measures(data)
    assert list(measures) == list(study.columns)
    assert measures["over_p50_ms"] == pytest.approx(2)


def stored_set(study: Study, folder: Path) -> ResultSet:
    """Four runs of each of three points, of which each level sleeps another time."""
    entries = study.grid([place(study)], {"told_ms": (5, 20, 50)}).entries
    plan = replace(PLAN, scenarios=(NAME,), entries=entries, runs=4, max_runs=4)
    results = ResultSet.create(
        folder, "quick", gathered(scenarios={NAME: describe_scenario(study)}, settings=asdict(plan), control=None)
    )
    measures = dict.fromkeys(study.columns, None)
    for repetition in range(1, 5):
        for place_, entry in enumerate(entries, 1):
            values = measures | {"over_p50_ms": place_ + repetition / 100}
            row = RunResult(
                NAME, "some", entry.name, results.next_run(), repetition, valid=True, measures=values, point=entry.point
            )
            store(results, row, {"executed_variant": entry.variant})
    results.write_tables()
    results.finish("complete")
    return results


def test_the_plan_of_a_study_is_read_again_as_it_was_so_that_it_is_resumed(study: Study, tmp_path: Path) -> None:
    results = stored_set(study, tmp_path)
    again = SuitePlan.from_json(ResultSet.open(results.path).manifest()["settings"])
    assert again.entries == study.grid([place(study)], {"told_ms": (5, 20, 50)}).entries
    assert [dict(entry.point) for entry in again.entries] == [{"told_ms": 5}, {"told_ms": 20}, {"told_ms": 50}]
    assert again.entries_of(NAME) == again.entries
    assert again.entries_of("study_other") == ()
    assert {(name, n) for _, name, n in results.completed()} == {(e.name, n) for e in again.entries for n in range(1, 5)}


def test_rows_carry_the_factors_as_typed_columns(study: Study, tmp_path: Path) -> None:
    results = stored_set(study, tmp_path)
    with (results.path / f"{NAME}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["executed_variant"], row["told_ms"]) for row in rows[:2]] == [
        ("some-fast-5", "some-fast", "5"),
        ("some-fast-20", "some-fast", "20"),
    ]
    export(results)
    table = pq.read_table(results.path / "export" / "runs.parquet")
    assert str(table.schema.field("told_ms").type) == "int64"
    assert set(table.column("told_ms").to_pylist()) == {5, 20, 50}


def test_it_is_analysed_by_its_declared_pairs_and_answers(study: Study, tmp_path: Path) -> None:
    results = stored_set(study, tmp_path)
    analysis = analyse(results.path)
    (scenario,) = analysis.scenarios
    pairs = {(pair.a, pair.b) for pair in scenario.comparisons if pair.measure == "over_p50_ms"}
    assert pairs == {("some-fast-5", "some-fast-20"), ("some-fast-20", "some-fast-50")}
    (answer,) = scenario.conclusions
    assert answer.text == "They sleep from 1.03 to 3.02 ms longer than told."
    assert [row[1] for row in answer.rows] == ["5", "20", "50"]
    store_analysis(analysis)
    page = write_report(results.path).files[0].read_text(encoding="utf-8")
    assert "They sleep from 1.03 to 3.02 ms longer than told." in page
    assert "study-oversleeping-answer-1" in page
    assert "Too few runs" not in page


def test_a_study_that_cannot_answer_an_older_set_says_so_and_costs_no_report(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> None:
        raise KeyError("told_ms")

    monkeypatch.setattr(study, "conclusions", fails)
    ((answer,),) = (scenario.conclusions for scenario in analyse(stored_set(study, tmp_path).path).scenarios)
    assert not answer.decided
    assert "cannot answer" in answer.text
    assert "told_ms" in answer.text
