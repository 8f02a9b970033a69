"""A worker that is warm: up, connected, every process at work once, and settled."""

import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.plan.warm_offer import warm_offer
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.run_data import Produced
from benchmarks.run.contract import PhasePlan
from benchmarks.run.one_run.in_progress import WARMUP_PHASE, RunInProgress
from benchmarks.run.one_run.producing import produce
from benchmarks.run.one_run.spec import RunFailedError
from benchmarks.run.one_run.waiting import Expected, counts, drain, require_time_and_worker
from benchmarks.run.one_run.workers import begin_samples, clear_for, describe_worker, end_worker, start_worker
from tasks.contract import WorkerPlan
from tasks.loads import Load, Mix, Prefilled, Tasks, count_of, only, tasks_in_a_unit

WARMUP_TASK_S = 0.02
WARMUP_BATCH = 50
WARMUP_AT_MOST_S = 60.0
ENOUGH_FOR_A_PROCESS = 100
"""Tasks of a batch for each process: with thousands of slots four for each would take longer than most phases."""
SETTLE_S = 0.5


def replace_worker(run: RunInProgress, phase: PhasePlan) -> None:
    """End the worker that there is, and have the one that a phase wishes for, warm and settled, as is the path of its tasks."""
    wish = phase.worker
    if run.worker_is_up:
        end_worker(run)
    clear_for(run, wish)
    plan = start_worker(run, wish)
    run.known.producer_environment = run.producer.connect_producer(run.spec.variant, wish.serializer)
    run.warm_paths.clear()
    _warm_up(run, plan, wish)
    _warm_path(run, phase)
    time.sleep(SETTLE_S)
    describe_worker(run, plan, run.worker.take_sample())
    begin_samples(run)
    run.is_warm = True


def warm_path(run: RunInProgress, phase: PhasePlan) -> None:
    """Have the path of a phase's tasks to the warm worker warm as well, and settled, if no phase before has taken it."""
    if _warm_path(run, phase):
        time.sleep(SETTLE_S)


def warm_producer(run: RunInProgress, phase: PhasePlan) -> None:
    """Have a producer that was just connected send what warms its part of a phase's path, while there is no worker, and withdraw
    it. So the first task of a phase that begins with its worker's start tells of the worker."""
    if not phase.is_cold:
        run.withdrawn += _offer(run, *_warm_offer(phase)).acknowledged
        run.producer.purge(run.queues)


def _warm_offer(phase: PhasePlan) -> tuple[Tasks, Load]:
    own = phase.tasks if isinstance(phase.tasks, Mix) and phase.warms_itself else None
    return warm_offer(phase.tasks, phase.load, own or phase.worker.warm)


def _warm_path(run: RunInProgress, phase: PhasePlan) -> bool:
    offered = _warm_offer(phase)
    if phase.is_cold or offered in run.warm_paths:
        return False
    _offer_warm(run, *offered)
    run.warm_paths.append(offered)
    return True


def _warm_up(run: RunInProgress, plan: WorkerPlan, wish: WorkerWish) -> None:
    """Run tasks that take a moment until every process has executed one, then others until the warm-up time is over."""
    before = counts(run, WARMUP_PHASE).processes
    batch = 4 * plan.shape.slots
    began_s = time.monotonic()
    run.observer.phase(run.known.names[WARMUP_PHASE], 0)
    warm = _over_lanes(wish.warm, wish.lanes)
    while True:
        few = min(batch, ENOUGH_FOR_A_PROCESS * plan.shape.processes)
        _warm_batch(run, few, _over_lanes(only("sleep", WARMUP_TASK_S), wish.lanes))
        worked = counts(run, WARMUP_PHASE).processes - before
        if worked >= plan.shape.processes:
            break
        if time.monotonic() - began_s > WARMUP_AT_MOST_S:
            raise RunFailedError(
                f"warm-up: after {WARMUP_AT_MOST_S:.0f} s only {worked} of {plan.shape.processes} processes have executed a "
                f"task; the end of the worker's log:\n{run.worker.worker().log_tail}"
            )
    if wish.warm != only("noop"):
        _warm_batch(run, batch, warm)
    while time.monotonic() - began_s < run.spec.warmup_s:
        _warm_batch(run, WARMUP_BATCH, warm)


def _warm_batch(run: RunInProgress, count: int, tasks: Mix) -> None:
    _offer_warm(run, tasks, Prefilled(count))


def _offer(run: RunInProgress, tasks: Tasks, load: Load) -> Produced:
    """Offer warm-up tasks. Raises RunFailedError where one cannot be enqueued."""
    count = count_of(load) * tasks_in_a_unit(tasks)
    produced = produce(run, WARMUP_PHASE, tasks, load, first_sequence=run.warmed)
    if produced.acknowledged < count:
        raise RunFailedError(f"warm-up: {produced.failed} of {count} tasks could not be enqueued: {dict(produced.errors)}")
    run.warmed += count
    return produced


def _offer_warm(run: RunInProgress, tasks: Tasks, load: Load) -> None:
    produced = _offer(run, tasks, load)
    to_come = replace(Expected.of(tasks, produced), acknowledged=run.warmed - run.withdrawn)
    if not drain(run, WARMUP_PHASE, to_come, limit_s=WARMUP_AT_MOST_S):
        require_time_and_worker(run, f"draining {run.known.names[WARMUP_PHASE]}")
        found = counts(run, WARMUP_PHASE)
        raise RunFailedError(
            f"warm-up: {to_come.acknowledged} tasks were enqueued and {found.finished_ok} ended within {WARMUP_AT_MOST_S:.0f} s; "
            f"the end of the worker's log:\n{run.worker.worker().log_tail}"
        )


def _over_lanes(tasks: Mix, lanes: Sequence[str]) -> Mix:
    """The tasks with those of no lane spread over all lanes of a worker."""
    classes = (replace(c, lane=lane) for c in tasks.classes for lane in ((c.lane,) if c.lane else lanes))
    return replace(tasks, classes=tuple(classes))
