"""The variants, and how a worker of each is started: by AsyncTasQ's command line, or by :mod:`tasks.asynctasq_tasks.worker`."""

import os
from collections.abc import Mapping
from typing import Any

from tasks.asynctasq_tasks.calls import TASKS
from tasks.asynctasq_tasks.settings import DATABASE, SERIALIZER, require_serializer
from tasks.contract import Capability, Shape, Variant, WorkerCommand, WorkerPlan, WorkerRequest, database_url, spread
from tasks.streaming import EVENTS_VARIABLE

PROGRAM = "tasks.asynctasq_tasks.worker"
TUNED_TASKS_PER_CHILD = 10_000
DEFAULT_THREADS = min(32, ((os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()) or 1) + 4)
"""SyncTask uses asyncio's default executor, whose size cannot be set (concurrent.futures: min(32, cores + 4))."""
LACKS: Mapping[Capability, str] = {
    "results": "it keeps no results: what a task returns is dropped by the worker, and a dispatch gives no more than an id"
}
VARIANTS = (
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


def worker_plan(request: WorkerRequest) -> WorkerPlan:
    """One worker per process, or one worker with a pool of processes."""
    if request.variant not in TASKS:
        raise ValueError(f"no variant {request.variant!r}: there are {', '.join(TASKS)}")
    require_serializer(request.serializer or SERIALIZER)
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
        arguments = ("-m", PROGRAM, "--concurrency", str(concurrency), "--queues", *request.queues)
        command = WorkerCommand(arguments, {EVENTS_VARIABLE: "on"})
    return WorkerPlan(
        commands=(command,) * shape.processes,
        shape=shape,
        working_processes=shape.processes,
        guarantee="at-least-once",
        settings=settings | {"concurrency_per_process": concurrency},
    )


def _within_default_threads(shape: Shape) -> Shape:
    return Shape(processes=shape.processes, slots=shape.processes * min(DEFAULT_THREADS, shape.slots // shape.processes))


def _process_plan(request: WorkerRequest, settings: dict[str, Any]) -> WorkerPlan:
    tuned = request.track == "tuned"
    sizes = ["--concurrency", str(request.slots), "--pool-size", str(request.slots)]
    arguments = ["-m", PROGRAM, *sizes, "--queues", *request.queues]
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
