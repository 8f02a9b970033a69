# mypy: disable-error-code="import-not-found"
"""Dispatching tasks: from a producer, and from a web application."""

import asyncio
from collections.abc import Sequence

import asynctasq
from asynctasq import AsyncTasQIntegration

from tasks.asynctasq_tasks.calls import LINKS, TASKS, dispatch_chain, task_of
from tasks.asynctasq_tasks.settings import configure
from tasks.contract import WebPart
from tasks.workloads import TaskCall


class AsyncTasQProducer:
    """Dispatches tasks of one class: one at a time, or many concurrently."""

    def __init__(self, variant: str) -> None:
        self._task = TASKS[variant]
        self._link = LINKS[variant]

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        """Dispatch one task."""
        await task_of(self._task, call).on_queue(queue).dispatch()

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Dispatch concurrently; the caller's chunk bounds how many, as more than 100 would exhaust the connection pool."""
        outcomes = await asyncio.gather(*(self.enqueue(queue, call) for call in calls), return_exceptions=True)
        return [_failure(outcome) for outcome in outcomes]

    async def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """Dispatch the first task with all that follow it. Raises ValueError for a backoff that is not in whole seconds, which
        its retry delay is."""
        if not float(backoff_s).is_integer():
            raise ValueError(f"AsyncTasQ's retry delay is in whole seconds, not {backoff_s}")
        await dispatch_chain(self._link, queue, calls, attempts, int(backoff_s))

    async def close(self) -> None:
        """Disconnect."""
        await asynctasq.cleanup()


def web_part(variant: str) -> WebPart:
    """AsyncTasQ's FastAPI integration: its lifespan, and its dispatcher in an ``async def`` endpoint."""
    configure()
    integration, kind = AsyncTasQIntegration(), TASKS[variant]

    async def dispatch(queue: str, call: TaskCall) -> None:
        await integration.get_dispatcher().dispatch(task_of(kind, call), queue=queue)

    return WebPart(dispatch=dispatch, lifespan=integration.lifespan)


def _failure(outcome: object) -> Exception | None:
    if isinstance(outcome, asyncio.CancelledError):
        return ConnectionError("the dispatch was cancelled")
    return outcome if isinstance(outcome, Exception) else None
