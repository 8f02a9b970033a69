"""Charts of latency: by percentile, as a distribution, and against the rate that was offered."""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.chart import Axis, Chart, Floats, Panel, Scale, Series, Shape, tail_position
from benchmarks.report.recorded import LEVELS, RampCurve
from benchmarks.report.scenario_data import TIMED_LOADS, ScenarioData
from benchmarks.words import number, percent

SAME_RATE = 0.02
"""Rates that are no further apart are given as one."""
KEPT_UP = 0.95
"""The knee of a ramp: the last rate before what ends stays below this share of what is offered."""


def latency_percentiles(data: ScenarioData) -> Iterator[Chart]:
    """Latency by percentile, for each phase whose tasks have due times."""

    def series(variant: str, middle: Floats, least: Floats, most: Floats) -> Series:
        return Series(variant, Shape.LINE, tail_position(LEVELS), middle, least, most)

    yield Chart(
        name="latency-percentiles",
        title="Latency by percentile",
        caption="End to end, from the intended send time to the end of the task's body. The line is the median over the valid "
        "runs of each run's percentile, the band reaches from the least to the greatest run, which from six runs on holds the "
        "median of all with more than 95 % certainty. A line ends where a run has too few tasks to say more.",
        panels=_latency_panels(data, Axis("percentile", Scale.TAIL), Axis("end to end, ms", Scale.LOG), series),
    )


def cumulative(data: ScenarioData) -> Iterator[Chart]:
    """The share of tasks that ended within a time, for each such phase."""

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


def rate_latency(data: ScenarioData) -> Iterator[Chart]:
    """Median and 99th percentile at each rate that was offered."""
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
