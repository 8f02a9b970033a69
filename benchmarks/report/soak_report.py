"""The soaks of a result set as one page: their course with restarts, gaps and bursts, slopes over the samples, verdicts, and the
windows that stand out, with their raw records where those were kept."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import jinja2
import numpy as np

from benchmarks.analysis.soaks import FIGURES
from benchmarks.chart import Axis, Chart, Floats, Guide, Panel, Scale, Series, Shape, Span
from benchmarks.report.pictures import draw
from benchmarks.report.style import styles
from benchmarks.results.files import write_text
from benchmarks.results.soak_folder import SoakFolder, soaks_in
from benchmarks.soak.judging import JUDGED, Verdict
from benchmarks.soak.summary import SoakEvent, SoakSummary, faults
from benchmarks.soak.windows import Window

PAGE = "soak_report.html"
NS_PER_S = 1_000_000_000
LONG_S = 2 * 3600
_TEMPLATES = Path(__file__).parent / "templates"

Value = Callable[[Window], float | None]
"""Of a window; None where there is none."""
_AXES: Mapping[str, str] = {
    "queue_depth": "under way",
    "latency_p50": "p50, ms",
    "latency_p99": "p99, ms",
    "worker_pss": "PSS, MB",
    "worker_fds": "descriptors",
    "worker_threads": "threads",
    "redis_memory": "Redis, MB",
    "tasks_per_cpu_s": "tasks/CPU s",
    "lab_memory": "lab, MB",
}
"""What is drawn of what is judged, and how its axis is called."""


def _rows(window_s: float) -> Iterator[tuple[str, str, Value]]:
    """Of each panel the name of its verdict (empty where it has none), its axis, and its value in a window."""
    yield "", "sent, tasks/s", lambda window: window.sent / window_s
    yield "", "done, tasks/s", lambda window: window.ended / window_s
    for name, axis in _AXES.items():
        yield name, axis, partial(_judged, name)


def _judged(name: str, window: Window) -> float | None:
    value = JUDGED[name].of(window)
    return None if value is None else value * JUDGED[name].scale


@dataclass(frozen=True, slots=True)
class OutstandingWindow:
    """A window that stands out: when it began (seconds from the begin), by what, and where its raw records are, if kept."""

    index: int
    begins_s: float
    reasons: tuple[str, ...]
    segment: str | None


def write_soak_report(result_set: Path) -> Path | None:
    """Write the page into a result set; None where it holds no soak. Raises ResultSetError and OSError."""
    folders = list(soaks_in(result_set))
    if not folders:
        return None
    views = [_view(folder, result_set) for folder in folders]
    page = _environment().get_template("soak_report.html.j2").render(name=result_set.resolve().name, figures=FIGURES, soaks=views)
    write_text(result_set / PAGE, page)
    return result_set / PAGE


def _view(folder: SoakFolder, result_set: Path) -> dict[str, object]:
    summary, windows, events = folder.summary(), folder.windows(), folder.events()
    segments = {int(file.name.split(".")[0]): file for file in (folder.path / "segments").glob("*.events.*")}
    outstanding = [
        OutstandingWindow(
            found.index,
            found.index * summary.window_s,
            found.reasons,
            str(segments[found.index].relative_to(result_set)) if found.index in segments else None,
        )
        for found in summary.stand_out
    ]
    chart = course(summary, windows, events)
    picture = draw(chart, summary.variant, styles({summary.variant: summary.framework}))["svg"] if chart.panels else b""
    return {
        "summary": summary,
        "faults": faults(summary),
        "events": [((event.at_ns - summary.began_unix_ns) / NS_PER_S, event) for event in events],
        "outstanding": outstanding,
        "caption": chart.caption,
        "picture": base64.b64encode(picture).decode(),
    }


def course(summary: SoakSummary, windows: Sequence[Window], events: Sequence[SoakEvent]) -> Chart:
    """How a soak went, as a chart of panels that share the time."""
    unit_s, unit = (3600, "hours") if summary.lasted_s > LONG_S else (60, "minutes")
    verdicts = {verdict.name: verdict for verdict in summary.verdicts}
    spans = tuple(_lives(summary, events, unit_s))
    panels = []
    for name, title, value in _rows(summary.window_s):
        found = [(window.index, value(window)) for window in windows]
        known = [(index, y) for index, y in found if y is not None]
        if len(known) < 2:
            continue
        x = np.array([(index + 0.5) * summary.window_s / unit_s for index, _ in known])
        y = np.array([y for _, y in known])
        guides = _bursts(summary, unit_s) if title.startswith("sent") else ()
        if (verdict := verdicts.get(name)) is not None:
            guides = _slope(verdict, x, y, unit_s)
        series = (Series(summary.variant, Shape.SOLID, x, y),)
        panels.append(Panel("", Axis(unit, Scale.LINEAR), Axis(title, Scale.LINEAR), series, spans, guides))
    return Chart(
        name=f"soak-{summary.variant}",
        title="course of the soak",
        caption="Each window's value over the time. Shaded: the lives of the worker, and what came before and after a time at "
        "which the host was suspended. Dotted: the rate of a burst while there was one, and the slope that a verdict tells, "
        "through the median of its samples.",
        panels=tuple(panels),
        stacked=True,
        only=summary.variant,
    )


def _lives(summary: SoakSummary, events: Sequence[SoakEvent], unit_s: float) -> Iterator[Span]:
    """Stretches from the begin to the end, each with what it is."""
    begin, number, name = 0.0, 1, "life 1"
    for event in events:
        at = (event.at_ns - summary.began_unix_ns) / NS_PER_S / unit_s
        if event.kind == "worker-died":
            yield Span(name, begin, at)
            begin, name = at, "down"
        elif event.kind == "worker-started":
            yield Span(name, begin, at)
            number += 1
            begin, name = at, f"life {number}"
        elif event.kind == "suspended":
            yield Span(name, begin, at)
            begin, name = at, f"life {number}, after a gap"
    yield Span(name, begin, max(begin, summary.windows * summary.window_s / unit_s))


def _bursts(summary: SoakSummary, unit_s: float) -> tuple[Guide, ...]:
    plan = summary.plan
    if plan.get("steps") or not {"burst_every_s", "burst_s", "burst_factor"} <= set(plan):
        return ()
    every_s, burst_s = plan["burst_every_s"], plan["burst_s"]
    begins = np.arange(every_s, summary.lasted_s, every_s)
    if len(begins) == 0:
        return ()
    gap = np.full(len(begins), np.nan)
    x = np.stack([begins, np.minimum(begins + burst_s, summary.lasted_s), gap], axis=1).ravel() / unit_s
    return (Guide("burst", x, np.where(np.isnan(x), np.nan, summary.rate_per_s * plan["burst_factor"])),)


def _slope(verdict: Verdict, x: Floats, y: Floats, unit_s: float) -> tuple[Guide, ...]:
    if verdict.per_hour is None:
        return ()
    slope = verdict.per_hour * unit_s / 3600
    ends = np.array([x[0], x[-1]])
    return (Guide("slope", ends, float(np.median(y)) + slope * (ends - float(np.median(x)))),)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
