"""A run to make, and a run that was made."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.checkout import CHECKOUT
from benchmarks.plan.grid import Point
from benchmarks.plan.sizes import Sizes
from benchmarks.record.run_data import RunData
from benchmarks.record.task_table import TaskTable
from benchmarks.run.contract import Scenario
from benchmarks.run.nodes.transport import NodeError
from infrastructure.readings import TreeSample
from tasks.causes import cause, named_cause
from tasks.contract import Track


class RunFailedError(Exception):
    """A run could not be made; the text says why, with the tail of the log of what failed."""


def in_words(error: Exception) -> str:
    """What went wrong in a run: as it stands where the lab said it itself, else with the error's type and the place in the lab
    where it was raised."""
    if isinstance(error, RunFailedError | NodeError):
        return cause(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(CHECKOUT / "benchmarks")), None)
    place = "" if own is None else f" (in {own.name}, {Path(own.filename).relative_to(CHECKOUT)}, line {own.lineno})"
    return f"{named_cause(error)}{place}"


@dataclass(frozen=True, slots=True)
class LabFault:
    """What is broken of the lab itself: which part of it, in words with what to do, and all that this part has printed;
    ``for_all`` where no variant can be measured any more."""

    part: str
    text: str
    for_all: bool
    log: str


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run to make. ``facts`` are those that the scenario asks for (:mod:`benchmarks.run.calibration`);
    ``earlier_speeds_per_s`` the machine's at all marks of the set so far."""

    scenario: Scenario
    sizes: Sizes
    facts: Mapping[str, float]
    variant: str
    framework: str
    run: int
    repetition: int
    seed: int
    """Of all that it draws (:func:`benchmarks.plan.seeds.seed_of_run`)."""
    processes: int
    concurrency: int
    track: Track
    warmup_s: float
    timeout_s: float
    earlier_speeds_per_s: tuple[float, ...] = ()
    point: Point = field(default_factory=dict)
    """Where in the grid of its study; empty of a scenario."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """All that was recorded of a run. ``failure`` says why it could not be made, if so; ``data`` is then what there is of it,
    or None where it failed before its worker was warm. ``tables`` are by number of the phase."""

    spec: RunSpec
    data: RunData | None
    failure: str | None
    phase_names: Mapping[int, str]
    tables: Mapping[int, TaskTable]
    samples: tuple[TreeSample, ...]
    readings: Mapping[str, pd.DataFrame]
    """What devices read, by device, with the phase's number as first column."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """Of a run that failed, or whose worker died: what the processes of its nodes had printed, by name."""
    lab_fault: LabFault | None = None
    """What was found to be broken of the lab after the run had failed."""

    @classmethod
    def never_begun(cls, spec: RunSpec, failure: str) -> "RecordedRun":
        """Of a run that failed before anything was recorded."""
        return cls(spec, None, failure, phase_names={}, tables={}, samples=(), readings={})
