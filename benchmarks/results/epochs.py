"""The epochs of a result set: what was made under the conditions that it was begun under, and what was made later under others,
knowingly. Rows of different epochs are groups of their own and never averaged together. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.record.rules.disturbance import same_speed
from benchmarks.words import number

PASSING = frozenset(
    {"boot_id", "frequency_mhz", "command_line", "created_utc", "finished_utc", "entries", "scenarios", "frameworks"}
)
"""What differs between any two invocations, or is shown elsewhere."""
_CONDITIONS = ("queuelab_version", "git", "control", "versions", "host")


@dataclass(frozen=True, slots=True)
class Difference:
    """A condition that was another when the last runs were made."""

    what: str
    was: str
    is_now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.was} → {self.is_now}"


def conditions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Of a manifest what all runs of an epoch must have alike: code, machine and kernel with their limits, versions, what
    Redis and the frameworks' variants are set to, and the images of containers. What was asked for needs no look: a set that is
    gone on with keeps it."""
    settings = manifest["settings"]
    variants = {name: described.get("variants") for name, described in settings.get("frameworks", {}).items()}
    set_to = {"redis": settings.get("redis"), "variants": variants, "images": settings.get("images", {})}
    return {**{name: manifest[name] for name in _CONDITIONS}, **set_to}


def current(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The conditions of the epoch that a set is in."""
    later: Sequence[Mapping[str, Any]] = manifest.get("epochs", [])
    # Of a version that did not look at images, its lab had none as far as is known.
    return {"images": {}, **later[-1]["conditions"]} if later else conditions(manifest)


def differing(what: str, a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    """Where two values differ, as far down as both are mappings: the path in words, and both as text. Says nothing of what is
    passing."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            if name not in PASSING:
                yield from differing(f"{what} {name}".strip(), a.get(name), b.get(name))
    elif a != b:
        yield what.replace("_", " "), shown(a), shown(b)


def shown(value: Any) -> str:
    """A value as text; a dash where there is none."""
    return "–" if value is None else str(value)


def differences(manifest: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What is no longer as it was when the last runs of a set were made, going by the manifest that it would get now."""
    return [Difference(*found) for found in differing("", dict(current(manifest)), conditions(now))]


def moved_facts(was: Mapping[str, float], now: Mapping[str, float]) -> list[Difference]:
    """Which facts of the machine are no longer what they were, of those that were found out again."""
    moved = (name for name in now if not same_speed(was[name], now[name]))
    return [Difference(name.replace("_", " "), number(was[name]), number(now[name])) for name in moved]


def both_uncommitted(manifest: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the checkout held changes that were not committed both then and now: nobody can tell whether they are the same."""
    return all((state or {}).get("dirty", False) for state in (current(manifest)["git"], now["git"]))
