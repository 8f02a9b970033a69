"""A dense series of what a process tree occupies, by figures that cost little. Why there are two series: PSS and USS, which
:mod:`infrastructure.agent.sampling` takes, cost a millisecond a process, and can be taken a few times a second at most.

Which processes there are is looked up about once a second, as that is the dear part of it: one that is started meanwhile is in
the series a second later.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from infrastructure.agent.cgroup import PROC_CGROUP, read_cgroup_memory
from infrastructure.readings import Footprint

SHARE_OF_A_CORE = 0.02
"""What taking the figures may cost: the interval grows with their cost."""
SHARE_FOR_LOOKING = 0.01
"""What looking for processes may cost."""
LOOK_INTERVAL_S = 1.0
_RESET_HIGH_WATER = "5"
"""To /proc/PID/clear_refs: forget the peak resident set size (proc_pid_clear_refs(5))."""
_KIB = 1024
_GONE = (FileNotFoundError, ProcessLookupError)


class FootprintSeries:
    """A series of :class:`Footprint` from :meth:`begin` to :meth:`end`. Knows what it costs."""

    def __init__(self, tree: Callable[[], Sequence[psutil.Process]], own_cgroup: bool) -> None:
        self._tree = tree
        self._own_cgroup = own_cgroup
        self._rows: list[Footprint] = []
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._total_s = 0.0
        self._failure: Exception | None = None

    @property
    def cpu_s(self) -> float:
        """CPU time that all series have taken so far."""
        return self._total_s

    @property
    def rows(self) -> list[Footprint]:
        """The series since the last :meth:`begin`, ascending in time. Raises what ended it early."""
        if self._failure is not None:
            raise self._failure
        return list(self._rows)

    def begin(self, interval_s: float) -> None:
        """Begin a new series, in the place of the one before."""
        self.end()
        self._rows = []
        self._failure = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._series, args=(interval_s,), name="footprints", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the series; its rows stay."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ending.set()
            thread.join()

    def _series(self, interval_s: float) -> None:
        began_s, before_s = time.thread_time(), self._total_s
        pids: list[int] = []
        known: set[int] | None = None
        counted: set[int] = set()
        next_s = next_look_s = time.monotonic()
        try:
            while not self._ending.wait(max(0.0, next_s - time.monotonic())):
                spent_s = time.thread_time()
                if time.monotonic() >= next_look_s:
                    pids = [process.pid for process in self._tree()]
                    # Of one that came later the kernel has counted nothing but the series.
                    counted |= {pid for pid in pids if reset_high_water(pid)} if known is None else {*pids} - known
                    known = {*pids, *(known or ())}
                    looked_s = time.thread_time()
                    next_look_s = time.monotonic() + max(LOOK_INTERVAL_S, (looked_s - spent_s) / SHARE_FOR_LOOKING)
                    spent_s = looked_s
                row = read_footprint(pids, counted, self._own_cgroup, lambda: time.thread_time() - began_s)
                self._total_s = before_s + row.cost_s
                if row.processes:
                    self._rows.append(row)
                least_s = (time.thread_time() - spent_s) / SHARE_OF_A_CORE
                next_s = max(next_s + max(interval_s, least_s), time.monotonic())
        except Exception as error:
            self._failure = error


def read_footprint(pids: Sequence[int], counted: set[int], own_cgroup: bool, cost_s: Callable[[], float]) -> Footprint:
    """What these processes occupy, summed; one that has ended is left out. ``counted`` are those whose high-water mark is of the
    series alone."""
    at_ns = time.monotonic_ns()
    sizes = [size for pid in pids if (size := _occupied(pid)) is not None]
    memory, peak = read_cgroup_memory(PROC_CGROUP.read_text()) if own_cgroup else (None, None)
    return Footprint(
        at_ns=at_ns,
        vm_rss_bytes=sum(rss for rss, _ in sizes),
        vm_hwm_bytes=sum(highest for _, highest in sizes),
        high_water_is_of_series=counted.issuperset(pids),
        processes=len(sizes),
        cost_s=cost_s(),
        cgroup_memory_bytes=memory,
        cgroup_memory_peak_bytes=peak,
    )


def reset_high_water(pid: int) -> bool:
    """Have the kernel forget the peak of a process; whether it has: another user's may not be asked to."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_HIGH_WATER)
        return True
    return False


def _occupied(pid: int) -> tuple[int, int] | None:
    """VmRSS and VmHWM of /proc/PID/status, bytes; None for a process that has given up its memory."""
    try:
        text = Path(f"/proc/{pid}/status").read_bytes()
    except _GONE:
        return None
    rss, highest = _kib(text, b"\nVmRSS:"), _kib(text, b"\nVmHWM:")
    return None if rss is None or highest is None else (rss * _KIB, highest * _KIB)


def _kib(text: bytes, field: bytes) -> int | None:
    at = text.find(field)
    return None if at < 0 else int(text[at + len(field) : text.index(b" kB", at)])
