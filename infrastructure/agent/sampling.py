"""Samples of the worker's process tree: one at a time, or a series taken by a thread."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import psutil

from infrastructure.agent.cgroup import NO_CGROUP, PROC_CGROUP, read_cgroup
from infrastructure.readings import TreeSample
from tasks.proc_files import fields_of, memory_bytes

_RECENT_S = 1.0
SHARE_OF_A_CORE = 0.008
"""What sampling may cost, with room for the few samples at the marks of a run: its interval grows with the cost of a sample."""


def read_tree(processes: Sequence[psutil.Process], own_cgroup: bool) -> TreeSample:
    """One sample of these processes, summed; a process that ends meanwhile is left out.

    Memory is that of /proc/PID/smaps_rollup, whose RSS, PSS and USS are of the same moment (the RSS of /proc/PID/statm lags
    behind and may be less than the PSS). CPU time is that of the living processes and of the children that they have waited
    for. Context switches are those of the living threads.
    """
    at_ns = time.monotonic_ns()
    sums = [0] * 8
    cpu_s = 0.0
    for process in processes:
        # What is left of a process that has just ended denies access, before it is gone.
        gone = (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError, PermissionError)
        with contextlib.suppress(*gone), process.oneshot():
            times = process.cpu_times()
            row = (*memory_bytes(process.pid), 1, process.num_threads(), process.num_fds(), *_switches(process.pid))
            cpu_s += times.user + times.system + times.children_user + times.children_system
            sums = [total + value for total, value in zip(sums, row, strict=True)]
    cgroup = read_cgroup(PROC_CGROUP.read_text()) if own_cgroup else NO_CGROUP
    return TreeSample(
        at_ns=at_ns,
        rss_bytes=sums[0],
        pss_bytes=sums[1],
        uss_bytes=sums[2],
        cpu_s=cpu_s,
        processes=sums[3],
        threads=sums[4],
        fds=sums[5],
        voluntary_switches=sums[6],
        involuntary_switches=sums[7],
        cgroup_memory_bytes=cgroup.memory_bytes,
        cgroup_memory_peak_bytes=cgroup.memory_peak_bytes,
        cgroup_cpu_s=cgroup.cpu_s,
        cgroup_throttled_s=cgroup.throttled_s,
        sharers=sharers({process.pid for process in processes}),
    )


def sharers(tree: Collection[int]) -> int:
    """How many processes outside the tree with these pids run a program of its. Those whose program may not be seen, another
    user's mostly, are not among them."""
    programs: dict[int, tuple[int, int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # Kernel threads have no program; a process may have ended, or be another user's.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                program = (folder / "exe").stat()
                programs[int(folder.name)] = (program.st_dev, program.st_ino)
    own = {programs[pid] for pid in tree if pid in programs}
    return sum(program in own for pid, program in programs.items() if pid not in tree)


def _switches(pid: int) -> tuple[int, int]:
    """Voluntary and involuntary context switches. /proc/PID/status counts those of the first thread only."""
    voluntary = involuntary = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = fields_of(thread / "status")
            voluntary += fields.get("voluntary_ctxt_switches", 0)
            involuntary += fields.get("nonvoluntary_ctxt_switches", 0)
    return voluntary, involuntary


class Sampler:
    """Samples the tree on demand, and in a series from :meth:`begin` to :meth:`end`. Knows what it costs."""

    def __init__(self, tree: Callable[[], Sequence[psutil.Process]], own_cgroup: bool) -> None:
        self._tree = tree
        self._own_cgroup = own_cgroup
        self._rows: list[TreeSample] = []
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._cost_lock = threading.Lock()
        self._cpu_s = 0.0
        self._last: tuple[float, float, TreeSample] | None = None
        self._failure: Exception | None = None

    @property
    def cpu_s(self) -> float:
        """CPU time that sampling has taken so far."""
        return self._cpu_s

    @property
    def rows(self) -> list[TreeSample]:
        """The series since the last :meth:`begin`, ascending in time. Raises what ended it early."""
        if self._failure is not None:
            raise self._failure
        return list(self._rows)

    def take(self) -> TreeSample:
        """One sample, now. Its ``processes`` is 0 when there is no worker."""
        began_s = time.thread_time()
        sample = None
        try:
            sample = read_tree(self._tree(), self._own_cgroup)
            return sample
        finally:
            cost_s = time.thread_time() - began_s
            with self._cost_lock:
                self._cpu_s += cost_s
                if sample is not None:
                    self._last = (time.monotonic() + cost_s / SHARE_OF_A_CORE, time.monotonic(), sample)

    def recent(self) -> TreeSample:
        """One sample for a scrape: the last one where a series is being taken or another would be more than sampling may cost."""
        last = self._last
        if last is not None:
            affordable_s, taken_s, sample = last
            now_s = time.monotonic()
            if now_s < affordable_s or (self._thread is not None and now_s - taken_s < _RECENT_S):
                return sample
        return self.take()

    def begin(self, interval_s: float) -> None:
        """Begin a new series, in the place of the one before."""
        self.end()
        self._rows = []
        self._failure = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._series, args=(interval_s,), name="sampler", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the series; its rows stay."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ending.set()
            thread.join()

    def _series(self, interval_s: float) -> None:
        next_s = time.monotonic()
        try:
            while not self._ending.wait(max(0.0, next_s - time.monotonic())):
                spent_s = self._cpu_s
                row = self.take()
                if row.processes:
                    self._rows.append(row)
                least_s = (self._cpu_s - spent_s) / SHARE_OF_A_CORE
                next_s = max(next_s + max(interval_s, least_s), time.monotonic())
        except Exception as error:
            self._failure = error
