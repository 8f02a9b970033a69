"""Figures of cgroups of both versions, as seen from inside a container and from outside."""

from pathlib import Path

import pytest

from infrastructure.agent.cgroup import CgroupReading, NetworkReading, read_cgroup, read_network

V2_CPU = "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 750000\n"
V1_CPU = "nr_periods 10\nnr_throttled 4\nthrottled_time 750000000\n"
V1_PATHS = "9:name=systemd:{0}\n4:memory:{0}\n2:cpu,cpuacct:{0}\n0::/\n"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def write_v1(root: Path, inner: str) -> None:
    write(root / "memory" / inner, memory__usage_in_bytes="4096\n", memory__max_usage_in_bytes="8192\n")
    write(root / "cpuacct" / inner, cpuacct__usage="2500000000\n")
    write(root / "cpu" / inner, cpu__stat=V1_CPU)


@pytest.mark.parametrize("path", ["/", "/system.slice/lab.service"])
def test_version_2(tmp_path: Path, path: str) -> None:
    write(tmp_path / path[1:], memory__current="4096\n", memory__peak="8192\n", cpu__stat=V2_CPU)
    assert read_cgroup(f"0::{path}\n", tmp_path) == CgroupReading(4096, 8192, 2.5, 0.75)


def test_version_2_of_a_kernel_without_the_peak_and_a_limit(tmp_path: Path) -> None:
    write(tmp_path, memory__current="4096\n", cpu__stat="usage_usec 2500000\n")
    assert read_cgroup("0::/\n", tmp_path) == CgroupReading(4096, None, 2.5, None)


def test_version_1_under_its_own_path(tmp_path: Path) -> None:
    write_v1(tmp_path, "lab")
    assert read_cgroup(V1_PATHS.format("/lab"), tmp_path) == CgroupReading(4096, 8192, 2.5, 0.75)


def test_version_1_in_a_container_that_sees_its_hosts_path(tmp_path: Path) -> None:
    write_v1(tmp_path, ".")
    assert read_cgroup(V1_PATHS.format("/docker/0a1b"), tmp_path) == CgroupReading(4096, 8192, 2.5, 0.75)


def test_no_cgroup_at_all_is_no_figure(tmp_path: Path) -> None:
    assert read_cgroup("", tmp_path) == CgroupReading(None, None, None, None)


def test_the_network_is_that_of_all_interfaces_but_the_loopback_one(tmp_path: Path) -> None:
    heads = "Inter-|   Receive |  Transmit\n face |bytes packets errs | bytes packets\n"
    rows = "".join(
        f"  {name}: {received} 2 0 0 0 0 0 0 {sent} 3 0 0 0 0 0 0\n"
        for name, received, sent in (("lo", 1000, 1000), ("eth0", 10, 20), ("eth1", 3, 4))
    )
    (tmp_path / "dev").write_text(heads + rows)
    assert read_network(tmp_path / "dev") == NetworkReading(13, 24)
