"""The machine that runs go on: what it is, and what may disturb a run.

Whatever cannot be read on this machine is None; nothing is guessed.
"""

import os
import platform
import resource
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record.run_data import HostReading

_PAGE_BYTES = 4096
"""The page in which psutil counts what was swapped, on every machine."""


_V1_UNLIMITED_BYTES = 1 << 60
"""cgroup v1 says "unlimited" with a number just below 2^63."""


def host_facts() -> dict[str, Any]:
    """The machine: processor, memory, system and the limits that this process, and so its children, live under."""
    frequency = psutil.cpu_freq()
    return {
        "cpu_model": _cpu_info("model name") or platform.processor() or None,
        "architecture": platform.machine(),
        "logical_cores": psutil.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "governor": _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "frequency_mhz": frequency.current if frequency else None,
        "frequency_max_mhz": frequency.max or None if frequency else None,
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
        "os": _os_name(),
        "python": platform.python_version(),
        "hypervisor": "hypervisor" in (_cpu_info("flags") or "").split(),
        "machine": _text(Path("/sys/class/dmi/id/product_name")),
        "boot_id": _text(Path("/proc/sys/kernel/random/boot_id")),
        "limits": {
            "open_files": _limit(resource.RLIMIT_NOFILE),
            "processes": _limit(resource.RLIMIT_NPROC),
            "cgroup": cgroup_limits(Path("/sys/fs/cgroup"), _text(Path("/proc/self/cgroup")) or ""),
        },
    }


def read_host() -> HostReading:
    """What may disturb a run, now. CPU time counts every state, idle included, over all cores since boot."""
    cpu = psutil.cpu_times()
    swap = psutil.swap_memory()
    frequency = psutil.cpu_freq()
    return HostReading(
        at_ns=time.monotonic_ns(),
        # Guest time is contained in user time.
        cpu_total_s=sum(cpu) - getattr(cpu, "guest", 0.0) - getattr(cpu, "guest_nice", 0.0),
        cpu_steal_s=getattr(cpu, "steal", 0.0),
        load_1min=os.getloadavg()[0],
        swapped_pages=(swap.sin + swap.sout) // _PAGE_BYTES,
        frequency_mhz=frequency.current if frequency else None,
    )


def cgroup_limits(root: Path, membership: str) -> dict[str, Any]:
    """Limits of the control group (v2, else v1) of which ``/proc/self/cgroup`` said ``membership``: memory, CPU in cores, number
    of processes; None where unlimited."""
    if (root / "cgroup.controllers").exists():
        path = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "/")
        folder = root / path.strip("/")
        return {
            "version": 2,
            "memory_bytes": _tightest(folder, root, "memory.max"),
            "cpu_cores": _tightest_cpu(folder, root),
            "pids": _tightest(folder, root, "pids.max"),
        }
    memory = _number(_text(root / "memory" / "memory.limit_in_bytes"))
    quota, period = _number(_text(root / "cpu" / "cpu.cfs_quota_us")), _number(_text(root / "cpu" / "cpu.cfs_period_us"))
    return {
        "version": 1 if (root / "memory").is_dir() else None,
        "memory_bytes": memory if memory is not None and memory < _V1_UNLIMITED_BYTES else None,
        "cpu_cores": quota / period if quota is not None and period and quota > 0 else None,
        "pids": _number(_text(root / "pids" / "pids.max")),
    }


def _chain(folder: Path, root: Path) -> list[Path]:
    """A control group and those above it, which limit it as well."""
    return [f for f in (folder, *folder.parents) if f.is_relative_to(root)]


def _tightest(folder: Path, root: Path, name: str) -> int | None:
    limits = [_number(_text(f / name)) for f in _chain(folder, root)]
    return min((limit for limit in limits if limit is not None), default=None)


def _tightest_cpu(folder: Path, root: Path) -> float | None:
    pairs = [(_text(f / "cpu.max") or "max").split() for f in _chain(folder, root)]
    return min((int(pair[0]) / int(pair[1]) for pair in pairs if pair[0] != "max"), default=None)


def _limit(which: int) -> int | None:
    soft = resource.getrlimit(which)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None


def _cpu_info(field: str) -> str | None:
    lines = (_text(Path("/proc/cpuinfo")) or "").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), None)


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.platform()
