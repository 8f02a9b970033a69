"""What a study is: a scenario whose runs are the points of a grid. One is written on :class:`Study`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Factor, Point, Value, name_of, points_of
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.suite_plan import Entry
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.results.chart_data import ChartData
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import Variant

Levels = Mapping[str, Sequence[Value]]
"""Levels by factor."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point is to run: the variant, the cores that the lab may use, the sizes, and the preset that was asked for."""

    variant: Variant
    cores: int
    sizes: Sizes
    preset: str


@dataclass(frozen=True, slots=True)
class Growth:
    """A size that memory grows with: its name, its value, the bytes for each one of it, and the least that it can be."""

    size: str
    value: float
    each_bytes: float
    least: float

    def fitting(self, memory_bytes: float, limit_bytes: float) -> float | None:
        """The greatest value, rounded down to two digits, with which memory that takes ``memory_bytes`` now is within a limit;
        None where that is below the least."""
        fits = self.value - (memory_bytes - limit_bytes) / self.each_bytes
        if fits < self.least:
            return None
        step = 10.0 ** (math.floor(math.log10(fits)) - 1)
        return max(self.least, math.floor(fits / step) * step)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run of a point is expected to take, without its worker's start and warm-up: seconds, and bytes of memory at its
    highest, over worker and tasks."""

    time_s: float
    memory_bytes: float
    growth: Growth | None = None
    """What makes the memory larger or smaller, where one size does."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The points of a study as entries of a suite, what each is expected to take, and, in words, what was left out and why."""

    entries: tuple[Entry, ...]
    needs: tuple[Needs, ...]
    left_out: tuple[str, ...]


class Study(ScenarioDefaults):
    """The base of every study.

    It gives what a scenario gives (:class:`benchmarks.scenarios.defaults.ScenarioDefaults`), where ``phases``, ``measures`` and
    all else that has the run's context see the point in ``context.point``; and besides ``factors``, ``options``, :meth:`levels`,
    :meth:`needs` and :meth:`conclusions`. All draws of a run are of its repetition alone, so all points of a repetition meet the
    same arrivals, and differ in nothing but their point.
    """

    number = None
    factors: Sequence[Factor]
    options: Mapping[str, str]
    """What each of its sizes means: a user sets them by options of these names."""
    runs: Mapping[str, int] = {"quick": 1, "standard": FEWEST_RUNS, "full": 10}
    """Valid runs of each point by preset, where the user does not say."""
    run_timeout_s: Mapping[str, float] = {}
    """The limit of a run by preset, where the user sets none; that of all others where a preset is not in it."""
    most: Mapping[str, float] = {}
    """The greatest value of each size that has one."""

    def enters(self, variant: Variant) -> bool:
        """Whether a variant is in the grid where the user names none. The control is no choice, and stays out."""
        return not variant.control

    def levels(self, place: Place) -> Levels:
        """The levels of every factor at a place, where the user sets none."""
        raise NotImplementedError(f"{self.name} varies nothing: it must say the levels of its factors")

    def skips(self, place: Place, point: Point, asked: Levels) -> bool:
        """Whether a point that makes sense is left out, as long as the user has not asked for it: a grid need not be whole."""
        return False

    def objection(self, place: Place, point: Point) -> str | None:
        """Why a point makes no sense there, in a few words that follow its name; None if it does. Such a point is left out."""
        return None

    def needs(self, place: Place, point: Point) -> Needs:
        """What a run of the point is expected to take."""
        raise NotImplementedError(f"{self.name} must say what its runs are expected to take")

    def conclusions(self, data: ChartData) -> Sequence[Conclusion]:
        """What the figures of a stored set answer: pure arithmetic. Any point, any measure may be missing."""
        raise NotImplementedError(f"{self.name} answers nothing: it must draw its conclusions")

    def documents(self, data: ChartData, created_utc: str) -> Mapping[str, str]:
        """Files of its own that the result set is to have, text by name, of a set that was begun at this ISO 8601 time. As
        :meth:`conclusions`: pure, and any figure may be missing."""
        return {}

    def check(self, sizes: Sizes) -> None:
        """Every size must be within its bounds. Raises ValueError naming the option and the nearest value that works."""
        for name in self.sizes["quick"]:
            size, least, most = sizes[name], self.least.get(name), self.most.get(name)
            if least is None and not size > 0:
                works = min(preset[name] for preset in self.sizes.values())
                raise ValueError(f"{option_of(name)} {_short(size)} makes no sense, it must be above 0: {_short(works)} works")
            if least is not None and size < least:
                raise ValueError(f"{option_of(name)} {_short(size)} is too small: the nearest that works is {_short(least)}")
            if most is not None and size > most:
                raise ValueError(f"{option_of(name)} {_short(size)} is too large: the nearest that works is {_short(most)}")

    def grid(self, places: Sequence[Place], asked: Levels) -> Grid:
        """Every point that makes sense, on every place; ``asked`` are levels that the user has set. Raises ValueError where none
        does, with the reason of each."""
        found = list(self._points(places, asked))
        left_out = tuple(f"{name}: {reason}" for name, reason, _, _ in found if reason is not None)
        kept = [(entry, needs) for _, reason, entry, needs in found if reason is None]
        if not kept:
            raise ValueError(f"{self.name} has no point that makes sense as it was asked for: {'; '.join(left_out)}")
        return Grid(tuple(entry for entry, _ in kept), tuple(needs for _, needs in kept), left_out)

    def _points(self, places: Sequence[Place], asked: Levels) -> Iterator[tuple[str, str | None, Entry, Needs]]:
        for place in places:
            variant = place.variant.name
            if self.unsupported(place.variant) is not None:
                # One row says so; there is nothing to vary.
                yield variant, None, Entry(variant, variant, study=self.name), Needs(0, 0)
                continue
            for point in points_of(self.factors, {**self.levels(place), **asked}):
                if self.skips(place, point, asked):
                    continue
                entry = Entry(name_of(variant, point), variant, study=self.name, point=point)
                yield entry.name, self.objection(place, point), entry, self.needs(place, point)


def option_of(name: str) -> str:
    """How a size or factor is set on a command line."""
    return f"--{name.replace('_', '-')}"


def _short(value: float) -> str:
    return f"{value:,.6g}" if value < 1_000_000 else f"{value:,.0f}"
