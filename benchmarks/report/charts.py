"""Which charts a scenario gets, declared as data: each kind says what it needs, and a scenario gets every kind whose needs its
result meets. No kind knows a scenario or a framework by name."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.analysis.model import Analysis, MeasureDescription, ScenarioAnalysis, VariantAnalysis
from benchmarks.report.chart import Axis, Chart, HeatMap, Panel, Scale, Series, Shape, Span, tail_position
from benchmarks.report.recorded import LEVELS, Floats, PhaseCurve, RampCurve, RunCurves
from benchmarks.report.style import Mark
from benchmarks.run.contract import Direction
from benchmarks.words import number, percent

OPEN_LOOPS = frozenset({"paced", "ramp"})
TIMED_LOADS = OPEN_LOOPS | {"burst"}
"""The loads in which tasks have a due time of their own: only there a latency says something."""
SAME_RATE = 0.02
"""Rates that are no further apart are given as one."""
KEPT_UP = 0.95
"""The knee of a ramp: the last rate before what ends stays below this share of what is offered."""


@dataclass(frozen=True, slots=True)
class ScenarioData:
    """What charts are made from: the analysis of a scenario, its description in the manifest, and the reduced valid runs of every
    variant that has any."""

    analysis: ScenarioAnalysis
    control: str | None
    shares: Mapping[str, str]
    curves: Mapping[str, Sequence[RunCurves]]

    def loads(self) -> frozenset[str]:
        """The kinds of load that its phases offered."""
        return frozenset(phase.load for runs in self.curves.values() for run in runs for phase in run.phases)

    def phases(self, loads: frozenset[str]) -> list[str]:
        """The names of the phases that offered such a load, in order."""
        names = (p.name for runs in self.curves.values() for run in runs for p in run.phases if p.load in loads)
        return list(dict.fromkeys(names))

    def phase_runs(self, variant: str, phase: str) -> list[PhaseCurve]:
        """That phase of every valid run of the variant in which a task ended."""
        return [p for run in self.curves.get(variant, ()) for p in run.phases if p.name == phase and p.ended]

    def drawn(self) -> list[VariantAnalysis]:
        """The variants with a valid run, the best headline first."""
        return [variant for variant in self.analysis.ranked() if variant.valid_runs]


@dataclass(frozen=True, slots=True)
class ChartKind:
    """A kind of chart: which loads (any of them) and which measures (all of them) a scenario must have for it."""

    loads: frozenset[str]
    measures: frozenset[str]
    draw: Callable[[ScenarioData], Iterator[Chart]]

    def suits(self, data: ScenarioData) -> bool:
        """Whether the scenario has what it needs."""
        return (not self.loads or bool(self.loads & data.loads())) and self.measures <= set(data.analysis.columns)


def scenario_data(analysis: Analysis, scenario: ScenarioAnalysis, curves: Mapping[str, Sequence[RunCurves]]) -> ScenarioData:
    """The data of a scenario's charts."""
    shares = analysis.manifest["scenarios"][scenario.name]["shares"]
    return ScenarioData(scenario, analysis.control, shares, curves)


def charts_of(data: ScenarioData) -> list[Chart]:
    """All charts of a scenario; none where it has no valid run."""
    if not data.drawn():
        return []
    return [chart for kind in CHART_KINDS if kind.suits(data) for chart in kind.draw(data)]


def _rates(data: ScenarioData) -> Iterator[Chart]:
    analysis = data.analysis
    absolute = dict.fromkeys([analysis.headline, *(name for name in analysis.summary if name.endswith("_per_s"))])
    shares = [name for name in data.shares if any(v.measures[name].mean is not None for v in data.drawn())]
    panels = [_share_panel(data, name) for name in shares] + [_measure_panel(data, name) for name in absolute]
    control = f" The control, {data.control}, is what the shares are of: its mean is 100 %." if shares else ""
    yield Chart(
        name="throughput",
        title="Throughput" if analysis.headline.endswith("_per_s") else "Headline and rates",
        caption="Means over the valid runs with their 95 % intervals; small dots are single runs." + control,
        panels=tuple(panel for panel in panels if panel.series),
    )


def _share_panel(data: ScenarioData, name: str) -> Panel:
    series = []
    for variant in data.drawn():
        found = variant.measures[name]
        if found.mean is not None:
            low, high = _interval(found, 100)
            mean = np.array([100 * found.mean])
            words = (percent(found.mean),)
            series.append(Series(variant.name, Shape.BARS, mean, [variant.name], low, high, words=words))
    return Panel(
        title=f"{heading(data.analysis, data.shares[name])}, share of {data.control}",
        x=Axis(f"% of {data.control}", Scale.LINEAR, from_zero=True),
        y=_variant_axis(data),
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
        low, high = _interval(found)
        series.append(Series(variant.name, Shape.POINTS, np.array([found.mean]), [variant.name], low, high))
    title = heading(data.analysis, name)
    return Panel(title, Axis(title, Scale.LINEAR, from_zero=True), _variant_axis(data), tuple(series))


def _interval(found: MeasureDescription, factor: float = 1) -> tuple[Floats | None, Floats | None]:
    if found.interval is None:
        return None, None
    return np.array([factor * found.interval.low]), np.array([factor * found.interval.high])


def _variant_axis(data: ScenarioData) -> Axis:
    return Axis("", Scale.CATEGORY, tuple(variant.name for variant in data.drawn()))


def heading(analysis: ScenarioAnalysis, measure: str) -> str:
    """The short heading of a measure; its name where the scenario gives it none."""
    return analysis.summary.get(measure, measure)


def _latency_percentiles(data: ScenarioData) -> Iterator[Chart]:
    def series(variant: str, middle: Floats, least: Floats, most: Floats) -> Series:
        return Series(variant, Shape.LINE, tail_position(LEVELS), middle, least, most)

    yield Chart(
        name="latency-percentiles",
        title="Latency by percentile",
        caption="End to end, from the intended send time to the end of the task's body. The line is the median over the valid "
        "runs of each run's percentile, the band reaches from the least to the greatest run. A line ends where a run has too few "
        "tasks to say more.",
        panels=_latency_panels(data, Axis("percentile", Scale.TAIL), Axis("end to end, ms", Scale.LOG), series),
    )


def _cumulative(data: ScenarioData) -> Iterator[Chart]:
    def series(variant: str, middle: Floats, least: Floats, most: Floats) -> Series:
        return Series(variant, Shape.LINE, middle, 100 * LEVELS)

    yield Chart(
        name="latency-distribution",
        title="Distribution of latency",
        caption="The share of tasks that ended within a time, end to end; per variant the median over its valid runs.",
        panels=_latency_panels(data, Axis("end to end, ms", Scale.LOG), Axis("% of tasks", Scale.LINEAR, from_zero=True), series),
    )


def _latency_panels(
    data: ScenarioData, x: Axis, y: Axis, series: Callable[[str, Floats, Floats, Floats], Series]
) -> tuple[Panel, ...]:
    panels = []
    for phase in data.phases(TIMED_LOADS):
        drawn = []
        for variant in data.drawn():
            latencies_ms = np.array([run.latency_ms for run in data.phase_runs(variant.name, phase)])
            if len(latencies_ms):
                drawn.append(series(variant.name, np.median(latencies_ms, 0), latencies_ms.min(0), latencies_ms.max(0)))
        panels.append(Panel(_phase_title(data, phase), x, y, tuple(drawn)))
    return tuple(panel for panel in panels if panel.series)


def _phase_title(data: ScenarioData, phase: str) -> str:
    """The phase and the rates that were offered in it."""
    rates = [r for v in data.drawn() for p in data.phase_runs(v.name, phase) if p.load == "paced" and (r := p.offered_per_s)]
    if not rates:
        return f"phase {phase}"
    if max(rates) - min(rates) < SAME_RATE * max(rates):
        return f"phase {phase}: {number(float(np.median(rates)))} tasks/s"
    return f"phase {phase}: {number(min(rates))} to {number(max(rates))} tasks/s"


def _rate_latency(data: ScenarioData) -> Iterator[Chart]:
    panels = []
    for share, title in ((0.5, "median"), (0.99, "99th percentile")):
        level = int(np.abs(LEVELS - share).argmin())
        series = [found for variant in data.drawn() if (found := _paced_points(data, variant.name, level))]
        if share == 0.99:
            for variant in data.drawn():
                series += _ramp_lines(data, variant.name)
        panels.append(
            Panel(title, Axis("tasks offered a second", Scale.LOG), Axis(f"{title}, ms", Scale.LOG), tuple(series)),
        )
    knee = f" The knee of a ramp is the last rate before fewer than {percent(KEPT_UP)} of the tasks offered ended in time."
    caption = "End to end latency at each rate that was offered; medians over the valid runs."
    yield Chart(
        name="rate-latency",
        title="Rate against latency",
        caption=caption + knee if "ramp" in data.loads() else caption,
        panels=tuple(panel for panel in panels if panel.series),
    )


def _paced_points(data: ScenarioData, variant: str, level: int) -> Series | None:
    points = []
    for phase in data.phases(frozenset({"paced"})):
        runs = data.phase_runs(variant, phase)
        rates = [run.offered_per_s for run in runs if run.offered_per_s is not None]
        latencies_ms = [run.latency_ms[level] for run in runs]
        if rates and np.isfinite(latencies_ms).all():
            points.append((float(np.median(rates)), float(np.median(latencies_ms))))
    if not points:
        return None
    x, y = np.array(sorted(points)).T
    return Series(variant, Shape.JOINED, x, y)


def _ramp_lines(data: ScenarioData, variant: str) -> Iterator[Series]:
    for phase in data.phases(frozenset({"ramp"})):
        ramps = [p.ramp for p in data.phase_runs(variant, phase) if p.ramp is not None]
        if not ramps:
            continue
        middle = RampCurve(
            offered_per_s=np.median([r.offered_per_s for r in ramps], 0),
            ended_per_s=np.median([r.ended_per_s for r in ramps], 0),
            p99_ms=np.median([r.p99_ms for r in ramps], 0),
        )
        yield Series(variant, Shape.LINE, middle.offered_per_s, middle.p99_ms)
        knee = knee_of(middle)
        if knee is not None and np.isfinite(middle.p99_ms[knee]):
            x, y = middle.offered_per_s[[knee]], middle.p99_ms[[knee]]
            yield Series(variant, Shape.POINTS, x, y, words=("knee",))


def knee_of(ramp: RampCurve) -> int | None:
    """The last bin of a rising ramp before what ends stays below :data:`KEPT_UP` of what is offered, to the ramp's end; None
    where it never does so, or from the start."""
    behind = ramp.ended_per_s < KEPT_UP * ramp.offered_per_s
    kept = np.flatnonzero(~behind)
    last = int(kept[-1]) if len(kept) else -1
    return last if 0 <= last < len(behind) - 1 else None


_RATE_OF_PROCESSES = re.compile(r"\w+_(\d+)_process(?:es)?_per_s")
"""A rate by the number of processes that it was reached with."""


def _speed_up(data: ScenarioData) -> Iterator[Chart]:
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


_MEMORY = {"idle": "memory_idle_pss_mb", "peak": "memory_peak_pss_mb", "after": "memory_after_pss_mb"}
_MEMORY_MARKS = {"idle": Mark("o", "circle-open"), "peak": Mark("|", "line-ns-open"), "after": Mark("x", "x-thin-open")}


def _memory(data: ScenarioData) -> Iterator[Chart]:
    series = []
    for variant in data.drawn():
        for when, name in _MEMORY.items():
            found = variant.measures[name]
            if found.mean is not None:
                low, high = _interval(found)
                x, y = np.array([found.mean]), [variant.name]
                series.append(Series(variant.name, Shape.POINTS, x, y, low, high, _MEMORY_MARKS[when], when))
    yield Chart(
        name="memory",
        title="Memory of the worker",
        caption="PSS of the worker's whole process tree: warm and idle before the first load (circle), at its peak (bar), and "
        "after the last drain (cross). Means over the valid runs with their 95 % intervals.",
        panels=(Panel("", Axis("PSS, MB", Scale.LINEAR, from_zero=True), _variant_axis(data), tuple(series)),) if series else (),
    )


def _heat_map(data: ScenarioData) -> Iterator[Chart]:
    analysis = data.analysis
    judged = [name for name in analysis.summary if name in analysis.better and name not in data.shares]
    measures = [name for name in judged if any(v.measures[name].mean is not None for v in data.drawn())]
    means = np.array([[_or_nan(v.measures[name].mean) for name in measures] for v in data.drawn()])
    if not measures:
        return
    shades = np.column_stack([_shades(means[:, i], analysis.better[name]) for i, name in enumerate(measures)])
    words = tuple(tuple("" if np.isnan(value) else number(value) for value in row) for row in means)
    variants = tuple(variant.name for variant in data.drawn())
    yield Chart(
        name="heat-map",
        title="Variants by measure",
        caption="Means over the valid runs. In each column the shade goes from the worst to the best variant, by ratio.",
        heat_map=HeatMap(variants, tuple(heading(analysis, name) for name in measures), shades, words),
    )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _shades(values: Floats, better: Direction) -> Floats:
    """From 0, the worst, to 1, the best; by ratio where all values are positive."""
    scaled = np.log(values) if (values[np.isfinite(values)] > 0).all() else values
    least, most = np.nanmin(scaled), np.nanmax(scaled)
    if most == least:
        return np.where(np.isfinite(values), 1.0, np.nan)
    rising: Floats = (scaled - least) / (most - least)
    return rising if better == "higher" else 1 - rising


def _timelines(data: ScenarioData) -> Iterator[Chart]:
    for variant in data.drawn():
        run = _typical_run(variant, data.analysis.headline, data.curves.get(variant.name, ()))
        if run is not None and run.timeline is not None:
            yield _timeline(variant.name, run)


def _typical_run(variant: VariantAnalysis, headline: str, runs: Sequence[RunCurves]) -> RunCurves | None:
    """The run whose headline is nearest the median."""
    median = variant.measures[headline].median
    values: dict[int, Any] = {run.run: run.measures.get(headline) for run in variant.runs}
    known = [run for run in runs if values.get(run.run) is not None]
    if median is None or not known:
        return runs[0] if runs else None
    return min(known, key=lambda run: abs(values[run.run] - median))


def _timeline(variant: str, run: RunCurves) -> Chart:
    timeline = run.timeline
    assert timeline is not None
    spans = tuple(Span(phase.name, phase.begin_s, phase.end_s) for phase in timeline.phases)
    rows = (
        ("tasks queued", timeline.time_s, timeline.queued),
        ("tasks in flight", timeline.time_s, timeline.in_flight),
        ("PSS, MB", timeline.memory_time_s, timeline.memory_mb),
        ("CPU, % of a core", timeline.cpu_time_s, timeline.cpu_percent),
    )
    return Chart(
        name=f"timeline-{variant}",
        title=f"Timeline of {variant}, run {run.run}",
        caption="The run whose headline is nearest the median. Queued: sent and not yet started; in flight: started and not yet "
        "finished; both as means over short stretches of time. Shaded: the phases.",
        panels=tuple(
            Panel(
                title="",
                x=Axis("s", Scale.LINEAR),
                y=Axis(title, Scale.LINEAR, from_zero=True),
                series=(Series(variant, Shape.SOLID, x, y),),
                spans=spans,
            )
            for title, x, y in rows
            if len(x)
        ),
        stacked=True,
        only=variant,
    )


CHART_KINDS = (
    ChartKind(frozenset(), frozenset(), _rates),
    ChartKind(TIMED_LOADS, frozenset(), _latency_percentiles),
    ChartKind(TIMED_LOADS, frozenset(), _cumulative),
    ChartKind(OPEN_LOOPS, frozenset(), _rate_latency),
    ChartKind(frozenset(), frozenset(), _speed_up),
    ChartKind(frozenset(), frozenset(_MEMORY.values()), _memory),
    ChartKind(frozenset(), frozenset(), _heat_map),
    ChartKind(frozenset(), frozenset(), _timelines),
)
"""In the order in which they are shown."""
