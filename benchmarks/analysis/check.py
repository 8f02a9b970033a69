"""Whether a result set may pass in a pipeline."""

from benchmarks.analysis.model import Analysis
from benchmarks.record.flags import Severity
from benchmarks.run.profiling import PROFILED


def failures(analysis: Analysis) -> tuple[str, ...]:
    """Every reason why it may not, in words: a missed target (of the scenarios or of a study), an invalid run, or not one valid
    run (unless nothing but profiles was to be made). Excluded runs, warnings, anti-patterns and targets that were not measured
    let it pass."""
    reasons = [
        f"missed: {missed.target.name}, {missed.variant}: {missed.text} ({missed.target.source})"
        for missed in analysis.missed_targets()
    ]
    reasons += [f"missed: {missed}" for s in analysis.scenarios for found in s.conclusions for missed in found.missed]
    for run in analysis.invalid_runs():
        why = "; ".join(str(flag) for flag in run.flags if flag.severity is Severity.INVALID)
        reasons.append(f"invalid: {run.scenario} {run.variant} #{run.repetition}: {why or 'the run does not say why'}")
    runs = [run for scenario in analysis.scenarios for variant in scenario.variants.values() for run in variant.runs]
    only_profiles = bool(runs) and all(PROFILED.among(run.flags) for run in runs)
    if not only_profiles and not any(run.has_figures for run in runs):
        reasons.append("nothing measured: the result set holds no valid run")
    return tuple(reasons)
