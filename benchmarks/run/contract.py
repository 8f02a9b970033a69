"""What a run can be asked for: what a scenario implements, and what it gets to see. Who asks for runs implements it.

A scenario declares what is offered and what is measured, and nothing of how runs are made: see ``benchmarks.scenarios``.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from benchmarks.chart import Chart
from benchmarks.plan.grid import Factor
from benchmarks.plan.wishes import ANY_WORKER, KillWish, StartWish, WorkerWish
from benchmarks.record.better import Direction
from benchmarks.record.flags import Flag, FlagKind
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.soundness import Phases
from benchmarks.results.chart_data import ChartData
from benchmarks.run.nodes.client import NodeClient
from tasks.contract import Variant
from tasks.loads import Load, Tasks


@dataclass(frozen=True, slots=True)
class Places:
    """What a device may reach while a phase goes on. Redis and mock API are those of all variants of a set, one after another:
    what an earlier run has left there is there still."""

    worker: NodeClient
    producer: NodeClient
    queue: str
    redis_url: str
    """Without a database number: those of a framework are its own affair, 15 is what tasks work on."""
    mock_api_url: str
    """As the runner sees it."""


class Device(Protocol):
    """Reads something beside the event log for as long as a phase lasts: the log of another service, a ledger, receipts.

    What it cannot read it says by :class:`benchmarks.run.nodes.transport.NodeError`. Whatever it raises costs its own run, as a
    dead worker does, and no other. What Redis and the host say of
    themselves at the marks of a phase (:class:`benchmarks.record.run_data.Reading`) is read in any case, without a device."""

    @property
    def name(self) -> str:
        """What its reading is called, in the measures and among the run's files: small letters, digits and underscores."""
        ...

    def attach(self, places: Places, run: int, phase: int) -> AbstractContextManager[Callable[[], pd.DataFrame]]:
        """Begin; the block is left when the phase is over, whatever became of it. What it gives is called once, when all tasks
        have ended, and tells what was read."""
        ...


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """A phase as a scenario asks for it."""

    name: str
    tasks: Tasks
    load: Load
    worker: WorkerWish = ANY_WORKER
    devices: tuple[Device, ...] = ()
    failures_expected: bool = False
    """Whether tasks are meant to fail, so that it needs no warning."""
    kill: KillWish | None = None
    """What is killed meanwhile: what that costs is then what the phase asks, and no fault of the run."""
    losses_counted: bool = False
    """Whether the phase asks how many sends are not accepted in time, so that they are no fault of the run."""
    start: StartWish | None = None
    """The start of its worker, where that belongs to the phase."""
    rate_may_be_missed: bool = False
    """Whether the phase asks how much can be offered at all, so that a paced rate that is missed makes no run invalid."""
    is_cold: bool = False
    """Whether it asks what the first tasks on their path cost: what it offers is not warmed before. Its worker is warm."""
    warms_itself: bool = False
    """Whether its path is warmed with tasks of its own rather than with those that warm its worker. For tasks that change nothing
    that is measured, and of which what they carry makes a path another."""


Look = Callable[[], PhaseData]
"""What a phase that is over has shown. Costs the reading of the event log, so a scenario asks only where it must know."""


class Scenario(Protocol):
    """A scenario declares what is offered and what is measured, and nothing of how runs are made: see
    ``benchmarks.scenarios``."""

    @property
    def number(self) -> int | None:
        """1, 2, 3, ...; None of a study."""
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
        """Columns that only the whole result set can fill: each is the share that a measure (the value) has of the control's
        (:func:`benchmarks.results.tables.with_shares`). ``measures`` gives None for them."""
        ...

    @property
    def better(self) -> Mapping[str, Direction]:
        """For each measure of which one can say so, which values are better: the higher, the lower, or the nearest to one
        (:func:`benchmarks.record.better.nearest`). Counts, sizes and readings of the host are left out: nothing is better or
        worse about them."""
        ...

    @property
    def expected(self) -> Mapping[str, str]:
        """The measures that are expected to have the value of another: measure -> that other. An analysis says for each variant
        whether they have it, within 5 %."""
        ...

    @property
    def factors(self) -> Sequence[Factor]:
        """What a study varies; empty of a scenario. Where in their grid a run is, ``RunContext.point`` says."""
        ...

    @property
    def variants_compared(self) -> bool:
        """Whether points of a study that differ in their variant alone are compared."""
        ...

    @property
    def facts(self) -> Sequence[str]:
        """The facts of :mod:`benchmarks.run.calibration` that it must know."""
        ...

    @property
    def own_flags(self) -> Sequence[FlagKind]:
        """The flags that no other scenario can raise."""
        ...

    def check(self, sizes: Mapping[str, float | int]) -> None:
        """Raises ValueError for sizes that make no sense."""
        ...

    def unsupported(self, variant: Variant) -> str | None:
        """Why the variant cannot run this scenario; None if it can."""
        ...

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The phases of a run, one after another: each ``yield`` gives what looks at the phase that it asked for, so that the
        next may depend on it (a rate relative to the measured capacity, for example)."""
        ...

    def measures(self, data: RunData) -> Measures:
        """The measures of one run: pure arithmetic on what was recorded. Any phase may be missing: a run may end early, and is
        reckoned again without its invalid phases."""
        ...

    def measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """For every column the phases that it is of (:mod:`benchmarks.record.soundness`): if one of them is invalid, the run does
        not count for it."""
        ...

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What this scenario must say of a run beyond :func:`benchmarks.record.rules.validity.run_flags`."""
        ...

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """Pictures of its own, beside those that every scenario gets, from what a stored set holds of it.

        The set may be older than this version and lack a measure or a reading: then there is no picture of it. No other picture
        of the scenario has the same name, which is of small letters, digits and hyphens."""
        ...
