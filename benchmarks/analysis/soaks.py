"""What the soaks of a result set say, and why they may not pass in a pipeline."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.results.soak_folder import soaks_in
from benchmarks.soak.summary import SoakSummary, faults
from benchmarks.words import duration, number

MB = 1e6
FIGURES: Mapping[str, Callable[[SoakSummary], str]] = {
    "state": lambda s: s.state,
    "lasted": lambda s: duration(s.lasted_s),
    "capacity, tasks/s": lambda s: number(s.capacity_per_s),
    "offered, tasks/s": lambda s: number(s.offered_per_s),
    "done, tasks/s": lambda s: number(s.done_per_s),
    "p50 ms": lambda s: number(s.p50_ms),
    "p99 ms": lambda s: number(s.p99_ms),
    "tasks": lambda s: f"{s.totals.attempted:,}",
    "lost": lambda s: f"{s.totals.lost:,}",
    "doubled": lambda s: f"{s.totals.doubled:,}",
    "late (over 60 s)": lambda s: f"{s.totals.late:,}",
    "failed (as planned)": lambda s: f"{s.totals.failed:,} ({s.planned_failures:,})",
    "retried": lambda s: f"{s.totals.retried:,}",
    "bursts made up for": lambda s: f"{s.bursts_emptied} of {s.bursts}",
    "longest making up, s": lambda s: number(s.longest_emptying_s),
    "worker's deaths": lambda s: f"{s.worker_deaths}",
    "suspended, s": lambda s: number(s.suspended_s),
    "windows": lambda s: f"{s.windows:,} of {s.window_s:g} s",
    "lab's memory, MB": lambda s: number(None if s.lab_memory_greatest_bytes is None else s.lab_memory_greatest_bytes / MB),
    "disk taken, MB": lambda s: number(s.disk_bytes / MB),
}
"""What is shown of each soak, by its heading."""


def soaks_of(path: Path) -> list[SoakSummary]:
    """Those of a result set, by name; none of one that holds none. Raises ResultSetError for one that cannot be read."""
    return [folder.summary() for folder in soaks_in(path)]


def soak_faults(summaries: Sequence[SoakSummary]) -> tuple[str, ...]:
    """Every reason why they may not pass, in words: a leak or drift, a task lost or done twice, a service level missed."""
    return tuple(f"soak of {summary.variant}: {fault}" for summary in summaries for fault in faults(summary))
