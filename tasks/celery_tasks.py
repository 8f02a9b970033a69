# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False, disallow-untyped-decorators=False
"""Celery over Redis, with each of its pools.

Normalised track: tasks are acknowledged after they have run (``task_acks_late``), as the other frameworks do, and everything
else is Celery's default. Tuned track: what Celery's optimizing guide advises for many short tasks
(https://docs.celeryq.dev/en/stable/userguide/optimizing.html): early acknowledgement, a prefetch multiplier of 64, no rate
limits.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery, Task
from kombu import Connection
from kombu.transport.redis import Channel

from tasks.contract import (
    Database,
    Depth,
    Execution,
    Shape,
    Variant,
    WorkerCommand,
    WorkerPlan,
    WorkerRequest,
    database_url,
    spread,
)
from tasks.workloads import TaskCall
from tasks.workloads import execute as run_workload

BROKER = Database(purpose="broker", variable="CELERY_BROKER_URL", number=1)
RESULTS = Database(purpose="results", variable="CELERY_RESULT_BACKEND", number=2)
TRACK_VARIABLE = "LAB_CELERY_TRACK"

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"task_acks_late": True, "worker_prefetch_multiplier": 4, "worker_disable_rate_limits": False},
    "tuned": {"task_acks_late": False, "worker_prefetch_multiplier": 64, "worker_disable_rate_limits": True},
}
COMMON_SETTINGS: Mapping[str, Any] = {
    "task_ignore_result": True,
    "worker_send_task_events": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
}
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")

# Celery takes these variables over all that is said here, and the lab's server must win; its result backend must be off.
os.environ[BROKER.variable] = database_url(BROKER)
app = Celery("queuelab", broker=database_url(BROKER), backend="disabled://")
app.conf.update(**COMMON_SETTINGS, **SETTINGS[os.environ.get(TRACK_VARIABLE, "normalised")])


@app.task(name="queuelab.execute", bind=True)
def execute(self: Task, run: int, phase: int, sequence: int, due_ns: int, workload: str, argument: Any) -> None:
    """Run a task call; see :data:`tasks.workloads.TaskCall`."""
    run_workload(run, phase, sequence, due_ns, workload, argument, self.request.retries + 1)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of Celery's: where its tasks run, and what it makes of a wish for processes and slots."""

    execution: Execution
    description: str
    shape: Callable[[int, int], Shape]
    one_command: bool = False


def _process_each(_: int, slots: int) -> Shape:
    return Shape(processes=slots, slots=slots)


POOLS: Mapping[str, Pool] = {
    "prefork": Pool("child-process", "one forked process per slot", _process_each, one_command=True),
    "threads": Pool("thread", "a pool of threads in every process", spread),
    "gevent": Pool("greenlet", "greenlets in every process, by gevent", spread),
    "eventlet": Pool("greenlet", "greenlets in every process, by eventlet", spread),
    "solo": Pool("main-thread", "one process per slot, tasks in its main thread", _process_each),
}


class CeleryProducer:
    """Sends tasks as an application does, or through one producer kept for many."""

    def __init__(self) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            producer.connection.ensure_connection(max_retries=3)

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """``apply_async`` with Celery's own pool of producers."""
        execute.apply_async(args=call, queue=queue)

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """``apply_async`` on one producer held for the whole chunk."""
        outcomes: list[Exception | None] = []
        with app.producer_pool.acquire(block=True) as producer:
            for call in calls:
                try:
                    execute.apply_async(args=call, queue=queue, producer=producer)
                    outcomes.append(None)
                except Exception as error:
                    outcomes.append(error)
        return outcomes

    def close(self) -> None:
        """Close all connections of the application."""
        app.close()


class CeleryFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "celery"
    variants = tuple(Variant(f"celery-{pool}", p.execution, p.description) for pool, p in POOLS.items())
    databases = (BROKER, RESULTS)
    packages = ("celery", "kombu", "billiard", "redis", "hiredis", "gevent", "eventlet", "greenlet")
    loop_factory = None

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One Celery worker for the prefork pool, one per process for the others."""
        pool_name = request.variant.removeprefix("celery-")
        pool = POOLS.get(pool_name)
        if pool is None:
            raise ValueError(f"no variant {request.variant!r}: there are {', '.join(v.name for v in self.variants)}")
        shape = pool.shape(request.processes, request.slots)
        workers = 1 if pool.one_command else shape.processes
        track = request.track
        commands = tuple(
            WorkerCommand(
                (
                    *("-m", "celery", "--app=tasks.celery_tasks", "worker", f"--pool={pool_name}"),
                    *(f"--concurrency={shape.slots // workers}", f"--queues={','.join(request.queues)}"),
                    *(f"--hostname={request.variant}-{index}@%h", *QUIET),
                ),
                {TRACK_VARIABLE: track},
            )
            for index in range(workers)
        )
        return WorkerPlan(
            commands=commands,
            shape=shape,
            # Prefork hands short tasks to the first free children, so that of many only some are seen at work.
            working_processes=min(shape.processes, 2) if pool.one_command else shape.processes,
            guarantee="at-least-once" if SETTINGS[track]["task_acks_late"] else "at-most-once",
            settings={**COMMON_SETTINGS, **SETTINGS[track], "options": QUIET},
        )

    def producer(self, variant: str) -> CeleryProducer:
        """A connected producer; all pools execute the same tasks."""
        return CeleryProducer()

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the queues' lists and all that is claimed in this database."""
        with Connection(database_url(BROKER)) as connection:
            channel: Channel = connection.default_channel
            keys = [key for queue in queues for key in _priority_keys(channel, queue)]
            channel.client.delete(*keys, channel.unacked_key, channel.unacked_index_key)

    def depth(self, queue: str) -> Depth:
        """LLEN for each priority and HLEN for what is claimed."""
        with Connection(database_url(BROKER)) as connection:
            channel: Channel = connection.default_channel
            client: redis.Redis = channel.client
            with client.pipeline(transaction=False) as pipeline:
                for key in _priority_keys(channel, queue):
                    pipeline.llen(key)
                pipeline.hlen(channel.unacked_key)
                *waiting, claimed = pipeline.execute()
        return Depth(waiting=sum(waiting), claimed=claimed, delayed=0)


def _priority_keys(channel: Channel, queue: str) -> list[str]:
    return [channel._q_for_pri(queue, priority) for priority in channel.priority_steps]


FRAMEWORK = CeleryFramework()
