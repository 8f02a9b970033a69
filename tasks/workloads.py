"""The bodies of the tasks, the same code for every framework, and the one way in which a framework's task runs them.

A task carries six plain values (:data:`TaskCall`), which every serializer can carry:
``(run, phase, sequence, due_ns, workload, argument)``. A framework's module hands them to :func:`execute` (blocking variants)
or :func:`execute_async` (variants on an event loop); both stamp the start, run the body and stamp the end.

A workload has a blocking body and, where it waits for something, a coroutine twin that waits in the same way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tasks.events import Outcome, recorder_from_environment

TaskCall = tuple[int, int, int, int, str, Any]

recorder = recorder_from_environment()


@dataclass(frozen=True, slots=True)
class Workload:
    """A task's body: ``blocking(argument)``, and ``coroutine(argument)`` where it waits; without it the blocking one is used."""

    blocking: Callable[[Any], Any]
    coroutine: Callable[[Any], Awaitable[Any]] | None = None


def _nothing(_: Any) -> None:
    return None


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


async def _sleep_async(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _fail(message: str) -> None:
    raise RuntimeError(message)


WORKLOADS: dict[str, Workload] = {
    "noop": Workload(_nothing),
    "sleep": Workload(_sleep, _sleep_async),
    "fail": Workload(_fail),
}


def execute(run: int, phase: int, sequence: int, due_ns: int, workload: str, argument: Any, attempt: int = 1) -> None:
    """Run a workload's blocking body between its two stamps. What the body raises is recorded as failed and raised on."""
    recorder.started(run, phase, sequence, due_ns, attempt)
    try:
        WORKLOADS[workload].blocking(argument)
    except Exception:
        recorder.finished(run, phase, sequence, due_ns, Outcome.FAILED, attempt)
        raise
    recorder.finished(run, phase, sequence, due_ns, Outcome.OK, attempt)


async def execute_async(run: int, phase: int, sequence: int, due_ns: int, workload: str, argument: Any, attempt: int = 1) -> None:
    """Run a workload on the event loop between its two stamps; as :func:`execute` otherwise."""
    recorder.started(run, phase, sequence, due_ns, attempt)
    try:
        body = WORKLOADS[workload]
        if body.coroutine is None:
            body.blocking(argument)
        else:
            await body.coroutine(argument)
    except Exception:
        recorder.finished(run, phase, sequence, due_ns, Outcome.FAILED, attempt)
        raise
    recorder.finished(run, phase, sequence, due_ns, Outcome.OK, attempt)
