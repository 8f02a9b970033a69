"""A run while it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.run_data import PhaseRecord, RunContext, WorkerRecord
from benchmarks.run.contract import Places
from benchmarks.run.machine.watch import MachineWatch
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.one_run.spec import RunSpec
from benchmarks.run.redis_server import RedisServer
from benchmarks.run.watching import Observer
from infrastructure.readings import TreeSample
from tasks.loads import Load, Tasks

WARMUP_PHASE = 0


@dataclass(slots=True)
class Known:
    """What is known so far of a run that may yet fail."""

    context: RunContext | None = None
    workers: list[WorkerRecord] = field(default_factory=list)
    records: list[PhaseRecord] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=lambda: {WARMUP_PHASE: "warm-up"})
    """The phases' names by their numbers."""
    samples: list[TreeSample] = field(default_factory=list)
    producer_environment: Mapping[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    """Addresses beside the lab's that something was connected to."""
    readings: dict[int, dict[str, pd.DataFrame]] = field(default_factory=dict)
    """What devices read, by number of the phase and by device."""


@dataclass(slots=True)
class RunInProgress:
    """What a run is to be, what it may reach, how its worker is just now, and what is known of it so far."""

    spec: RunSpec
    places: Places
    redis: RedisServer
    machine: MachineWatch
    observer: Observer
    deadline_s: float
    """On this process's monotonic clock."""
    known: Known = field(default_factory=Known)
    wish: WorkerWish | None = None
    """The worker that was last asked for."""
    queues: list[str] = field(default_factory=list)
    """Those that it listens to."""
    worker_is_up: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the worker was started with."""
    is_warm: bool = False
    """Whether the worker is warm. One that was started as part of a phase is not."""
    is_sampled: bool = False
    web_url: str = ""
    """Where the run's web application answers, if it has one."""
    warm_paths: list[tuple[Tasks, Load]] = field(default_factory=list)
    """What has been offered to warm the ways on which tasks reach this worker."""
    puts: tuple[str, ...] = ()
    """The Redis commands by which its framework puts messages into queues."""
    warmed: int = 0
    """Warm-up tasks offered, over all workers of the run."""
    withdrawn: int = 0
    """Of these, those that were taken out of their queues before there was a worker."""

    @property
    def worker(self) -> NodeClient:
        """The node of the worker."""
        return self.places.worker

    @property
    def producer(self) -> NodeClient:
        """The node of the producer."""
        return self.places.producer
