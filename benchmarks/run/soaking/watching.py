"""Who is told how a soak goes on: what a terminal implements."""

from dataclasses import dataclass
from typing import Protocol

from benchmarks.soak.summary import SoakEvent


@dataclass(frozen=True, slots=True)
class SoakStatus:
    """How it is at a moment. Rates are tasks a second over the last window that is known, latencies end to end."""

    elapsed_s: float
    remaining_s: float
    windows: int
    offered_per_s: float | None
    done_per_s: float | None
    last_p99_ms: float | None
    p99_ms: float | None
    outstanding: int
    memory_bytes: float | None
    memory_bytes_per_hour: float | None
    """Its slope over all windows so far."""
    attempted: int
    lost: int
    doubled: int
    deaths: int
    events: int


class SoakWatcher(Protocol):
    """Is told what happens in the soak of a variant."""

    def step(self, text: str) -> None:
        """What it does now, in words."""
        ...

    def event(self, event: SoakEvent) -> None:
        """Something happened."""
        ...

    def status(self, status: SoakStatus) -> None:
        """How it is now; often."""
        ...
