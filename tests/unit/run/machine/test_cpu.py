"""Who takes CPU time: all processes together, the lab's own, and others by their names."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.record.machine import CpuSnapshot, taken_between
from benchmarks.run.machine.control_groups import ControlGroups
from benchmarks.run.machine.cpu import CpuReader, busy_cores_s

NOWHERE = ControlGroups(Path("/nonexistent"), "")
BURN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"
STAT = """cpu  100 0 50 800 20 10 20 0 0 0
cpu0 60 0 25 400 10 0 5 0 0 0
cpu1 40 0 25 400 10 10 15 0 0 0
intr 1
"""


def burn(seconds: float, then: str = "") -> None:
    subprocess.run([sys.executable, "-c", BURN.format(seconds=seconds) + then], check=True)


def snapshot(reader: CpuReader) -> CpuSnapshot:
    found = reader.read()
    assert found is not None
    return found


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that stands for the lab's."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def test_all_cores_together_are_busy_for_what_they_were_not_idle_interrupted_or_withheld_for() -> None:
    both = busy_cores_s(STAT, {0, 1}, at_ns=10_000_000_000)
    assert both == pytest.approx(2 * 10 - (800 + 20 + 10 + 20) / 100)
    assert busy_cores_s(STAT, {1}, at_ns=10_000_000_000) == pytest.approx(10 - (400 + 10 + 10 + 15) / 100)


NOTHING = "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n"
OTHER_CORES = "cpu  1 1 1 1 1 1 1 1\ncpu7 1 1 1 1 1 1 1 1\n"


@pytest.mark.parametrize("stat", ["", NOTHING, OTHER_CORES])
def test_a_machine_that_does_not_tell_is_not_guessed_at(stat: str) -> None:
    assert busy_cores_s(stat, {0}, at_ns=1) is None


def test_where_no_process_of_the_lab_can_be_seen_nothing_is_said() -> None:
    reader = CpuReader(lambda _: False, NOWHERE)
    assert taken_between(snapshot(reader), snapshot(reader)) is None


def test_what_the_runner_burns_is_the_labs_own_and_what_another_burns_has_its_name(sleeper: int) -> None:
    reader = CpuReader(lambda pid: pid == sleeper, NOWHERE)
    begin, used_s = snapshot(reader), time.process_time()
    while time.process_time() - used_s < 0.2:
        pass
    with subprocess.Popen([sys.executable, "-c", BURN.format(seconds=0.3) + "time.sleep(600)"]) as other:
        while time.clock_gettime((~other.pid << 3) | 2) < 0.3:
            time.sleep(0.01)
        taken = taken_between(begin, snapshot(reader))
        name = Path(f"/proc/{other.pid}/comm").read_text(encoding="utf-8").strip()
        other.kill()
    assert taken is not None
    assert taken.own_s >= 0.2
    assert taken.takers[name] >= 0.3
    assert taken.busy_s >= 0.4, "the machine's includes both, as far as its ticks tell"


def test_what_a_child_of_the_lab_burned_before_it_ended_is_the_labs_own() -> None:
    reader = CpuReader(lambda pid: pid == os.getpid(), NOWHERE)
    begin = snapshot(reader)
    burn(0.3)
    taken = taken_between(begin, snapshot(reader))
    assert taken is not None
    assert taken.own_s >= 0.29, "children's times are ticks of 10 ms"


def test_descendants_of_the_labs_processes_are_its_own() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600; true"]) as root:
        reader = CpuReader(lambda pid: pid == root.pid, NOWHERE)
        for _ in range(500):
            own = {pid for (pid, _), process in snapshot(reader).processes.items() if process.own}
            if len(own) == 4:
                break
            time.sleep(0.01)
        for pid in own - {os.getpid()}:
            os.kill(pid, 9)
    assert {os.getpid(), root.pid} < own
    assert len(own) == 4, "runner, shell and its two children"


def test_a_process_is_asked_for_once(sleeper: int) -> None:
    asked: list[int] = []

    def owns(pid: int) -> bool:
        asked.append(pid)
        return pid == sleeper

    reader = CpuReader(owns, NOWHERE)
    snapshot(reader)
    snapshot(reader)
    assert asked.count(sleeper) == asked.count(os.getpid()) == 1
