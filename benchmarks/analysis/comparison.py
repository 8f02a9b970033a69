"""Variants against each other: every pair, in every measure that a person sees first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchmarks.analysis.model import PairComparison
from benchmarks.record.better import Direction, Nearest, winner
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.record.shared import CONDITIONS
from benchmarks.statistics import SIGNIFICANCE, Comparison, Interval, compare, difference_shown, effect, holm, ratio_interval
from benchmarks.words import from_to, number, p_value

Values = Mapping[str, Sequence[float]]
"""The values of one measure by variant."""

TWICE = 2.0


def compared_measures(headline: str, summary: Sequence[str], shares: Mapping[str, str]) -> tuple[str, ...]:
    """The measures whose pairs are tested: the headline, then those of the summary. A share of the control's mean of a measure
    that is tested itself is left out: dividing all values by one number changes no test, and would count it twice. So is what
    says under what conditions others were measured."""
    wanted = tuple(measure for measure in dict.fromkeys([headline, *summary]) if measure not in CONDITIONS)
    return tuple(measure for measure in wanted if shares.get(measure) not in wanted)


@dataclass(frozen=True, slots=True)
class Contest:
    """Two groups of values of one measure that are to be compared, and which values of it are better."""

    measure: str
    a: str
    b: str
    values_a: Sequence[float]
    values_b: Sequence[float]
    better: Direction | None
    interval: Interval | None = None
    """Of the ratio of the means, where the values come from something that gives a better one than they do."""


def compare_pairs(
    measures: Mapping[str, Values],
    better: Mapping[str, Direction],
    planned: int | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> tuple[tuple[PairComparison, ...], int]:
    """Compare every pair of variants, or those of ``pairs`` that are there, in every measure, and say how many tests the
    correction is for.

    The family of Holm's correction is all of it: every pair in every measure given, of one scenario, as far as both sides have
    two values or more. So in a scenario without any real difference the chance that even one is shown is below 5 %. Nothing is
    shown with fewer than four runs on a side. ``planned`` is the number of runs that each variant was to have at least
    (:func:`benchmarks.statistics.compare`).
    """
    return compare_family(
        [
            Contest(measure, a, b, values[a], values[b], better.get(measure))
            for measure, values in measures.items()
            for a, b in (combinations(values, 2) if pairs is None else pairs)
            if a in values and b in values
        ],
        planned,
    )


def compare_family(contests: Sequence[Contest], planned: int | None) -> tuple[tuple[PairComparison, ...], int]:
    """Compare each, corrected for all of them; and how many could be tested."""
    tests = [compare(c.values_a, c.values_b, planned) for c in contests]
    adjusted = iter(holm([test.welch_p for test in tests if test.welch_p is not None]))
    family = sum(test.welch_p is not None for test in tests)
    comparisons = []
    for contest, test in zip(contests, tests, strict=True):
        holm_p = None if test.welch_p is None else next(adjusted)
        comparisons.append(_comparison(contest, test, holm_p, family, planned))
    return tuple(comparisons), family


def _comparison(contest: Contest, test: Comparison, holm_p: float | None, family: int, planned: int | None) -> PairComparison:
    ratio, size = ratio_interval(contest.values_a, contest.values_b), effect(contest.values_a, contest.values_b)
    mean_a, mean_b = _mean(contest.values_a), _mean(contest.values_b)
    enough = min(len(contest.values_a), len(contest.values_b)) >= FEWEST_RUNS
    shown = enough and difference_shown(holm_p, test.mann_whitney_p)
    better = _better(contest, family, planned) if shown else None
    found = PairComparison(
        measure=contest.measure,
        a=contest.a,
        b=contest.b,
        n_a=len(contest.values_a),
        n_b=len(contest.values_b),
        mean_a=mean_a,
        mean_b=mean_b,
        ratio=_ratio(mean_a, mean_b),
        interval=contest.interval or (None if ratio is None else ratio.interval),
        welch_p=test.welch_p,
        mann_whitney_p=test.mann_whitney_p,
        holm_p=holm_p,
        cohens_d=None if size is None else size.cohens_d,
        cliffs_delta=None if size is None else size.cliffs_delta,
        effect=None if size is None else size.name,
        shown=shown,
        better=better,
        verdict="",
    )
    return replace(found, verdict=_verdict(found, contest.better, family))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _ratio(a: float | None, b: float | None) -> float | None:
    """None where the signs make it meaningless."""
    return a / b if a is not None and b and a * b >= 0 else None


def _better(contest: Contest, family: int, planned: int | None) -> str | None:
    """Of two sides that are shown to differ, the one whose mean is better; None where both are equally good, or where it is not
    shown which is nearer."""
    mean_a, mean_b = float(np.mean(contest.values_a)), float(np.mean(contest.values_b))
    if contest.better is None or (isinstance(contest.better, Nearest) and not _nearness_shown(contest, family, planned)):
        return None
    match winner(contest.better, mean_a, mean_b):
        case "a":
            return contest.a
        case "b":
            return contest.b
        case None:
            return None


def _nearness_shown(contest: Contest, family: int, planned: int | None) -> bool:
    """Whether two sides that are shown to differ also differ in how near they are.

    If both lie on the same side of the value they are to be near to, they do. Otherwise they can differ and still be as far from
    it: then one of them is mirrored at that value, and the two are tested again, corrected for the whole family.
    """
    assert isinstance(contest.better, Nearest)
    to = contest.better.to
    if (np.mean(contest.values_a) - to) * (np.mean(contest.values_b) - to) >= 0:
        return True
    test = compare(contest.values_a, [2 * to - value for value in contest.values_b], planned)
    adjusted_p = None if test.welch_p is None else min(1.0, family * test.welch_p)
    return difference_shown(adjusted_p, test.mann_whitney_p)


def _verdict(found: PairComparison, direction: Direction | None, family: int) -> str:
    for name, n in ((found.a, found.n_a), (found.b, found.n_b)):
        if n == 0:
            return f"not compared: {name} has no valid run with this measure"
    if found.shown:
        return f"{found.a} is {_how_far(found)} {found.b}{_judgement(found, direction)} ({found.effect} effect)"
    if min(found.n_a, found.n_b) < FEWEST_RUNS:
        return f"no difference shown: {found.n_a} and {found.n_b} valid runs, it takes {FEWEST_RUNS} a side"
    if found.holm_p is not None and found.holm_p < SIGNIFICANCE:
        return f"no difference shown: the means differ, the ranks do not (p = {p_value(found.mann_whitney_p)})"
    within = f": the ratio lies from {from_to(found.interval)}" if found.interval is not None else ""
    return f"no difference shown{within} (p {equals_p(found.holm_p)} over {family} comparisons)"


def _judgement(found: PairComparison, direction: Direction | None) -> str:
    if isinstance(direction, Nearest):
        to = number(direction.to)
        if found.better is None:
            return f", and which is nearer to {to} is not shown"
        return f", better: nearer to {to}" if found.better == found.a else f", worse: farther from {to}"
    return "" if found.better is None else ", better" if found.better == found.a else ", worse"


def equals_p(p: float | None) -> str:
    """A p-value to follow the letter p: ``= 0.012`` or ``< 0.001``."""
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _how_far(found: PairComparison) -> str:
    higher = (found.mean_a or 0) > (found.mean_b or 0)
    if not found.ratio:
        return "higher than" if higher else "lower than"
    if found.ratio >= TWICE:
        return f"{number(found.ratio)} times"
    return f"{number(abs(found.ratio - 1) * 100)} % {'higher' if higher else 'lower'} than"
