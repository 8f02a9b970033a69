"""What a study is expected to take, said before it starts, and refused where it does not fit. Pure."""

from collections.abc import Sequence

from benchmarks.studies.study import Grid, option_of

OVERHEAD_S = 5.0
"""What a run takes beside its loads and its warm-up: a worker's start and end, settling, the marks, the collecting."""


def require_fits(grid: Grid, timeout_s: float, available_bytes: float) -> None:
    """Raises ValueError for a point whose run would be given up (``timeout_s``) or would not fit the memory that the machine has
    left, naming the nearest point that would do."""
    limits = (
        ("time_s", timeout_s, "s", 1.0, "the limit of a run (--run-timeout-seconds)"),
        ("memory_bytes", available_bytes, "MB", 1e6, "what this machine has left"),
    )
    for attribute, limit, unit, scale, what in limits:
        sized = sorted((getattr(needs, attribute), entry.name) for entry, needs in zip(grid.entries, grid.needs, strict=True))
        most, name = sized[-1]
        if most > limit:
            fitting = [found for size, found in sized if size <= limit]
            nearest = f"the largest that works is {fitting[-1]}" if fitting else "not one point of it fits"
            needed = f"{name} needs about {most / scale:,.0f} {unit}"
            fitting_size = _fitting_size(grid, limit) if attribute == "memory_bytes" else ""
            raise ValueError(f"{needed}, and {what} is {limit / scale:,.0f} {unit}: {nearest}{fitting_size}")


def _fitting_size(grid: Grid, available_bytes: float) -> str:
    """In words with which size every point would fit that memory; empty where none is known or would do."""
    grown = [(needs.growth, needs.growth.fitting(needs.memory_bytes, available_bytes)) for needs in grid.needs if needs.growth]
    if len(grown) < len(grid.needs) or any(fits is None for _, fits in grown):
        return ""
    growth, fits = min(grown, key=lambda found: found[1] or 0.0)
    return f"; with {option_of(growth.size)} {fits:,.4g} all do"


def expected(grids: Sequence[Grid], runs: int, warmup_s: float) -> str:
    """In words: how many points and runs, how long they take about, and how much memory the largest takes."""
    needs = [needs for grid in grids for needs in grid.needs]
    total_s = runs * sum(each.time_s + OVERHEAD_S + warmup_s for each in needs)
    memory_mb = max(each.memory_bytes for each in needs) / 1e6
    points = f"{len(needs)} {'point' if len(needs) == 1 else 'points'}"
    made = f"{points}, {runs} {'run' if runs == 1 else 'runs'} of each"
    return f"{made}: about {_duration(total_s)}, and up to {memory_mb:,.0f} MB of memory"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
