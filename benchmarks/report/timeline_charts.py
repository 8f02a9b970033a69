"""What a typical run of each variant looked like over time."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.analysis.model import VariantAnalysis
from benchmarks.chart import Axis, Chart, Panel, Scale, Series, Shape, Span
from benchmarks.report.recorded import RunCurves
from benchmarks.report.scenario_data import ScenarioData


def timelines(data: ScenarioData) -> Iterator[Chart]:
    """Queue, tasks in flight, memory and CPU of the typical run of each variant."""
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
