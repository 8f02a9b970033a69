"""Whether verdicts on slopes hold what they promise: thousands of made-up series with a known answer."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmarks.harness.figures import Figure, Sizes, at_least, at_most
from benchmarks.harness.made_up_series import noise, rising, sawtooth, stepping
from benchmarks.soak.slopes import Floats
from benchmarks.soak.steps import Trend, trend_of

WINDOWS = (120, 360, 1_440)
RESEMBLANCES = (0.0, 0.6, 0.9)
SPREADS_RISEN, SPREADS_STEPPED = (0.0, 20.0), (4.0, 30.0)
TEETH = (1.3, 60.0)
FALSE_ALARMS, COVERED = 0.05, (0.93, 0.97)

Draw = Callable[[np.random.Generator, int, float], Floats]
DrawWithSlope = Callable[[np.random.Generator, int, float], tuple[Floats, float]]
WITHOUT_SLOPE: Mapping[str, Draw] = {
    "noise": noise,
    "a step": lambda random, count, like: stepping(random, count, like, float(random.uniform(*SPREADS_STEPPED))),
    "a sawtooth": lambda random, count, like: sawtooth(random, count, like, float(np.exp(random.uniform(*np.log(TEETH))))),
}


def slope_verdicts(sizes: Sizes) -> Iterator[Figure]:
    """How often a series without a slope is accused of one, and how often an interval covers the true one. The seed is fixed."""
    detail = f"{sizes.soak_series} series, of {', '.join(map(str, WINDOWS))} windows that resemble each other by " + ", ".join(
        map(str, RESEMBLANCES)
    )
    for name, draw in WITHOUT_SLOPE.items():
        trends = [trend for trend, _ in _trends(sizes.soak_series, _flat(draw))]
        accused = sum(trend.shown and trend.slope > 0 for trend in trends) / len(trends)
        yield at_most(f"leaks found in {name}", accused, "of all", FALSE_ALARMS, detail)

    def risen(random: np.random.Generator, count: int, like: float) -> tuple[Floats, float]:
        by = float(random.uniform(*SPREADS_RISEN))
        return rising(random, count, like, by), by

    pairs = _trends(sizes.soak_series, risen)
    covered = sum(trend.interval.low <= by <= trend.interval.high for trend, by in pairs) / len(pairs)
    least, most = COVERED
    met = least <= covered <= most
    yield Figure("intervals that cover the true slope", covered, "of all", f"{least:g} to {most:g}", met, detail)
    strong = [trend.shown for trend, by in pairs if by >= SPREADS_RISEN[1] / 2]
    yield at_least("leaks found of more than ten times the noise", sum(strong) / len(strong), "of all", 0.8, detail)


def _flat(draw: Draw) -> DrawWithSlope:
    return lambda random, count, like: (draw(random, count, like), 0.0)


def _trends(series: int, draw: DrawWithSlope) -> list[tuple[Trend, float]]:
    """The trends of that many series, over a length of 1, each with the slope that it was made with."""
    random = np.random.default_rng(20_000)
    found = []
    for number in range(series):
        count, like = WINDOWS[number % len(WINDOWS)], RESEMBLANCES[number // len(WINDOWS) % len(RESEMBLANCES)]
        values, slope = draw(random, count, like)
        trend = trend_of(np.arange(count) / count, values)
        if trend is None:
            raise ValueError(f"{count} windows are too few to judge")
        found.append((trend, slope))
    return found
