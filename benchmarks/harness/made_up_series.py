"""Made-up series of windows with a known answer."""

import numpy as np

from benchmarks.soak.slopes import Floats


def noise(random: np.random.Generator, count: int, resemblance: float) -> Floats:
    """Of spread 1, each value like the one before."""
    drawn = random.standard_normal(count + 200)
    for place in range(1, len(drawn)):
        drawn[place] = resemblance * drawn[place - 1] + np.sqrt(1 - resemblance**2) * drawn[place]
    return drawn[200:]


def rising(random: np.random.Generator, count: int, resemblance: float, by: float) -> Floats:
    """By so much in all."""
    return noise(random, count, resemblance) + by * np.arange(count) / count


def stepping(random: np.random.Generator, count: int, resemblance: float, by: float) -> Floats:
    """Once, by so much, anywhere but at the ends."""
    at = int(random.integers(count // 10, 9 * count // 10))
    return noise(random, count, resemblance) + by * (np.arange(count) >= at)


def sawtooth(random: np.random.Generator, count: int, resemblance: float, teeth: float, by: float = 8.0) -> Floats:
    """So many teeth of that height, which begin anywhere."""
    return noise(random, count, resemblance) + by * ((np.arange(count) / count * teeth + random.random()) % 1)
