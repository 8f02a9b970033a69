"""Measures held against another that says what they should be: a delay against the delay that was asked for.

Unlike a target, what is expected is measured or asked for in the same run, and whether it came out so fails no check.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.record.run_data import RunResult
from benchmarks.statistics import NARROW_ENOUGH, Interval, mean_interval
from benchmarks.words import number


class Judgement(StrEnum):
    """Whether a measure is what was expected."""

    AS_EXPECTED = "as expected"
    """The whole interval of the ratio lies within ±5 % of 1."""
    OFF = "off"
    """All of it lies outside."""
    NOT_DECIDED = "not decided"
    """It reaches across, or there are too few runs."""


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What became of an expectation on one variant, over its ``n`` valid runs that have both measures.

    ``ratio`` is the mean of each run's ``measure`` over its ``expected``, ``interval`` the mean's (95 %), None for a single run;
    ``least`` and ``greatest`` are those of the runs.
    """

    measure: str
    expected: str
    """The measure whose value it is expected to have."""
    variant: str
    n: int
    ratio: float
    interval: Interval | None
    least: float
    greatest: float
    judgement: Judgement
    text: str
    """The ratio in words, and why nothing is decided where that is so."""


def hold_against(expected: Mapping[str, str], runs: Mapping[str, Sequence[RunResult]]) -> tuple[ExpectationResult, ...]:
    """Every expectation (measure -> the measure whose value it should have) on every variant, expectation by expectation. A
    variant without a valid run that has both, or where 0 was expected, has none."""
    return tuple(
        _result(measure, wanted, variant, ratios)
        for measure, wanted in expected.items()
        for variant, made in runs.items()
        if (ratios := [ratio for run in made if (ratio := _ratio(run, measure, wanted)) is not None])
    )


def _ratio(run: RunResult, measure: str, wanted: str) -> float | None:
    measured, expected = run.value(measure), run.value(wanted)
    if measured is None or not expected:
        return None
    ratio = measured / expected
    return ratio if math.isfinite(ratio) else None


def _result(measure: str, wanted: str, variant: str, ratios: Sequence[float]) -> ExpectationResult:
    interval = mean_interval(ratios)
    judgement = _judge(len(ratios), interval)
    return ExpectationResult(
        measure=measure,
        expected=wanted,
        variant=variant,
        n=len(ratios),
        ratio=float(np.mean(ratios)),
        interval=interval,
        least=min(ratios),
        greatest=max(ratios),
        judgement=judgement,
        text=_in_words(ratios, interval, judgement),
    )


def _judge(n: int, interval: Interval | None) -> Judgement:
    if interval is None or n < FEWEST_RUNS:
        return Judgement.NOT_DECIDED
    if interval.low >= 1 - NARROW_ENOUGH and interval.high <= 1 + NARROW_ENOUGH:
        return Judgement.AS_EXPECTED
    if interval.high < 1 - NARROW_ENOUGH or interval.low > 1 + NARROW_ENOUGH:
        return Judgement.OFF
    return Judgement.NOT_DECIDED


def _in_words(ratios: Sequence[float], interval: Interval | None, judgement: Judgement) -> str:
    if interval is None or len(ratios) < FEWEST_RUNS:
        least, greatest = ratio_words(min(ratios)), ratio_words(max(ratios))
        seen = f"{least} times" if least == greatest else f"from {least} to {greatest} times"
        return f"{seen} in {len(ratios)} valid {'run' if len(ratios) == 1 else 'runs'}, it takes {FEWEST_RUNS}"
    ends = f"{ratio_words(float(np.mean(ratios)))} times ({ratio_words(interval.low)} to {ratio_words(interval.high)})"
    doubt = "; the interval reaches across" if judgement is Judgement.NOT_DECIDED else ""
    return f"{ends}{doubt}"


def ratio_words(ratio: float) -> str:
    """With four digits: of a ratio near 1 it is the fourth that says something."""
    return number(ratio) if abs(ratio) >= 100 else f"{ratio:.4g}"
