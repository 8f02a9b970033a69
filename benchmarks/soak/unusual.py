"""Which windows stand out from those around them, so that their raw events are kept and a reader looks there first.

A figure stands out that lies far from the median of its neighbours, in units of their own spread (Hampel, "The Influence Curve
and Its Role in Robust Estimation", JASA 69, 1974), and by enough to matter: in a series that hardly moves at all everything
would stand out otherwise. A restart is told without neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from benchmarks.soak.windows import Window

NEIGHBOURS = 30
"""The windows that one is held against: the nearest, before and after it as far as there are any."""
FEWEST_NEIGHBOURS = 8
SPREADS = 6.0
TO_SIGMA = 1.4826
"""A median absolute deviation times this is the standard deviation of what is normally distributed."""
QUARTILES_TO_SIGMA = 1.349
"""So is the distance of the quartiles over this; what swings to and fro may have no other spread."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A figure of windows: what it is called, its value, and the change that matters, relative to the neighbours' median or,
    where that is more, absolute."""

    words: str
    of: Callable[[Window], float | None]
    relative: float = 0.1
    absolute: float = 0.0


@dataclass(frozen=True, slots=True)
class Unusual:
    """A window that stands out, and by what."""

    index: int
    reasons: tuple[str, ...]


def _latency_ms(stage: str, share: float) -> Callable[[Window], float | None]:
    def of(window: Window) -> float | None:
        found = window.latency(stage).quantile_ns(share)
        return None if found is None else found / 1e6

    return of


def _gauge(name: str) -> Callable[[Window], float | None]:
    return lambda window: window.gauges[name].greatest if name in window.gauges else None


WATCHED: Mapping[str, Watched] = {
    "sent": Watched("tasks sent", lambda window: window.sent),
    "completed": Watched("tasks completed", lambda window: window.completed),
    "failed": Watched("tasks failed", lambda window: window.failed, absolute=3),
    "retried": Watched("tasks given back for a retry", lambda window: window.retried, absolute=3),
    "latency_p99": Watched("99th percentile of latency, ms", _latency_ms("end_to_end", 0.99), relative=0.5, absolute=1),
    "lateness_p99": Watched("99th percentile of the producer's lateness, ms", _latency_ms("lateness", 0.99), 0.5, 1),
    "worker_pss": Watched("the worker's memory, bytes", _gauge("worker_pss_bytes"), absolute=1e6),
    "worker_fds": Watched("the worker's descriptors", _gauge("worker_fds"), absolute=2),
    "worker_threads": Watched("the worker's threads", _gauge("worker_threads"), absolute=2),
    "queue_depth": Watched("tasks in the queue", _gauge("queue_depth"), relative=0.5, absolute=50),
    "redis_memory": Watched("Redis's memory, bytes", _gauge("redis_memory_bytes"), absolute=1e6),
    "steal_s": Watched("CPU time given to others, s", lambda window: window.counters.get("steal_s"), absolute=0.5),
}


def stand_out(windows: Sequence[Window]) -> list[Unusual]:
    """The windows that stand out among ``windows`` (which ascend), in their order."""
    reasons: list[list[str]] = [[] for _ in windows]
    for watched in WATCHED.values():
        values = [watched.of(window) for window in windows]
        series = np.array([np.nan if value is None else value for value in values], np.float64)
        for place, middle in _far_off(series, watched):
            reasons[place].append(f"{watched.words}: {series[place]:.4g}, and {middle:.4g} around it")
    lives = [(place, window.generation) for place, window in enumerate(windows) if window.generation is not None]
    for (_, before), (place, after) in pairwise(lives):
        if after != before:
            reasons[place].append("the worker was restarted")
    return [Unusual(window.index, tuple(found)) for window, found in zip(windows, reasons, strict=True) if found]


def _far_off(series: npt.NDArray[np.float64], watched: Watched) -> list[tuple[int, float]]:
    """The places whose values lie far off, and the median of their neighbours."""
    known = np.flatnonzero(~np.isnan(series))
    found = []
    for rank, place in enumerate(known):
        begin = min(max(rank - NEIGHBOURS // 2, 0), max(len(known) - NEIGHBOURS - 1, 0))
        around = series[known[begin : begin + NEIGHBOURS + 1]]
        others = np.delete(around, rank - begin)
        if len(others) < FEWEST_NEIGHBOURS:
            continue
        middle = float(np.median(others))
        low, high = np.quantile(others, (0.25, 0.75))
        spread = float(max(TO_SIGMA * np.median(np.abs(others - middle)), (high - low) / QUARTILES_TO_SIGMA))
        limit = max(SPREADS * spread, watched.relative * abs(middle), watched.absolute)
        if abs(series[place] - middle) > limit:
            found.append((int(place), middle))
    return found
