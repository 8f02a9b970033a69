# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False, disallow-untyped-decorators=False
"""Celery over Redis, with each of its pools.

Normalised track: tasks are acknowledged after they have run (``task_acks_late``), as the other frameworks do, and everything
else is Celery's default. Tuned track: what Celery's optimizing guide advises for many short tasks
(https://docs.celeryq.dev/en/stable/userguide/optimizing.html): early acknowledgement, a prefetch multiplier of 64, no rate
limits.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

import redis
from celery import Celery, Task, chain
from celery.events import EventDispatcher, EventReceiver
from kombu import Connection, serialization
from kombu.transport.redis import Channel
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from tasks.contract import (
    Database,
    Depth,
    Execution,
    Shape,
    Variant,
    WebPart,
    WorkerCommand,
    WorkerPlan,
    WorkerRequest,
    database_url,
    spread,
)
from tasks.events import Streamed
from tasks.streaming import EVENTS_VARIABLE, Received, emits_events, identity_key
from tasks.workloads import TaskCall, recorder
from tasks.workloads import execute as run_workload

BROKER = Database(purpose="broker", variable="CELERY_BROKER_URL", number=1)
RESULTS = Database(purpose="results", variable="CELERY_RESULT_BACKEND", number=2)
TRACK_VARIABLE = "LAB_CELERY_TRACK"
LANES_VARIABLE = "LAB_CELERY_LANES"
CONNECTIONS_VARIABLE = "LAB_CELERY_CONNECTIONS"
SPARE_CONNECTIONS = 10
"""The most that a process may have by default (kombu.transport.redis.Channel.max_connections). Tasks of one process that end at
the same time are acknowledged over one each, and where there are not enough the acknowledgement fails and the task stays
claimed (celery issue 1350): so a process has one more for each of its slots."""
RESULTS_VARIABLE = "LAB_CELERY_RESULTS"
WAIT_LIMIT_S = 30.0

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"task_acks_late": True, "worker_prefetch_multiplier": 4, "worker_disable_rate_limits": False},
    "tuned": {"task_acks_late": False, "worker_prefetch_multiplier": 64, "worker_disable_rate_limits": True},
}
RESULT_SETTINGS: Mapping[str, Any] = {"result_expires": 60}
"""What is set besides the result backend where it is on: results that nobody fetches are gone soon."""
PRIORITY_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"broker_transport_options": {"queue_order_strategy": "priority"}},
    "tuned": {
        "broker_transport_options": {"queue_order_strategy": "priority"},
        "task_acks_late": True,
        "worker_prefetch_multiplier": 4,
    },
}
"""What is set over :data:`SETTINGS` where the order of ``--queues`` is to count: the routing guide's strategy, and on the tuned
track no more prefetching than by default."""
NO_PREFETCHING = {"worker_prefetch_multiplier": 1, "worker_disable_prefetch": True}
COMMON_SETTINGS: Mapping[str, Any] = {
    "task_ignore_result": True,
    "worker_send_task_events": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
}
SERIALIZER_VARIABLE = "LAB_CELERY_SERIALIZER"
PICKLE = "pickle"
SERIALIZERS = ("json", PICKLE, "msgpack", "yaml")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")
EMITS_EVENTS = emits_events()
STREAMED: Mapping[str, Streamed] = {
    "task-started": Streamed.STARTED,
    "task-succeeded": Streamed.FINISHED,
    "task-failed": Streamed.FINISHED,
}
PROBE, PROBE_INTERVAL_S = "lab-probe", 0.02
"""An event of the lab's own, by which a subscriber learns that it is subscribed; and how often it is sent until it arrives."""

# Celery takes these variables over all that is said to it: the lab's server must win, and results must be off, for with a backend
# gevent and eventlet make one anew for every task, used or not. A backend class is the one thing that wins over the variable.
os.environ[BROKER.variable] = database_url(BROKER)
app = Celery("queuelab", broker=database_url(BROKER))
app.backend_cls = "disabled://"


def _settings(track: str, *, by_priority: bool, connections: int = 0) -> dict[str, Any]:
    settings = {**COMMON_SETTINGS, **SETTINGS[track], **(PRIORITY_SETTINGS[track] if by_priority else {})}
    if connections:
        settings["broker_transport_options"] = {**settings.get("broker_transport_options", {}), "max_connections": connections}
    return settings


app.conf.update(
    **_settings(
        os.environ.get(TRACK_VARIABLE, "normalised"),
        by_priority=LANES_VARIABLE in os.environ,
        connections=int(os.environ.get(CONNECTIONS_VARIABLE, "0")),
    )
)


def _store_results() -> None:
    """Turn the result backend on, for the tasks that are sent with ``ignore_result=False``."""
    app.backend_cls = database_url(RESULTS)
    app.conf.update(**RESULT_SETTINGS)


if RESULTS_VARIABLE in os.environ:
    _store_results()


def _serializer_settings(serializer: str) -> dict[str, Any]:
    """Sent and accepted is this serializer and no other. Raises ValueError for one that is none of :data:`SERIALIZERS`."""
    if serializer not in SERIALIZERS:
        raise ValueError(f"no serializer {serializer!r}: there are {', '.join(SERIALIZERS)}")
    return {"task_serializer": serializer, "accept_content": [serializer]}


if SERIALIZER_VARIABLE in os.environ:
    app.conf.update(**_serializer_settings(os.environ[SERIALIZER_VARIABLE]))


class TimedDispatcher(EventDispatcher):
    """Records each time that events are handed to Redis: one, or all that a pool with an event loop has buffered."""

    @override
    def _publish(self, event: Any, *arguments: Any, **options: Any) -> None:
        began_ns = time.monotonic_ns()
        super()._publish(event, *arguments, **options)
        recorder.emitted(began_ns, len(event) if isinstance(event, list) else 1)


class ProbedReceiver(EventReceiver):
    """A receiver cannot know when it is subscribed, so whenever it has connected probes are sent until one has come back, which
    sets ``subscribed``."""

    @override
    def on_consume_ready(self, *arguments: Any, **options: Any) -> None:
        """Begin to send probes."""
        super().on_consume_ready(*arguments, **options)
        self.subscribed = threading.Event()
        threading.Thread(target=_probe, args=(self.subscribed,), daemon=True).start()


if EMITS_EVENTS:
    app.events.dispatcher_cls = TimedDispatcher


def _identity(task: Task) -> int:
    return identity_key(task.request.id) if EMITS_EVENTS else 0


@app.task(name="queuelab.execute", bind=True)
def execute(self: Task, run: int, phase: int, sequence: int, due_ns: int, workload: str, argument: Any) -> None:
    """Run a task call; see :data:`tasks.workloads.TaskCall`."""
    run_workload(run, phase, sequence, due_ns, workload, argument, self.request.retries + 1, identity=_identity(self))


@app.task(name="queuelab.link", bind=True)
def link(self: Task, call: TaskCall, attempts: int, backoff_s: float, followers: int) -> None:
    """Run a task call of a chain; when it raises, have it retried while there are attempts left."""
    try:
        run_workload(*call, self.request.retries + 1, attempts, followers)
    except Exception as error:
        raise self.retry(exc=error, countdown=backoff_s, max_retries=attempts - 1) from error


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of Celery's: where its tasks run, and what it makes of a wish for processes and slots."""

    execution: Execution
    description: str
    shape: Callable[[int, int], Shape]
    one_command: bool = False
    slots_per_process: int | None = None


def _process_each(_: int, slots: int) -> Shape:
    return Shape(processes=slots, slots=slots)


POOLS: Mapping[str, Pool] = {
    "prefork": Pool("child-process", "one forked process per slot", _process_each, one_command=True, slots_per_process=1),
    "threads": Pool("thread", "a pool of threads in every process", spread),
    "gevent": Pool("greenlet", "greenlets in every process, by gevent", spread),
    "eventlet": Pool("greenlet", "greenlets in every process, by eventlet", spread),
    "solo": Pool("main-thread", "one process per slot, tasks in its main thread", _process_each, slots_per_process=1),
}


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


class CeleryMessageReader:
    """Decodes as a worker does, which decodes every body twice: its consumer to see which protocol the message is of
    (celery.worker.strategy.default), and whoever runs the task (celery.app.trace)."""

    def __init__(self, serializer: str) -> None:
        self._channel: Channel = Connection(database_url(BROKER)).default_channel
        self._accepted = serialization.prepare_accept_content(_serializer_settings(serializer)["accept_content"])

    def take(self, queue: str) -> bytes:
        """RPOP of the queue's list; LookupError where it is empty."""
        message: bytes | None = self._channel.client.rpop(queue)
        if message is None:
            raise LookupError(f"no message waits in {queue}")
        return message

    def decode(self, message: bytes) -> TaskCall:
        """The envelope, and its body twice."""
        envelope = self._channel.message_to_python(loads(bytes_to_str(message)))
        envelope.accept = self._accepted
        envelope.decode()
        content_type, encoding = envelope.content_type, envelope.content_encoding
        arguments, _, _ = serialization.loads(envelope.body, content_type, encoding, accept=self._accepted)
        call: TaskCall = arguments
        return call


class CeleryFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "celery"
    variants = tuple(
        Variant(
            f"celery-{pool}",
            p.execution,
            p.description,
            serializers=SERIALIZERS,
            model_serializer=PICKLE,
            slots_per_process=p.slots_per_process,
        )
        for pool, p in POOLS.items()
    )
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
        in_one_process = shape.slots // shape.processes
        connections = SPARE_CONNECTIONS + in_one_process if in_one_process > 1 else 0
        settings = _settings(request.track, by_priority=request.lanes_by_priority, connections=connections)
        environment = {TRACK_VARIABLE: request.track} | ({LANES_VARIABLE: "priority"} if request.lanes_by_priority else {})
        if connections:
            environment[CONNECTIONS_VARIABLE] = str(connections)
        options: tuple[str, ...] = QUIET
        if request.results:
            environment[RESULTS_VARIABLE] = "on"
            settings |= {"result_backend": "redis", **RESULT_SETTINGS}
        if request.events:
            environment[EVENTS_VARIABLE], options = "on", (*QUIET, "--task-events")
            settings["worker_send_task_events"] = True
        if request.lanes_by_priority and request.track == "tuned" and pool.execution != "greenlet":
            # With greenlets it stalls for up to 1.7 s after a task: their loop sleeps while it may take none.
            options = (*options, "--prefetch-multiplier=1", "--disable-prefetch")
            settings |= NO_PREFETCHING
        if request.serializer:
            settings |= _serializer_settings(request.serializer)
            environment[SERIALIZER_VARIABLE] = request.serializer
            if request.serializer == PICKLE:
                # As root it refuses to accept pickle at all; the only messages here are the lab's own.
                environment["C_FORCE_ROOT"] = "1"
        commands = tuple(
            WorkerCommand(
                (
                    *("-m", "celery", "--app=tasks.celery_tasks", "worker", f"--pool={pool_name}"),
                    *(f"--concurrency={shape.slots // workers}", f"--queues={','.join(request.queues)}"),
                    *(f"--hostname={request.variant}-{index}@%h", *options),
                ),
                environment,
            )
            for index in range(workers)
        )
        return WorkerPlan(
            commands=commands,
            shape=shape,
            # Prefork hands short tasks to the first free children, so that of many only some are seen at work.
            working_processes=min(shape.processes, 2) if pool.one_command else shape.processes,
            guarantee="at-least-once" if settings["task_acks_late"] else "at-most-once",
            settings={**settings, "options": options, "chains": "chain() of .si() signatures, Task.retry(countdown)"},
        )

    def producer(self, variant: str) -> CeleryProducer:
        """A connected producer; all pools execute the same tasks."""
        return CeleryProducer()

    def serializing_producer(self, variant: str, serializer: str) -> CeleryProducer:
        """The same in another serializer."""
        _serializer_settings(serializer)
        return CeleryProducer(serializer)

    def message_reader(self, variant: str, serializer: str) -> "CeleryMessageReader":
        """What reads the messages of such a producer."""
        return CeleryMessageReader(serializer)

    def event_stream(self, received: Received) -> None:
        """Celery's event receiver, over kombu's fanout of Redis Pub/Sub."""

        def on_event(event: Mapping[str, Any]) -> None:
            received(STREAMED[event["type"]], event["uuid"], event["timestamp"])

        def on_probe(_: Mapping[str, Any]) -> None:
            if not receiver.subscribed.is_set():
                receiver.subscribed.set()
                received(Streamed.NOTHING, "", 0.0)

        with app.connection_for_read() as connection:
            handlers = {PROBE: on_probe, **dict.fromkeys(STREAMED, on_event)}
            receiver = ProbedReceiver(connection, handlers=handlers, app=app)
            receiver.run(wakeup=False)

    def web_part(self, variant: str) -> WebPart:
        """Blocking calls, for FastAPI's thread pool: Celery has no asynchronous ones, and nothing for an application's lifespan.
        The result backend has no part in what ``dispatch`` does."""
        _store_results()
        return WebPart(dispatch=_dispatch, wait=_dispatch_and_wait)

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


def _dispatch(queue: str, call: TaskCall) -> None:
    execute.apply_async(args=call, queue=queue)


def _dispatch_and_wait(queue: str, call: TaskCall) -> None:
    execute.apply_async(args=call, queue=queue, ignore_result=False).get(timeout=WAIT_LIMIT_S)


def _probe(subscribed: threading.Event) -> None:
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
        while not subscribed.wait(PROBE_INTERVAL_S):
            dispatcher.send(PROBE)


def _priority_keys(channel: Channel, queue: str) -> list[str]:
    return [channel._q_for_pri(queue, priority) for priority in channel.priority_steps]


FRAMEWORK = CeleryFramework()
