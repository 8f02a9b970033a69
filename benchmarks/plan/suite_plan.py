"""What a suite was asked for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from tasks.contract import Track

NAME = re.compile(r"[a-z0-9-]+")


class Sized(Protocol):
    """What has sizes for each preset: a scenario."""

    @property
    def sizes(self) -> Mapping[str, Mapping[str, float | int]]:
        """For each preset its sizes by name."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A variant as it is entered: under its own name, or under another (to compare it with itself, say)."""

    name: str
    variant: str


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What was asked for; kept in the manifest, so that an interrupted suite resumes with the same."""

    lab: str
    preset: str
    scenarios: tuple[str, ...]
    entries: tuple[Entry, ...]
    sizes: Mapping[str, float | int]
    """Sizes set by the user, over those of the preset."""
    runs: int
    max_runs: int
    processes: int
    concurrency: int
    track: Track
    warmup_s: float
    run_timeout_s: float
    seed: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SuitePlan":
        """The plan among the settings of a manifest. Raises KeyError or TypeError where there is none."""
        data = _with_concurrency(data)
        own = {field.name: data[field.name] for field in fields(cls)}
        entries = tuple(Entry(**entry) for entry in data["entries"])
        return cls(**{**own, "entries": entries, "scenarios": tuple(data["scenarios"])})

    def sizes_of(self, scenario: Sized) -> dict[str, float | int]:
        """The sizes that the scenario runs with."""
        preset = scenario.sizes[self.preset]
        return {name: self.sizes.get(name, value) for name, value in preset.items()}


def _with_concurrency(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sets begun before it was a setting of its own have ``slots``, over all processes, instead."""
    return data if "concurrency" in data else {**data, "concurrency": -(-data["slots"] // data["processes"])}


def parse_entries(text: str, known: Mapping[str, str]) -> tuple[Entry, ...]:
    """Entries from ``a,b`` or ``name=variant,...``. Raises ValueError naming what is unknown or entered twice."""
    entries = tuple(_parse_entries(text, known))
    names = [e.name for e in entries]
    twice = [e for e in entries if names.count(e.name) > 1]
    if twice:
        again = ", ".join(sorted({e.name for e in twice}))
        raise ValueError(f"entered twice: {again}; give one of them another name, as in again={twice[0].variant}")
    return entries


def _parse_entries(text: str, known: Mapping[str, str]) -> Iterator[Entry]:
    for item in (part.strip() for part in text.split(",")):
        name, _, variant = item.partition("=")
        variant = variant or name
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a variant: small letters, digits and hyphens only")
        if variant not in known:
            raise ValueError(f"no variant {variant!r}; there are: {', '.join(sorted(known))}")
        yield Entry(name=name, variant=variant)
