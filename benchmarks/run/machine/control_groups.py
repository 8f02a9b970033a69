"""Limits of control groups, version 1 and 2: of this process's own group and of those above it, which limit it as well.

Kernel documentation: admin-guide/cgroup-v2, admin-guide/cgroup-v1 and scheduler/sched-bwc. A container may see its host's paths
in ``/proc/self/cgroup`` while its own group is mounted at the top; a path that does not exist therefore means the top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record.machine import QuotaReading

CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC_CGROUP = Path("/proc/self/cgroup")
V1_UNLIMITED_BYTES = 1 << 60
"""Version 1 says "unlimited" with a number just below 2^63."""
US, NS = 1e-6, 1e-9


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """The control groups below ``root`` that ``memberships``, the text of ``/proc/self/cgroup``, names."""

    root: Path
    memberships: str

    @classmethod
    def of_this_process(cls) -> "ControlGroups":
        """Those that this process lives in."""
        return cls(CGROUP_ROOT, text_of(PROC_CGROUP) or "")

    def limits(self) -> dict[str, Any]:
        """The tightest limits on the way up: memory, CPU in cores, number of processes; None where unlimited."""
        quotas = self.quotas()
        memory, pids = ("memory.max", "pids.max") if self._is_v2 else ("memory.limit_in_bytes", "pids.max")
        limit = _tightest(self._chain("memory"), memory)
        return {
            "version": 2 if self._is_v2 else 1 if (self.root / "memory").is_dir() else None,
            "memory_bytes": limit if limit is not None and limit < V1_UNLIMITED_BYTES else None,
            "cpu_cores": min((quota.cores for quota in quotas), default=None),
            "pids": _tightest(self._chain("pids"), pids),
        }

    def quotas(self) -> tuple[QuotaReading, ...]:
        """The groups with a CPU limit, the own one first, and how they have been held back so far."""
        found = []
        for folder in self._chain("cpu"):
            cores, stat = _cores(folder), _statistics(folder / "cpu.stat")
            if cores is not None:
                held_s = stat.get("throttled_usec", 0) * US + stat.get("throttled_time", 0) * NS
                name = f"/{folder.relative_to(self._mount('cpu'))}".removesuffix(".")
                found.append(QuotaReading(name, cores, stat.get("nr_periods", 0), stat.get("nr_throttled", 0), held_s))
        return tuple(found)

    def limited_cpu_s(self) -> float | None:
        """CPU time of the group with the tightest CPU limit, since its beginning; None where there is no limit, or the group's
        time is not counted."""
        quotas = self.quotas()
        if not quotas:
            return None
        group = min(quotas, key=lambda quota: quota.cores).group.strip("/")
        if self._is_v2:
            used_us = _statistics(self.root / group / "cpu.stat").get("usage_usec")
            return None if used_us is None else used_us * US
        counted = self._mount("cpuacct") / group
        used_ns = number_of(text_of(counted / "cpuacct.usage")) if counted in self._chain("cpuacct") else None
        return None if used_ns is None else used_ns * NS

    @property
    def _is_v2(self) -> bool:
        return (self.root / "cgroup.controllers").exists()

    def _mount(self, controller: str) -> Path:
        return self.root if self._is_v2 else self.root / controller

    def _chain(self, controller: str) -> list[Path]:
        """The group of a controller, then those above it."""
        mount = self._mount(controller)
        path = self._paths().get("" if self._is_v2 else controller, "/").strip("/")
        folder = mount / path if (mount / path).is_dir() else mount
        return [f for f in (folder, *folder.parents) if f.is_relative_to(mount)]

    def _paths(self) -> Mapping[str, str]:
        paths: dict[str, str] = {}
        for line in self.memberships.splitlines():
            _, controllers, path = line.split(":", 2)
            paths |= dict.fromkeys(controllers.split(","), path)
        return paths


def above_container(memberships: str, container: str) -> str | None:
    """Of a container's process, as its host sees it in ``/proc/PID/cgroup``, the groups that the container's own lie in, in the
    same form. A container's group has its id in its name (``/docker/ID``, ``/system.slice/docker-ID.scope``), and may hold
    further ones. None where no group has: the process is none of this container's, or its groups cannot be seen from here."""
    lines, found = [], False
    for line in memberships.splitlines():
        number, controllers, path = line.split(":", 2)
        parts = path.split("/")
        own = next((place for place, part in enumerate(parts) if container in part), len(parts))
        found |= own < len(parts)
        lines.append(f"{number}:{controllers}:{'/'.join(parts[:own]) or '/'}")
    return "\n".join(lines) if found else None


def _cores(folder: Path) -> float | None:
    """A group's own CPU limit: ``cpu.max`` ("QUOTA PERIOD", or "max PERIOD"), or version 1's two files (-1 for none)."""
    quota, _, period = (text_of(folder / "cpu.max") or "").partition(" ")
    if not period:
        quota, period = (text_of(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period"))
    allowed_us, period_us = number_of(quota), number_of(period)
    return allowed_us / period_us if allowed_us is not None and allowed_us > 0 and period_us else None


def _statistics(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in (text_of(path) or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _tightest(chain: list[Path], name: str) -> int | None:
    limits = [number_of(text_of(folder / name)) for folder in chain]
    return min((limit for limit in limits if limit is not None), default=None)


def text_of(path: Path) -> str | None:
    """A file's text, stripped; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def number_of(text: str | None) -> int | None:
    """A whole number; None for any other text."""
    return int(text) if text and text.lstrip("-").isdigit() else None
