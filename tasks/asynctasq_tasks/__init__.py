# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False, disallow-untyped-decorators=False
"""AsyncTasQ over Redis: tasks on the event loop, in threads, or in a process pool.

The pool's size cannot be set through AsyncTasQ's command line (``--process-pool-size`` is parsed and ignored in 1.7), so the
process variant's worker is started through its ``Worker`` class, by this module's :func:`main`. Its event loop is uvloop, which
AsyncTasQ brings with it.

A worker that emits events is started by :func:`main` as well, and logs warnings alone. The command line would not do: its options
for events do not reach the registry of emitters (only environment variables do), and it logs four formatted messages a task,
which would be measured in the place of the events.

It has no chains ("Task chaining & workflows" is on the roadmap of 1.7): a task's run dispatches its follower when it has ended
well.
"""

import argparse
import asyncio
import functools
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, override

import asynctasq
import redis
import uvloop
from asynctasq import (
    AsyncTask,
    AsyncTasQIntegration,
    BaseTask,
    Config,
    EventRegistry,
    EventsConfig,
    RedisConfig,
    RedisEventEmitter,
    SyncProcessTask,
    SyncTask,
    TaskConfig,
    TaskDefaultsConfig,
    TaskEvent,
    WorkerEvent,
)
from asynctasq.tasks.services.serializer import TaskSerializer
from msgspec import msgpack

from tasks.contract import (
    MODEL_SESSIONS_VARIABLE,
    Capability,
    Database,
    Depth,
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
from tasks.streaming import EVENTS_VARIABLE, Received, emits_events, identity_key, listen
from tasks.workloads import TaskCall, execute, execute_async, recorder

DATABASE = Database(purpose="queue", variable="ASYNCTASQ_REDIS_URL", number=0)
# A second attempt would come after a minute by default, and the other frameworks do not retry unasked.
TASK_CONFIG: TaskConfig = {"max_attempts": 1}
TUNED_TASKS_PER_CHILD = 10_000
SERIALIZER = "msgspec"
EMITS_EVENTS = emits_events()
STREAMED: Mapping[str, Streamed] = {
    "task_started": Streamed.STARTED,
    "task_completed": Streamed.FINISHED,
    "task_failed": Streamed.FINISHED,
}
DEFAULT_THREADS = min(32, ((os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()) or 1) + 4)
"""SyncTask uses asyncio's default executor, whose size cannot be set (concurrent.futures: min(32, cores + 4))."""
STATES = ("", ":processing", ":delayed", ":dead", ":stats:completed", ":stats:failed")

os.environ.setdefault(MODEL_SESSIONS_VARIABLE, "_asynctasq_session_factory")


def _call(task: Any) -> TaskCall:
    return (task.run_number, task.phase, task.sequence, task.due_ns, task.workload, task.argument)


def _identity(task: BaseTask) -> int:
    return identity_key(str(task._task_id)) if EMITS_EVENTS else 0


class ExecuteAsync(AsyncTask):
    """A task call on the worker's event loop."""

    config = TASK_CONFIG

    @override
    async def execute(self) -> None:
        """Run the call."""
        await execute_async(*_call(self), attempt=self.current_attempt, identity=_identity(self))


class ExecuteInThread(SyncTask):
    """A task call in the worker's default thread pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_call(self), attempt=self.current_attempt, identity=_identity(self))


class ExecuteInProcess(SyncProcessTask):
    """A task call in the worker's process pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_call(self), attempt=self.current_attempt, identity=_identity(self))


TASKS: Mapping[str, type[AsyncTask] | type[SyncTask] | type[SyncProcessTask]] = {
    "asynctasq-async": ExecuteAsync,
    "asynctasq-thread": ExecuteInThread,
    "asynctasq-process": ExecuteInProcess,
}


def _task_of(kind: type[BaseTask], call: TaskCall) -> BaseTask:
    run, phase, sequence, due_ns, workload, argument = call
    return kind(run_number=run, phase=phase, sequence=sequence, due_ns=due_ns, workload=workload, argument=argument)


class Link(BaseTask):
    """The first of the task calls of a chain, ``calls``; the others follow when it has ended well."""

    @override
    async def run(self) -> None:
        """Run the call where the class says, then dispatch what follows from the worker's event loop."""
        _configure_retries(self.config["retry_delay"])
        await super().run()
        if self.calls[1:]:
            queue, attempts = self.config["queue"], self.config["max_attempts"]
            await _dispatch_chain(type(self), queue, self.calls[1:], attempts, self.config["retry_delay"])


class LinkAsync(Link, AsyncTask):
    """A task call of a chain on the worker's event loop."""

    @override
    async def execute(self) -> None:
        """Run the call."""
        await execute_async(*_first(self))


class LinkInThread(Link, SyncTask):
    """A task call of a chain in the worker's default thread pool."""

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_first(self))


class LinkInProcess(Link, SyncProcessTask):
    """A task call of a chain in the worker's process pool."""

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_first(self))


LINKS: Mapping[str, type[Link]] = {
    "asynctasq-async": LinkAsync,
    "asynctasq-thread": LinkInThread,
    "asynctasq-process": LinkInProcess,
}


def _first(task: Any) -> tuple[int, int, int, int, str, Any, int, int, int]:
    """The first call of a chain, with its attempt, how many it may have, and how many tasks follow it."""
    call: TaskCall = task.calls[0]
    return (*call, task.current_attempt, task.config["max_attempts"], len(task.calls) - 1)


async def _dispatch_chain(link: type[Link], queue: str, calls: Sequence[TaskCall], attempts: int, retry_delay_s: int) -> None:
    await link(calls=calls).on_queue(queue).max_attempts(attempts).retry_after(retry_delay_s).dispatch()


@functools.lru_cache(maxsize=1)
def _configure_retries(retry_delay_s: int) -> None:
    """A worker dispatches with its process's global configuration, which its command line does not set; and on Redis it takes
    the delay before a retry from there as well: what ``retry_after`` has set on the task is carried along and ignored."""
    Config.set(**_settings(), task_defaults=TaskDefaultsConfig(retry_strategy="fixed", retry_delay=retry_delay_s))


class AsyncTasQProducer:
    """Dispatches tasks of one class: one at a time, or many concurrently."""

    def __init__(self, variant: str) -> None:
        self._task = TASKS[variant]
        self._link = LINKS[variant]

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        """Dispatch one task."""
        await _task_of(self._task, call).on_queue(queue).dispatch()

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Dispatch concurrently; the caller's chunk bounds how many, as more than 100 would exhaust the connection pool."""
        outcomes = await asyncio.gather(*(self.enqueue(queue, call) for call in calls), return_exceptions=True)
        return [_failure(outcome) for outcome in outcomes]

    async def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """Dispatch the first task with all that follow it. Raises ValueError for a backoff that is not in whole seconds, which
        its retry delay is."""
        if not float(backoff_s).is_integer():
            raise ValueError(f"AsyncTasQ's retry delay is in whole seconds, not {backoff_s}")
        await _dispatch_chain(self._link, queue, calls, attempts, int(backoff_s))

    async def close(self) -> None:
        """Disconnect."""
        await asynctasq.cleanup()


def _failure(outcome: object) -> Exception | None:
    if isinstance(outcome, asyncio.CancelledError):
        return ConnectionError("the dispatch was cancelled")
    return outcome if isinstance(outcome, Exception) else None


def _settings() -> dict[str, Any]:
    return {"driver": "redis", "redis": RedisConfig(url=database_url(DATABASE))}


def _configure() -> None:
    asynctasq.init(_settings())


class TimedEmitter(RedisEventEmitter):
    """Records how long each event takes to be handed to Redis."""

    @override
    async def emit(self, event: TaskEvent | WorkerEvent) -> None:
        """Publish an event."""
        began_ns = time.monotonic_ns()
        await super().emit(event)
        recorder.emitted(began_ns)


def _configure_events() -> None:
    """As ``ASYNCTASQ_EVENTS_ENABLE_ALL`` and ``ASYNCTASQ_EVENTS_ENABLE_EVENT_EMITTER_REDIS`` do, with a timed emitter."""
    asynctasq.init({**_settings(), "events": EventsConfig(enable_all=True)})
    EventRegistry.add(TimedEmitter())


LACKS: Mapping[Capability, str] = {
    "results": "it keeps no results: what a task returns is dropped by the worker, and a dispatch gives no more than an id"
}


class AsyncTasQMessageReader:
    """Decodes as a worker does; models among the parameters are fetched."""

    def __init__(self, variant: str) -> None:
        self._client = redis.Redis.from_url(database_url(DATABASE))
        self._serializer = TaskSerializer()
        self._in_child_process = variant == "asynctasq-process"

    def take(self, queue: str) -> bytes:
        """RPOP of the queue's list; LookupError where it is empty."""
        message: Any = self._client.rpop(f"queue:{queue}")
        if message is None:
            raise LookupError(f"no message waits in {queue}")
        return bytes(message)

    async def decode(self, message: bytes) -> TaskCall:
        """The task; one that runs in a child process is encoded for it and decoded there again, each with a new serializer
        (asynctasq.tasks.types.sync_process_task)."""
        task = await self._serializer.deserialize(message)
        if self._in_child_process:
            again = TaskSerializer().serialize(task)
            task = await TaskSerializer().deserialize(again)
        return _call(task)


class AsyncTasQFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "asynctasq"
    variants = (
        Variant(
            "asynctasq-async",
            "coroutine",
            "AsyncTask: coroutines on the event loop of every process",
            lacks=LACKS,
            serializers=(SERIALIZER,),
            model_serializer=SERIALIZER,
        ),
        Variant(
            "asynctasq-thread",
            "thread",
            "SyncTask: the default thread pool of every process",
            lacks=LACKS,
            serializers=(SERIALIZER,),
            model_serializer=SERIALIZER,
            slots_per_process=DEFAULT_THREADS,
        ),
        Variant(
            "asynctasq-process",
            "child-process",
            "SyncProcessTask: one worker with a pool of processes",
            lacks=LACKS,
            serializers=(SERIALIZER,),
            model_serializer=SERIALIZER,
            slots_per_process=1,
        ),
    )
    databases = (DATABASE,)
    packages = ("asynctasq", "redis", "hiredis", "uvloop", "msgspec")
    loop_factory = staticmethod(uvloop.new_event_loop)

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One worker per process, or one worker with a pool of processes."""
        if request.variant not in TASKS:
            raise ValueError(f"no variant {request.variant!r}: there are {', '.join(TASKS)}")
        _require_serializer(request.serializer or SERIALIZER)
        settings: dict[str, Any] = {"max_attempts": 1, "serializer": SERIALIZER, "events": False, "event_loop": "uvloop"}
        settings["chains"] = "a task dispatches its follower at its end; max_attempts, the worker's retry_delay, fixed"
        settings["delayed_task_interval"] = "default (1 s)"
        if request.events:
            settings |= {"events": True, "logging": "warnings"}
        if request.variant == "asynctasq-process":
            return _process_plan(request, settings)
        shape = spread(request.processes, request.slots)
        if request.variant == "asynctasq-thread":
            shape = _within_default_threads(shape)
        options = ("--driver", "redis", "--redis-url", database_url(DATABASE), "--queues", ",".join(request.queues))
        concurrency = shape.slots // shape.processes
        command = WorkerCommand(("-m", "asynctasq", "worker", *options, "--concurrency", str(concurrency)))
        if request.events:
            arguments = ("-m", "tasks.asynctasq_tasks.worker", "--concurrency", str(concurrency), "--queues", *request.queues)
            command = WorkerCommand(arguments, {EVENTS_VARIABLE: "on"})
        return WorkerPlan(
            commands=(command,) * shape.processes,
            shape=shape,
            working_processes=shape.processes,
            guarantee="at-least-once",
            settings=settings | {"concurrency_per_process": concurrency},
        )

    def producer(self, variant: str) -> AsyncTasQProducer:
        """A producer of the variant's class of task."""
        _configure()
        return AsyncTasQProducer(variant)

    def serializing_producer(self, variant: str, serializer: str) -> AsyncTasQProducer:
        """The same: there is one serializer."""
        _require_serializer(serializer)
        return self.producer(variant)

    def message_reader(self, variant: str, serializer: str) -> AsyncTasQMessageReader:
        """What reads the messages of such a producer."""
        _require_serializer(serializer)
        return AsyncTasQMessageReader(variant)

    def web_part(self, variant: str) -> WebPart:
        """AsyncTasQ's FastAPI integration: its lifespan, and its dispatcher in an ``async def`` endpoint."""
        _configure()
        integration, kind = AsyncTasQIntegration(), TASKS[variant]

        async def dispatch(queue: str, call: TaskCall) -> None:
            await integration.get_dispatcher().dispatch(_task_of(kind, call), queue=queue)

        return WebPart(dispatch=dispatch, lifespan=integration.lifespan)

    def event_stream(self, received: Received) -> None:
        """Redis Pub/Sub, which its emitter is made for; AsyncTasQ brings no subscriber of its own."""
        with redis.Redis.from_url(database_url(DATABASE), socket_timeout=None) as client:
            for message in listen(client, EventsConfig().channel):
                if message is None:
                    received(Streamed.NOTHING, "", 0.0)
                    continue
                event = msgpack.decode(message)
                if (what := STREAMED.get(event["event_type"])) is not None:
                    received(what, event["task_id"], datetime.fromisoformat(event["timestamp"]).timestamp())

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the queues' keys in every state."""
        with redis.Redis.from_url(database_url(DATABASE)) as client:
            client.delete(*(f"queue:{queue}{state}" for queue in queues for state in STATES))

    def depth(self, queue: str) -> Depth:
        """Two LLEN and a ZCARD."""
        with redis.Redis.from_url(database_url(DATABASE)) as client, client.pipeline(transaction=False) as pipeline:
            pipeline.llen(f"queue:{queue}").llen(f"queue:{queue}:processing").zcard(f"queue:{queue}:delayed")
            waiting, claimed, delayed = pipeline.execute()
        return Depth(waiting=waiting, claimed=claimed, delayed=delayed)


def _require_serializer(serializer: str) -> None:
    if serializer != SERIALIZER:
        raise ValueError(f"no serializer {serializer!r}: there is {SERIALIZER}")


def _within_default_threads(shape: Shape) -> Shape:
    return Shape(processes=shape.processes, slots=shape.processes * min(DEFAULT_THREADS, shape.slots // shape.processes))


def _process_plan(request: WorkerRequest, settings: dict[str, Any]) -> WorkerPlan:
    tuned = request.track == "tuned"
    sizes = ["--concurrency", str(request.slots), "--pool-size", str(request.slots)]
    arguments = ["-m", "tasks.asynctasq_tasks.worker", *sizes, "--queues", *request.queues]
    if tuned:
        arguments += ["--tasks-per-child", str(TUNED_TASKS_PER_CHILD)]
    return WorkerPlan(
        commands=(WorkerCommand(tuple(arguments), {EVENTS_VARIABLE: "on"} if request.events else {}),),
        shape=Shape(processes=request.slots, slots=request.slots),
        working_processes=request.slots,
        guarantee="at-least-once",
        settings=settings
        | {
            "process_pool_size": request.slots,
            "tasks_per_child": TUNED_TASKS_PER_CHILD if tuned else "default (100)",
            "concurrency_per_process": request.slots,
        },
    )


FRAMEWORK = AsyncTasQFramework()


async def _work(concurrency: int, pool_size: int | None, queues: Sequence[str], tasks_per_child: int | None) -> None:
    config = asynctasq.Config.get()
    driver = asynctasq.DriverFactory.create(config.driver, config)
    await asynctasq.Worker(
        queue_driver=driver,
        queues=queues,
        concurrency=concurrency,
        process_pool_size=pool_size,
        process_pool_max_tasks_per_child=tasks_per_child,
    ).start()


def main() -> None:
    """Run a worker, with a pool of processes if asked for, until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--pool-size", type=int)
    parser.add_argument("--tasks-per-child", type=int)
    parser.add_argument("--queues", nargs="+", required=True)
    options = parser.parse_args()
    if EMITS_EVENTS:
        _configure_events()
    else:
        _configure()
    asynctasq.run(_work(options.concurrency, options.pool_size, options.queues, options.tasks_per_child))
