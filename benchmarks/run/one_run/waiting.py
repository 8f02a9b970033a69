"""Waiting for tasks to end, while the worker lives and there is time."""

import time
from dataclasses import astuple, dataclass

from benchmarks.record.run_data import Produced
from benchmarks.run.nodes.log import PhaseCounts
from benchmarks.run.nodes.steps import is_empty, look_interval_s
from benchmarks.run.nodes.worker import WorkerStatus
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.spec import RunFailedError
from tasks.loads import Chain, Tasks

QUIET_S = 3.0
"""How long nothing may happen until nothing is taken to come any more, over what tasks themselves may take: a task may have been
taken from Redis and not have started yet."""
NO_COUNTS = PhaseCounts(0, 0, 0, 0, 0, 0, 0, 0)


def counts(run: RunInProgress, phase: int) -> PhaseCounts:
    """What has happened on the worker's node and, where the web application executes tasks too, on the producer's."""
    nodes = (run.worker, run.producer) if run.web_url else (run.worker,)
    found = [node.counts(run.spec.run).get(phase, NO_COUNTS) for node in nodes]
    return PhaseCounts(*(sum(column) for column in zip(*map(astuple, found), strict=True)))


def ended(run: RunInProgress, phase: int) -> int:
    """How many tasks of a phase have ended by now, or never will be executed."""
    return counts(run, phase).ended


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to come of a phase: tasks that Redis has acknowledged; and by what is declared the longest that one takes from its
    start to its end, and that one which has failed waits for its next attempt."""

    acknowledged: int
    longest_s: float
    backoff_s: float = 0.0

    @classmethod
    def of(cls, tasks: Tasks, produced: Produced) -> "Expected":
        """Of tasks that were offered."""
        return cls(produced.acknowledged, produced.longest_s, tasks.backoff_s if isinstance(tasks, Chain) else 0.0)

    def quiet_s(self, found: PhaseCounts) -> float:
        """How long nothing may start or end until nothing can come any more. What a worker has in hand may be nowhere in Redis: a
        task that was acknowledged before it was executed, or one that waits in the worker for its next attempt."""
        waits_s = self.backoff_s if found.finished_retried else 0.0
        return QUIET_S + max(self.longest_s if found.in_hand > 0 else 0.0, waits_s)


def drain(run: RunInProgress, phase: int, expected: Expected, limit_s: float, *, claims_may_stay: bool = False) -> bool:
    """Wait until all acknowledged tasks have ended and the queue is empty, or, on an empty queue, nothing can come any more
    (:meth:`Expected.quiet_s`): tasks were lost. Where ``claims_may_stay``, a queue then counts as empty though a worker that is
    gone has claimed tasks of it. False when the time was over first. Raises RunFailedError when the worker has died."""
    began_s = progress_s = time.monotonic()
    give_up_s = min(began_s + limit_s, run.deadline_s)
    last = NO_COUNTS
    while True:
        found = counts(run, phase)
        run.observer.progress(found.ended)
        if found != last:
            last, progress_s = found, time.monotonic()
        quiet = time.monotonic() - progress_s > expected.quiet_s(found)
        if (found.ended >= expected.acknowledged or quiet) and _queues_are_empty(run, but_claimed=quiet and claims_may_stay):
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
