"""What a suite was asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from benchmarks.plan.grid import Point
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
    track: Track = "normalised"
    concurrency: int | None = None
    """Tasks at once within each of its processes, where they are not those of the suite or its track."""
    study: str = ""
    """The study that it is a point of; empty: it runs in every scenario of the suite."""
    point: Point = field(default_factory=dict, hash=False)
    """Where in the grid of its study."""


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
    """Tasks at once within each process on the normalised track, where the variant's model has so many."""
    warmup_s: float
    run_timeout_s: float
    seed: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SuitePlan":
        """The plan among the settings of a manifest. Raises KeyError or TypeError where there is none."""
        data = _of_older_sets(data)
        own = {field.name: data[field.name] for field in fields(cls)}
        entries = tuple(Entry(**{"track": track_of(data), **entry}) for entry in data["entries"])
        return cls(**{**own, "entries": entries, "scenarios": tuple(data["scenarios"])})

    def entries_of(self, scenario: str) -> tuple[Entry, ...]:
        """The entries that run in a scenario or study of this name."""
        return tuple(entry for entry in self.entries if entry.study in ("", scenario))

    def sizes_of(self, scenario: Sized) -> dict[str, float | int]:
        """The sizes that the scenario runs with."""
        preset = scenario.sizes[self.preset]
        return {name: self.sizes.get(name, value) for name, value in preset.items()}


def _of_older_sets(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sets begun before it was a setting of its own have ``slots``, over all processes, instead of ``concurrency``."""
    return data if "concurrency" in data else {**data, "concurrency": -(-data["slots"] // data["processes"])}


def track_of(settings: Mapping[str, Any]) -> Track:
    """The track of what a manifest's settings say none of: of sets in which all were on one."""
    track: Track = settings.get("track", "normalised")
    return track


def on_tracks(entries: Sequence[Entry], tracks: Sequence[Track], control: str | None) -> tuple[Entry, ...]:
    """Every entry on every track. Of several tracks it bears its own name on ``normalised``, and on another the track's name
    after it; the ``control`` variant is the machine's limit and entered on the first alone. Raises ValueError for a name that is
    there twice."""
    named = [
        replace(entry, track=track, name=entry.name if track == "normalised" or len(tracks) == 1 else f"{entry.name}-{track}")
        for entry in entries
        for track in (tracks[:1] if entry.variant == control else tracks)
    ]
    _require_different(named)
    return tuple(named)


def parse_entries(text: str, known: Mapping[str, str]) -> tuple[Entry, ...]:
    """Entries from ``a,b`` or ``name=variant,...``, each with ``@10`` after it for so many tasks at once within a process. Raises
    ValueError naming what is unknown or entered twice."""
    entries = tuple(_parse_entries(text, known))
    _require_different(entries)
    return entries


def _require_different(entries: Sequence[Entry]) -> None:
    names = [e.name for e in entries]
    twice = [e for e in entries if names.count(e.name) > 1]
    if twice:
        again = ", ".join(sorted({e.name for e in twice}))
        raise ValueError(f"entered twice: {again}; give one of them another name, as in again={twice[0].variant}")


def _parse_entries(text: str, known: Mapping[str, str]) -> Iterator[Entry]:
    for item in (part.strip() for part in text.split(",")):
        asked, at, count = item.partition("@")
        if at and not (count.isdecimal() and int(count) > 0):
            raise ValueError(f"{item!r}: after @ stand the tasks at once within a process, a number from 1, as in {asked}@10")
        name, _, variant = asked.partition("=")
        name, variant = (name, variant) if variant else (f"{asked}-{count}" if at else asked, asked)
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a variant: small letters, digits and hyphens only")
        if variant not in known:
            raise ValueError(f"no variant {variant!r}; there are: {', '.join(sorted(known))}")
        yield Entry(name, variant, concurrency=int(count) if at else None)
