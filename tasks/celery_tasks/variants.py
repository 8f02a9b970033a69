"""The variants, one for each of Celery's pools, and how a worker of each is started: by Celery's own command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.celery_tasks.application import (
    CONNECTIONS_VARIABLE,
    LANES_VARIABLE,
    PICKLE,
    RESULT_SETTINGS,
    RESULTS_VARIABLE,
    SERIALIZER_VARIABLE,
    SERIALIZERS,
    TRACK_VARIABLE,
    serializer_settings,
    settings_for,
)
from tasks.contract import Execution, Shape, Variant, WorkerCommand, WorkerPlan, WorkerRequest, spread
from tasks.streaming import EVENTS_VARIABLE

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")
NO_PREFETCHING = {"worker_prefetch_multiplier": 1, "worker_disable_prefetch": True}
SPARE_CONNECTIONS = 10
"""The most that a process may have by default (kombu.transport.redis.Channel.max_connections). Tasks of one process that end at
the same time are acknowledged over one each, and where there are not enough the acknowledgement fails and the task stays
claimed (celery issue 1350): so a process has one more for each of its slots."""


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
VARIANTS = tuple(
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


def worker_plan(request: WorkerRequest) -> WorkerPlan:
    """One Celery worker for the prefork pool, one per process for the others."""
    pool_name = request.variant.removeprefix("celery-")
    pool = POOLS.get(pool_name)
    if pool is None:
        raise ValueError(f"no variant {request.variant!r}: there are {', '.join(v.name for v in VARIANTS)}")
    shape = pool.shape(request.processes, request.slots)
    workers = 1 if pool.one_command else shape.processes
    in_one_process = shape.slots // shape.processes
    connections = SPARE_CONNECTIONS + in_one_process if in_one_process > 1 else 0
    settings = settings_for(request.track, by_priority=request.lanes_by_priority, connections=connections)
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
    return WorkerPlan(
        commands=commands,
        shape=shape,
        # Prefork hands short tasks to the first free children, so that of many only some are seen at work.
        working_processes=min(shape.processes, 2) if pool.one_command else shape.processes,
        guarantee="at-least-once" if settings["task_acks_late"] else "at-most-once",
        settings={**settings, "options": options, "chains": "chain() of .si() signatures, Task.retry(countdown)"},
    )
