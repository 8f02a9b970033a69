"""Charts that a scenario brings itself. Whatever is wrong with one, the report is not lost by it: it says so in words."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chart import Chart
from benchmarks.report.interactive import figures
from benchmarks.report.pictures import draw
from benchmarks.report.style import Style
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Scenario
from tasks.causes import named_cause

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 300
"""Letters of what an error says."""


@dataclass(frozen=True, slots=True)
class Undrawn:
    """A chart of a scenario's own that is left out, and why. ``name`` is empty where the scenario failed before it named one."""

    name: str
    reason: str

    def __str__(self) -> str:
        what = f"the chart {self.name} of the scenario's own" if self.name else "charts of the scenario's own"
        return f"{what} could not be drawn: {self.reason}"


@dataclass(frozen=True, slots=True)
class ScenarioCharts:
    """All charts of a scenario: those that every scenario gets, and its own; and what could not be drawn of these."""

    general: tuple[Chart, ...]
    own: tuple[Chart, ...] = ()
    undrawn: tuple[Undrawn, ...] = ()

    def all(self) -> tuple[Chart, ...]:
        """In the order in which they are shown."""
        return (*self.general, *self.own)


def with_own(
    general: Sequence[Chart],
    scenario: Scenario | None,
    data: ChartData,
    styles: Mapping[str, Style],
    frameworks: Mapping[str, str],
) -> ScenarioCharts:
    """The charts that every scenario gets, then those that this one brings; only the former where this version does not know it
    (None) or no run is valid."""
    if scenario is None or not data.variants:
        return ScenarioCharts(tuple(general))
    own: list[Chart] = []
    undrawn: list[Undrawn] = []
    taken = {chart.name for chart in general}
    for found in _brought(scenario, data):
        if isinstance(found, Undrawn):
            undrawn.append(found)
        elif (reason := _objection(found, taken, data.drawable, styles, frameworks)) is not None:
            undrawn.append(Undrawn(str(found.name), reason))
        else:
            own.append(found)
            taken.add(found.name)
    return ScenarioCharts(tuple(general), tuple(own), tuple(undrawn))


def _brought(scenario: Scenario, data: ChartData) -> Iterator[Chart | Undrawn]:
    """Up to where the scenario fails."""
    try:
        for chart in scenario.charts(data):
            yield chart if isinstance(chart, Chart) else Undrawn("", f"{type(chart).__name__} is no chart")
    except Exception as error:
        yield Undrawn("", _in_words(error))


def _objection(
    chart: Chart, taken: Collection[str], variants: Sequence[str], styles: Mapping[str, Style], frameworks: Mapping[str, str]
) -> str | None:
    """Why a chart cannot be drawn; None if it can."""
    try:
        if not _NAME.fullmatch(chart.name):
            return "its name must be of small letters, digits and hyphens, as files are called after it"
        if chart.name in taken:
            return "there is another chart of that name"
        if not chart.panels and chart.heat_map is None:
            return "it has neither a panel nor a heat map"
        named = [*chart.variants(), *([] if chart.only is None else [chart.only])]
        if unknown := [name for name in named if name not in variants]:
            return f"it is of {', '.join(dict.fromkeys(unknown))}, of which there is no valid run"
        # Both, so that page and pictures have the same.
        figures(chart, styles, frameworks)
        draw(chart, "", styles)
    except Exception as error:
        return _in_words(error)
    return None


def _in_words(error: Exception) -> str:
    words = f"{named_cause(error)}"
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …"
