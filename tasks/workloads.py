"""The bodies of the tasks, the same code for every framework, and the one way in which a framework's task runs them.

A task carries six plain values (:data:`TaskCall`), which every serializer can carry:
``(run, phase, sequence, due_ns, workload, argument)``. A framework's module hands them to :func:`execute` (blocking variants)
or :func:`execute_async` (variants on an event loop); both stamp the start, run the body and stamp the end.

A workload has a blocking body and, where it waits for something, a coroutine twin that waits in the same way. A name stands for

- one of the few of this module,
- or what a module ``tasks/*_work.py`` assigns to that name in capitals, as ``RESIZE = Workload(...)`` or ``RESIZE: Workload =
  ...``: to add ``resize``, write that in ``tasks/image_work.py``, and nowhere else a word,
- or, of the form ``package.module:RESIZE``, what any module has under that name.

Such a module is imported when the first task asks for it: what a worker does not use, it does not pay for. To find it, the source
texts of ``tasks/*_work.py`` are looked through once in a process, when it is first asked for a name that is not in this module.
"""

import asyncio
import importlib
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.events import Outcome, recorder_from_environment

TaskCall = tuple[int, int, int, int, str, Any]

TaskId = tuple[int, int, int, int]
"""Which execution this is: run, phase, sequence, attempt."""

recorder = recorder_from_environment()

_OFFER = re.compile(r"^([A-Z][A-Z0-9_]*)(?:: *Workload *= *| *= *Workload\()", re.MULTILINE)


UNDECLARED_S = 60.0
"""How long a task is taken to last at most whose workload does not say so."""


def as_it_is(argument: Any) -> Any:
    """An argument that is sent as the order has it."""
    return argument


def undeclared(_: Any) -> float:
    """The longest time of a task whose workload says nothing of it."""
    return UNDECLARED_S


def no_time(_: Any) -> float:
    """The longest time of a task that has nothing to wait for and next to nothing to do."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """A task's body: ``blocking(argument, task_id)``, and ``coroutine`` where it waits; without it the blocking one is used.

    ``prepare`` makes, in the producer and before the load begins, the argument that is sent from the plain data of the order.
    ``longest_s`` says from the same data how many seconds one attempt of a task can take at most from start to end: so long a
    phase waits for a task that was started and has not ended.
    """

    blocking: Callable[[Any, TaskId], Any]
    coroutine: Callable[[Any, TaskId], Awaitable[Any]] | None = None
    prepare: Callable[[Any], Any] = as_it_is
    longest_s: Callable[[Any], float] = undeclared


def _nothing(_: Any, __: TaskId) -> None:
    return None


def _sleep(seconds: float, _: TaskId) -> None:
    time.sleep(seconds)


async def _sleep_async(seconds: float, _: TaskId) -> None:
    await asyncio.sleep(seconds)


def _fail(message: str, _: TaskId) -> None:
    raise RuntimeError(message)


def _fail_at_first(attempts: int, task_id: TaskId) -> None:
    attempt = task_id[3]
    if attempt <= attempts:
        raise RuntimeError(f"attempt {attempt} is among the first {attempts}, which are to fail")


class Workloads(dict[str, Workload]):
    """Workloads by name: some that are given, and those of the modules ``*_work`` of a package, which join them when they are
    asked for. Raises LookupError for a name that is none, and for one that two modules offer; and what importing a module raises.
    """

    def __init__(self, package: str, folder: Path, **own: Workload) -> None:
        super().__init__(own)
        self._package = package
        self._folder = folder
        self._offers: Mapping[str, list[str]] | None = None
        self._looking = threading.Lock()

    def __missing__(self, name: str) -> Workload:
        module, colon, attribute = name.partition(":")
        if not colon:
            module, attribute = self._module_of(name), name.upper()
        workload = getattr(importlib.import_module(module), attribute, None)
        if isinstance(workload, Workload):
            self[name] = workload
            return workload
        raise LookupError(f"{module} has no Workload {attribute}")

    def _module_of(self, name: str) -> str:
        with self._looking:
            if self._offers is None:
                self._offers = _offers(self._folder)
        modules = [f"{self._package}.{module}" for module in self._offers.get(name, ())]
        if len(modules) > 1:
            raise LookupError(f"{name.upper()} is a Workload in {' and in '.join(modules)}: which is the workload {name!r}?")
        if not modules:
            raise LookupError(
                f"no workload {name!r}: there are {', '.join(dict.fromkeys((*self, *self._offers)))}; to add it, write "
                f"{name.upper()} = Workload(...) in a module {self._folder.name}/*_work.py, or name it package.module:WORKLOAD"
            )
        return modules[0]


def _offers(folder: Path) -> dict[str, list[str]]:
    """The modules ``*_work`` that assign a Workload at the top level to a name in capitals, by that name in small letters."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*_work.py")):
        for name in _OFFER.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name.lower(), []).append(path.stem)
    return found


WORKLOADS = Workloads(
    "tasks",
    Path(__file__).parent,
    noop=Workload(_nothing, longest_s=no_time),
    sleep=Workload(_sleep, _sleep_async, longest_s=float),
    fail=Workload(_fail, longest_s=no_time),
    fail_at_first=Workload(_fail_at_first, longest_s=no_time),
)


def execute(
    run: int,
    phase: int,
    sequence: int,
    due_ns: int,
    workload: str,
    argument: Any,
    attempt: int = 1,
    attempts: int = 1,
    followers: int = 0,
    identity: int = 0,
) -> None:
    """Run a workload's blocking body between its two stamps. What the body raises is recorded and raised on: as retried while
    there are ``attempts`` left, else as failed, and then the tasks that were to follow it in its chain as skipped. A worker that
    emits events of its own gives the ``identity`` that they know the task by (:mod:`tasks.streaming`)."""
    recorder.started(run, phase, sequence, due_ns, attempt, 0, identity)
    try:
        WORKLOADS[workload].blocking(argument, (run, phase, sequence, attempt))
    except Exception:
        _record_failure(run, phase, sequence, due_ns, attempt, attempts, followers)
        raise
    recorder.finished(run, phase, sequence, due_ns, Outcome.OK, attempt)


async def execute_async(
    run: int,
    phase: int,
    sequence: int,
    due_ns: int,
    workload: str,
    argument: Any,
    attempt: int = 1,
    attempts: int = 1,
    followers: int = 0,
    identity: int = 0,
) -> None:
    """Run a workload on the event loop between its two stamps; as :func:`execute` otherwise."""
    recorder.started(run, phase, sequence, due_ns, attempt, 0, identity)
    try:
        body = WORKLOADS[workload]
        if body.coroutine is None:
            body.blocking(argument, (run, phase, sequence, attempt))
        else:
            await body.coroutine(argument, (run, phase, sequence, attempt))
    except Exception:
        _record_failure(run, phase, sequence, due_ns, attempt, attempts, followers)
        raise
    recorder.finished(run, phase, sequence, due_ns, Outcome.OK, attempt)


def _record_failure(run: int, phase: int, sequence: int, due_ns: int, attempt: int, attempts: int, followers: int) -> None:
    if attempt < attempts:
        recorder.finished(run, phase, sequence, due_ns, Outcome.RETRIED, attempt)
        return
    recorder.finished(run, phase, sequence, due_ns, Outcome.FAILED, attempt)
    for follower in range(sequence + 1, sequence + 1 + followers):
        recorder.finished(run, phase, follower, due_ns, Outcome.SKIPPED)
