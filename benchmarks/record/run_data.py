"""What a run brought back: frozen data, no behaviour beyond simple properties.

A *run* is one repetition of a scenario on one variant. It goes through *phases*, each offering one load; phase 0 is the
warm-up. At the marks of a phase (before its load, when the producer has finished, when all is drained) a :class:`Reading` of
Redis, the host and the worker is taken. All times are CLOCK_MONOTONIC nanoseconds of the runner's host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from benchmarks.plan.grid import Point
from benchmarks.plan.wishes import StartWish
from benchmarks.record.accounting import Account
from benchmarks.record.flags import Flag, invalid_phases
from benchmarks.record.machine import CpuTaken, QuotaReading, SpeedReading
from benchmarks.record.task_table import TaskTable
from infrastructure.readings import StartTimes, TreeSample
from tasks.contract import Track, Variant
from tasks.loads import Load, Prefilled, Tasks
from tasks.redis_traffic import NO_TRAFFIC, RedisTraffic
from tasks.workloads import UNDECLARED_S

Measures = Mapping[str, float | int | None]
"""Measures of a run by name, each name ending in its unit; None where it could not be measured."""


@dataclass(frozen=True, slots=True)
class RedisReading:
    """Counters of the Redis server (INFO) at one moment, since its start, and its memory now, without its clients' buffers.

    ``own`` is what the lab itself had asked of it by then, as the lab's processes count it since each of them began: between two
    readings both have counted the same of the lab's commands and bytes."""

    at_ns: int
    commands: int
    input_bytes: int
    output_bytes: int
    cpu_s: float
    memory_bytes: int
    blocked_clients: int = 0
    """Clients that wait for something to take, and may be given one message each though their process stands still."""
    puts: int | None = None
    """Calls of the commands by which the framework puts messages into queues; None in what was recorded before they were read."""
    own: RedisTraffic = NO_TRAFFIC

    @property
    def of_others(self) -> RedisTraffic:
        """What all but the lab asked. Only its differences mean anything: what the lab did before it began to count is in it."""
        return RedisTraffic(self.commands, self.input_bytes, self.output_bytes) - self.own


@dataclass(frozen=True, slots=True)
class HostReading:
    """What may have disturbed a run: CPU time of the whole host since its boot, load, swapping, clock frequency; the machine's
    speed, what others took of its CPU, and the limits that this process lives under."""

    at_ns: int
    cpu_total_s: float
    cpu_steal_s: float
    load_1min: float
    swapped_pages: int
    frequency_mhz: float | None
    speed: SpeedReading | None = None
    """None where no speed could be taken, as tasks were running."""
    taken: CpuTaken | None = None
    """CPU time since the mark before; None at a phase's first mark, and where the lab's processes cannot be seen."""
    quotas: tuple[QuotaReading, ...] = ()
    """The CPU limits on this process, its own control group's first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is read at one mark of a phase."""

    redis: RedisReading
    host: HostReading
    worker: TreeSample


@dataclass(frozen=True, slots=True)
class Produced:
    """A producer's own account of one load (``tasks.producing.ProduceResult``)."""

    attempted: int
    acknowledged: int
    failed: int
    errors: Mapping[str, int]
    began_ns: int
    ended_ns: int
    cpu_s: float
    longest_s: float = UNDECLARED_S
    """What the longest of its tasks can take by what the workload declares, from a start to an end."""


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase as it went: its worker, what was offered and when, and the readings at its three marks.

    ``resumed_ns`` is when the workers were let go on a prefilled queue, else when the load began; ``drained_ns`` is when the
    runner saw all tasks ended (or gave up: ``timed_out``). ``planned`` counts tasks, which for chains are the stages of all
    units.
    """

    number: int
    name: str
    worker: "WorkerRecord"
    tasks: Tasks
    load: Load
    planned: int
    produced: Produced
    began_ns: int
    resumed_ns: int
    drained_ns: int
    timed_out: bool
    before: Reading
    filled: Reading
    after: Reading
    failures_expected: bool = False
    """Whether tasks were meant to fail."""
    rate_may_be_missed: bool = False
    """Whether the rate was tried without knowing that the producer can offer it."""
    losses_counted: bool = False
    """Whether tasks that are not accepted, or that never end, are what the phase has asked for."""
    killed_ns: int | None = None
    """When something was killed in it, on purpose."""
    start: "StartRecord | None" = None
    """How its worker started, where that belongs to the phase."""
    queued: int | None = None
    """Tasks in the worker's queues, in whatever state, when many had been sent at once to one that stood still; else None."""

    @property
    def stopped_midway(self) -> bool:
        """Whether the worker was stopped with tasks in hand: tasks that are lost or doubled then are what the framework makes of
        it, and no fault of the run."""
        return self.start is not None and self.start.stop is not None

    @property
    def filled_beforehand(self) -> bool:
        """Whether all was sent while no worker took from the queues."""
        return isinstance(self.load, Prefilled) if self.start is None else self.start.wish.when == "waiting"


@dataclass(frozen=True, slots=True)
class StopRecord:
    """How a worker was stopped in the middle of a phase: when it was asked to end, whether every process ended by itself, how
    long that took; and how the worker after it started."""

    asked_ns: int
    graceful: bool
    took_s: float
    restarted: StartTimes


@dataclass(frozen=True, slots=True)
class StartRecord:
    """A worker's start as part of a phase; ``stop`` where it was also stopped in it."""

    wish: StartWish
    times: StartTimes
    stop: StopRecord | None


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker of a run: what the framework made of the request, and what became of its processes."""

    number: int
    """1 for the first worker of the run."""
    variant: str
    framework: str
    processes: int
    concurrency: int
    slots: int
    """Tasks at once over all processes: ``processes`` times ``concurrency``."""
    working_processes: int
    execution: str
    guarantee: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    died: str | None
    """Why the worker died before it was stopped, with the tail of its log; None if it did not."""
    same_time_namespace: bool
    """Whether all nodes share the runner's monotonic clock."""
    idle: TreeSample
    """After the warm-up, before the first load. Of a worker whose start belongs to a phase: once it is connected and has settled,
    or, if tasks were waiting for it, when they have ended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """All variables that its first process was started with, without secrets."""


@dataclass(frozen=True, slots=True)
class PhaseData:
    """A phase with what the event log says of its tasks."""

    record: PhaseRecord
    tasks: TaskTable
    account: Account
    readings: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """What the phase's devices read, by their names."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a scenario may know of a run: the sizes that it is to have, the variant, the processes that it is asked for and the
    tasks at once in each, the cores of the runner's host, the seed of all that it draws (:mod:`benchmarks.plan.seeds`), and the
    facts of :mod:`benchmarks.run.calibration` that it named. ``earlier_speeds_per_s`` are the machine's at all marks of the set
    before the run."""

    sizes: Mapping[str, float | int]
    variant: Variant
    processes: int
    concurrency: int
    cores: int
    seed: int
    facts: Mapping[str, float] = field(default_factory=dict)
    earlier_speeds_per_s: tuple[float, ...] = ()
    point: Point = field(default_factory=dict)
    """Where in the grid of its study; empty of a scenario."""


@dataclass(frozen=True, slots=True)
class RunData:
    """Everything recorded of one run: what a scenario computes its measures from. ``worker`` is the first of its workers; each
    phase has its own."""

    scenario: str
    variant: str
    run: int
    context: RunContext
    worker: WorkerRecord
    phases: Mapping[str, PhaseData]
    samples: Sequence[TreeSample]
    """Periodic samples of the workers' trees, ascending in time."""
    producer_environment: Mapping[str, str] = field(default_factory=dict)
    """All variables that its producer was started with, without secrets."""
    elsewhere: Sequence[str] = ()
    """Addresses, ``ip:port`` each, that are none of the lab's, and that its workers or producers were seen connected to."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One row: a finished run, valid or not, as stored."""

    scenario: str
    framework: str
    variant: str
    run: int
    repetition: int
    """1, 2, ... within the scenario and variant."""
    valid: bool
    """Whether nothing of it is invalid."""
    flags: Sequence[Flag] = ()
    measures: Measures = field(default_factory=dict)
    """None for those that are of an invalid phase: they enter no statistic."""
    failure: str | None = None
    """Why the run could not be made at all (the worker did not start, a timeout), with the tail of its log."""
    spoiled: Measures = field(default_factory=dict)
    """What the measures came to that are of an invalid phase."""
    track: Track = "normalised"
    processes: int | None = None
    """Of the first worker of the run; None where none was ever warm."""
    concurrency: int | None = None
    """Tasks at once within each of them."""
    point: Point = field(default_factory=dict)
    """Where in the grid of its study; empty of a scenario."""
    executed: str = ""
    """The variant that ran, whatever the name that it was entered under; empty in sets that do not say."""
    epoch: int = 1
    """1 under the conditions that the set was begun under; 2, 3, ... where it was gone on with under others."""

    @property
    def invalid_phases(self) -> frozenset[str]:
        """The phases that are invalid; an empty name stands for the whole run."""
        return frozenset() if self.valid else invalid_phases(self.flags) or frozenset({""})

    @property
    def has_figures(self) -> bool:
        """Whether anything of it may enter a statistic."""
        return self.valid or any(self.value(name) is not None for name in self.measures)

    def keeps(self, measure: str) -> bool:
        """Whether it counts for this measure: none of the measure's phases is invalid. An invalid run that does not say what is
        spoiled, as one stored before phases were judged, counts for none."""
        return self.valid or (bool(self.spoiled) and measure in self.measures and measure not in self.spoiled)

    def value(self, measure: str) -> float | int | None:
        """What it adds to the statistics of a measure; None where it was not measured or does not count."""
        return self.measures.get(measure) if self.keeps(measure) else None

    @property
    def group(self) -> str:
        """The name that the row is averaged under: the variant's, and of a later epoch one of its own."""
        return self.variant if self.epoch == 1 else f"{self.variant}-epoch-{self.epoch}"


def measured_phases(data: RunData) -> list[PhaseData]:
    """The phases of a run in order, without the warm-up."""
    return sorted((p for p in data.phases.values() if p.record.number > 0), key=lambda p: p.record.number)
