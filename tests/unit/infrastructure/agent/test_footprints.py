"""The dense series of what a tree occupies."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infrastructure.agent.cgroup import read_cgroup, read_cgroup_memory
from infrastructure.agent.footprints import SHARE_FOR_LOOKING, SHARE_OF_A_CORE, FootprintSeries, read_footprint, reset_high_water

MB = 1_000_000
BUSY = """
import sys
peak = bytearray(60_000_000)
peak = None
kept = bytearray(20_000_000)
print("made", flush=True)
sys.stdin.readline()
more = bytearray(40_000_000)
more = None
print("again", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that has had 60 MB and has 20, and has 40 more for a moment when it is given a line."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        yield process
        process.kill()


def go_on(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.stdout.readline() == "again\n"


def test_a_peak_that_no_sample_has_met_is_in_the_kernels_books(child: subprocess.Popen[str]) -> None:
    before = read_footprint([child.pid], set(), False, lambda: 0.0)
    assert before.vm_hwm_bytes - before.vm_rss_bytes > 30 * MB, "what it had before"
    assert reset_high_water(child.pid)
    reset = read_footprint([child.pid], {child.pid}, False, lambda: 0.0)
    assert reset.vm_hwm_bytes - reset.vm_rss_bytes < 5 * MB
    go_on(child)
    after = read_footprint([child.pid], {child.pid}, False, lambda: 0.0)
    assert after.vm_rss_bytes == pytest.approx(reset.vm_rss_bytes, abs=5 * MB)
    assert after.vm_hwm_bytes - after.vm_rss_bytes > 30 * MB
    assert (before.high_water_is_of_series, after.high_water_is_of_series) == (False, True)


def test_it_is_summed_over_the_tree_and_one_that_has_ended_is_left_out(child: subprocess.Popen[str]) -> None:
    one, own = (read_footprint([pid], set(), False, lambda: 0.0) for pid in (child.pid, os.getpid()))
    both = read_footprint([child.pid, os.getpid(), 2**22 + 1], set(), False, lambda: 0.5)
    assert (both.processes, both.cost_s) == (2, 0.5)
    assert both.vm_rss_bytes == pytest.approx(one.vm_rss_bytes + own.vm_rss_bytes, abs=5 * MB)
    assert both.cgroup_memory_bytes is both.cgroup_memory_peak_bytes is None
    assert read_footprint([2**22 + 1], set(), False, lambda: 0.0).processes == 0


def test_a_series_goes_on_until_it_is_ended_and_says_what_it_has_cost(child: subprocess.Popen[str]) -> None:
    series = FootprintSeries(lambda: [psutil.Process(child.pid)], own_cgroup=False)
    series.begin(0.005)
    while len(series.rows) < 3:
        time.sleep(0.005)
    series.end()
    rows = series.rows
    assert [row.at_ns for row in rows] == sorted({row.at_ns for row in rows})
    assert all(row.high_water_is_of_series and row.vm_rss_bytes > 20 * MB for row in rows)
    assert 0 < rows[0].cost_s < rows[-1].cost_s
    assert series.cpu_s == rows[-1].cost_s
    series.begin(10)
    series.end()
    assert len(series.rows) <= 1, "a new series has nothing of the one before"


class Clock:
    """Both clocks of a series whose every look for processes takes 50 ms of CPU, and whose every reading of a clock 0.2 ms."""

    def __init__(self) -> None:
        self.now_s, self.cpu_s, self.looks = 100.0, 0.0, 0

    def tree(self) -> list[psutil.Process]:
        self.looks += 1
        self.now_s += 0.05
        self.cpu_s += 0.05
        return [psutil.Process(os.getpid())]

    def thread_time(self) -> float:
        self.cpu_s += 0.0002
        return self.cpu_s


def test_its_interval_and_that_of_its_looks_grow_with_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    series = FootprintSeries(clock.tree, own_cgroup=False)

    class Ending:
        def wait(self, seconds: float) -> bool:
            clock.now_s += seconds
            return clock.now_s >= 160

    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    monkeypatch.setattr(time, "thread_time", clock.thread_time)
    monkeypatch.setattr(series, "_ending", Ending())
    series._series(0.001)
    assert len(series.rows) > 100
    assert clock.looks >= 2
    assert 0.05 * (clock.looks - 1) <= SHARE_FOR_LOOKING * 60
    assert clock.cpu_s - 0.05 * clock.looks <= 1.5 * SHARE_OF_A_CORE * 60


def test_what_ends_a_series_early_is_raised_where_it_is_asked_for() -> None:
    def broken() -> list[psutil.Process]:
        raise OSError("no /proc here")

    series = FootprintSeries(broken, own_cgroup=False)
    series.begin(0.001)
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            assert series.rows == []
        except OSError:
            break
        time.sleep(0.001)
    with pytest.raises(OSError, match="no /proc here"):
        assert series.rows
    series.end()


@pytest.mark.parametrize("version", [1, 2])
def test_the_memory_of_a_cgroup_is_that_of_all_its_figures(tmp_path: Path, version: int) -> None:
    files = {
        1: ("memory/memory.usage_in_bytes", "memory/memory.max_usage_in_bytes"),
        2: ("memory.current", "memory.peak"),
    }[version]
    for name, value in zip(files, (12, 34), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    found = read_cgroup("0::/\n", tmp_path)
    assert read_cgroup_memory("0::/\n", tmp_path) == (12, 34) == (found.memory_bytes, found.memory_peak_bytes)
