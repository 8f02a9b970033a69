"""What every study must hold to, whatever it asks."""

import math
import re
from dataclasses import replace

import pytest

from benchmarks.cli.study import ALL, COMMON
from benchmarks.plan.grid import VARIANT
from benchmarks.record.flags import Flag
from benchmarks.results.chart_data import ChartData
from benchmarks.results.tables import csv_columns
from benchmarks.run.calibration import CALIBRATIONS
from benchmarks.studies import all_studies, short_name
from benchmarks.studies.study import Place, Study
from tasks.contract import Variant
from tests.unit.made_up import context, good_run

STUDIES = list(all_studies().values())
every_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
COLUMN = re.compile(r"[a-z][a-z0-9_]*")
VARIANTS = (
    Variant("some-one", "main-thread", "made up", concurrency_limit=1),
    Variant("some-forked", "child-process", "made up", concurrency_limit=1),
    Variant("some-threads", "thread", "made up"),
)


def places(study: Study, preset: str) -> list[Place]:
    return [Place(variant, 2, study.sizes[preset], preset) for variant in VARIANTS]


@every_study
def test_it_declares_what_it_varies_and_measures(study: Study) -> None:
    assert study.number is None
    assert study.title
    assert study.question.endswith("?")
    columns = set(study.columns)
    assert study.headline in columns
    assert set(study.summary) | set(study.better) | set(study.shares) <= columns
    assert all(COLUMN.fullmatch(name) and meaning for name, meaning in study.columns.items())
    assert study.factors
    assert all(COLUMN.fullmatch(factor.name) and factor.words and factor.name != VARIANT for factor in study.factors)
    header = csv_columns(list(study.columns), [factor.name for factor in study.factors], epochs=True)
    assert len(header) == len(set(header)), "a factor is called as another column is"
    assert set(study.facts) <= set(CALIBRATIONS)


@every_study
def test_its_options_are_its_sizes_with_words_and_clash_with_none_that_all_studies_have(study: Study) -> None:
    assert list(study.sizes) == list(study.runs) == ["quick", "standard", "full"]
    own = [*study.options, *(factor.name for factor in study.factors)]
    assert all(set(sizes) == set(study.options) for sizes in study.sizes.values())
    assert all(study.options.values())
    assert len(own) == len(set(own))
    assert not set(own) & set(COMMON)
    assert set(study.least) | set(study.most) <= set(study.options)
    assert short_name(study) != ALL
    for sizes in study.sizes.values():
        study.check(sizes)


@every_study
@pytest.mark.parametrize("preset", ["quick", "standard", "full"])
def test_its_own_levels_make_sense_and_it_knows_what_they_take(study: Study, preset: str) -> None:
    grid = study.grid(places(study, preset), {})
    assert grid.left_out == (), "levels that make no sense are not to be among its own"
    assert all(needs.time_s > 0 and needs.memory_bytes > 0 for needs in grid.needs)
    assert len({entry.name for entry in grid.entries}) == len(grid.entries)
    for entry in grid.entries:
        assert re.fullmatch(r"[a-z0-9-]+", entry.name)
        assert list(entry.point) == [factor.name for factor in study.factors]
        assert all(not factor.known or entry.point[factor.name] in factor.known for factor in study.factors)


@every_study
def test_a_run_that_ended_before_its_first_phase_has_every_column_and_no_number_that_is_none(study: Study) -> None:
    entry = study.grid(places(study, "quick"), {}).entries[0]
    made = context(study.sizes["quick"], point=entry.point)
    ended_early = replace(good_run(), scenario=study.name, phases={}, context=made)
    measures = study.measures(ended_early)
    assert list(measures) == list(study.columns)
    assert [name for name, value in measures.items() if value is not None and not math.isfinite(value)] == []
    assert all(isinstance(flag, Flag) for flag in study.flags(ended_early))


@every_study
def test_it_concludes_and_draws_without_a_figure(study: Study) -> None:
    entry = study.grid(places(study, "quick"), {}).entries[0]
    nothing = ChartData((), None, {}, {})
    bare = ChartData((entry.name,), None, {entry.name: {}}, {}, {entry.name: entry.point}, {entry.name: entry.variant})
    for data in (nothing, bare):
        assert all(not answer.decided for answer in study.conclusions(data))
        assert not any(chart.heat_map for chart in study.charts(data))
