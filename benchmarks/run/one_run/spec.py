"""A run to make, and a run that was made."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from benchmarks.plan.sizes import Sizes
from benchmarks.record.run_data import RunData
from benchmarks.record.task_table import TaskTable
from benchmarks.run.contract import Scenario
from infrastructure.readings import TreeSample
from tasks.contract import Track


class RunFailedError(Exception):
    """A run could not be made; the text says why, with the tail of the log of what failed."""


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
