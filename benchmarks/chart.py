"""A chart as data: who draws it need not know what it is of, and who makes it need not know how it is drawn."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark in the words of both chart libraries, matplotlib and plotly."""

    matplotlib: str
    plotly: str


class Scale(enum.StrEnum):
    """How an axis is divided."""

    LINEAR = "linear"
    LOG = "log"
    TAIL = "tail"
    """Shares from 0 towards 1, each further nine as far as the one before: the position of p is -log10(1 - p)."""
    CATEGORY = "category"


class Shape(enum.StrEnum):
    """How a series is drawn."""

    LINE = "line"
    """With a mark here and there, and a band from ``low`` to ``high`` along y."""
    SOLID = "solid"
    """A line alone in its panel, which needs no style of its own."""
    POINTS = "points"
    """With intervals from ``low`` to ``high`` along x."""
    BARS = "bars"
    """Lying, from 0, with intervals as for points."""
    JOINED = "joined"
    """Points on a line."""
    DOTS = "dots"
    """Small and faint: single runs behind their mean."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis. ``categories`` run from the top down."""

    title: str
    scale: Scale
    categories: tuple[str, ...] = ()
    from_zero: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What one variant contributes to a panel. ``mark`` overrides the variant's own; ``label`` says what a mark of its own
    stands for. ``words`` stand beside the points."""

    variant: str
    shape: Shape
    x: Floats
    y: Floats | Sequence[str]
    low: Floats | None = None
    high: Floats | None = None
    mark: Mark | None = None
    label: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the x axis with a name."""

    label: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """A line that is no variant's, by its name: what would be ideal, or a limit."""

    label: str
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One pair of axes. ``spans`` are shaded and named; ``guides`` are dotted."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    spans: tuple[Span, ...] = ()
    guides: tuple[Guide, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Cells by row (a variant) and column: ``shades`` from 0 (worst) to 1 (best), NaN where there is nothing; ``words`` to be
    read in each."""

    variants: tuple[str, ...]
    columns: tuple[str, ...]
    shades: Floats
    words: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart. ``name`` is part of a file's name; ``caption`` says in words what is to be seen and how it was reckoned; ``only``
    is the variant that it is about, None where it compares. The panels of a ``stacked`` chart share their x axis. ``file``
    is a name, without ending, under which its pictures lie in the result set's own folder as well."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...] = ()
    heat_map: HeatMap | None = None
    stacked: bool = False
    only: str | None = None
    file: str = ""

    def variants(self) -> list[str]:
        """Those that are drawn, in order."""
        if self.heat_map is not None:
            return list(self.heat_map.variants)
        return list(dict.fromkeys(series.variant for panel in self.panels for series in panel.series))


def tail_position(shares: Floats) -> Floats:
    """Where shares below 1 stand on an axis of scale TAIL."""
    position: Floats = -np.log10(1 - np.asarray(shares, np.float64))
    return position


TAIL_TICKS: Mapping[str, float] = {
    label: float(tail_position(np.array(share)))
    for label, share in {"0": 0.0, "50": 0.5, "90": 0.9, "99": 0.99, "99.9": 0.999, "99.99": 0.9999, "99.999": 0.99999}.items()
}
"""Where the ticks of such an axis stand, by their label in percent."""
