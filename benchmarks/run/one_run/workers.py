"""The worker of a run: asked for, started, described, ended."""

from benchmarks.plan.wishes import StartWish, WorkerWish
from benchmarks.record.run_data import WorkerRecord
from benchmarks.run.nodes import clock
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.waiting import require_time_and_worker
from infrastructure.readings import StartTimes, TreeSample
from tasks.contract import WorkerPlan
from tasks.loads import queue_name

SAMPLE_INTERVAL_S = 0.25
IDLE_STOP_GRACE_S = 0.5
"""For a worker whose tasks have all ended: killing it loses nothing, and some take over four seconds to end by themselves."""


def clear_for(run: RunInProgress, wish: WorkerWish) -> None:
    """Note the worker that is asked for next, and empty its queues."""
    run.wish = wish
    run.queues = [queue_name(run.places.queue, lane) for lane in wish.lanes]
    run.producer.purge(run.queues)


def start_worker(run: RunInProgress, wish: WorkerWish, watch: StartWish | None = None) -> WorkerPlan:
    """Start a worker; returns before it takes tasks."""
    spec = run.spec
    started = run.worker.start_worker(
        wish.processes or spec.processes,
        wish.concurrency or spec.concurrency,
        run.queues,
        spec.track,
        lanes_by_priority=wish.lanes_by_priority,
        serializer=wish.serializer,
        events=wish.events,
        results=wish.results,
        long_jobs=wish.long_jobs,
        long_tasks=wish.long_tasks,
        optional_packages=wish.optional_packages,
        watch=watch,
    )
    run.worker_is_up = True
    run.environment = started.environment
    return started.plan


def start_watched(run: RunInProgress, wish: WorkerWish, start: StartWish) -> tuple[WorkerPlan, StartTimes]:
    """Start a worker and wait until it is connected."""
    plan = start_worker(run, wish, start)
    return plan, run.worker.start_times()


def describe_worker(run: RunInProgress, plan: WorkerPlan, idle: TreeSample) -> None:
    """Note what the framework made of the worker that was asked for."""
    spec = run.spec
    description = run.producer.describe()
    execution = next(v["execution"] for v in description["variants"] if v["name"] == spec.variant)
    clocks = [run.worker.clock(), run.producer.clock()]
    run.known.workers.append(
        WorkerRecord(
            number=len(run.known.workers) + 1,
            variant=spec.variant,
            framework=spec.framework,
            processes=plan.shape.processes,
            concurrency=plan.shape.concurrency,
            slots=plan.shape.slots,
            working_processes=plan.working_processes,
            execution=execution,
            guarantee=plan.guarantee,
            settings=plan.settings,
            versions=description["versions"],
            died=None,
            same_time_namespace=all(clock.shares_clock(c.boot_id, c.time_namespace) for c in clocks),
            idle=idle,
            environment=run.environment,
        )
    )


def begin_samples(run: RunInProgress) -> None:
    """Begin to sample the worker's tree."""
    run.worker.begin_samples(SAMPLE_INTERVAL_S)
    run.is_sampled = True


def keep_samples(run: RunInProgress) -> None:
    """End the samples, if they are being taken, and keep them."""
    if run.is_sampled:
        run.worker.end_samples()
        run.known.samples.extend(run.worker.samples())
        run.is_sampled = False


def end_worker(run: RunInProgress) -> None:
    """End the worker, which is idle. Raises RunFailedError when it has died."""
    keep_samples(run)
    require_time_and_worker(run, "ending")
    run.worker.stop_worker(IDLE_STOP_GRACE_S)


def kill_worker(run: RunInProgress) -> None:
    """Kill the worker, in whatever state it is."""
    keep_samples(run)
    run.worker.kill_worker()
    run.worker_is_up = run.is_warm = False
