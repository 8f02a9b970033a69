"""Who takes CPU time on this machine: all processes together, and each that can be seen.

A process's time is that of its own CPU clock, exact to the nanosecond, where /proc counts ticks of 10 ms; all processes' is what
the cores were not idle for.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.record.machine import CpuSnapshot, ProcessTimes
from benchmarks.run.machine.control_groups import ControlGroups, text_of
from tasks.loads import NS_PER_S

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE, _STEAL = 3, 7
"""Of a line of /proc/stat: idle, iowait, irq, softirq, steal. A process's clock has none of these either."""
_PARENT, _CHILDREN_USER, _CHILDREN_SYSTEM, _START = 1, 13, 14, 19
"""Of /proc/PID/stat, after the name (proc_pid_stat(5))."""


class _Seen(NamedTuple):
    """A process as it was seen."""

    pid: int
    start: int
    parent: int
    name: str
    cpu_s: float


class CpuReader:
    """Reads CPU time. Remembers which processes are the lab's, so that it asks ``owns`` once for each."""

    def __init__(self, owns: Callable[[int], bool], groups: ControlGroups | None = None) -> None:
        self._owns = owns
        self._groups = groups or ControlGroups.of_this_process()
        self._known: dict[tuple[int, int], bool] = {}

    def read(self) -> CpuSnapshot | None:
        """CPU time now; None where the machine does not tell. The runner is one of the lab's processes."""
        limited_s = self._groups.limited_cpu_s()
        at_ns = time.monotonic_ns()
        busy_s = limited_s
        if busy_s is None:
            busy_s = busy_cores_s(text_of(PROC / "stat") or "", os.sched_getaffinity(0), at_ns)
        if busy_s is None:
            return None
        seen = _processes()
        own = self._own_of(seen)
        found = {(p.pid, p.start): ProcessTimes(p.parent, p.name, p.pid in own, p.cpu_s) for p in seen.values()}
        return CpuSnapshot(at_ns, busy_s, found)

    def _own_of(self, seen: dict[int, _Seen]) -> set[int]:
        """Those that the lab owns and all that descend from them, if it owns any; and the runner."""
        asked = {(p.pid, p.start): self._known.get((p.pid, p.start)) for p in seen.values()}
        self._known = {key: self._owns(key[0]) if known is None else known for key, known in asked.items()}
        roots = {pid for (pid, _), owned in self._known.items() if owned}
        if not roots:
            return set()
        own = {os.getpid()}
        for pid in seen:
            above, at = [], pid
            while at in seen and at not in own and at not in roots:
                above.append(at)
                at = seen[at].parent
            if at in roots or (at in own and at != os.getpid()):
                own |= {at, *above}
        return own


def busy_cores_s(stat: str, cores: set[int], at_ns: int) -> float | None:
    """CPU time of all processes on these cores by ``at_ns``, from an origin that stays: what the cores were not idle, not
    interrupted and not withheld for. ``stat`` is the text of /proc/stat. None where it has no times of them."""
    lines = {line.split()[0]: [int(field) for field in line.split()[1:]] for line in stat.splitlines() if line.startswith("cpu")}
    wanted = {f"cpu{core}" for core in cores}
    # The sum of all cores is rounded once, that of several lines once for each.
    rows = [lines["cpu"]] if wanted == lines.keys() - {"cpu"} else [lines[name] for name in wanted & lines.keys()]
    if not rows or not any(map(any, rows)):
        return None
    elsewhere = sum(sum(row[_IDLE : _STEAL + 1]) for row in rows) / TICKS_PER_S
    return at_ns / NS_PER_S * len(wanted & lines.keys()) - elsewhere


def _processes() -> dict[int, _Seen]:
    """Every process that can be seen; one that ends meanwhile is left out."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            pid = int(entry.name)
            try:
                stat = (entry / "stat").read_bytes()
                cpu_s = time.clock_gettime((~pid << 3) | 2)
            except OSError:
                continue
            head, _, tail = stat.rpartition(b")")
            fields = tail.split()
            children_s = (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) / TICKS_PER_S
            command = head.partition(b"(")[2].decode(errors="replace")
            found[pid] = _Seen(pid, int(fields[_START]), int(fields[_PARENT]), command, cpu_s + children_s)
    return found
