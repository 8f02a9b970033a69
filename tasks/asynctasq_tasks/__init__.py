# mypy: disable-error-code="import-not-found"
"""AsyncTasQ over Redis: tasks on the event loop, in threads, or in a process pool.

Its event loop is uvloop, which AsyncTasQ brings with it. It has no chains ("Task chaining & workflows" is on the roadmap of 1.7):
a task's run dispatches its follower when it has ended well.
"""

from collections.abc import Sequence

import uvloop

from tasks.asynctasq_tasks.calls import ExecuteAsync, ExecuteInProcess, ExecuteInThread, LinkAsync, LinkInProcess, LinkInThread
from tasks.asynctasq_tasks.events import event_stream
from tasks.asynctasq_tasks.producing import AsyncTasQProducer, web_part
from tasks.asynctasq_tasks.queues import AsyncTasQMessageReader, depth, purge
from tasks.asynctasq_tasks.settings import DATABASE, configure, require_serializer
from tasks.asynctasq_tasks.variants import VARIANTS, worker_plan
from tasks.contract import Depth, WebPart, WorkerCommand, WorkerPlan, WorkerRequest
from tasks.jobs import JobQueue
from tasks.streaming import Received

__all__ = ["FRAMEWORK", "ExecuteAsync", "ExecuteInProcess", "ExecuteInThread", "LinkAsync", "LinkInProcess", "LinkInThread"]


class AsyncTasQFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "asynctasq"
    variants = VARIANTS
    databases = (DATABASE,)
    packages = ("asynctasq", "redis", "hiredis", "uvloop", "msgspec")
    puts = ("lpush",)
    loop_factory = staticmethod(uvloop.new_event_loop)

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One worker per process, or one worker with a pool of processes."""
        return worker_plan(request)

    def producer(self, variant: str) -> AsyncTasQProducer:
        """A producer of the variant's class of task."""
        configure()
        return AsyncTasQProducer(variant)

    def serializing_producer(self, variant: str, serializer: str) -> AsyncTasQProducer:
        """The same: there is one serializer."""
        require_serializer(serializer)
        return self.producer(variant)

    def message_reader(self, variant: str, serializer: str) -> AsyncTasQMessageReader:
        """What reads the messages of such a producer."""
        require_serializer(serializer)
        return AsyncTasQMessageReader(variant)

    def web_part(self, variant: str) -> WebPart:
        """AsyncTasQ's FastAPI integration."""
        return web_part(variant)

    def job_queue(self) -> JobQueue:
        """Of an application's jobs, which nothing else imports."""
        from tasks.asynctasq_tasks.jobs import AsyncTasQJobs

        return AsyncTasQJobs()

    def job_worker(self, slots: int) -> WorkerCommand:
        """A worker of these."""
        from tasks.asynctasq_tasks.jobs import job_worker

        return job_worker(slots)

    def event_stream(self, received: Received) -> None:
        """Redis Pub/Sub."""
        event_stream(received)

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the queues' keys in every state."""
        purge(queues)

    def depth(self, queue: str) -> Depth:
        """In one pipeline."""
        return depth(queue)


FRAMEWORK = AsyncTasQFramework()
