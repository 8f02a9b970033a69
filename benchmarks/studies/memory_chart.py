"""The picture of the study of memory: over time, a line for each variant, a panel for each approach, the ideal drawn in. Pure but
for the reading of the runs that it shows."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.arithmetic import median
from benchmarks.chart import Axis, Chart, Guide, Panel, Scale, Series, Shape
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.subtasks.course import SUBTASKS, ideal_steps
from benchmarks.record.subtasks.memory import FOOTPRINTS
from benchmarks.results.chart_data import ChartData
from benchmarks.results.stored_run import StoredRun
from benchmarks.studies.memory_answers import ADDED
from benchmarks.studies.memory_document import NAME
from tasks.loads import NS_PER_S

_BEFORE_S, _AFTER_S = 0.2, 0.4
_TITLES = {
    "sequential": "One after another",
    "threads": "Threads of the standard library",
    "os-threads": "Threads of the operating system",
    "greenlets": "A pool of greenlets",
    "coroutines": "Coroutines",
    "tasks": "Each subtask a task of its own",
}


def memory_charts(data: ChartData, approaches: Sequence[str]) -> Iterator[Chart]:
    """The one picture, where any run is sound."""
    panels = tuple(panel for approach in approaches if (panel := _panel(data, approach)) is not None)
    if panels:
        yield Chart(
            NAME.replace("_", "-"),
            "Memory over time",
            "What the worker's tree has added to what it had before the task (VmRSS, summed over its processes), from the begin "
            "of the first subtask; of each the run whose figure is nearest the median. Dotted: what the data alone would take, "
            "were nothing but the subtasks' own time lost.",
            panels,
            file=NAME,
        )


def _panel(data: ChartData, approach: str) -> Panel | None:
    drawn, ideal = [], None
    for name in sorted(name for name in data.variants if data.points.get(name, {}).get("approach") == approach):
        run = _typical(data, name)
        if run is not None:
            drawn.append(_line(data.executed[name], run))
            ideal = ideal or _ideal(run)
    if not drawn or ideal is None:
        return None
    axes = Axis("s", Scale.LINEAR), Axis("MB added", Scale.LINEAR, from_zero=True)
    return Panel(_TITLES.get(approach, approach), *axes, tuple(drawn), guides=(ideal,))


def _typical(data: ChartData, name: str) -> StoredRun | None:
    known = [(run, value) for run in data.runs.get(name, ()) if (value := run.result.value(ADDED)) is not None]
    middle = median(value for _, value in known)
    return None if middle is None else min(known, key=lambda found: abs(found[1] - middle))[0]


def _line(variant: str, run: StoredRun) -> Series:
    footprints, parts = run.reading(FOOTPRINTS), run.reading(SUBTASKS)
    at_s = (footprints["at_ns"].to_numpy(np.float64) - float(parts["began_ns"].min())) / NS_PER_S
    ended_s = float(parts["ended_ns"].max() - parts["began_ns"].min()) / NS_PER_S
    shown = (at_s >= -_BEFORE_S) & (at_s <= ended_s + _AFTER_S)
    baseline_mb = run.result.value("baseline_vm_mb") or 0.0
    added_mb = footprints["vm_rss_bytes"].to_numpy(np.float64) / BYTES_PER_MB - baseline_mb
    return Series(variant, Shape.LINE, at_s[shown], added_mb[shown])


def _ideal(run: StoredRun) -> Guide | None:
    """From what the run was asked for, as its phase's tasks say."""
    order = next((task["argument"] for task in _classes(run) if "time_s" in (task["argument"] or ())), None)
    if order is None:
        return None
    size_mb = order["size_bytes"] / BYTES_PER_MB
    return Guide("ideal", *ideal_steps(int(order["subtasks"]), int(order["at_once"]), float(order["time_s"]), size_mb))


def _classes(run: StoredRun) -> Iterator[dict[str, Any]]:
    for phase in run.record.get("phases") or ():
        yield from phase["tasks"].get("classes") or ()
