"""What a scenario gets to draw pictures of its own from: what a stored result set holds of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.plan.grid import Point
from benchmarks.results.stored_run import StoredRun
from benchmarks.statistics import Interval, mean_interval


@dataclass(frozen=True, slots=True)
class ChartData:
    """The variants of a scenario that have a figure, and their runs. Nothing here is of what is invalid."""

    variants: tuple[str, ...]
    """The best headline first."""
    control: str | None
    """Its name. It is among the variants only if it has a figure."""
    measured: Mapping[str, Mapping[str, tuple[float, ...]]]
    """For each variant and measure the values over the runs that count for it, in the order in which these were made."""
    runs: Mapping[str, tuple[StoredRun, ...]]
    """For each variant the runs of which nothing is invalid, in that order; there may be none. Their tasks, samples and readings
    are read from disk when asked for, which raises ResultSetError where they cannot be."""
    points: Mapping[str, Point] = field(default_factory=dict)
    """Where in the grid of a study each of them is; empty of a scenario."""
    executed: Mapping[str, str] = field(default_factory=dict)
    """The framework's own name of the variant that ran, for each of them."""

    @property
    def drawable(self) -> tuple[str, ...]:
        """What a picture can have a series of: the variants, and of a study those that ran at its points."""
        return (*self.variants, *dict.fromkeys(self.executed[name] for name in self.points))

    def values(self, variant: str, measure: str) -> tuple[float, ...]:
        """Over the runs that count for it; empty where none does, as in a set that is older than the measure."""
        return self.measured.get(variant, {}).get(measure, ())

    def mean(self, variant: str, measure: str) -> float | None:
        """Over the valid runs; None where none has it."""
        values = self.values(variant, measure)
        return float(np.mean(values)) if values else None

    def interval(self, variant: str, measure: str) -> Interval | None:
        """The mean's 95 % interval; None for fewer than two values."""
        return mean_interval(self.values(variant, measure))
