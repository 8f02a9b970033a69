# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False, disallow-untyped-decorators=False
"""AsyncTasQ over Redis: tasks on the event loop, in threads, or in a process pool.

The pool's size cannot be set through AsyncTasQ's command line (``--process-pool-size`` is parsed and ignored in 1.7), so the
process variant's worker is started through its ``Worker`` class, by this module's :func:`main`. Its event loop is uvloop, which
AsyncTasQ brings with it.
"""

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, override

import asynctasq
import redis
import uvloop
from asynctasq import AsyncTask, RedisConfig, SyncProcessTask, SyncTask, TaskConfig

from tasks.contract import Database, Depth, Shape, Variant, WorkerCommand, WorkerPlan, WorkerRequest, database_url, spread
from tasks.workloads import TaskCall, execute, execute_async

DATABASE = Database(purpose="queue", variable="ASYNCTASQ_REDIS_URL", number=0)
# A second attempt would come after a minute by default, and the other frameworks do not retry unasked.
TASK_CONFIG: TaskConfig = {"max_attempts": 1}
TUNED_TASKS_PER_CHILD = 10_000
STATES = ("", ":processing", ":delayed", ":dead", ":stats:completed", ":stats:failed")


def _call(task: Any) -> TaskCall:
    return (task.run_number, task.phase, task.sequence, task.due_ns, task.workload, task.argument)


class ExecuteAsync(AsyncTask):
    """A task call on the worker's event loop."""

    config = TASK_CONFIG

    @override
    async def execute(self) -> None:
        """Run the call."""
        await execute_async(*_call(self), attempt=self.current_attempt)


class ExecuteInThread(SyncTask):
    """A task call in the worker's default thread pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_call(self), attempt=self.current_attempt)


class ExecuteInProcess(SyncProcessTask):
    """A task call in the worker's process pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_call(self), attempt=self.current_attempt)


TASKS: Mapping[str, type[AsyncTask] | type[SyncTask] | type[SyncProcessTask]] = {
    "asynctasq-async": ExecuteAsync,
    "asynctasq-thread": ExecuteInThread,
    "asynctasq-process": ExecuteInProcess,
}


class AsyncTasQProducer:
    """Dispatches tasks of one class: one at a time, or many concurrently."""

    def __init__(self, variant: str) -> None:
        self._task = TASKS[variant]

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        """Dispatch one task."""
        run, phase, sequence, due_ns, workload, argument = call
        task = self._task(run_number=run, phase=phase, sequence=sequence, due_ns=due_ns, workload=workload, argument=argument)
        await task.on_queue(queue).dispatch()

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Dispatch concurrently; the caller's chunk bounds how many, as more than 100 would exhaust the connection pool."""
        outcomes = await asyncio.gather(*(self.enqueue(queue, call) for call in calls), return_exceptions=True)
        return [_failure(outcome) for outcome in outcomes]

    async def close(self) -> None:
        """Disconnect."""
        await asynctasq.cleanup()


def _failure(outcome: object) -> Exception | None:
    if isinstance(outcome, asyncio.CancelledError):
        return ConnectionError("the dispatch was cancelled")
    return outcome if isinstance(outcome, Exception) else None


def _configure() -> None:
    asynctasq.init({"driver": "redis", "redis": RedisConfig(url=database_url(DATABASE))})


class AsyncTasQFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "asynctasq"
    variants = (
        Variant("asynctasq-async", "coroutine", "AsyncTask: coroutines on the event loop of every process"),
        Variant("asynctasq-thread", "thread", "SyncTask: the default thread pool of every process"),
        Variant("asynctasq-process", "child-process", "SyncProcessTask: one worker with a pool of processes"),
    )
    databases = (DATABASE,)
    packages = ("asynctasq", "redis", "hiredis", "uvloop", "msgspec")
    loop_factory = staticmethod(uvloop.new_event_loop)

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One worker per process, or one worker with a pool of processes."""
        if request.variant not in TASKS:
            raise ValueError(f"no variant {request.variant!r}: there are {', '.join(TASKS)}")
        settings: dict[str, Any] = {"max_attempts": 1, "serializer": "msgspec", "events": False, "event_loop": "uvloop"}
        if request.variant == "asynctasq-process":
            return _process_plan(request, settings)
        shape = spread(request.processes, request.slots)
        if request.variant == "asynctasq-thread":
            shape = _within_default_threads(shape)
        options = ("--driver", "redis", "--redis-url", database_url(DATABASE), "--queues", ",".join(request.queues))
        concurrency = shape.slots // shape.processes
        command = WorkerCommand(("-m", "asynctasq", "worker", *options, "--concurrency", str(concurrency)))
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


def _within_default_threads(shape: Shape) -> Shape:
    """SyncTask uses asyncio's default executor, whose size cannot be set (concurrent.futures: min(32, cores + 4))."""
    most = min(32, (os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1) + 4)
    return Shape(processes=shape.processes, slots=shape.processes * min(most, shape.slots // shape.processes))


def _process_plan(request: WorkerRequest, settings: dict[str, Any]) -> WorkerPlan:
    tuned = request.track == "tuned"
    arguments = ["-m", "tasks.asynctasq_tasks", "--pool-size", str(request.slots), "--queues", *request.queues]
    if tuned:
        arguments += ["--tasks-per-child", str(TUNED_TASKS_PER_CHILD)]
    return WorkerPlan(
        commands=(WorkerCommand(tuple(arguments)),),
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


async def _work(pool_size: int, queues: Sequence[str], tasks_per_child: int | None) -> None:
    config = asynctasq.Config.get()
    driver = asynctasq.DriverFactory.create(config.driver, config)
    await asynctasq.Worker(
        queue_driver=driver,
        queues=queues,
        concurrency=pool_size,
        process_pool_size=pool_size,
        process_pool_max_tasks_per_child=tasks_per_child,
    ).start()


def main() -> None:
    """Run a worker with a pool of processes until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool-size", type=int, required=True)
    parser.add_argument("--tasks-per-child", type=int)
    parser.add_argument("--queues", nargs="+", required=True)
    options = parser.parse_args()
    _configure()
    asynctasq.run(_work(options.pool_size, options.queues, options.tasks_per_child))


if __name__ == "__main__":
    main()
