"""The soak of one variant, from a measured capacity to what it came to."""

import errno
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

import redis

from benchmarks.plan.soak_plan import SoakPlan, with_failures
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.rules.rates import limits_per_s
from benchmarks.results.soak_folder import SoakFolder
from benchmarks.run.contract import PhasePlan
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.collecting import look_at
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.phases import offer
from benchmarks.run.one_run.spec import RunFailedError, in_words
from benchmarks.run.one_run.warming import replace_worker
from benchmarks.run.one_run.workers import keep_samples
from benchmarks.run.soaking.going_on import GoingOn
from benchmarks.run.soaking.watching import SoakWatcher
from benchmarks.soak.summary import COMPLETE, DISK_FULL, FAILED, INTERRUPTED, SoakSummary
from tasks.causes import cause
from tasks.loads import Mix, Prefilled

CAPACITY_PHASE, SOAK_PHASE = 1, 2
DRAIN_AT_MOST_S = 600.0
"""How long tasks may go on ending once no more are offered; where nothing comes any more it ends at once."""

Ending = Callable[[], str | None]
"""Why the soak is to end before its time, once it is."""
Endings = Callable[[], AbstractContextManager[Ending]]
"""Within, whoever wants the soak to end is heard."""


@dataclass(frozen=True, slots=True)
class SoakOrder:
    """The soak of a variant as it is to be made."""

    plan: SoakPlan
    mix: Mix
    worker: WorkerWish


def make_soak(run: RunInProgress, order: SoakOrder, folder: SoakFolder, watcher: SoakWatcher, endings: Endings) -> SoakSummary:
    """Make it, and store what it came to, however it ends. Raises RunFailedError and NodeError where it could not begin."""
    plan, mix = order.plan, with_failures(order.mix, order.plan.fail_share)
    watcher.step("warming the worker" if plan.steps else "measuring the capacity")
    capacity_per_s = _begin(run, plan, mix, order.worker)
    rate_per_s = plan.base_rate_per_s(capacity_per_s)
    shown = "" if capacity_per_s is None else f", {plan.share:.0%} of a capacity of {capacity_per_s:,.0f}"
    watcher.step(f"offering {rate_per_s:,.0f} tasks/s{shown}")
    going = GoingOn(run, SOAK_PHASE, plan, rate_per_s, mix, folder, watcher, capacity_per_s)
    state, failure = FAILED, None
    try:
        with endings() as ending:
            state, failure = _go_on(going, ending)
            going.drain(DRAIN_AT_MOST_S, watcher)
    except (NodeError, RunFailedError, redis.RedisError) as error:
        state, failure = FAILED, in_words(error)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        state, failure = DISK_FULL, cause(error)
    except KeyboardInterrupt:
        state, failure = INTERRUPTED, f"it was ended at once after {going.elapsed_s:,.0f} of {going.planned_s:,.0f} s"
        raise
    finally:
        going.break_off()
        summary = going.finish(state, failure)
    with suppress(NodeError):
        run.worker.kill_worker()
    return summary


def _begin(run: RunInProgress, plan: SoakPlan, mix: Mix, wish: WorkerWish) -> float | None:
    """Have a warm worker, and its capacity where it is asked for."""
    phase = PhasePlan("capacity", mix, Prefilled(plan.capacity_tasks), wish, failures_expected=True)
    run.known.names |= {CAPACITY_PHASE: phase.name, SOAK_PHASE: "soak"}
    replace_worker(run, phase)
    capacity_per_s = None
    if not plan.steps:
        offer(run, CAPACITY_PHASE, phase)
        rates = [rate for rate in limits_per_s(look_at(run, CAPACITY_PHASE)()) if rate is not None]
        if len(rates) < 2:
            raise RunFailedError("the capacity could not be measured: too few tasks of the drain ended; raise capacity_tasks")
        capacity_per_s = min(rates)
    keep_samples(run)
    for node in (run.worker, run.producer):
        node.clear_events()
    return capacity_per_s


def _go_on(going: GoingOn, ending: Ending) -> tuple[str, str | None]:
    """Until it is over; how it ended, and why so."""
    going.start()
    while not going.is_over:
        going.look()
        if (reason := ending()) is not None:
            return INTERRUPTED, f"it was ended by {reason} after {going.elapsed_s:,.0f} of {going.planned_s:,.0f} s"
        if (reason := going.no_room()) is not None:
            return DISK_FULL, reason
        time.sleep(going.tick_s)
    if going.failure is not None:
        return FAILED, going.failure
    return COMPLETE, None
