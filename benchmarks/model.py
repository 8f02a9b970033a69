"""What flows between the parts of the lab: frozen data, no behaviour beyond simple properties.

A *run* is one repetition of a scenario on one variant. It goes through *phases*, each offering one load; phase 0 is the
warm-up. At the marks of a phase (before its load, when the producer has finished, when all is drained) a :class:`Reading` of
Redis, the host and the worker is taken. All times are CLOCK_MONOTONIC nanoseconds of the runner's host.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from benchmarks.loads import Load

if TYPE_CHECKING:
    from benchmarks.accounting import Account
    from benchmarks.flags import Flag
    from benchmarks.task_table import TaskTable

Measures = Mapping[str, float | int | None]
"""Measures of a run by name, each name ending in its unit; None where it could not be measured."""


Direction = Literal["higher", "lower"]
"""Which way a measure is better."""


@dataclass(frozen=True, slots=True)
class RedisReading:
    """Counters of the Redis server (INFO) at one moment, since its start, and its memory now, without its clients' buffers."""

    at_ns: int
    commands: int
    input_bytes: int
    output_bytes: int
    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class HostReading:
    """What may have disturbed a run: CPU time of the whole host since its boot, load, swapping, clock frequency."""

    at_ns: int
    cpu_total_s: float
    cpu_steal_s: float
    load_1min: float
    swapped_pages: int
    frequency_mhz: float | None


@dataclass(frozen=True, slots=True)
class TreeSample:
    """A worker's whole process tree at one moment. ``cpu_s`` includes children that have ended. The cgroup's figures are None
    where the node has no cgroup of its own."""

    at_ns: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int
    cpu_s: float
    processes: int
    threads: int
    fds: int
    voluntary_switches: int
    involuntary_switches: int
    cgroup_memory_bytes: int | None
    cgroup_memory_peak_bytes: int | None
    cgroup_cpu_s: float | None
    cgroup_throttled_s: float | None


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


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase as it went: what was offered and when, and the readings at its three marks.

    ``resumed_ns`` is when the workers were let go on a prefilled queue, else when the load began; ``drained_ns`` is when the
    runner saw all tasks ended (or gave up: ``timed_out``).
    """

    number: int
    name: str
    workload: str
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


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """The worker of a run: what the framework made of the request, and what became of its processes."""

    variant: str
    framework: str
    processes: int
    slots: int
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
    """After the warm-up, before the first load."""


@dataclass(frozen=True, slots=True)
class PhaseData:
    """A phase with what the event log says of its tasks."""

    record: PhaseRecord
    tasks: "TaskTable"
    account: "Account"


@dataclass(frozen=True, slots=True)
class RunData:
    """Everything recorded of one run: what a scenario computes its measures from."""

    scenario: str
    variant: str
    run: int
    worker: WorkerRecord
    phases: Mapping[str, PhaseData]
    samples: "Sequence[TreeSample]"
    """Periodic samples of the worker's tree, ascending in time."""


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """A phase as a scenario asks for it. ``load`` may depend on the phases before it in the same run (a rate relative to the
    measured capacity, for example)."""

    name: str
    workload: str
    load: Load | Callable[[Mapping[str, PhaseData]], Load]
    argument: Any = None


class Scenario(Protocol):
    """A scenario declares what is offered and what is measured, and nothing of how runs are made: see
    ``benchmarks.scenarios``."""

    @property
    def number(self) -> int:
        """1 to 11, and on."""
        ...

    @property
    def name(self) -> str:
        """The module's name (``scenario_1_throughput``), which its rows, folders and files carry."""
        ...

    @property
    def title(self) -> str:
        """A few words."""
        ...

    @property
    def question(self) -> str:
        """The question that it answers."""
        ...

    @property
    def sizes(self) -> Mapping[str, Mapping[str, float | int]]:
        """For each preset (quick, standard, full) its sizes by name."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Every measure that a row has, in order, and what it means."""
        ...

    @property
    def headline(self) -> str:
        """The measure whose interval decides whether there were enough runs."""
        ...

    @property
    def summary(self) -> Mapping[str, str]:
        """The measures that a person sees first, each with a short heading that says its unit."""
        ...

    @property
    def shares(self) -> Mapping[str, str]:
        """Columns that only the whole result set can fill: each is the share that a measure (the value) has of its mean over
        the control's valid runs. ``measures`` gives None for them."""
        ...

    @property
    def better(self) -> Mapping[str, Direction]:
        """For each measure of which one can say so, whether more or less of it is better. Counts, sizes and readings of the host
        are left out: nothing is better or worse about them."""
        ...

    def phases(self, sizes: Mapping[str, float | int]) -> Sequence[PhasePlan]:
        """The phases of a run, in order."""
        ...

    def measures(self, data: RunData) -> Measures:
        """The measures of one run: pure arithmetic on what was recorded."""
        ...

    def flags(self, data: RunData) -> "Sequence[Flag]":
        """What this scenario must say of a run beyond ``benchmarks.flags.run_flags``."""
        ...


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
    flags: "Sequence[Flag]" = ()
    measures: Measures = field(default_factory=dict)
    failure: str | None = None
    """Why the run could not be made at all (the worker did not start, a timeout), with the tail of its log."""
