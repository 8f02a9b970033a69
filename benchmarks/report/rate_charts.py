"""Charts of rates: throughput, and the speed-up by processes."""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.analysis.model import VariantAnalysis
from benchmarks.chart import Axis, Chart, Panel, Scale, Series, Shape
from benchmarks.report.scenario_data import REACH_WORDS, ScenarioData, heading, reach_of, variant_axis
from benchmarks.words import percent


def rates(data: ScenarioData) -> Iterator[Chart]:
    """Shares of the control, the headline and every rate of the summary, with intervals and single runs."""
    analysis = data.analysis
    absolute = dict.fromkeys([analysis.headline, *(name for name in analysis.summary if name.endswith("_per_s"))])
    shares = [name for name in data.shares if any(v.measures[name].mean is not None for v in data.drawn())]
    panels = [_share_panel(data, name) for name in shares] + [_measure_panel(data, name) for name in absolute]
    control = f" The control, {data.control}, is what the shares are of: its mean is 100 %." if shares else ""
    yield Chart(
        name="throughput",
        title="Throughput" if analysis.headline.endswith("_per_s") else "Headline and rates",
        caption=f"Means over the valid runs with {REACH_WORDS}; small dots are single runs." + control,
        panels=tuple(panel for panel in panels if panel.series),
    )


def _share_panel(data: ScenarioData, name: str) -> Panel:
    series = []
    for variant in data.drawn():
        found = variant.measures[name]
        if found.mean is not None:
            low, high = reach_of(found, 100)
            mean = np.array([100 * found.mean])
            words = (percent(found.mean),)
            series.append(Series(variant.name, Shape.BARS, mean, [variant.name], low, high, words=words))
    return Panel(
        title=f"{heading(data.analysis, data.shares[name])}, share of {data.control}",
        x=Axis(f"% of {data.control}", Scale.LINEAR, from_zero=True),
        y=variant_axis(data),
        series=tuple(series),
    )


def _measure_panel(data: ScenarioData, name: str) -> Panel:
    series = []
    for variant in data.drawn():
        found = variant.measures[name]
        if found.mean is None:
            continue
        if found.n > 1:
            values = np.array(found.values)
            series.append(Series(variant.name, Shape.DOTS, values, [variant.name] * len(values)))
        low, high = reach_of(found)
        series.append(Series(variant.name, Shape.POINTS, np.array([found.mean]), [variant.name], low, high))
    title = heading(data.analysis, name)
    return Panel(title, Axis(title, Scale.LINEAR, from_zero=True), variant_axis(data), tuple(series))


_RATE_OF_PROCESSES = re.compile(r"\w+_(\d+)_process(?:es)?_per_s")
"""A rate by the number of processes that it was reached with."""


def speed_up(data: ScenarioData) -> Iterator[Chart]:
    """The speed-up by processes, where rates are measured by their number."""
    matches = [match for name in data.analysis.columns if (match := _RATE_OF_PROCESSES.fullmatch(name))]
    rates = {int(match[1]): match[0] for match in matches}
    if 1 not in rates:
        return
    series = [found for variant in data.drawn() if (found := _speed_up_of(variant, rates))]
    if not series:
        return
    yield Chart(
        name="speed-up",
        title="Speed-up by processes",
        caption="The rate with so many processes over the rate with one, both means over the valid runs. Were every process "
        "worth as much as the first, the speed-up would be the number of processes.",
        panels=(
            Panel(
                "", Axis("processes", Scale.LINEAR, from_zero=True), Axis("speed-up", Scale.LINEAR, from_zero=True), tuple(series)
            ),
        ),
    )


def _speed_up_of(variant: VariantAnalysis, rates: Mapping[int, str]) -> Series | None:
    means = {n: mean for n, name in sorted(rates.items()) if (mean := variant.measures[name].mean) is not None}
    one = means.get(1)
    if not one or len(means) < 2:
        return None
    return Series(variant.name, Shape.JOINED, np.array(list(means), float), np.array([mean / one for mean in means.values()]))
