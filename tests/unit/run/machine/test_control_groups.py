"""Limits of control groups, version 1 and 2, of this process and above it."""

from pathlib import Path

import pytest

from benchmarks.record.machine import QuotaReading
from benchmarks.run.machine.control_groups import ControlGroups, above_container
from tests.support import write_files

V1_PATHS = "3:cpuset:/\n2:cpu,cpuacct:/a/b\n1:memory:/a\n4:pids:/\n0::/\n"


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
    limits = ControlGroups(tmp_path, "0::/a/b\n").limits()
    assert limits == {"version": 2, "memory_bytes": 1000, "cpu_cores": 1.5, "pids": 64}
    assert ControlGroups(tmp_path, "").limits() == {"version": 2, "memory_bytes": None, "cpu_cores": None, "pids": None}


@pytest.mark.parametrize(
    ("memory", "quota", "expected"),
    [("9223372036854771712", "-1", (None, None)), ("1048576", "50000", (1_048_576, 0.5))],
)
@pytest.mark.parametrize("at", ["", "a/", "a/b/"])
def test_limits_of_version_1_are_found_in_the_own_group_and_above(
    tmp_path: Path, memory: str, quota: str, expected: tuple[int | None, float | None], at: str
) -> None:
    files = {f"cpu/{at}cpu.cfs_quota_us": quota, f"cpu/{at}cpu.cfs_period_us": "100000", "cpu/a/b/cpu.shares": "1024"}
    write_files(tmp_path, {**files, "memory/a/memory.limit_in_bytes": memory, "pids/pids.max": "max"})
    limits = ControlGroups(tmp_path, V1_PATHS).limits()
    assert limits == {"version": 1, "memory_bytes": expected[0], "cpu_cores": expected[1], "pids": None}


def test_without_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    groups = ControlGroups(tmp_path, "")
    assert groups.limits() == {"version": None, "memory_bytes": None, "cpu_cores": None, "pids": None}
    assert groups.quotas() == ()
    assert groups.limited_cpu_s() is None


def test_every_limit_on_the_way_up_is_told_with_how_it_held_back_the_own_group_first(tmp_path: Path) -> None:
    held = "usage_usec 7000000\nnr_periods 549\nnr_throttled 459\nthrottled_usec 2500000\n"
    write_files(
        tmp_path,
        {
            "cgroup.controllers": "cpu",
            "a/cpu.max": "200000 100000",
            "a/cpu.stat": "usage_usec 9000000\nnr_periods 10\nnr_throttled 0\nthrottled_usec 0\n",
            "a/b/cpu.max": "60000 100000",
            "a/b/cpu.stat": held,
        },
    )
    groups = ControlGroups(tmp_path, "0::/a/b\n")
    assert groups.quotas() == (QuotaReading("/a/b", 0.6, 549, 459, 2.5), QuotaReading("/a", 2.0, 10, 0, 0.0))
    assert groups.limited_cpu_s() == 7.0, "the tightest"


@pytest.mark.parametrize(("counted", "expected"), [("cpuacct/a/b/cpuacct.usage", 3.0), ("cpuacct/other/cpuacct.usage", None)])
def test_in_version_1_the_limited_groups_time_is_its_own_accounting_or_unknown(
    tmp_path: Path, counted: str, expected: float | None
) -> None:
    files = {"cpu/a/b/cpu.cfs_quota_us": "60000", "cpu/a/b/cpu.cfs_period_us": "100000", counted: "3000000000"}
    write_files(tmp_path, {**files, "cpu/a/b/cpu.stat": "nr_periods 4\nnr_throttled 3\nthrottled_time 500000000\n"})
    groups = ControlGroups(tmp_path, V1_PATHS)
    assert groups.quotas() == (QuotaReading("/a/b", 0.6, 4, 3, 0.5),)
    assert groups.limited_cpu_s() == expected


def test_a_container_that_sees_its_hosts_path_has_its_own_group_at_the_top(tmp_path: Path) -> None:
    write_files(tmp_path, {"cgroup.controllers": "cpu", "cpu.max": "100000 100000", "cpu.stat": "usage_usec 5\n"})
    assert ControlGroups(tmp_path, "0::/docker/abc\n").quotas() == (QuotaReading("/", 1.0, 0, 0, 0.0),)


ID = "f00d" * 16
V1_IN_DOCKER = f"2:cpu,cpuacct:/limited/docker/{ID}\n1:memory:/limited/docker/{ID}/inner\n0::/\n"
V1_ABOVE = "2:cpu,cpuacct:/limited/docker\n1:memory:/limited/docker\n0::/"


@pytest.mark.parametrize(
    ("memberships", "above"),
    [
        (f"0::/docker/{ID}\n", "0::/docker"),
        (f"0::/system.slice/docker-{ID}.scope\n", "0::/system.slice"),
        (f"0::/docker/{ID}/docker/{ID}/init\n", "0::/docker"),
        (f"0::/{ID}\n", "0::/"),
        (V1_IN_DOCKER, V1_ABOVE),
        ("0::/docker/another\n", None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_above_a_container_is_what_its_own_group_lies_in(memberships: str, above: str | None) -> None:
    assert above_container(memberships, ID) == above
    assert above_container(memberships, ID[:12]) == above, "as the beginning of its id tells as well"


@pytest.mark.parametrize(
    ("files", "memberships"),
    [
        (
            {
                "cgroup.controllers": "cpu",
                "limited/cpu.max": "50000 100000",
                "limited/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_usec 250000\n",
                "limited/docker/cpu.max": "max 100000",
                f"limited/docker/{ID}/cpu.max": "10000 100000",
            },
            f"0::/limited/docker/{ID}\n",
        ),
        (
            {
                "cpu/limited/cpu.cfs_quota_us": "50000",
                "cpu/limited/cpu.cfs_period_us": "100000",
                "cpu/limited/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 250000000\n",
                "cpu/limited/docker/cpu.cfs_quota_us": "-1",
                f"cpu/limited/docker/{ID}/cpu.cfs_quota_us": "10000",
                f"cpu/limited/docker/{ID}/cpu.cfs_period_us": "100000",
            },
            V1_IN_DOCKER,
        ),
    ],
    ids=["v2", "v1"],
)
def test_a_limit_above_a_container_is_found_and_the_containers_own_is_not_it(
    tmp_path: Path, files: dict[str, str], memberships: str
) -> None:
    write_files(tmp_path, files)
    groups = ControlGroups(tmp_path, above_container(memberships, ID) or "")
    assert groups.quotas() == (QuotaReading("/limited", 0.5, 9, 4, 0.25),)
