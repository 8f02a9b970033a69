"""Which charts there are, how variants look in them, and the pictures that are drawn of them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.model import Analysis, VariantAnalysis
from benchmarks.chart import Axis, Chart, HeatMap, Panel, Scale, Series, Shape, tail_position
from benchmarks.record.better import nearest
from benchmarks.report.charts import charts_of
from benchmarks.report.interactive import figures
from benchmarks.report.pictures import draw
from benchmarks.report.recorded import RunCurves, reduce_run
from benchmarks.report.scenario_data import ScenarioData, scenario_data
from benchmarks.report.style import MARKS, PALETTE, Style, styles
from benchmarks.results.result_set import ResultSet
from benchmarks.words import number
from tests.golden import Golden, unpack

VARIANTS = {"swift-b": "swift", "swift-a": "swift", "bare": "bare"}
LOOK = styles(VARIANTS)


def data_of(name: Golden, folder: Path) -> ScenarioData:
    path = unpack(name, folder)
    analysis: Analysis = analyse(path)
    curves: dict[str, list[RunCurves]] = {}
    for stored in ResultSet.open(path).stored_runs():
        if stored.result.valid:
            curves.setdefault(stored.result.variant, []).append(reduce_run(stored))
    return scenario_data(analysis, analysis.scenarios[0], curves)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> ScenarioData:
    return data_of("good", tmp_path_factory.mktemp("good"))


def names(data: ScenarioData) -> list[str]:
    return [chart.name for chart in charts_of(data)]


COMPARING = ["throughput", "latency-percentiles", "latency-distribution", "rate-latency", "memory", "heat-map"]


def test_a_scenario_gets_every_kind_that_its_result_allows(good: ScenarioData) -> None:
    assert names(good) == [*COMPARING, *(f"timeline-{v.name}" for v in good.drawn())]


def without_loads(data: ScenarioData, *kinds: str) -> ScenarioData:
    def reduced(run: RunCurves) -> RunCurves:
        return replace(run, phases=tuple(phase for phase in run.phases if phase.load not in kinds))

    return replace(data, curves={name: [reduced(run) for run in runs] for name, runs in data.curves.items()})


def test_a_kind_whose_load_or_measures_are_missing_is_left_out(good: ScenarioData) -> None:
    closed = names(without_loads(good, "paced"))
    assert {"latency-percentiles", "latency-distribution", "rate-latency"}.isdisjoint(closed)
    assert {"throughput", "memory", "heat-map"} <= set(closed)
    columns = {name: words for name, words in good.analysis.columns.items() if not name.startswith("memory_peak")}
    assert "memory" not in names(replace(good, analysis=replace(good.analysis, columns=columns)))


def test_rates_by_number_of_processes_are_drawn_as_speed_up(good: ScenarioData) -> None:
    rates = {"scale_1_process_per_s": 50.0, "scale_2_processes_per_s": 90.0, "scale_4_processes_per_s": None}

    def measured(variant: VariantAnalysis) -> VariantAnalysis:
        known = variant.measures["drain_per_s"]
        added = {name: replace(known, measure=name, mean=mean) for name, mean in rates.items()}
        return replace(variant, measures={**variant.measures, **added})

    analysis = replace(
        good.analysis,
        columns={**good.analysis.columns, **dict.fromkeys(rates, "tasks/s")},
        variants={name: measured(variant) for name, variant in good.analysis.variants.items()},
    )
    (chart,) = [chart for chart in charts_of(replace(good, analysis=analysis)) if chart.name == "speed-up"]
    for series in chart.panels[0].series:
        assert (series.x.tolist(), list(series.y)) == ([1, 2], [1, 1.8])
    assert chart.variants() == [variant.name for variant in good.drawn()]


def test_what_was_not_sampled_has_no_panel_in_a_timeline(good: ScenarioData) -> None:
    nothing = np.empty(0)

    def unsampled(run: RunCurves) -> RunCurves:
        assert run.timeline is not None
        timeline = replace(run.timeline, memory_time_s=nothing, memory_mb=nothing, cpu_time_s=nothing, cpu_percent=nothing)
        return replace(run, timeline=timeline)

    data = replace(good, curves={name: [unsampled(run) for run in runs] for name, runs in good.curves.items()})
    timeline = next(chart for chart in charts_of(data) if chart.only is not None)
    assert [panel.y.title for panel in timeline.panels] == ["tasks queued", "tasks in flight"]
    assert draw(timeline, "t", LOOK)["svg"].startswith(b"<?xml")


def test_a_variant_without_a_valid_run_is_in_no_chart(tmp_path: Path) -> None:
    data = data_of("invalid", tmp_path)
    drawn = {variant for chart in charts_of(data) for variant in chart.variants()}
    assert drawn == {"bare", "swift"}


def test_without_any_valid_run_there_is_no_chart(good: ScenarioData) -> None:
    def spoilt(data: ScenarioData) -> ScenarioData:
        variants = {
            name: replace(variant, runs=tuple(replace(run, valid=False) for run in variant.runs))
            for name, variant in data.analysis.variants.items()
        }
        return replace(data, analysis=replace(data.analysis, variants=variants), curves={})

    assert names(spoilt(good)) == []


def test_a_single_run_without_a_control_has_no_intervals_and_no_shares(tmp_path: Path) -> None:
    charts = {chart.name: chart for chart in charts_of(data_of("single", tmp_path))}
    assert all(s.low is None for panel in charts["throughput"].panels for s in panel.series)
    assert not any("share" in panel.title for panel in charts["throughput"].panels)


def test_means_stand_within_their_intervals_and_runs_beside_them(good: ScenarioData) -> None:
    headline = next(c for c in charts_of(good) if c.name == "throughput").panels[1]
    for series in headline.series:
        if series.shape is Shape.POINTS:
            assert series.low is not None
            assert series.high is not None
            assert series.low[0] <= series.x[0] <= series.high[0]
    assert sum(series.shape is Shape.DOTS for series in headline.series) == len(good.drawn())


def test_shades_go_from_the_worst_to_the_best_whichever_way_is_better(good: ScenarioData) -> None:
    heat_map = next(chart for chart in charts_of(good) if chart.name == "heat-map").heat_map
    assert heat_map is not None
    for column, heading in enumerate(heat_map.columns):
        measure = next(name for name, words in good.analysis.summary.items() if words == heading)
        means = np.array([good.analysis.variants[name].measures[measure].mean for name in heat_map.variants], np.float64)
        best = means.argmax() if good.analysis.better[measure] == "higher" else means.argmin()
        assert heat_map.shades[best, column] == 1
        assert np.nanmin(heat_map.shades[:, column]) in (0, 1)


def test_the_nearest_has_the_best_shade_where_the_nearest_is_best(good: ScenarioData) -> None:
    measure = "p50"
    to = good.analysis.variants["swift"].measures[measure].mean
    assert to is not None
    data = replace(good, analysis=replace(good.analysis, better={**good.analysis.better, measure: nearest(to)}))
    chart = next(chart for chart in charts_of(data) if chart.name == "heat-map")
    heat_map, heading = chart.heat_map, good.analysis.summary[measure]
    assert heat_map is not None
    column = heat_map.shades[:, heat_map.columns.index(heading)]
    distances = [abs((good.analysis.variants[name].measures[measure].mean or 0) - to) for name in heat_map.variants]
    assert column[heat_map.variants.index("swift")] == 1
    assert column.argsort().tolist() == np.argsort(distances)[::-1].tolist()
    assert f"By distance, the nearer the better: {heading} (to {number(to)})." in chart.caption


@given(st.dictionaries(st.text("abc-", min_size=1, max_size=6), st.sampled_from(["p", "q", "r", "s"]), min_size=1, max_size=7))
def test_a_framework_has_one_colour_and_no_two_variants_look_alike(frameworks: Mapping[str, str]) -> None:
    chosen = styles(frameworks)
    order = sorted(set(frameworks.values()))
    assert {v: style.colour for v, style in chosen.items()} == {v: PALETTE[order.index(f)] for v, f in frameworks.items()}
    assert len({(style.colour, style.mark) for style in chosen.values()}) == len(frameworks)


def test_frameworks_that_share_a_colour_are_told_apart_by_their_marks() -> None:
    chosen = styles({f"v{i}": f"f{i}" for i in range(len(PALETTE) + 2)})
    assert len({(style.colour, style.mark) for style in chosen.values()}) == len(PALETTE) + 2


def test_each_nine_is_as_far_as_the_one_before() -> None:
    assert tail_position(np.array([0, 0.9, 0.99, 0.999])) == pytest.approx([0, 1, 2, 3])


def line(variant: str, **changes: object) -> Series:
    x = np.array([1.0, 2.0, 3.0])
    return replace(Series(variant, Shape.LINE, x, x * 2, low=x, high=x * 3), **changes)  # type: ignore[arg-type]


HOSTILE = '<script>alert(1)</script> & "quoted" $x^2$'
CHARTS = {
    "lines": Chart("c", HOSTILE, HOSTILE, (Panel(HOSTILE, Axis("x", Scale.TAIL), Axis("y", Scale.LOG), (line("swift-a"),)),)),
    "ramp": Chart(
        "c",
        "t",
        "c",
        (
            Panel(
                "",
                Axis("x", Scale.LOG),
                Axis("y", Scale.LOG),
                (line("bare"), Series("bare", Shape.POINTS, np.array([2.0]), np.array([4.0]), words=("knee",))),
            ),
        ),
    ),
    "bars": Chart(
        "c",
        "t",
        "c",
        (
            Panel(
                "",
                Axis("%", Scale.LINEAR, from_zero=True),
                Axis("", Scale.CATEGORY, ("bare", "swift-b")),
                (Series("swift-b", Shape.BARS, np.array([3.0]), ["swift-b"], np.array([2.0]), np.array([4.0]), words=("3 %",)),),
            ),
        ),
    ),
    "heat": Chart(
        "c",
        "t",
        "c",
        heat_map=HeatMap(("bare", "swift-a"), (HOSTILE, "b"), np.array([[0, 1], [np.nan, 0.5]]), (("1", "2"), ("", "3"))),
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_pictures_are_whole_and_the_same_every_time(name: str) -> None:
    files = draw(CHARTS[name], HOSTILE, LOOK)
    assert files["png"].startswith(b"\x89PNG")
    root = ElementTree.fromstring(files["svg"])
    assert root.tag.endswith("svg")
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert draw(CHARTS[name], HOSTILE, LOOK) == files


def test_a_picture_fetches_nothing_and_follows_a_dark_page() -> None:
    svg = draw(CHARTS["lines"], "t", LOOK)["svg"].decode()
    assert "prefers-color-scheme: dark" in svg
    assert not re.search(r"(?:href|src)=\"(?!#)|url\((?!#)|@import", svg)


def test_what_the_page_draws_cannot_be_read_as_markup() -> None:
    for chart in CHARTS.values():
        for document in figures(chart, LOOK, VARIANTS):
            assert "<script>" not in document


def test_the_traces_of_the_page_name_their_frameworks() -> None:
    assert '"framework":"swift"' in figures(CHARTS["lines"], LOOK, VARIANTS)[0]
    assert '"frameworks":["bare","swift"]' in figures(CHARTS["heat"], LOOK, VARIANTS)[0]


def test_a_style_has_a_mark_for_both_libraries() -> None:
    assert isinstance(LOOK["bare"], Style)
    assert len({mark.matplotlib for mark in MARKS}) == len({mark.plotly for mark in MARKS}) == len(MARKS)
