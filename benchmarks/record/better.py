"""Which values of a measure are better: the more, the less, or the nearer to one of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

FARTHEST = 1e15
"""A value that others are to be near to lies within this of 0, so that it can be written without an exponent."""
PATTERN = r"higher|lower|nearest\(-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?\)"
"""What stands in files, whole; their JSON Schemas hold the same."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearer to ``to`` the better, from either side. Raises ValueError where ``to`` is no number or is out of bounds."""

    to: float

    def __post_init__(self) -> None:
        if not abs(self.to) < FARTHEST:
            raise ValueError(f"a measure cannot be best nearest to {self.to}")


Direction = Literal["higher", "lower"] | Nearest
"""Which way a measure is better."""


def nearest(to: float) -> Nearest:
    """The nearer to ``to`` the better; for declarations, which read as they are stored."""
    return Nearest(to)


def written(direction: Direction) -> str:
    """As it stands in files: ``higher``, ``lower``, ``nearest(1)``."""
    if not isinstance(direction, Nearest):
        return direction
    # Adding 0 takes the sign from -0.
    digits = format(Decimal(repr(float(direction.to) + 0.0)), "f")
    return f"nearest({digits.removesuffix('.0')})"


def parsed(text: str) -> Direction:
    """The inverse of :func:`written`. Raises ValueError for what no direction is written as."""
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"{text!r} is no way in which a measure is better: higher, lower, nearest(1)")
    match text:
        case "higher" | "lower":
            return text
    return Nearest(float(text.removeprefix("nearest(").removesuffix(")")))


def all_written(better: Mapping[str, Direction]) -> dict[str, str]:
    """:func:`written` for each measure."""
    return {measure: written(direction) for measure, direction in better.items()}


def all_parsed(better: Mapping[str, str]) -> dict[str, Direction]:
    """:func:`parsed` for each measure."""
    return {measure: parsed(text) for measure, text in better.items()}


def place(direction: Direction, value: float) -> float:
    """What to sort by so that the best value stands first; the same for values that are equally good. ``value`` is not NaN."""
    match direction:
        case Nearest(to):
            return abs(value - to)
        case "higher":
            return -value
        case "lower":
            return value


def is_better(direction: Direction, value: float, other: float) -> bool:
    """Whether a value is better than another; False where both are equally good."""
    return place(direction, value) < place(direction, other)


def winner(direction: Direction, a: float, b: float) -> Literal["a", "b"] | None:
    """Which of two means is better; None where both are equally good."""
    if is_better(direction, a, b):
        return "a"
    return "b" if is_better(direction, b, a) else None
