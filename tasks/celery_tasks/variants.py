"""The variants, one for each of Celery's pools, and how a worker of each is started: by Celery's own command line.

Tuned track, tasks at once within a process: one for prefork and solo by their nature; the number of CPUs for threads, the
default of ``--concurrency``; 1000 greenlets, as the guides of gevent and eventlet start their workers. What is prefetched is a
multiple of that: 64, which the optimizing guide advises for many short tasks, but for greenlets, where the default of 4 is 4,000
already; and 1, its advice for long tasks, where those are what a worker is for.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.celery_tasks.application import (
    CONNECTIONS_VARIABLE,
    LANES_VARIABLE,
    LONG_JOB_SETTINGS,
    LONG_JOBS_VARIABLE,
    PICKLE,
    RESULT_SETTINGS,
    RESULTS_VARIABLE,
    SERIALIZER_VARIABLE,
    SERIALIZERS,
    TRACK_VARIABLE,
    serializer_settings,
    settings_for,
)
from tasks.contract import Execution, Variant, WorkerCommand, WorkerPlan, WorkerRequest, times
from tasks.streaming import EVENTS_VARIABLE
from tasks.ways import GREENLETS as GREENLETS_WAY
from tasks.ways import OS_THREADS

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")
DOCUMENTATION = "https://docs.celeryq.dev/en/stable"
OPTIMIZING = f"{DOCUMENTATION}/userguide/optimizing.html"
GREENLETS = 1000
DEFAULT_PREFETCHING = 4
LEAST_PREFETCHING = 1
SPARE_CONNECTIONS = 10
"""The most that a process may have by default (kombu.transport.redis.Channel.max_connections). Tasks of one process that end at
the same time are acknowledged over one each, and where there are not enough the acknowledgement fails and the task stays
claimed (celery issue 1350): so a process has one more for each task at once."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of Celery's: where its tasks run, what the documentation says of the tasks at once within a process, and on which
    page besides the optimizing guide; whether one command starts all its processes, and how many tasks one of them can execute at
    once; and ways of its own in which a task can do several things at once."""

    execution: Execution
    description: str
    tuned_concurrency: int
    page: str
    one_command: bool = False
    concurrency_limit: int | None = None
    ways: Mapping[str, str] = field(default_factory=dict)


def _ways(module: str) -> Mapping[str, str]:
    return {GREENLETS_WAY: f"{__package__}.{module}:greenlets", OS_THREADS: f"{__package__}.{module}:os_threads"}


POOLS: Mapping[str, Pool] = {
    "prefork": Pool("child-process", "one task at a time in every forked process", 1, "workers.html", True, concurrency_limit=1),
    "threads": Pool("thread", "a pool of threads in every process", os.cpu_count() or 1, "workers.html"),
    "gevent": Pool(
        "greenlet", "greenlets in every process, by gevent", GREENLETS, "concurrency/gevent.html", ways=_ways("gevent_ways")
    ),
    "eventlet": Pool(
        "greenlet", "greenlets in every process, by eventlet", GREENLETS, "concurrency/eventlet.html", ways=_ways("eventlet_ways")
    ),
    "solo": Pool(
        "main-thread", "one task at a time in the main thread of every process", 1, "concurrency/index.html", concurrency_limit=1
    ),
}
VARIANTS = tuple(
    Variant(
        f"celery-{pool}",
        p.execution,
        p.description,
        serializers=SERIALIZERS,
        model_serializer=PICKLE,
        concurrency_limit=p.concurrency_limit,
        tuned_concurrency=p.tuned_concurrency,
        tuned_pages=(OPTIMIZING, f"{DOCUMENTATION}/userguide/{p.page}"),
        ways=p.ways,
    )
    for pool, p in POOLS.items()
)


def _tuned_prefetching(request: WorkerRequest, pool: Pool) -> int | None:
    """The tuned multiplier where it is not that of the settings; with greenlets urgent lanes cannot do with the least."""
    if request.long_tasks or (request.lanes_by_priority and pool.execution != "greenlet"):
        return LEAST_PREFETCHING
    return DEFAULT_PREFETCHING if pool.execution == "greenlet" else None


def worker_plan(request: WorkerRequest) -> WorkerPlan:
    """One Celery worker for the prefork pool, one per process for the others."""
    variant = next((v for v in VARIANTS if v.name == request.variant), None)
    if variant is None:
        raise ValueError(f"no variant {request.variant!r}: there are {', '.join(v.name for v in VARIANTS)}")
    pool_name = variant.name.removeprefix("celery-")
    pool = POOLS[pool_name]
    shape = variant.shape(request.processes, request.concurrency)
    workers = 1 if pool.one_command else shape.processes
    connections = SPARE_CONNECTIONS + shape.concurrency if shape.concurrency > 1 else 0
    settings = settings_for(request.track, by_priority=request.lanes_by_priority, connections=connections)
    environment = {TRACK_VARIABLE: request.track} | ({LANES_VARIABLE: "priority"} if request.lanes_by_priority else {})
    if connections:
        environment[CONNECTIONS_VARIABLE] = str(connections)
    options: tuple[str, ...] = QUIET
    if request.results:
        environment[RESULTS_VARIABLE] = "on"
        settings |= {"result_backend": "redis", **RESULT_SETTINGS}
    if request.long_jobs:
        environment[LONG_JOBS_VARIABLE] = "on"
        settings |= {"result_backend": "redis", **LONG_JOB_SETTINGS}
    if request.events:
        environment[EVENTS_VARIABLE], options = "on", (*QUIET, "--task-events")
        settings["worker_send_task_events"] = True
    if request.track == "tuned":
        settings["documentation"] = variant.tuned_pages
    if request.track == "tuned":
        multiplier = _tuned_prefetching(request, pool)
        if multiplier is not None:
            options = (*options, f"--prefetch-multiplier={multiplier}")
            settings["worker_prefetch_multiplier"] = multiplier
        if request.lanes_by_priority and pool.execution != "greenlet":
            # With greenlets it stalls for up to 1.7 s after a task: their loop sleeps while it may take none.
            options = (*options, "--disable-prefetch")
            settings["worker_disable_prefetch"] = True
    if request.serializer:
        settings |= serializer_settings(request.serializer)
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
    typed = f"celery --app=APP worker --pool={pool_name} --concurrency={shape.slots // workers}"
    return WorkerPlan(
        commands=commands,
        shape=shape,
        # Prefork hands short tasks to the first free children, so that of many only some are seen at work.
        working_processes=min(shape.processes, 2) if pool.one_command else shape.processes,
        guarantee="at-least-once" if settings["task_acks_late"] else "at-most-once",
        settings={
            **settings,
            "command": times(workers, typed),
            "options": options,
            "chains": "chain() of .si() signatures, Task.retry(countdown)",
        },
    )
