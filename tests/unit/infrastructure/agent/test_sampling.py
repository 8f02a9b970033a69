"""What a scrape costs, and what a producer's load asks for."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from infrastructure.agent.producing import offered_per_s
from infrastructure.agent.sampling import SHARE_OF_A_CORE, Sampler, sharers
from tasks.loads import Burst, Load, Paced, Prefilled, Ramp


@pytest.mark.parametrize(
    ("load", "elapsed_s", "rate_per_s"),
    [
        (Paced(50, 10), 0, 50),
        (Paced(50, 10), 9.9, 50),
        (Paced(50, 10), 10, 0),
        (Paced(50, 10, "poisson"), 5, 50),
        (Ramp(0, 100, 10), 5, 50),
        (Ramp(100, 0, 10), 1, 90),
        (Ramp(0, 100, 10), 10, 0),
        (Burst(5), 0, 0),
        (Prefilled(5), 0, 0),
    ],
)
def test_what_a_load_asks_for(load: Load, elapsed_s: float, rate_per_s: float) -> None:
    assert offered_per_s(load, elapsed_s) == pytest.approx(rate_per_s)


class Clock:
    """Both clocks of the sampler: a look at the tree takes 10 ms of CPU."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.cpu_s = 0.0
        self.looks = 0

    def tree(self) -> list[psutil.Process]:
        self.looks += 1
        self.cpu_s += 0.01
        self.now_s += 0.01
        return [psutil.Process(os.getpid())]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock.now_s)
        patch.setattr(time, "thread_time", lambda: clock.cpu_s)
        yield clock


@pytest.mark.parametrize("every_s", [0.05, 0.3, 1.0, 5.0])
def test_scrapes_take_no_more_of_a_core_than_sampling_may(clock: Clock, every_s: float) -> None:
    sampler = Sampler(clock.tree, own_cgroup=False)
    began_s = clock.now_s
    while clock.now_s < began_s + 60:
        assert sampler.recent().processes == 1
        clock.now_s += every_s
    assert clock.looks >= 2
    assert sampler.cpu_s <= SHARE_OF_A_CORE * (clock.now_s - began_s) + 0.01


def test_a_sample_that_can_be_afforded_is_a_new_one(clock: Clock) -> None:
    sampler = Sampler(clock.tree, own_cgroup=False)
    first = sampler.recent()
    assert sampler.recent() is first
    clock.now_s += 0.01 / SHARE_OF_A_CORE + 0.01
    assert sampler.recent() is not first
    assert sampler.take() is not sampler.take(), "one that was asked for is always new"


def test_sharers_are_processes_outside_the_tree_that_run_a_program_of_it(tmp_path: Path) -> None:
    program, other = tmp_path / "sleeper", tmp_path / "other"
    shutil.copy("/bin/sleep", program)
    shutil.copy("/bin/sleep", other)
    renamed = tmp_path / "link"
    renamed.symlink_to(program)
    with ExitStack() as stack:

        def start(path: Path) -> int:
            process = stack.enter_context(subprocess.Popen([path, "60"]))
            stack.callback(process.kill)
            until_it_runs(process.pid, path.resolve())
            return process.pid

        tree = {start(program), start(program)}
        assert sharers(tree) == 0, "a tree shares nothing with itself"
        start(other)
        assert sharers(tree) == 0, "the same words in another file are other pages"
        start(renamed)
        start(program)
        assert sharers(tree) == 2, "whatever it is called by"
        assert sharers(set()) == 0
        assert sharers({2**22 + 1}) == 0, "it has ended"


def until_it_runs(pid: int, program: Path) -> None:
    while Path(f"/proc/{pid}/exe").readlink() != program:
        time.sleep(0.001)
