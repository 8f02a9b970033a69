"""What an analysis says of a result set: frozen data, made by :mod:`benchmarks.analysis.analyse` and read by all that shows it.

Terminal, JSON, CSV and report show these objects and compute nothing of their own, so that they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.analysis.expectations import ExpectationResult
from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Point
from benchmarks.record.better import Direction, place
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.record.flags import Flag, Severity, exclusion
from benchmarks.record.run_data import RunResult
from benchmarks.statistics import Interval
from benchmarks.words import titled
from tasks.contract import Track


@dataclass(frozen=True, slots=True)
class NamedWarning:
    """Something to know before a figure is believed, with what to do about it. It concerns the whole result set where
    ``scenario`` is None, all variants where ``variant`` is None, all runs of the variant where ``run`` is None."""

    code: str
    """As ``cv-high``: small letters and hyphens."""
    severity: Severity
    text: str
    advice: str
    scenario: str | None = None
    variant: str | None = None
    run: int | None = None
    """The run's number within the result set."""
    repetition: int | None = None
    """The same run's number within scenario and variant."""
    measure: str | None = None

    @property
    def subject(self) -> str:
        """What it concerns, in words: scenario, variant and run as far as they are given."""
        parts = [self.scenario, self.variant, None if self.repetition is None else f"#{self.repetition}"]
        return " ".join(part for part in parts if part is not None) or "result set"


@dataclass(frozen=True, slots=True)
class MeasureDescription:
    """The values of one measure over the ``n`` valid runs of a variant that have it, and what describes them.

    ``sd`` is the sample's (n - 1), ``cv`` the same over the mean's size, ``interval`` the mean's (95 %, bootstrap). ``p95`` and
    ``p99`` are percentiles *over runs*: percentiles over tasks are measures of their own. Each is None where ``n`` does not
    allow it (:func:`benchmarks.statistics.percentile`).
    """

    measure: str
    n: int
    mean: float | None
    median: float | None
    sd: float | None
    cv: float | None
    interval: Interval | None
    p95: float | None
    p95_interval: Interval | None
    p99: float | None
    p99_interval: Interval | None
    values: tuple[float, ...]
    """In the order in which the runs were made."""

    @property
    def is_range(self) -> bool:
        """Whether :attr:`reach` is the range of a few runs: an interval of two or three is so wide that it says nothing."""
        return 1 < self.n < FEWEST_RUNS

    @property
    def reach(self) -> Interval | None:
        """What is shown beside the mean: its interval, or of two or three runs the least and the greatest. None of one run."""
        return Interval(min(self.values), max(self.values)) if self.is_range else self.interval


@dataclass(frozen=True, slots=True)
class VariantAnalysis:
    """One variant in one scenario."""

    name: str
    """As it was entered, which may differ from ``executed``: a variant can be entered twice under two names."""
    framework: str
    executed: str
    """The framework's own name of the variant that ran."""
    runs: tuple[RunResult, ...]
    """Every run in the order in which they were made, invalid ones included; columns that relate to the control are filled in."""
    headline: str
    """The measure by which it is said how many of them are valid."""
    measures: Mapping[str, MeasureDescription]
    """For every column of the scenario, in its order."""
    worker: Mapping[str, Any]
    """How its worker ran, as recorded: processes, slots, execution, guarantee, settings, versions. Empty if none ever ran."""

    @property
    def point(self) -> Point:
        """Where in the grid of its study; empty in a scenario."""
        return self.runs[0].point

    @property
    def track(self) -> Track:
        """The one on which it was entered."""
        return self.runs[0].track

    @property
    def processes(self) -> int | None:
        """Of the first worker of its runs; None where none was ever warm."""
        return next((run.processes for run in self.runs if run.processes is not None), None)

    @property
    def concurrency(self) -> int | None:
        """Tasks at once within each of them."""
        return next((run.concurrency for run in self.runs if run.concurrency is not None), None)

    @property
    def valid_runs(self) -> int:
        """Runs that count for the headline."""
        return sum(run.keeps(self.headline) for run in self.runs)

    @property
    def has_figures(self) -> bool:
        """Whether any of its runs counts for anything."""
        return any(run.has_figures for run in self.runs)

    @property
    def made_runs(self) -> int:
        """Runs made, valid or not, without those that are excluded."""
        return sum(exclusion(run.flags) is None for run in self.runs)

    @property
    def excluded(self) -> Flag | None:
        """Why all that there is of it is in no statistic though nothing is wrong (it cannot do this); None otherwise."""
        return None if self.made_runs else next((flag for run in self.runs if (flag := exclusion(run.flags))), None)


@dataclass(frozen=True, slots=True)
class PairComparison:
    """Variant ``a`` against variant ``b`` in one measure, over their valid runs.

    ``ratio`` is the mean of ``a`` over the mean of ``b``. ``holm_p`` is Welch's p-value after Holm's correction over the whole
    family (:func:`benchmarks.analysis.comparison.compare_pairs` states it); ``shown`` is what
    :func:`benchmarks.statistics.difference_shown` says of it, with four runs a side or more. None wherever the number of
    runs or the values do not allow a figure.
    """

    measure: str
    a: str
    b: str
    n_a: int
    n_b: int
    mean_a: float | None
    mean_b: float | None
    ratio: float | None
    interval: Interval | None
    """Of the ratio."""
    welch_p: float | None
    mann_whitney_p: float | None
    holm_p: float | None
    cohens_d: float | None
    """(mean of a - mean of b) over the pooled standard deviation."""
    cliffs_delta: float | None
    """P(a > b) - P(a < b) over all pairs of runs: from -1 to 1."""
    effect: str | None
    """The usual name of the effect's size: negligible, small, medium or large."""
    shown: bool
    better: str | None
    """``a`` or ``b``'s name, whichever is better, where a difference is shown and the measure has a better direction."""
    verdict: str
    """In words."""


@dataclass(frozen=True, slots=True)
class ScenarioAnalysis:
    """All of one scenario."""

    name: str
    number: int | None
    """None of a study."""
    title: str
    question: str
    headline: str
    """The measure that decides; ``summary`` may or may not hold it."""
    columns: Mapping[str, str]
    """Every measure, in order, and what it means."""
    summary: Mapping[str, str]
    """The measures that a person sees first, each with its heading."""
    better: Mapping[str, Direction]
    """For the measures of which one can say it, which values are better."""
    variants: Mapping[str, VariantAnalysis]
    """In the order in which they were entered; only those that have runs."""
    comparisons: tuple[PairComparison, ...]
    """Every pair of variants for each of :attr:`compared_measures`, measure by measure; of a study the pairs that
    :func:`benchmarks.plan.grid.pairs_of` names."""
    warnings: tuple[NamedWarning, ...]
    """Those of this scenario, its variants and their runs."""
    family_size: int
    """How many tests the correction of ``comparisons`` took account of."""
    compared_measures: tuple[str, ...]
    """Headline first, then those of the summary; without shares of the control's mean of another of them."""
    expectations: tuple[ExpectationResult, ...] = ()
    """Measures held against what another says they should be; empty where nothing was expected, or measured."""
    factors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What a study varied, as the manifest describes it, in order; empty of a scenario."""
    conclusions: tuple[Conclusion, ...] = ()
    """What a study answers; empty of a scenario."""
    documents: Mapping[str, str] = field(default_factory=dict)
    """Files of a study's own, text by name; empty of a scenario."""

    @property
    def has_figures(self) -> bool:
        """Whether anything of it may enter a statistic."""
        return any(run.has_figures for variant in self.variants.values() for run in variant.runs)

    @property
    def titled(self) -> str:
        """The title, with the number before it where there is one."""
        return titled(self.number, self.title)

    @property
    def order(self) -> tuple[bool, int, str]:
        """Scenarios by number, then studies by name."""
        return self.number is None, self.number or 0, self.name

    def ranked(self) -> tuple[VariantAnalysis, ...]:
        """The variants by the headline's mean, best first; those without one last."""
        direction = self.better.get(self.headline, "higher")

        def rank(variant: VariantAnalysis) -> tuple[bool, float]:
            mean = variant.measures[self.headline].mean
            return mean is None, 0.0 if mean is None else place(direction, mean)

        return tuple(sorted(self.variants.values(), key=rank))

    def drawn_frameworks(self) -> dict[str, str]:
        """The framework of all that a chart may be of: the variants, and for the points of a study those that ran there."""
        names = {name: variant.framework for name, variant in self.variants.items()}
        return names | {v.executed: v.framework for v in self.variants.values() if v.point}

    def shown_in_legend(self) -> tuple[VariantAnalysis, ...]:
        """The variants as they are ranked; of a study one of the points of each variant, as they are drawn alike."""
        of_each = {variant.executed if variant.point else variant.name: variant for variant in reversed(self.ranked())}
        return tuple(variant for variant in self.ranked() if variant in of_each.values())

    def comparison(self, measure: str, a: str, b: str) -> PairComparison | None:
        """The comparison of two variants, in whichever order they are stored; None if there is none."""
        return next((c for c in self.comparisons if c.measure == measure and {c.a, c.b} == {a, b}), None)


class TargetKind(StrEnum):
    """What an expectation is."""

    TARGET = "target"
    """A figure to reach. A missed one fails a check."""
    ANTI_PATTERN = "anti-pattern"
    """A known misuse that should show its price; where it does not, that is a finding and no failure."""


class TargetState(StrEnum):
    """How an expectation fared."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """An expectation as ``benchmarks/analysis/targets.toml`` states it."""

    name: str
    scenario: int
    """The scenario's number."""
    variant: str
    """The variants it is for, with * and ? as in file names."""
    measure: str
    comparison: str
    """``at least``, ``at most``, ``above`` or ``below``."""
    value: float
    source: str
    """Where the expectation comes from, in its own words."""
    kind: TargetKind = TargetKind.TARGET
    relative_to: str | None = None
    """A variant: the figure is then the ratio of the two means, not the mean itself."""
    slots: int | None = None
    """It holds only for workers with so many execution slots."""
    per: str | None = None
    """``processes`` or ``slots``: the figure is the measure over so many of the worker's."""


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of a target on one variant (None where no variant of the set is meant by it)."""

    target: Target
    variant: str | None
    state: TargetState
    figure: float | None
    interval: Interval | None
    certain: bool
    """Whether the whole interval lies on the same side of the value as the figure."""
    text: str
    """In words: the figure against the value, or why it was not measured."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that can be said of a result set."""

    path: Path
    label: str
    created_utc: str
    state: str
    """running, complete or interrupted"""
    manifest: Mapping[str, Any]
    control: str | None
    scenarios: tuple[ScenarioAnalysis, ...]
    warnings: tuple[NamedWarning, ...]
    """Those that concern the result set as a whole; :meth:`all_warnings` has them all."""
    targets: tuple[TargetResult, ...]

    def all_warnings(self) -> tuple[NamedWarning, ...]:
        """The set's own, then every scenario's: what the terminal, JSON, CSV and report show."""
        return (*self.warnings, *(warning for scenario in self.scenarios for warning in scenario.warnings))

    def invalid_runs(self) -> tuple[RunResult, ...]:
        """Every run of which something is invalid, without those that are excluded."""
        variants = [variant for scenario in self.scenarios for variant in scenario.variants.values()]
        return tuple(run for variant in variants for run in variant.runs if not run.valid and exclusion(run.flags) is None)

    def missed_targets(self) -> tuple[TargetResult, ...]:
        """Every target, anti-patterns left out, that was measured and missed."""
        return tuple(t for t in self.targets if t.target.kind is TargetKind.TARGET and t.state is TargetState.MISSED)


@dataclass(frozen=True, slots=True)
class EnvironmentDifference:
    """Something in which two result sets were made differently."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one variant in two result sets: ``comparison.a`` is the later named set (B), ``comparison.b`` the first (A),
    so that the ratio is B over A."""

    scenario: str
    variant: str
    comparison: PairComparison
    share_of: str | None = None
    """The measure whose share of the control is compared; None where the measure itself is."""
    absolute_a: float | None = None
    """Beside a share, the measure's mean in A, and in B."""
    absolute_b: float | None = None


@dataclass(frozen=True, slots=True)
class SetComparison:
    """Two result sets against each other."""

    a: Path
    b: Path
    differences: tuple[EnvironmentDifference, ...]
    obstacles: tuple[str, ...] = ()
    """Why they should not be compared; if there are any, the comparison was forced."""
    control: str | None = None
    """The control of both sets, of which shares are taken; None where they have none in common."""
    control_changes: tuple[Change, ...] = ()
    """What the control's own figures did: how far the machine, or what is beneath all variants, is another."""
    changes: tuple[Change, ...] = ()
    """Of the other variants, in shares of the control as far as the measures have them."""
    left_out: tuple[str, ...] = ()
    """What only one of the sets holds."""
    headings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Scenario -> measure -> heading."""
