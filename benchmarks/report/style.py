"""Colours and marks: a colour for each framework, a mark and a line style for each of its variants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.chart import Mark

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""The colours of Okabe and Ito ("Color Universal Design", 2008) that can be told apart with any colour vision; without black and
yellow, which are lost on a dark and on a white page."""

SHADES = ("#f7f9fb", "#bcd9ee", "#62aadb")
"""From the worst to the best; light enough for dark words."""
SHADE_INK = "#15181b"


@dataclass(frozen=True, slots=True)
class Dash:
    """One line style in the words of both chart libraries."""

    matplotlib: tuple[int, tuple[int, ...]] | Literal["solid"]
    plotly: str


MARKS = (
    Mark("o", "circle"),
    Mark("s", "square"),
    Mark("^", "triangle-up"),
    Mark("D", "diamond"),
    Mark("X", "x"),
    Mark("P", "cross"),
    Mark("v", "triangle-down"),
)
DASHES = (
    Dash("solid", "solid"),
    Dash((0, (6, 2)), "dash"),
    Dash((0, (2, 2)), "dot"),
    Dash((0, (6, 2, 2, 2)), "dashdot"),
    Dash((0, (10, 3)), "longdash"),
)


@dataclass(frozen=True, slots=True)
class Style:
    """How a variant is drawn, everywhere."""

    colour: str
    mark: Mark
    dash: Dash


def styles(frameworks: Mapping[str, str]) -> dict[str, Style]:
    """The style of every variant, from the framework of each. Colours go by the order of the frameworks' names; the variants
    that share a colour are told apart by mark and line, by the order of their names."""
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(sorted(set(frameworks.values())))}
    taken = dict.fromkeys(PALETTE, 0)
    chosen: dict[str, Style] = {}
    for variant in sorted(frameworks, key=lambda name: (frameworks[name], name)):
        colour = colours[frameworks[variant]]
        number = taken[colour]
        taken[colour] += 1
        chosen[variant] = Style(colour, MARKS[number % len(MARKS)], DASHES[number % len(DASHES)])
    return chosen
