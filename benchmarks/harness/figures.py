"""What is measured of the lab itself, each as a figure with its target, and how much of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

QUEUE = "lab-harness"
"""Where the tasks go that are measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. ``wanted`` is the target as a text; ``met`` is None where there is none."""

    name: str
    value: float
    unit: str
    wanted: str
    met: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    recorder_tasks: int
    enqueue_tasks: int
    rounds: int
    drain_s: float
    pace_s: float
    queue_s: float
    reading_events: tuple[int, ...]
    sampling_s: float
    soak_hours: int
    soak_series: int


FULL = Sizes(200_000, 3_000, 9, 4.0, 10.0, 120.0, (1_000_000, 10_000_000), 60.0, 24, 1_000)


QUICK = Sizes(20_000, 300, 2, 0.5, 2.0, 4.0, (100_000,), 6.0, 1, 90)


def at_most(name: str, value: float, unit: str, target: float, detail: str = "") -> Figure:
    """A figure that should not exceed its target."""
    return Figure(name, value, unit, f"≤ {target:g}", value <= target, detail)


def at_least(name: str, value: float, unit: str, target: float, detail: str = "") -> Figure:
    """A figure that should reach its target."""
    return Figure(name, value, unit, f"≥ {target:g}", value >= target, detail)


def shown(name: str, value: float, unit: str, detail: str = "") -> Figure:
    """A figure without a target."""
    return Figure(name, value, unit, "", None, detail)


def ratios(lab: Sequence[float], bare: Sequence[float]) -> tuple[float, str]:
    """The median of the pairwise ratios, and their range as text."""
    pairs = [a / b for a, b in zip(lab, bare, strict=True)]
    return statistics.median(pairs), f"{len(pairs)} pairs, {min(pairs):.3f} to {max(pairs):.3f}"
