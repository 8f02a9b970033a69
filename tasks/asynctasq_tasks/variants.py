"""The variants, and how a worker of each is started: by AsyncTasQ's command line, or by :mod:`tasks.asynctasq_tasks.worker`.

Tuned track: a worker takes 10 tasks at once, the default of ``--concurrency``; one with a pool of processes as many as these,
which is advised for CPU-bound tasks, and a child is recycled after 1,000 tasks, the most that is recommended. It prefetches no
others.
"""

import os
from collections.abc import Mapping
from typing import Any

from tasks.asynctasq_tasks.settings import DATABASE, SERIALIZER, require_serializer
from tasks.contract import Capability, Shape, Variant, WorkerCommand, WorkerPlan, WorkerRequest, database_url, times
from tasks.streaming import EVENTS_VARIABLE

PROGRAM = "tasks.asynctasq_tasks.worker"
DOCUMENTATION = "https://github.com/adamrefaey/asynctasq/blob/main/docs"
DEFAULT_CONCURRENCY = 10
TUNED_TASKS_PER_CHILD = 1_000
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
        tuned_concurrency=DEFAULT_CONCURRENCY,
        tuned_pages=(f"{DOCUMENTATION}/running-workers.md",),
    ),
    Variant(
        "asynctasq-thread",
        "thread",
        "SyncTask: the default thread pool of every process",
        lacks=LACKS,
        serializers=(SERIALIZER,),
        model_serializer=SERIALIZER,
        concurrency_limit=DEFAULT_THREADS,
        tuned_concurrency=DEFAULT_CONCURRENCY,
        tuned_pages=(f"{DOCUMENTATION}/running-workers.md",),
    ),
    Variant(
        "asynctasq-process",
        "child-process",
        "SyncProcessTask: one worker with a pool of processes",
        lacks=LACKS,
        serializers=(SERIALIZER,),
        model_serializer=SERIALIZER,
        concurrency_limit=1,
        tuned_concurrency=1,
        tuned_pages=(f"{DOCUMENTATION}/best-practices.md", f"{DOCUMENTATION}/configuration.md"),
    ),
)


def worker_plan(request: WorkerRequest) -> WorkerPlan:
    """One worker per process, or one worker with a pool of processes."""
    variant = next((v for v in VARIANTS if v.name == request.variant), None)
    if variant is None:
        raise ValueError(f"no variant {request.variant!r}: there are {', '.join(v.name for v in VARIANTS)}")
    require_serializer(request.serializer or SERIALIZER)
    settings: dict[str, Any] = {"max_attempts": 1, "serializer": SERIALIZER, "events": False, "event_loop": "uvloop"}
    settings["chains"] = "a task dispatches its follower at its end; max_attempts, the worker's retry_delay, fixed"
    settings["delayed_task_interval"] = "default (1 s)"
    if request.events:
        settings |= {"events": True, "logging": "warnings"}
    tuned = request.track == "tuned"
    if tuned:
        settings["documentation"] = variant.tuned_pages
    shape = variant.shape(request.processes, request.concurrency)
    if variant.execution == "child-process":
        return _process_plan(request, shape, settings)
    options = ("--driver", "redis", "--queues", ",".join(request.queues))
    # Its URL holds the password of Redis, which everyone could read on a command line.
    environment = {DATABASE.variable: database_url(DATABASE)}
    taken = request.concurrency if tuned else shape.concurrency
    command = WorkerCommand(("-m", "asynctasq", "worker", *options, "--concurrency", str(taken)), environment)
    if request.events:
        arguments = ("-m", PROGRAM, "--concurrency", str(taken), "--queues", *request.queues)
        command = WorkerCommand(arguments, {EVENTS_VARIABLE: "on"})
    return WorkerPlan(
        commands=(command,) * shape.processes,
        shape=shape,
        working_processes=shape.processes,
        guarantee="at-least-once",
        settings=settings | {"concurrency": taken, "command": times(shape.processes, f"asynctasq worker --concurrency {taken}")},
    )


def _process_plan(request: WorkerRequest, shape: Shape, settings: dict[str, Any]) -> WorkerPlan:
    tuned = request.track == "tuned"
    sizes = ["--concurrency", str(shape.processes), "--pool-size", str(shape.processes)]
    arguments = ["-m", PROGRAM, *sizes, "--queues", *request.queues]
    if tuned:
        arguments += ["--tasks-per-child", str(TUNED_TASKS_PER_CHILD)]
    return WorkerPlan(
        commands=(WorkerCommand(tuple(arguments), {EVENTS_VARIABLE: "on"} if request.events else {}),),
        shape=shape,
        working_processes=shape.processes,
        guarantee="at-least-once",
        settings=settings
        | {
            "process_pool_size": shape.processes,
            "tasks_per_child": TUNED_TASKS_PER_CHILD if tuned else "default (100)",
            "concurrency": shape.processes,
            "command": f"asynctasq.Worker(concurrency={shape.processes}, process_pool_size={shape.processes}), in a program",
        },
    )
