"""Waiting for tasks to end, while the worker lives and there is time."""

import time
from dataclasses import astuple

from benchmarks.run.nodes.log import PhaseCounts
from benchmarks.run.nodes.steps import is_empty, look_interval_s
from benchmarks.run.nodes.worker import WorkerStatus
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.spec import RunFailedError

QUIET_S = 3.0
NO_COUNTS = PhaseCounts(0, 0, 0, 0, 0, 0, 0, 0)


def counts(run: RunInProgress, phase: int) -> PhaseCounts:
    """What has happened on the worker's node and, where the web application executes tasks too, on the producer's."""
    nodes = (run.worker, run.producer) if run.web_url else (run.worker,)
    found = [node.counts(run.spec.run).get(phase, NO_COUNTS) for node in nodes]
    return PhaseCounts(*(sum(column) for column in zip(*map(astuple, found), strict=True)))


def ended(run: RunInProgress, phase: int) -> int:
    """How many tasks of a phase have ended by now, or never will be executed."""
    found = counts(run, phase)
    return found.finished_ok + found.finished_failed + found.finished_skipped


def drain(run: RunInProgress, phase: int, acknowledged: int, limit_s: float, *, claims_may_stay: bool = False) -> bool:
    """Wait until all acknowledged tasks have ended and the queue is empty, or nothing has ended for :data:`QUIET_S` on an empty
    queue (tasks were lost). Where ``claims_may_stay``, a queue then counts as empty though a worker that is gone has claimed
    tasks of it. False when the time was over first. Raises RunFailedError when the worker has died."""
    began_s = time.monotonic()
    give_up_s = min(began_s + limit_s, run.deadline_s)
    most, progress_s = -1, began_s
    while True:
        now_ended = ended(run, phase)
        run.observer.progress(now_ended)
        if now_ended > most:
            most, progress_s = now_ended, time.monotonic()
        quiet = time.monotonic() - progress_s > QUIET_S
        if (most >= acknowledged or quiet) and _queues_are_empty(run, but_claimed=quiet and claims_may_stay):
            return True
        if time.monotonic() > give_up_s:
            return False
        require_worker(run, f"draining {run.known.names[phase]}")
        time.sleep(look_interval_s(time.monotonic() - began_s))


def _queues_are_empty(run: RunInProgress, *, but_claimed: bool) -> bool:
    return all(is_empty(run.producer, queue, but_claimed=but_claimed) for queue in run.queues)


def require_worker(run: RunInProgress, doing: str) -> WorkerStatus:
    """Raises RunFailedError when the worker has died, or its node has ended it."""
    worker = run.worker.worker()
    if worker.state == "died":
        raise RunFailedError(f"the worker died while {doing}: {worker.died}")
    if worker.state not in ("running", "paused"):
        raise RunFailedError(f"the worker is {worker.state} while {doing}: its node has ended it")
    return worker


def require_time(run: RunInProgress, doing: str) -> None:
    """Raises RunFailedError when the run's time is over."""
    if time.monotonic() > run.deadline_s:
        raise RunFailedError(
            f"the run's time of {run.spec.timeout_s:.0f} s was over while {doing}; "
            f"the end of the worker's log:\n{run.worker.worker().log_tail}"
        )


def require_time_and_worker(run: RunInProgress, doing: str) -> None:
    """Raises RunFailedError when the worker has died or the run's time is over."""
    require_worker(run, doing)
    require_time(run, doing)
