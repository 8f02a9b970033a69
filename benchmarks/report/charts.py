"""Which charts a scenario gets, declared as data: each kind says what it needs, and a scenario gets every kind whose needs its
result meets. No kind knows a scenario or a framework by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.chart import Chart
from benchmarks.report.latency_charts import cumulative, latency_percentiles, rate_latency
from benchmarks.report.measure_charts import MEMORY, expected, heat_map, memory
from benchmarks.report.rate_charts import rates, speed_up
from benchmarks.report.scenario_data import OPEN_LOOPS, TIMED_LOADS, ScenarioData
from benchmarks.report.timeline_charts import timelines


@dataclass(frozen=True, slots=True)
class ChartKind:
    """A kind of chart: which loads (any of them) and which measures (all of them) a scenario must have for it."""

    loads: frozenset[str]
    measures: frozenset[str]
    draw: Callable[[ScenarioData], Iterator[Chart]]

    def suits(self, data: ScenarioData) -> bool:
        """Whether the scenario has what it needs."""
        return (not self.loads or bool(self.loads & data.loads())) and self.measures <= set(data.analysis.columns)


def charts_of(data: ScenarioData) -> list[Chart]:
    """All charts of a scenario; none where it has no valid run."""
    if not data.drawn():
        return []
    return [chart for kind in CHART_KINDS if kind.suits(data) for chart in kind.draw(data)]


CHART_KINDS = (
    ChartKind(frozenset(), frozenset(), rates),
    ChartKind(TIMED_LOADS, frozenset(), latency_percentiles),
    ChartKind(TIMED_LOADS, frozenset(), cumulative),
    ChartKind(OPEN_LOOPS, frozenset(), rate_latency),
    ChartKind(frozenset(), frozenset(), speed_up),
    ChartKind(frozenset(), frozenset(MEMORY.values()), memory),
    ChartKind(frozenset(), frozenset(), expected),
    ChartKind(frozenset(), frozenset(), heat_map),
    ChartKind(frozenset(), frozenset(), timelines),
)
"""In the order in which they are shown."""
