"""What a task's latency is made of: stages one after another, each with a name, and their sum. Pure arithmetic.

Latency counts from when a task was due. Before its broker has it, time passes at the producer: until the enqueue call begins
(``lateness``, the producer's own queue), and in that call (``send``). From the acknowledgement on it is the broker's and the
worker's (``ack_to_start``, then ``service``). The means of the four add up to that of ``end_to_end``.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from benchmarks.record.percentiles import FIGURE_WORDS, figures
from benchmarks.record.run_data import Measures, PhaseData
from benchmarks.record.task_table import Ints, TaskTable


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the way of a task: how long it took for each, and from when to when that is."""

    of: Callable[[TaskTable], Ints]
    words: str


STAGES: Mapping[str, Stage] = {
    "lateness": Stage(TaskTable.lateness_ns, "from the intended send time to the begin of the enqueue call"),
    "send": Stage(TaskTable.send_ns, "in the enqueue call"),
    "ack_to_start": Stage(
        TaskTable.ack_to_start_ns,
        "from the end of the enqueue call, when the broker has acknowledged it, to the start of the task's body, as measured: "
        "negative where that began before the call had returned",
    ),
    "service": Stage(TaskTable.service_ns, "from the start of the task's body to its end"),
}
SUMS: Mapping[str, Stage] = {
    "queue_wait": Stage(
        TaskTable.queue_wait_ns,
        "from the intended send time to the start of the task's body: lateness, send and ack_to_start together",
    ),
    "end_to_end": Stage(TaskTable.end_to_end_ns, "from the intended send time to the end of the task's body: all of it"),
}
_ALL = {**STAGES, **SUMS}


def stage_columns(name: str, offered: str, chosen: Collection[str]) -> dict[str, str]:
    """The chosen figures of every stage of a phase, and of their sums: ``NAME_STAGE_FIGURE_ms``, and what each means."""
    return {
        f"{name}_{stage}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the time {part.words}, {offered}"
        for stage, part in _ALL.items()
        for figure in chosen
    }


def stage_measures(phase: PhaseData, chosen: Collection[str]) -> Measures:
    """These figures; none at all where nothing was executed, for the way there would pass for a latency."""
    values: dict[str, float | int | None] = {}
    if phase.account.ended:
        for stage, part in _ALL.items():
            values |= figures(f"{phase.record.name}_{stage}", part.of(phase.tasks), chosen)
    return values
