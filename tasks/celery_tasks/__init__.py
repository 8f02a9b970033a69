"""Celery over Redis, with each of its pools.

A worker is Celery's own command line with this package as its application: ``celery --app=tasks.celery_tasks worker``.
"""

from collections.abc import Sequence

from tasks.celery_tasks.application import BROKER, RESULTS, app, serializer_settings
from tasks.celery_tasks.events import event_stream
from tasks.celery_tasks.producing import CeleryProducer, web_part
from tasks.celery_tasks.queues import CeleryMessageReader, depth, purge
from tasks.celery_tasks.variants import VARIANTS, worker_plan
from tasks.contract import Depth, WebPart, WorkerCommand, WorkerPlan, WorkerRequest
from tasks.jobs import JobMonitor, JobQueue
from tasks.streaming import Received

__all__ = ["FRAMEWORK", "app"]


class CeleryFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "celery"
    variants = VARIANTS
    databases = (BROKER, RESULTS)
    packages = ("celery", "kombu", "billiard", "redis", "hiredis", "gevent", "eventlet", "greenlet")
    puts = ("lpush",)
    loop_factory = None

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One Celery worker for the prefork pool, one per process for the others."""
        return worker_plan(request)

    def producer(self, variant: str) -> CeleryProducer:
        """A connected producer; all pools execute the same tasks."""
        return CeleryProducer()

    def serializing_producer(self, variant: str, serializer: str) -> CeleryProducer:
        """The same in another serializer."""
        serializer_settings(serializer)
        return CeleryProducer(serializer)

    def message_reader(self, variant: str, serializer: str) -> CeleryMessageReader:
        """What reads the messages of such a producer."""
        return CeleryMessageReader(serializer)

    def event_stream(self, received: Received) -> None:
        """Celery's event receiver."""
        event_stream(received)

    def web_part(self, variant: str) -> WebPart:
        """Blocking calls; all pools execute the same tasks."""
        return web_part()

    def job_queue(self) -> JobQueue:
        """Of the application for jobs, which nothing else imports."""
        from tasks.celery_tasks.jobs import CeleryJobs

        return CeleryJobs()

    def job_worker(self, slots: int) -> WorkerCommand:
        """A prefork worker of that application."""
        from tasks.celery_tasks.jobs import job_worker

        return job_worker(slots)

    def job_monitor(self, port: int) -> JobMonitor:
        """Flower."""
        from tasks.celery_tasks.jobs import job_monitor

        return job_monitor(port)

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the queues' lists and all that is claimed."""
        purge(queues)

    def depth(self, queue: str) -> Depth:
        """In one pipeline."""
        return depth(queue)


FRAMEWORK = CeleryFramework()
