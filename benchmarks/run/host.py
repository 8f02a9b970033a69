"""The machine that runs go on: what it is, and what may disturb a run.

Whatever cannot be read on this machine is None; nothing is guessed.
"""

import os
import platform
import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record.machine import QuotaReading
from benchmarks.record.run_data import HostReading
from benchmarks.run.machine.control_groups import ControlGroups, text_of

_PAGE_BYTES = 4096
"""The page in which psutil counts what was swapped, on every machine."""


def host_facts(lab_quotas: Iterable[QuotaReading] = ()) -> dict[str, Any]:
    """The machine: processor, memory, system and the limits that this process, and so its children, live under; and the CPU
    limits on the lab's processes beside these."""
    frequency, groups = psutil.cpu_freq(), ControlGroups.of_this_process()
    limits = {quota.group: quota.cores for quota in (*groups.quotas(), *lab_quotas)}
    return {
        "cpu_model": _cpu_info("model name") or platform.processor() or None,
        "architecture": platform.machine(),
        "logical_cores": psutil.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "governor": text_of(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "frequency_mhz": frequency.current if frequency else None,
        "frequency_max_mhz": frequency.max or None if frequency else None,
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
        "os": _os_name(),
        "python": platform.python_version(),
        "hypervisor": "hypervisor" in (_cpu_info("flags") or "").split(),
        "machine": text_of(Path("/sys/class/dmi/id/product_name")),
        "boot_id": text_of(Path("/proc/sys/kernel/random/boot_id")),
        "limits": {
            "open_files": _limit(resource.RLIMIT_NOFILE),
            "processes": _limit(resource.RLIMIT_NPROC),
            "cgroup": groups.limits(),
            "cpu_quotas": [{"group": group, "cores": cores} for group, cores in limits.items()],
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


def _limit(which: int) -> int | None:
    soft = resource.getrlimit(which)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _cpu_info(field: str) -> str | None:
    lines = (text_of(Path("/proc/cpuinfo")) or "").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), None)


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.platform()
