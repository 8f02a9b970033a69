"""The bodies of the tasks: stamped once before and once after, whatever they do."""

import asyncio
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks import workloads
from tasks.events import Kind, Outcome, Recorder
from tasks.http_work import TIMEOUT_S
from tasks.workloads import (
    UNDECLARED_S,
    WORKLOADS,
    TaskCall,
    TaskId,
    Workload,
    Workloads,
    execute,
    execute_async,
    undeclared,
)
from tests.support import CHECKOUT, events_in, open_descriptors, run_script

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


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Workloads]]:
    """Makes a package of modules with these source texts, each after an import of Workload, and the workloads found in it."""

    def make(**sources: str) -> Workloads:
        folder = tmp_path / "made_up_bodies"
        folder.mkdir(exist_ok=True)
        for module, source in sources.items():
            (folder / f"{module}.py").write_text(f"from tasks.workloads import Workload\n{source}\n")
        return Workloads("made_up_bodies", folder, noop=WORKLOADS["noop"])

    monkeypatch.syspath_prepend(str(tmp_path))
    yield make
    for module in [name for name in sys.modules if name.partition(".")[0] == "made_up_bodies"]:
        del sys.modules[module]


def imported(module: str) -> bool:
    return f"made_up_bodies.{module}" in sys.modules


def test_a_workload_is_found_by_its_name_in_capitals_and_no_other_module_is_imported(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(image_work="RESIZE_2 = Workload(print)", other_work="OTHER: Workload = Workload(print)", images="CUT = 1")
    assert workloads["noop"] is WORKLOADS["noop"]
    assert workloads["resize_2"].blocking is print
    assert not imported("other_work")
    assert workloads["other"] is workloads["other"]
    for name in ("RESIZE_2", "cut"):
        with pytest.raises(LookupError, match=f"no workload '{name}'"):
            workloads[name]


def test_only_an_assignment_at_the_top_level_is_an_offer(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(
        some_work="""
def body(_, __):
    INSIDE = Workload(print)
    assert COMPARED == Workload(print)
COMPARED == Workload(print) if False else None
ANNOTATED: Workload
LATER = 30.0  # of a task
# COMMENTED = Workload(print)
"""
    )
    for name in ("inside", "compared", "annotated", "commented", "later"):
        with pytest.raises(LookupError, match=f"no workload '{name}'"):
            workloads[name]
    assert not imported("some_work")


def test_what_is_assigned_must_be_a_workload(made_up: Callable[..., Workloads]) -> None:
    with pytest.raises(LookupError, match=r"made_up_bodies\.some_work has no Workload LIMIT_S"):
        made_up(some_work="LIMIT_S: Workload = 30.0")["limit_s"]


def test_another_constant_of_the_same_name_is_no_offer(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(
        some_work="HASH = 'sha256'\nRESIZE = Workload(print)", other_work="HASH = Workload(print)\nRESIZE: int = 3"
    )
    assert workloads["hash"].blocking is print
    assert workloads["resize"].blocking is print


def test_a_name_that_two_modules_offer_is_an_error_that_names_both(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(some_work="RESIZE = Workload(print)", other_work="RESIZE = Workload(print)\nCUT = Workload(print)")
    with pytest.raises(LookupError, match=r"made_up_bodies\.other_work and in made_up_bodies\.some_work"):
        workloads["resize"]
    assert workloads["cut"].blocking is print


def test_an_unknown_name_is_an_error_that_says_what_there_is_and_where_to_add_it(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(some_work="RESIZE = Workload(print)\nLIMIT_S = 30.0")
    with pytest.raises(LookupError) as raised:
        workloads["sharpen"]
    assert str(raised.value) == (
        "no workload 'sharpen': there are noop, resize; to add it, write SHARPEN = Workload(...) in a module "
        "made_up_bodies/*_work.py, or name it package.module:WORKLOAD"
    )
    assert not imported("some_work")


def test_a_name_with_its_module_is_imported_as_it_stands(made_up: Callable[..., Workloads]) -> None:
    workloads = made_up(images="resize = Workload(print)", some_work="RESIZE = Workload(repr)")
    assert workloads["made_up_bodies.images:resize"].blocking is print
    with pytest.raises(LookupError, match=r"made_up_bodies\.images has no Workload RESIZE"):
        workloads["made_up_bodies.images:RESIZE"]
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        workloads["nowhere_to_be_found:RESIZE"]


def test_the_modules_are_looked_through_once_and_not_for_what_is_known(
    made_up: Callable[..., Workloads], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    look = workloads._offers

    def counted(folder: Path) -> dict[str, list[str]]:
        looked.append(folder)
        return look(folder)

    monkeypatch.setattr(workloads, "_offers", counted)
    found = made_up(some_work="RESIZE = Workload(print)\nCUT = Workload(print)")
    found["noop"], found["made_up_bodies.some_work:CUT"]
    assert looked == []
    found["resize"], found["cut"]
    with pytest.raises(LookupError):
        found["sharpen"]
    assert len(looked) == 1


def test_a_module_that_cannot_be_imported_says_why(made_up: Callable[..., Workloads]) -> None:
    with pytest.raises(ModuleNotFoundError, match="made_of_nothing"):
        made_up(some_work="import made_of_nothing\nRESIZE = Workload(print)")["resize"]


def test_every_workload_of_the_project_says_in_its_line_that_it_is_one() -> None:
    """So that it is listed where a name is unknown; those that need what is not installed here are looked at as text alone."""
    with pytest.raises(LookupError) as raised:
        WORKLOADS["sharpen"]
    listed = re.search(r"there are (.*);", str(raised.value))
    assert listed is not None
    assert set(listed[1].split(", ")) >= {"noop", "http_get", "pbkdf2_python", "order_charge", "payload", "model_change"}
    bodies = [path for path in (CHECKOUT / "tasks").glob("*_work.py") if "sqlalchemy" not in path.read_text()]
    offered = {
        name.lower()
        for path in bodies
        for name, value in vars(importlib.import_module(f"tasks.{path.stem}")).items()
        if isinstance(value, Workload)
    }
    assert offered <= set(listed[1].split(", "))


def test_every_workload_of_the_project_declares_how_long_a_task_can_take() -> None:
    bodies = [path for path in (CHECKOUT / "tasks").glob("*_work.py") if "sqlalchemy" not in path.read_text()]
    found = [*WORKLOADS.values(), *(v for path in bodies for v in vars(importlib.import_module(f"tasks.{path.stem}")).values())]
    workloads = [workload for workload in found if isinstance(workload, Workload)]
    assert len(workloads) > 10
    assert not [workload for workload in workloads if workload.longest_s is undeclared]


@pytest.mark.parametrize(
    ("workload", "argument", "longest_s"),
    [("noop", None, 0), ("sleep", 5, 5), ("fail", "on purpose", 0), ("http_get", {"ms": 20}, TIMEOUT_S), ("pbkdf2", 10**6, 5)],
)
def test_how_long_a_task_can_take_follows_from_its_argument(workload: str, argument: Any, longest_s: float) -> None:
    assert WORKLOADS[workload].longest_s(argument) == pytest.approx(longest_s)


def test_a_workload_that_declares_nothing_is_given_a_minute() -> None:
    assert Workload(print).longest_s(None) == UNDECLARED_S


def test_a_worker_that_runs_no_ops_imports_no_other_body(tmp_path: Path) -> None:
    script = """
import sys
from tasks.workloads import execute
execute(1, 1, 0, 0, "noop", None)
print(sorted(name for name in sys.modules if name.endswith("_work")))
execute(1, 1, 0, 0, "pbkdf2", 1)
print(sorted(name for name in sys.modules if name.endswith("_work")))
"""
    assert run_script(script, LAB_EVENTS_DIR=str(tmp_path)).splitlines() == ["[]", "['tasks.cpu_work']"]
