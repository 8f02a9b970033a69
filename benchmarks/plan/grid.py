"""What a study varies: factors, and the points of the grid that they span. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, product
from typing import Any, Literal, Protocol

Value = str | int | float
Point = Mapping[str, Value]
"""A value for each factor of a study, by the factor's name."""
Kind = Literal["text", "integer", "number"]

VARIANT = "variant"
"""What every study may vary beside its factors: never the name of one."""
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that a study varies: ``name`` is the column of its values and the option that sets them."""

    name: str
    kind: Kind
    words: str
    unit: str = ""
    known: tuple[str, ...] = ()
    """The levels that there are, of a factor of text; empty where it may be any."""
    compared: bool = True
    """Whether points that differ in it alone are compared: not where it sets what is asked rather than answers it."""

    def parse(self, text: str) -> Value:
        """A level as a user writes it. Raises ValueError saying what it may be."""
        word = text.strip()
        if self.kind == "text":
            if self.known and word not in self.known:
                raise ValueError(f"{self.name} {word!r} is none of: {', '.join(self.known)}")
            return word
        try:
            number: int | float = int(word) if self.kind == "integer" else float(word)
        except ValueError:
            kind = "a whole number" if self.kind == "integer" else "a number"
            raise ValueError(f"{self.name} must be {kind}, not {word!r}") from None
        if not 0 < number < float("inf"):
            raise ValueError(f"{self.name} {word} makes no sense, it must be a number above 0: 1 works")
        return number

    def levels(self, text: str) -> tuple[Value, ...]:
        """Levels separated by commas, each once, in that order. Raises ValueError as :meth:`parse`."""
        return tuple(dict.fromkeys(self.parse(word) for word in text.split(",")))

    def described(self) -> dict[str, Any]:
        """What a manifest keeps of it."""
        return {name: value for name, value in asdict(self).items() if name not in ("name", "known")}


def points_of(factors: Sequence[Factor], levels: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    """Every combination of one level of each factor. Raises KeyError for a factor without levels, TypeError for a level of
    another kind than its factor."""
    for factor in factors:
        for level in levels[factor.name]:
            _require_kind(factor, level)
    names = [factor.name for factor in factors]
    return (dict(zip(names, combination, strict=True)) for combination in product(*(levels[name] for name in names)))


def _require_kind(factor: Factor, level: Value) -> None:
    wanted = {"text": str, "integer": int, "number": (int, float)}[factor.kind]
    if not isinstance(level, wanted) or isinstance(level, bool):  # type: ignore[arg-type]
        raise TypeError(f"{factor.name} is {factor.kind}, and {level!r} is none")


def name_of(variant: str, point: Point) -> str:
    """What the runs of a variant at a point are called: the variant, then the levels in the order of the factors."""
    levels = (_NOT_IN_A_NAME.sub("-", str(level).lower()).strip("-") for level in point.values())
    return "-".join((variant, *levels))


class Placed(Protocol):
    """A variant at a point of a grid, under a name."""

    @property
    def name(self) -> str:
        """What its runs are called."""
        ...

    @property
    def variant(self) -> str:
        """The variant that ran."""
        ...

    @property
    def point(self) -> Point:
        """Where in the grid."""
        ...


def pairs_of(
    placed: Iterable[Placed], factors: Mapping[str, Mapping[str, Any]], *, variants_compared: bool
) -> list[tuple[str, str]]:
    """The pairs that are worth comparing, declared before anything is measured: those that differ in one thing alone, which is
    a factor that is compared (``factors`` as described in a manifest) or the variant. Along a factor of numbers only neighbours
    are: each step from one level to the next that the variant has."""
    everything = [(entry.name, {VARIANT: entry.variant, **entry.point}) for entry in placed]
    pairs = []
    for (a, here), (b, there) in combinations(everything, 2):
        different = [name for name in here if here[name] != there.get(name)]
        if len(different) != 1 or here.keys() != there.keys():
            continue
        (name,) = different
        compared = variants_compared if name == VARIANT else factors[name]["compared"]
        if compared and (name == VARIANT or factors[name]["kind"] == "text" or _are_neighbours(name, here, there, everything)):
            pairs.append((a, b))
    return pairs


def _are_neighbours(name: str, here: Point, there: Point, everything: Sequence[tuple[str, Point]]) -> bool:
    """Whether no point between them differs from both in this number alone."""
    rest = {other: value for other, value in here.items() if other != name}
    alike = [p[name] for _, p in everything if {other: value for other, value in p.items() if other != name} == rest]
    low, high = sorted((float(here[name]), float(there[name])))
    return not any(low < float(level) < high for level in alike)
