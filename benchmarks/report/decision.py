"""Which variant to take: for each question the best one, by how much, and how sure that is. Says what the comparisons say and
tests nothing itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.analysis.model import MeasureDescription, PairComparison, ScenarioAnalysis
from benchmarks.record.better import Direction, Nearest, place
from benchmarks.statistics import Interval
from benchmarks.words import from_to, number, p_value, percent

_TIMES = 2
"""From here on a ratio is given as such, below as the difference in percent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best variant in one measure of a scenario. The control is left out where there is another: it is no choice."""

    scenario: ScenarioAnalysis
    measure: str
    better: Direction
    best: MeasureDescription
    variant: str
    tied: tuple[str, ...]
    """The other variants against which no difference was shown, or not which of the two is better."""
    tested: bool
    """Whether there were runs enough to test it against any."""
    margin: str
    """How much better it is than the best of the others that are shown to be worse, in words; empty where there is none."""
    pair: PairComparison | None
    """What the margin is from."""
    sureness: str
    sure: bool
    """Whether a difference was shown against every other variant."""
    control: float | None
    """The control's mean, for comparison."""


def answers(scenario: ScenarioAnalysis, control: str | None) -> Iterator[Answer]:
    """The answers of a scenario: one for each measure that was compared and has a better direction, and that a valid run has. A
    study has none: its points are no choices of one question, and it draws conclusions of its own."""
    if scenario.factors:
        return
    for measure in scenario.compared_measures:
        if measure in scenario.better and (answer := _answer(scenario, measure, control)) is not None:
            yield answer


def _answer(scenario: ScenarioAnalysis, measure: str, control: str | None) -> Answer | None:
    means = {name: mean for name, variant in scenario.variants.items() if (mean := variant.measures[measure].mean) is not None}
    choices = [name for name in means if name != control] or list(means)
    if not choices:
        return None
    direction = scenario.better[measure]
    ranked = sorted(choices, key=lambda name: place(direction, means[name]))
    best, others = ranked[0], ranked[1:]
    comparisons = {other: scenario.comparison(measure, best, other) for other in others}
    tied = tuple(name for name, found in comparisons.items() if found is None or found.better != best)
    beaten = [name for name in others if name not in tied]
    pair = comparisons[beaten[0]] if beaten else None
    return Answer(
        scenario=scenario,
        measure=measure,
        better=direction,
        best=scenario.variants[best].measures[measure],
        variant=best,
        tied=tied,
        tested=any(found is not None and found.holm_p is not None for found in comparisons.values()),
        margin="" if pair is None else margin(pair, best, direction),
        pair=pair,
        sureness=_sureness(comparisons, tied, direction, scenario.family_size),
        sure=bool(others) and not tied,
        control=means.get(control) if control is not None and control != best else None,
    )


def margin(pair: PairComparison, of: str, direction: Direction) -> str:
    """How far the variant ``of`` lies from the other of the pair, in words. From the ratio of the greater mean to the less, which
    is easier to read than its inverse; by the distances where the nearest value is the best. Empty where there is no ratio."""
    other = pair.b if pair.a == of else pair.a
    if isinstance(direction, Nearest):
        return _nearness(pair, of, other, direction)
    ratio, interval = pair.ratio, pair.interval
    if not ratio or ratio < 0:
        return ""
    comparative = "more than" if (ratio > 1) == (pair.a == of) else "less than"
    if ratio < 1:
        ratio = 1 / ratio
        interval = None if interval is None or interval.low <= 0 else Interval(1 / interval.high, 1 / interval.low)
    if ratio >= _TIMES:
        ends = f" ({from_to(interval)})" if interval is not None else ""
        return f"{number(ratio)} times {'as much as' if comparative == 'more than' else comparative} {other}{ends}"
    if comparative == "more than":
        shares = [ratio - 1, *((interval.low - 1, interval.high - 1) if interval else ())]
    else:
        shares = [1 - 1 / ratio, *((1 - 1 / interval.low, 1 - 1 / interval.high) if interval else ())]
    ends = f" ({number(100 * shares[1])} to {percent(shares[2])})" if interval is not None else ""
    return f"{percent(shares[0])} {comparative} {other}{ends}"


def _nearness(pair: PairComparison, best: str, other: str, direction: Nearest) -> str:
    means = {pair.a: pair.mean_a, pair.b: pair.mean_b}
    near, far = (None if (mean := means[name]) is None else place(direction, mean) for name in (best, other))
    return f"{number(near)} from {number(direction.to)}, {other} {number(far)}"


def _sureness(comparisons: dict[str, PairComparison | None], tied: tuple[str, ...], direction: Direction, tests: int) -> str:
    if not comparisons:
        return "nothing to compare it with"
    untested = [name for name in tied if (found := comparisons[name]) is None or found.holm_p is None]
    if len(untested) == len(comparisons):
        return "too few runs"
    if tied:
        shown = len(comparisons) - len(tied)
        difference = f"difference in nearness to {number(direction.to)}" if isinstance(direction, Nearest) else "difference"
        return f"no {difference} shown against {len(tied)} of {len(tied) + shown}"
    highest = max(p for found in comparisons.values() if found is not None and (p := found.holm_p) is not None)
    sign = "" if highest < 0.001 else "at most "
    return f"against every other: p {sign}{p_value(highest)}, corrected for {tests} tests"
