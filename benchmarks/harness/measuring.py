"""All figures of the lab itself, one after another, printed and written down."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness.cost import enqueue_cost, recorder_cost, sampling_cost, worker_cost
from benchmarks.harness.figures import FULL, QUICK, Figure, Sizes
from benchmarks.harness.observation import observation_cost
from benchmarks.harness.reading import reading
from benchmarks.harness.slopes import slope_verdicts
from benchmarks.harness.soaking import soak_folding
from benchmarks.harness.truth import known_queue, pacing
from benchmarks.record.flags import Flag
from benchmarks.run.labs.lab import LabError, control_of
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes.client import NodeClient


def measure(lab: LocalLab, targets: Mapping[str, float], sizes: Sizes) -> Iterator[Figure]:
    """All figures, one at a time as they come."""
    producers = {framework: NodeClient(lab.producer_url(framework), lab.token) for framework in set(lab.variants().values())}
    control = control_of(producer.describe() for producer in producers.values())
    if control is None:
        raise LabError("no framework's variant is marked as the control, which the known queue is measured on")
    processes = len(os.sched_getaffinity(0))
    yield from recorder_cost(lab, sizes)
    yield from reading(lab, sizes)
    yield from soak_folding(sizes)
    yield from slope_verdicts(sizes)
    yield from enqueue_cost(lab, list(targets), sizes)
    yield from pacing(lab, list(targets), sizes)
    yield from worker_cost(lab, targets, sizes, processes)
    yield from sampling_cost(lab, control, sizes)
    yield from observation_cost(lab)
    yield from known_queue(lab, control, sizes)


def run(console: Console, targets: Mapping[str, float], output: Path, quick: bool, flags: Sequence[Flag]) -> bool:
    """Measure, print each figure as it comes, write them all to a JSON file, with the flags that stand on them.

    Returns whether every target was met.
    """
    figures = []
    with LocalLab() as lab:
        for figure in measure(lab, targets, QUICK if quick else FULL):
            figures.append(figure)
            console.print(f"{figure.name}: {figure.value:.3g} {figure.unit}", highlight=False)
    table = Table("what", "value", "wanted", "", "detail", title="The lab's own cost and truth", title_justify="left")
    marks = {True: "[green]met[/green]", False: "[bold red]missed[/bold red]", None: ""}
    for f in figures:
        table.add_row(f.name, f"{f.value:.3g} {f.unit}", f.wanted, marks[f.met], f.detail)
    console.print(table)
    now = datetime.now(UTC)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"harness-{now:%Y%m%dT%H%M%SZ}.json"
    content = {
        "at": now.isoformat(),
        "machine": platform.platform(),
        "quick": quick,
        "flags": [flag.as_data() for flag in flags],
        "figures": [asdict(f) for f in figures],
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    console.print(f"Written to {path}")
    return all(f.met is not False for f in figures)
