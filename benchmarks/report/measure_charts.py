"""Charts of measures that are no rates: memory, what was expected, and all variants by all measures."""

from collections.abc import Iterator

import numpy as np

from benchmarks.chart import Axis, Chart, Floats, HeatMap, Mark, Panel, Scale, Series, Shape
from benchmarks.record.better import Direction, Nearest, place
from benchmarks.report.scenario_data import REACH_WORDS, ScenarioData, heading, reach_of, variant_axis
from benchmarks.words import number

MEMORY = {"idle": "memory_idle_pss_mb", "peak": "memory_peak_pss_mb", "after": "memory_after_pss_mb"}
_MEMORY_MARKS = {"idle": Mark("o", "circle-open"), "peak": Mark("|", "line-ns-open"), "after": Mark("x", "x-thin-open")}


def memory(data: ScenarioData) -> Iterator[Chart]:
    """Memory idle, at its peak and after."""
    series = []
    for variant in data.drawn():
        for when, name in MEMORY.items():
            found = variant.measures[name]
            if found.mean is not None:
                low, high = reach_of(found)
                x, y = np.array([found.mean]), [variant.name]
                series.append(Series(variant.name, Shape.POINTS, x, y, low, high, _MEMORY_MARKS[when], when))
    yield Chart(
        name="memory",
        title="Memory of the worker",
        caption="PSS of the worker's whole process tree: warm and idle before the first load (circle), at its peak (bar), and "
        f"after the last drain (cross). Means over the valid runs with {REACH_WORDS}.",
        panels=(Panel("", Axis("PSS, MB", Scale.LINEAR, from_zero=True), variant_axis(data), tuple(series)),) if series else (),
    )


_MEASURED, _EXPECTED = Mark("o", "circle-open"), Mark("|", "line-ns-open")


def expected(data: ScenarioData) -> Iterator[Chart]:
    """Measures beside what was expected of them, where anything was and could be judged."""
    held = dict.fromkeys((found.measure, found.expected) for found in data.analysis.expectations)
    if held:
        yield Chart(
            name="expected",
            title="Measured and expected",
            caption=f"What was measured (circle), as means over the valid runs with {REACH_WORDS}, and what was expected in the "
            "same runs (bar).",
            panels=tuple(_expected_panel(data, measure, wanted) for measure, wanted in held),
        )


def _expected_panel(data: ScenarioData, measure: str, wanted: str) -> Panel:
    judged = {found.variant for found in data.analysis.expectations if (found.measure, found.expected) == (measure, wanted)}
    series = []
    for variant in (variant for variant in data.drawn() if variant.name in judged):
        measured, asked = variant.measures[measure], variant.measures[wanted]
        low, high = reach_of(measured)
        y = [variant.name]
        series.append(Series(variant.name, Shape.POINTS, _one(measured.mean), y, low, high, _MEASURED, "measured"))
        series.append(Series(variant.name, Shape.POINTS, _one(asked.mean), y, mark=_EXPECTED, label="expected"))
    title = heading(data.analysis, measure)
    return Panel(title, Axis(title, Scale.LINEAR, from_zero=True), variant_axis(data), tuple(series))


def _one(value: float | None) -> Floats:
    return np.array([_or_nan(value)])


def heat_map(data: ScenarioData) -> Iterator[Chart]:
    """Every variant by every measure of the summary of which one can say what is better."""
    analysis = data.analysis
    judged = [name for name in analysis.summary if name in analysis.better and name not in data.shares]
    measures = [name for name in judged if any(v.measures[name].mean is not None for v in data.drawn())]
    means = np.array([[_or_nan(v.measures[name].mean) for name in measures] for v in data.drawn()])
    if not measures:
        return
    shades = np.column_stack([_shades(means[:, i], analysis.better[name]) for i, name in enumerate(measures)])
    words = tuple(tuple("" if np.isnan(value) else number(value) for value in row) for row in means)
    variants = tuple(variant.name for variant in data.drawn())
    goals = {name: direction.to for name in measures if isinstance(direction := analysis.better[name], Nearest)}
    named = ", ".join(f"{heading(analysis, name)} (to {number(to)})" for name, to in goals.items())
    caption = "Means over the valid runs. In each column the shade goes from the worst to the best variant, by ratio."
    yield Chart(
        name="heat-map",
        title="Variants by measure",
        caption=f"{caption} By distance, the nearer the better: {named}." if goals else caption,
        heat_map=HeatMap(variants, tuple(heading(analysis, name) for name in measures), shades, words),
    )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _shades(values: Floats, better: Direction) -> Floats:
    """From 0, the worst, to 1, the best; by ratio where all values are positive, by distance where the nearest is the best."""
    if isinstance(better, Nearest):
        scaled: Floats = np.array([-place(better, value) for value in values])
    else:
        scaled = np.log(values) if (values[np.isfinite(values)] > 0).all() else values
    least, most = np.nanmin(scaled), np.nanmax(scaled)
    if most == least:
        return np.where(np.isfinite(values), 1.0, np.nan)
    rising: Floats = (scaled - least) / (most - least)
    return 1 - rising if better == "lower" else rising
