"""What must be known before figures are believed: the flags of single runs, and what only all runs together can tell.

Rules with a test (drift, clusters) are corrected by Holm over all of them in one scenario, and ask for a size that matters, so
that a quiet scenario is quiet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.analysis.comparison import equals_p
from benchmarks.analysis.diagnostics import clusters, drift, outliers
from benchmarks.analysis.model import MeasureDescription, NamedWarning, VariantAnalysis
from benchmarks.record.enough import group_flags
from benchmarks.record.flags import CV_HIGH, Flag, FlagKind, Severity
from benchmarks.record.run_data import RunResult
from benchmarks.statistics import NARROW_ENOUGH, SIGNIFICANCE, holm
from benchmarks.words import number

SMALLEST_CHANGE = 2 * NARROW_ENOUGH
"""What a drift or two clusters must differ by, relative to the median or mean: as wide as an interval that is narrow enough."""


@dataclass(frozen=True, slots=True)
class WarningKind(FlagKind):
    """A flag that no run has, but the analysis of all runs raises. ``advice`` is a template as well."""

    def warning(
        self,
        *,
        scenario: str | None = None,
        variant: str | None = None,
        run: RunResult | None = None,
        measure: str | None = None,
        **values: Any,
    ) -> NamedWarning:
        """A warning with its text filled in. Raises KeyError for a value that the text lacks."""
        return NamedWarning(
            code=self.code,
            severity=self.severity,
            text=self.explanation.format(measure=measure, **values),
            advice=self.advice.format(**values),
            scenario=scenario,
            variant=variant,
            run=None if run is None else run.run,
            repetition=None if run is None else run.repetition,
            measure=measure,
        )


SET_INCOMPLETE = WarningKind(
    "set-incomplete",
    Severity.WARNING,
    "the result set is {state}: {made} runs of at least {planned} are there",
    "Complete it with: {command}",
)

SET_IN_EPOCHS = WarningKind(
    "set-in-epochs",
    Severity.WARNING,
    "the set was gone on with under other conditions; the runs made since stand apart as …-epoch-{epoch}: {changed}",
    "Compare only within an epoch, or run the whole set anew under the same conditions.",
)

NOTHING_RUN = WarningKind(
    "nothing-run",
    Severity.WARNING,
    "not one run of this scenario is there",
    "Complete the result set, or run it anew.",
)

VARIANT_NOT_RUN = WarningKind(
    "variant-not-run",
    Severity.WARNING,
    "it was entered and has no run here",
    "Complete the result set, or see why it was given up.",
)

NO_VALID_RUN = WarningKind(
    "no-valid-run",
    Severity.WARNING,
    "none of its {made} runs is valid: it has no figures here and enters no comparison",
    "Put right what the flags of its runs say, and run it again.",
)

RUN_INVALID = WarningKind(
    "run-invalid",
    Severity.INVALID,
    "the run is marked invalid and does not say why",
    "Leave it out, and see which program wrote it.",
)

SETTINGS_DIFFER = WarningKind(
    "settings-differ",
    Severity.WARNING,
    "its runs were not made alike: {what} changed from run {first} to run {second}",
    "Compare only runs made alike: run it again in one go.",
)

NO_CONTROL = WarningKind(
    "no-control",
    Severity.NOTE,
    "{reason}: nothing can be given as a share of the control",
    "Enter the control among the variants, and see that its runs are valid.",
)

OUTLIER = WarningKind(
    "outlier",
    Severity.WARNING,
    "{measure}: {value} where the median of {n} runs is {median}",
    "Look at this run's load, steal and log; a disturbed run may be made again, an unexplained one belongs to the result.",
)

DRIFT = WarningKind(
    "drift",
    Severity.WARNING,
    "{measure}: {direction} by {change:.0%} from the first to the last of {n} runs (Mann-Kendall, p {p})",
    "Look for what builds up from run to run: heat and clock frequency, memory, files, keys left in Redis.",
)

BIMODAL = WarningKind(
    "bimodal",
    Severity.WARNING,
    "{measure}: the runs fall into two clusters, {low_n} about {low} and {high_n} about {high} (Engelman-Hartigan, p {p})",
    "Its mean describes neither: look for what differs, as placement on cores, another program, a worker that started badly.",
)

FLAGS = (
    SET_INCOMPLETE,
    SET_IN_EPOCHS,
    NOTHING_RUN,
    VARIANT_NOT_RUN,
    NO_VALID_RUN,
    RUN_INVALID,
    SETTINGS_DIFFER,
    NO_CONTROL,
    OUTLIER,
    DRIFT,
    BIMODAL,
)
"""Every warning that an analysis adds to the flags of the runs."""


def scenario_warnings(
    scenario: str,
    entered: Sequence[str],
    variants: Mapping[str, VariantAnalysis],
    headline: str,
    measures: Sequence[str],
) -> tuple[NamedWarning, ...]:
    """All warnings of a scenario: variant by variant, then what was tested over all of them. ``measures`` are those that are
    compared; ``headline`` is the one that says whether there are runs enough."""
    if not variants:
        return (NOTHING_RUN.warning(scenario=scenario),)
    found = [VARIANT_NOT_RUN.warning(scenario=scenario, variant=name) for name in entered if name not in variants]
    for variant in variants.values():
        found += _of_variant(scenario, variant, headline, measures)
    found += _drifts(scenario, variants.values(), measures)
    found += _clusters(scenario, variants.values(), measures)
    return tuple(found)


def _of_variant(scenario: str, variant: VariantAnalysis, headline: str, measures: Sequence[str]) -> Iterator[NamedWarning]:
    for run in variant.runs:
        for flag in run.flags:
            yield _from_flag(flag, scenario, variant.name, run)
        if not run.valid and not any(flag.severity in (Severity.INVALID, Severity.EXCLUDED) for flag in run.flags):
            yield RUN_INVALID.warning(scenario=scenario, variant=variant.name, run=run)
    if variant.excluded is not None:
        return
    if not variant.has_figures:
        yield NO_VALID_RUN.warning(scenario=scenario, variant=variant.name, made=variant.made_runs)
        return
    for measure in measures:
        for flag in group_flags(measure, variant.measures[measure].values):
            if measure == headline or CV_HIGH.among((flag,)):
                yield _from_flag(flag, scenario, variant.name, measure=measure)
        yield from _outliers(scenario, variant, measure)


def _from_flag(flag: Flag, scenario: str, variant: str, run: RunResult | None = None, measure: str | None = None) -> NamedWarning:
    return NamedWarning(
        code=flag.code,
        severity=flag.severity,
        text=flag.detail,
        advice=flag.advice,
        scenario=scenario,
        variant=variant,
        run=None if run is None else run.run,
        repetition=None if run is None else run.repetition,
        measure=measure,
    )


def _outliers(scenario: str, variant: VariantAnalysis, measure: str) -> Iterator[NamedWarning]:
    description = variant.measures[measure]
    runs = [run for run in variant.runs if run.value(measure) is not None]
    for position in outliers(description.values):
        yield OUTLIER.warning(
            scenario=scenario,
            variant=variant.name,
            run=runs[position],
            measure=measure,
            value=number(description.values[position]),
            median=number(description.median),
            n=description.n,
        )


def _drifts(scenario: str, variants: Iterable[VariantAnalysis], measures: Sequence[str]) -> Iterator[NamedWarning]:
    tested = [(v, m, found) for v, m in _each(variants, measures) if (found := drift(m.values)) is not None]
    for (variant, description, found), p in zip(tested, holm([found.p for _, _, found in tested]), strict=True):
        if p < SIGNIFICANCE and found.change is not None and abs(found.change) >= SMALLEST_CHANGE:
            yield DRIFT.warning(
                scenario=scenario,
                variant=variant.name,
                measure=description.measure,
                direction="rose" if found.change > 0 else "fell",
                change=abs(found.change),
                n=description.n,
                p=equals_p(p),
            )


def _clusters(scenario: str, variants: Iterable[VariantAnalysis], measures: Sequence[str]) -> Iterator[NamedWarning]:
    tested = [(v, m, found) for v, m in _each(variants, measures) if (found := clusters(m.values)) is not None]
    for (variant, description, found), p in zip(tested, holm([found.p for _, _, found in tested]), strict=True):
        if p < SIGNIFICANCE and found.high_mean - found.low_mean >= SMALLEST_CHANGE * abs(description.mean or 0):
            yield BIMODAL.warning(
                scenario=scenario,
                variant=variant.name,
                measure=description.measure,
                low=number(found.low_mean),
                high=number(found.high_mean),
                low_n=found.low_n,
                high_n=found.high_n,
                p=equals_p(p),
            )


def _each(variants: Iterable[VariantAnalysis], measures: Sequence[str]) -> Iterator[tuple[VariantAnalysis, MeasureDescription]]:
    for variant in variants:
        for measure in measures:
            yield variant, variant.measures[measure]
