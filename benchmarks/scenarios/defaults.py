"""What a scenario need not say, because it is the same for most."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

from benchmarks.chart import Chart
from benchmarks.plan.grid import Factor
from benchmarks.plan.sizes import Sizes, require_least
from benchmarks.record.better import Direction
from benchmarks.record.flags import Flag, FlagKind
from benchmarks.record.run_data import Measures, RunContext, RunData
from benchmarks.record.shared import (
    BESIDE_MEMORY,
    DRAIN_COLUMNS,
    HIGHER_IS_BETTER,
    LATENCY_COLUMNS,
    LOWER_IS_BETTER,
    SHARED_COLUMNS,
    shared_measures,
)
from benchmarks.record.soundness import Phases, first_match
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from tasks.contract import Variant


class ScenarioDefaults:
    """The base of every scenario (:class:`benchmarks.run.contract.Scenario`).

    A scenario must give ``number``, ``name``, ``title``, ``question``, ``headline``, ``sizes``, ``summary`` and :meth:`phases`.
    Mostly it also gives ``drained`` and ``paced``, ``own_columns`` with :meth:`own_measures` and :meth:`own_measured_in`, and
    ``own_better``. All else is
    what holds for most, and any of it can be given anew.
    """

    number: int | None
    name: str
    title: str
    question: str
    headline: str
    sizes: Mapping[str, Sizes]
    least: Mapping[str, float] = {}
    """The least value of each size that may be 0 (and then leaves something out), or must be more than a little above it."""
    summary: Mapping[str, str]
    drained: str = ""
    """The phase whose drain the shared columns tell of: task_count, total_time, throughput, cpu_percent."""
    paced: str = ""
    """The phase whose latencies they tell, end to end and of all its tasks: mean_latency, p50, p95, p99."""
    lacking: Collection[str] = ()
    """The shared columns that it does not have."""
    own_columns: Mapping[str, str] = {}
    """What each measure of the scenario's own means; a shared column that is named here as well has these words."""
    own_better: Mapping[str, Direction | None] = {}
    """Which way measures of the scenario's own are better; None for a shared one of which one cannot say so here."""
    shares: Mapping[str, str] = {}
    expected: Mapping[str, str] = {}
    factors: Sequence[Factor] = ()
    variants_compared: bool = True
    facts: Sequence[str] = ()
    own_flags: Sequence[FlagKind] = ()

    @property
    def columns(self) -> Mapping[str, str]:
        """The shared columns, what stands beside them, the scenario's own, the totals."""
        shared = {name: words for name, words in SHARED_COLUMNS.items() if name not in self.lacking}
        return {**shared, **BESIDE_MEMORY, **self.own_columns, **TOTAL_COLUMNS}

    @property
    def better(self) -> Mapping[str, Direction]:
        """The scenario's own, over what holds for the shared columns and the totals."""
        columns, shared = self.columns, directions(higher=HIGHER_IS_BETTER, lower=LOWER_IS_BETTER)
        found = {**{name: way for name, way in shared.items() if name in columns}, **self.own_better}
        return {name: way for name, way in found.items() if way is not None}

    def check(self, sizes: Sizes) -> None:
        """Every size must be at least what ``least`` says, and where that says nothing above 0. Raises ValueError for one that is
        not, and KeyError for one that is missing."""
        require_least(self.name, sizes, self.sizes["quick"].keys(), self.least)

    def unsupported(self, variant: Variant) -> str | None:
        """Every variant can run it."""
        return None

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """What each run goes through."""
        raise NotImplementedError(f"{self.name} offers nothing: it must say its phases")

    def measures(self, data: RunData) -> Measures:
        """The shared columns, the scenario's own and the totals, in the order of ``columns``; None for what was not measured.
        Raises KeyError for a measure of its own that is no column."""
        columns, own = self.columns, self.own_measures(data)
        if unknown := own.keys() - columns.keys():
            raise KeyError(f"{self.name} measures what is no column of it: {', '.join(sorted(unknown))}")
        found = {**shared_measures(data, self.drained, self.paced), **own, **totals(data)}
        return {name: found.get(name) for name in columns}

    def own_measures(self, data: RunData) -> Measures:
        """The measures of the scenario's own, and any of the shared columns that it fills in another way."""
        return {}

    def measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The shared columns of a drain and of latencies are of the phases ``drained`` and ``paced``, a share is of those of its
        measure, others as :meth:`own_measured_in` says, and of the whole run where it says nothing."""
        shared = {**dict.fromkeys(DRAIN_COLUMNS, (self.drained,)), **dict.fromkeys(LATENCY_COLUMNS, (self.paced,))}
        known = {name: phases for name, phases in shared.items() if all(phases)}
        own = self.own_measured_in(context)
        found = first_match(self.columns, {**own, **{name: phases for name, phases in known.items() if name not in own}})
        return {**found, **{share: found[measure] for share, measure in self.shares.items()}}

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """For columns, or patterns of their names (``half_*``; the first that fits holds), the phases that they are of."""
        return {}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Nothing beyond what holds for every run."""
        return ()

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """None beside those that every scenario gets."""
        return ()


def directions(*, higher: Iterable[str] = (), lower: Iterable[str] = ()) -> dict[str, Direction | None]:
    """Which way each of these measures is better."""
    return {**dict.fromkeys(higher, "higher"), **dict.fromkeys(lower, "lower")}
