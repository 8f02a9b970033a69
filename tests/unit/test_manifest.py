"""On what a result set was made."""

import json
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.manifest import cgroup_limits, describe_scenario, gather, git_state, host_facts, queuelab_version, read_host
from benchmarks.record.disturbance import host_cores
from benchmarks.scenarios.scenario_1_throughput import SCENARIO


def git(folder: Path, *arguments: str) -> None:
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env={**os.environ, **author})


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_commit_is_named_and_whether_anything_differs(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    write(tmp_path, {"a": "1", "sub/b": "1"})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    clean = git_state(tmp_path)
    assert clean is not None
    assert (len(clean["commit"]), clean["dirty"]) == (40, False)
    write(tmp_path, {"a": "2"})
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": True}
    assert git_state(tmp_path / "sub") is None


def test_there_is_no_commit_outside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


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
    write(
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
    write(tmp_path, {**files, "pids/pids.max": "max"})
    limits = cgroup_limits(tmp_path, "")
    assert limits == {"version": 1, "memory_bytes": expected[0], "cpu_cores": expected[1], "pids": None}


def test_without_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert cgroup_limits(tmp_path, "") == {"version": None, "memory_bytes": None, "cpu_cores": None, "pids": None}


def test_the_manifest_is_plain_data_and_says_what_was_asked() -> None:
    manifest = gather(
        command_line=("lab", "run"),
        seed=5,
        settings={"runs": 3},
        scenarios=[SCENARIO],
        control="bare",
        versions={"redis": {"redis_version": "8"}},
    )
    assert json.loads(json.dumps(manifest)) == manifest
    assert manifest["command_line"] == ["lab", "run"]
    assert manifest["queuelab_version"] == queuelab_version()
    assert manifest["scenarios"] == {SCENARIO.name: describe_scenario(SCENARIO)}
    assert (manifest["seed"], manifest["control"], manifest["settings"]) == (5, "bare", {"runs": 3})


def test_a_described_scenario_suffices_to_write_its_tables() -> None:
    described = describe_scenario(SCENARIO)
    assert list(described["columns"]) == list(SCENARIO.columns)
    assert described["headline"] in described["columns"]
    assert set(described["shares"]) <= set(described["columns"])
