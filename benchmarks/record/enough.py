"""Whether there are runs enough of a variant."""

from collections.abc import Sequence

from benchmarks.record.flags import CV_HIGH, TOO_FEW_RUNS, UNSUPPORTED, Flag
from benchmarks.record.run_data import RunResult
from benchmarks.statistics import coefficient_of_variation, interval_narrow_enough, runs_needed

COEFFICIENT_OF_VARIATION = 0.15
FAILURES_BEFORE_GIVING_UP = 2
RUNS_FOR_AN_INTERVAL = 3
FEWEST_RUNS = 4
"""With three runs a side the two-sided Mann-Whitney test cannot fall below p = 0.1, whatever the data; with four, 0.029."""


def group_flags(measure: str, values: Sequence[float], fewest_runs: int = FEWEST_RUNS) -> tuple[Flag, ...]:
    """What must be said of the valid runs of one variant, from their values of one measure: too much spread, too few runs."""
    flags: list[Flag] = []
    n, cv = len(values), coefficient_of_variation(values)
    if cv is not None and cv > COEFFICIENT_OF_VARIATION:
        flags.append(CV_HIGH.flag(measure=measure, cv=cv, n=n, limit=COEFFICIENT_OF_VARIATION))
    needed = runs_needed(values)
    if n < fewest_runs:
        flags.append(TOO_FEW_RUNS.flag(measure=measure, n=n, more=f", fewer than {fewest_runs}"))
    elif needed:
        flags.append(TOO_FEW_RUNS.flag(measure=measure, n=n, more=f"; about {needed} more would narrow it to ±5 %"))
    return tuple(flags)


def wants_another_run(results: Sequence[RunResult], headline: str, runs: int, max_runs: int) -> bool:
    """Whether a variant that has these results needs one more: too few are valid for some measure, or the 95 % interval of the
    headline measure is wider than ±5 % while the budget lasts. A variant that only ever failed is given up."""
    if len(results) >= max_runs or any(UNSUPPORTED.among(r.flags) for r in results):
        return False
    failed = [r for r in results if r.failure is not None]
    if len(failed) == len(results) and len(failed) >= FAILURES_BEFORE_GIVING_UP:
        return False
    if fewest_kept(results) < runs:
        return True
    if runs < RUNS_FOR_AN_INTERVAL:
        return False
    values = [float(v) for r in results if (v := r.value(headline)) is not None]
    # Runs that measure something else narrow no interval of the headline.
    return bool(values) and not interval_narrow_enough(values)


def fewest_kept(results: Sequence[RunResult]) -> int:
    """How many of these runs count for that of their measures for which the fewest do."""
    measures = {name for r in results for name in r.measures}
    return min((sum(r.keeps(name) for r in results) for name in measures), default=sum(r.valid for r in results))
