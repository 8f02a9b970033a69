# mypy: disable-error-code="import-not-found"
"""Sending tasks: from a producer, and from a web application."""

from collections.abc import Sequence

from celery import chain

from tasks.celery_tasks.application import app, store_results
from tasks.celery_tasks.calls import execute, link
from tasks.contract import WebPart
from tasks.workloads import TaskCall

WAIT_LIMIT_S = 30.0


class CeleryProducer:
    """Sends tasks as an application does, or through one producer kept for many; in the default serializer unless it is given
    another."""

    def __init__(self, serializer: str | None = None) -> None:
        self._serializer = serializer
        with app.producer_pool.acquire(block=True) as producer:
            producer.connection.ensure_connection(max_retries=3)

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """``apply_async`` with Celery's own pool of producers."""
        execute.apply_async(args=call, queue=queue, serializer=self._serializer)

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """``apply_async`` on one producer held for the whole chunk."""
        outcomes: list[Exception | None] = []
        with app.producer_pool.acquire(block=True) as producer:
            for call in calls:
                try:
                    execute.apply_async(args=call, queue=queue, producer=producer, serializer=self._serializer)
                    outcomes.append(None)
                except Exception as error:
                    outcomes.append(error)
        return outcomes

    def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """A ``chain`` of immutable signatures."""
        links = [link.si(call, attempts, backoff_s, len(calls) - place) for place, call in enumerate(calls, start=1)]
        chain(signature.set(queue=queue) for signature in links).apply_async()

    def close(self) -> None:
        """Close all connections of the application."""
        app.close()


def web_part() -> WebPart:
    """Blocking calls, for FastAPI's thread pool: Celery has no asynchronous ones, and nothing for an application's lifespan.
    The result backend has no part in what ``dispatch`` does."""
    store_results()
    return WebPart(dispatch=_dispatch, wait=_dispatch_and_wait, submit=_submit)


def _dispatch(queue: str, call: TaskCall) -> None:
    execute.apply_async(args=call, queue=queue)


def _submit(queue: str, call: TaskCall) -> None:
    execute.apply_async(args=call, queue=queue, ignore_result=False)


def _dispatch_and_wait(queue: str, call: TaskCall) -> None:
    execute.apply_async(args=call, queue=queue, ignore_result=False).get(timeout=WAIT_LIMIT_S)
