"""What a scenario need not say, because it is the same for most."""

from collections.abc import Generator, Mapping, Sequence

from benchmarks.chart import Chart
from benchmarks.plan.sizes import Sizes, is_seed, require_positive
from benchmarks.record.better import Direction
from benchmarks.record.flags import Flag, FlagKind
from benchmarks.record.run_data import Measures, RunContext, RunData
from benchmarks.record.shared import HIGHER_IS_BETTER, LOWER_IS_BETTER, SHARED_COLUMNS, shared_measures
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from tasks.contract import Variant


class ScenarioDefaults:
    """The base of every scenario (:class:`benchmarks.run.contract.Scenario`).

    A scenario must give ``number``, ``name``, ``title``, ``question``, ``headline``, ``sizes``, ``summary`` and :meth:`phases`.
    Mostly it also gives ``drained`` and ``paced``, ``own_columns`` with :meth:`own_measures`, and ``own_better``. All else is
    what holds for most, and any of it can be given anew.
    """

    number: int
    name: str
    title: str
    question: str
    headline: str
    sizes: Mapping[str, Sizes]
    summary: Mapping[str, str]
    drained: str = ""
    """The phase whose drain the shared columns tell of: task_count, total_time, throughput, cpu_percent."""
    paced: str = ""
    """The phase whose latencies they tell: mean_latency, p50, p95, p99."""
    own_columns: Mapping[str, str] = {}
    """What each measure of the scenario's own means; a shared column that is named here as well has these words."""
    own_better: Mapping[str, Direction] = {}
    """Which way measures of the scenario's own are better."""
    shares: Mapping[str, str] = {}
    expected: Mapping[str, str] = {}
    facts: Sequence[str] = ()
    own_flags: Sequence[FlagKind] = ()

    @property
    def columns(self) -> Mapping[str, str]:
        """The shared columns, the scenario's own, the totals."""
        return {**SHARED_COLUMNS, **self.own_columns, **TOTAL_COLUMNS}

    @property
    def better(self) -> Mapping[str, Direction]:
        """The scenario's own, over what holds for the shared columns and the totals."""
        columns = self.columns
        higher: dict[str, Direction] = dict.fromkeys((name for name in HIGHER_IS_BETTER if name in columns), "higher")
        lower: dict[str, Direction] = dict.fromkeys((name for name in LOWER_IS_BETTER if name in columns), "lower")
        return {**higher, **lower, **self.own_better}

    def check(self, sizes: Sizes) -> None:
        """Every size but seeds must be above 0. Raises ValueError for one that is not, and KeyError for one that is missing."""
        require_positive(self.name, sizes, [name for name in self.sizes["quick"] if not is_seed(name)])

    def unsupported(self, variant: Variant) -> str | None:
        """Every variant can run it."""
        return None

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """What each run goes through."""
        raise NotImplementedError(f"{self.name} offers nothing: it must say its phases")

    def measures(self, data: RunData) -> Measures:
        """The shared columns, the scenario's own and the totals, in the order of ``columns``; None for what was not measured."""
        shared = shared_measures(data, self.drained, self.paced)
        found = {**shared, **self.own_measures(data), **totals(data)}
        return {name: found.get(name) for name in self.columns}

    def own_measures(self, data: RunData) -> Measures:
        """The measures of the scenario's own, and any of the shared columns that it fills in another way."""
        return {}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Nothing beyond what holds for every run."""
        return ()

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """None beside those that every scenario gets."""
        return ()
