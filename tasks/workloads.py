"""The bodies of the tasks, the same code for every framework, and the one way in which a framework's task runs them.

A task carries six plain values (:data:`TaskCall`), which every serializer can carry:
``(run, phase, sequence, due_ns, workload, argument)``. A framework's module hands them to :func:`execute` (blocking variants)
or :func:`execute_async` (variants on an event loop); both stamp the start, run the body and stamp the end.

A workload has a blocking body and, where it waits for something, a coroutine twin that waits in the same way. Workloads that
need more than the standard library, or are long, lie in modules of their own (:data:`ELSEWHERE`), which are imported when the
first task asks for them: what a worker does not use, it does not pay for.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.events import Outcome, recorder_from_environment

TaskCall = tuple[int, int, int, int, str, Any]

TaskId = tuple[int, int, int, int]
"""Which execution this is: run, phase, sequence, attempt."""

recorder = recorder_from_environment()


def as_it_is(argument: Any) -> Any:
    """An argument that is sent as the order has it."""
    return argument


@dataclass(frozen=True, slots=True)
class Workload:
    """A task's body: ``blocking(argument, task_id)``, and ``coroutine`` where it waits; without it the blocking one is used.

    ``prepare`` makes, in the producer and before the load begins, the argument that is sent from the plain data of the order.
    """

    blocking: Callable[[Any, TaskId], Any]
    coroutine: Callable[[Any, TaskId], Awaitable[Any]] | None = None
    prepare: Callable[[Any], Any] = as_it_is


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


ELSEWHERE: Mapping[str, str] = {
    "http_get": "tasks.http_work",
    "pbkdf2": "tasks.cpu_work",
    "pbkdf2_python": "tasks.cpu_work",
    "order_validate": "tasks.order_work",
    "order_charge": "tasks.order_work",
    "order_reserve": "tasks.order_work",
    "order_confirm": "tasks.order_work",
    "order_analyse": "tasks.order_work",
    "payload": "tasks.payload_work",
    **dict.fromkeys(("model", "model_seen", "model_reset", "model_change"), "tasks.model_work"),
}
"""The module of each workload that is not in this one; it offers a :class:`Workload` of the same name, in capitals."""


class _Workloads(dict[str, Workload]):
    def __missing__(self, name: str) -> Workload:
        if name not in ELSEWHERE:
            raise LookupError(f"no workload {name!r}: there are {', '.join([*self, *ELSEWHERE])}")
        workload: Workload = getattr(importlib.import_module(ELSEWHERE[name]), name.upper())
        self[name] = workload
        return workload


WORKLOADS = _Workloads(
    noop=Workload(_nothing),
    sleep=Workload(_sleep, _sleep_async),
    fail=Workload(_fail),
    fail_at_first=Workload(_fail_at_first),
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
