"""A soak while it goes on: a worker that dies is started again ever later, and a disk that runs full is a reason to end."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.plan.soak_plan import SoakPlan
from benchmarks.results.soak_folder import SoakFolder
from benchmarks.run.soaking import going_on
from benchmarks.run.soaking.going_on import GoingOn
from benchmarks.run.soaking.watching import SoakStatus
from benchmarks.soak.summary import DISK_FULL, SoakEvent
from infrastructure.readings import TreeSample
from tasks.loads import Mix, TaskClass

MIX = Mix((TaskClass("noop", None, 0),), seed=3)
TREE = TreeSample(0, 3, 2, 1, 0.5, 1, 1, 9, 0, 0, None, None, None, None)


def no_events(cursors: Mapping[str, int], most_bytes: int) -> tuple[bytes, dict[str, int]]:
    """An event log without a record."""
    return b"", {}


class Watcher:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.last: SoakStatus | None = None

    def step(self, text: str) -> None:
        """Nothing."""

    def event(self, event: SoakEvent) -> None:
        self.events.append(event.kind)

    def status(self, status: SoakStatus) -> None:
        self.last = status


class Bench:
    """A soak on made-up nodes, whose worker can be told to die."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **plan: float) -> None:
        self.state, self.starts, self.now_s = "running", 0, 1000.0
        self.watcher, self.folder = Watcher(), SoakFolder.create(folder, "v")
        metrics = 'lab_agent_resident_memory_bytes{role="x"} 1e+06\nlab_event_log_available_bytes{role="x"} 1e+09\n'
        node = {"take_events": no_events, "metrics": lambda: metrics}
        nodes = {
            "producer": SimpleNamespace(**node),
            "worker": SimpleNamespace(
                **node,
                take_sample=lambda required: TREE,
                worker=lambda: SimpleNamespace(state=self.state, died=f"it is {self.state}", log_tail="the end"),
            ),
        }
        redis = SimpleNamespace(read=lambda: SimpleNamespace(memory_bytes=5, cpu_s=0.1), clients=lambda: 4)
        spec = SimpleNamespace(run=1, seed=5, variant="v", framework="f")
        known = SimpleNamespace(workers=[SimpleNamespace(slots=4)])
        run: Any = SimpleNamespace(**nodes, redis=redis, spec=spec, known=known, wish=object(), places=SimpleNamespace(queue="q"))
        monkeypatch.setattr(going_on, "start_worker", self.start_worker)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        sizes = {"window_s": 1.0, "retry_share": 0.0, "fail_share": 0.0, **plan}
        self.going = GoingOn(run, 2, SoakPlan.of(3600, sizes), 10.0, MIX, self.folder, self.watcher, 20.0)

    def start_worker(self, *_: object) -> None:
        self.state, self.starts = "running", self.starts + 1

    def look_after(self, seconds: float) -> None:
        self.now_s += seconds
        self.going.look()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_worker_that_dies_is_started_again_ever_later_and_its_log_is_kept(bench: Bench) -> None:
    waits = []
    for life in range(1, 4):
        bench.state = "died"
        bench.look_after(1)
        waited_s = 0.0
        while bench.starts < life:
            bench.look_after(0.5)
            waited_s += 0.5
        waits.append(waited_s)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert bench.watcher.events == ["worker-died", "worker-started"] * 3
    assert len(list((bench.folder.path / "workers").iterdir())) == 3


def test_a_worker_that_has_lived_long_is_started_again_soon(bench: Bench) -> None:
    for _ in range(2):
        bench.state = "died"
        bench.look_after(1000)
        bench.look_after(0.5)
        assert bench.state == "running"


def test_a_disk_that_runs_full_is_a_reason_to_end_and_all_is_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.look_after(20)
    assert bench.going.no_room() is None
    monkeypatch.setattr(going_on, "room_on_disk_bytes", lambda _: 1_000_000)
    bench.look_after(20)
    reason = bench.going.no_room()
    assert reason is not None
    assert "1 MB left" in reason
    bench.going.finish(DISK_FULL, reason)
    assert (bench.folder.summary().state, bench.folder.summary().failure) == (DISK_FULL, reason)
    assert (bench.folder.path / "windows.parquet").exists()


def test_an_event_log_that_runs_full_is_one_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_on, "room_for_events_bytes", lambda _: 1_000_000)
    bench.look_after(20)
    assert "event log has 1 MB left" in (bench.going.no_room() or "")
