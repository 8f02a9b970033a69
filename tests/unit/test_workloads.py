"""The bodies of the tasks: stamped once before and once after, whatever they do."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks import workloads
from tasks.events import Kind, Outcome, Recorder
from tasks.workloads import WORKLOADS, TaskCall, TaskId, Workload, execute, execute_async
from tests.support import events_in, open_descriptors

Run = Callable[..., None]


def _blocking(call: TaskCall, *attempts: int) -> None:
    execute(*call, *attempts)


def _on_loop(call: TaskCall, *attempts: int) -> None:
    asyncio.run(execute_async(*call, *attempts))


@pytest.fixture(autouse=True)
def recorded(events_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(workloads, "recorder", Recorder(events_dir))
    yield events_dir
    for descriptor in open_descriptors(str(events_dir)):
        os.close(descriptor)


def _outcomes(folder: Path) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = events_in(folder)[["kind", "outcome"]].tolist()
    return rows


both = pytest.mark.parametrize("run", [_blocking, _on_loop])


@both
@pytest.mark.parametrize(("workload", "argument"), [("noop", None), ("sleep", 0.0)])
def test_a_task_is_stamped_before_and_after_with_what_it_carries(run: Run, recorded: Path, workload: str, argument: Any) -> None:
    run((3, 2, 17, 123_456, workload, argument), 4)
    events = events_in(recorded)
    assert _outcomes(recorded) == [(Kind.STARTED, Outcome.NONE), (Kind.FINISHED, Outcome.OK)]
    for event in events:
        assert event[["run", "phase", "sequence", "attempt", "second_ns"]].item() == (3, 2, 17, 4, 123_456)
    assert events["first_ns"][0] <= events["first_ns"][1]


@both
@pytest.mark.parametrize("workload", ["fail", "no such workload"])
def test_what_raises_is_recorded_as_failed_and_raised_on(run: Run, recorded: Path, workload: str) -> None:
    with pytest.raises((RuntimeError, LookupError), match=r"no such workload|on purpose"):
        run((1, 1, 0, 0, workload, "on purpose"), 1)
    assert _outcomes(recorded) == [(Kind.STARTED, Outcome.NONE), (Kind.FINISHED, Outcome.FAILED)]


@both
@pytest.mark.parametrize("cut", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_task_cut_off_leaves_a_start_without_an_end(
    run: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch, cut: type[BaseException]
) -> None:
    def body(_: Any, __: TaskId) -> None:
        raise cut

    monkeypatch.setitem(WORKLOADS, "cut", Workload(body))
    with pytest.raises(cut):
        run((1, 1, 0, 0, "cut", None), 1)
    assert _outcomes(recorded) == [(Kind.STARTED, Outcome.NONE)]


def test_a_cancelled_coroutine_leaves_a_start_without_an_end(recorded: Path) -> None:
    async def main() -> None:
        task = asyncio.create_task(execute_async(1, 1, 0, 0, "sleep", 3600.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert _outcomes(recorded) == [(Kind.STARTED, Outcome.NONE)]


def test_a_body_that_waits_leaves_the_loop_to_others(recorded: Path) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for sequence in range(3):
                group.create_task(execute_async(1, 1, sequence, 0, "sleep", 0.001))

    asyncio.run(main())
    assert events_in(recorded)["kind"].tolist() == [Kind.STARTED] * 3 + [Kind.FINISHED] * 3


@both
def test_a_failure_with_attempts_left_is_a_retry_and_the_last_skips_what_follows(run: Run, recorded: Path) -> None:
    call = (1, 1, 4, 0, "fail", "no")
    for attempt in (1, 2):
        with pytest.raises(RuntimeError, match="no"):
            run(call, attempt, 2, 2)
    ended = events_in(recorded)
    ended = ended[ended["kind"] == Kind.FINISHED]
    assert ended[["sequence", "outcome", "attempt"]].tolist() == [
        (4, Outcome.RETRIED, 1),
        (4, Outcome.FAILED, 2),
        (5, Outcome.SKIPPED, 1),
        (6, Outcome.SKIPPED, 1),
    ]


@both
def test_a_task_that_cannot_be_recorded_does_not_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    ran: list[Any] = []
    monkeypatch.setitem(WORKLOADS, "note", Workload(lambda argument, _: ran.append(argument)))
    monkeypatch.setattr(workloads, "recorder", Recorder(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        run((1, 1, 0, 0, "note", None), 1)
    assert ran == []
