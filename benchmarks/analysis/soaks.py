"""What the soaks of a result set say, and why they may not pass in a pipeline."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.soak_folder import soaks_in
from benchmarks.soak.summary import SoakSummary, faults


def soaks_of(path: Path) -> list[SoakSummary]:
    """Those of a result set, by name; none of one that holds none. Raises ResultSetError for one that cannot be read."""
    return [folder.summary() for folder in soaks_in(path)]


def soak_faults(summaries: Sequence[SoakSummary]) -> tuple[str, ...]:
    """Every reason why they may not pass, in words: a leak or drift, a task lost or done twice, a service level missed."""
    return tuple(f"soak of {summary.variant}: {fault}" for summary in summaries for fault in faults(summary))
