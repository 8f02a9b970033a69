"""The machine, as it says itself what it is and how it is limited."""

import time
from pathlib import Path

import psutil
import pytest

from benchmarks.record.rules.disturbance import host_cores
from benchmarks.run.host import cgroup_limits, host_facts, read_host
from tests.support import write_files


def test_the_host_is_described_by_what_it_says_itself() -> None:
    facts = host_facts()
    assert facts["logical_cores"] == psutil.cpu_count()
    assert facts["memory_bytes"] == psutil.virtual_memory().total
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    assert facts["limits"]["open_files"] is None or facts["limits"]["open_files"] > 0


def test_cpu_time_counts_every_core_idle_or_not() -> None:
    begin = read_host()
    time.sleep(0.5)
    end = read_host()
    assert end.at_ns - begin.at_ns >= 500_000_000
    cores = host_cores(begin, end)
    # Ticks of 10 ms and a stolen moment blur half a second; a state left out or counted twice would not pass.
    assert cores is not None
    assert 0.5 * (psutil.cpu_count() or 1) <= cores <= 1.5 * (psutil.cpu_count() or 1)
    assert end.cpu_steal_s >= begin.cpu_steal_s >= 0
    assert end.swapped_pages >= begin.swapped_pages >= 0


def test_limits_of_version_2_are_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "cgroup.controllers": "cpu memory",
            "a/memory.max": "1000",
            "a/cpu.max": "150000 100000",
            "a/b/memory.max": "max",
            "a/b/cpu.max": "max 100000",
            "a/b/pids.max": "64",
        },
    )
    assert cgroup_limits(tmp_path, "0::/a/b\n") == {"version": 2, "memory_bytes": 1000, "cpu_cores": 1.5, "pids": 64}
    assert cgroup_limits(tmp_path, "") == {"version": 2, "memory_bytes": None, "cpu_cores": None, "pids": None}


@pytest.mark.parametrize(
    ("memory", "quota", "expected"),
    [("9223372036854771712", "-1", (None, None)), ("1048576", "50000", (1_048_576, 0.5))],
)
def test_limits_of_version_1(tmp_path: Path, memory: str, quota: str, expected: tuple[int | None, float | None]) -> None:
    files = {"memory/memory.limit_in_bytes": memory, "cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": "100000"}
    write_files(tmp_path, {**files, "pids/pids.max": "max"})
    limits = cgroup_limits(tmp_path, "")
    assert limits == {"version": 1, "memory_bytes": expected[0], "cpu_cores": expected[1], "pids": None}


def test_without_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert cgroup_limits(tmp_path, "") == {"version": None, "memory_bytes": None, "cpu_cores": None, "pids": None}
