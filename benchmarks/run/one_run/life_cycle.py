"""The life of a run, from a node without a worker to what was recorded."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from benchmarks.record.run_data import RunContext
from benchmarks.run.contract import Look
from benchmarks.run.labs.lab import LabError
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.collecting import collect, look_at
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.phases import offer, start_and_offer
from benchmarks.run.one_run.producing import end_web
from benchmarks.run.one_run.spec import RecordedRun, RunFailedError, in_words
from benchmarks.run.one_run.warming import replace_worker, warm_path
from benchmarks.run.one_run.workers import end_worker, keep_samples
from tasks.contract import Variant

MOST_PHASES = 255
"""The event log holds a phase's number in one byte."""


def make(run: RunInProgress) -> RecordedRun:
    """Make the run. One that cannot be made, for whatever reason, comes back with its failure and all that was recorded of it.
    Raises LabError where it was to be made in a way that there is not."""
    failure: str | None = None
    try:
        run.known.context = begin(run)
        _go_through_phases(run, run.known.context)
        end_web(run)
        end_worker(run)
    except LabError:
        _break_off(run)
        raise
    except Exception as error:
        failure = in_words(error)
        _break_off(run)
    return collect(run, failure)


def begin(run: RunInProgress) -> RunContext:
    """Have nodes without a worker and without events; what the scenario may know of the run. Raises NodeError."""
    run.worker.kill_worker()
    run.worker.clear_events()
    run.producer.clear_events()
    spec = run.spec
    description = run.producer.describe()
    run.puts = tuple(description["puts"])
    variant = next(Variant(**v) for v in description["variants"] if v["name"] == spec.variant)
    cores = len(os.sched_getaffinity(0))
    return RunContext(
        sizes=spec.sizes,
        variant=variant,
        processes=spec.processes,
        concurrency=spec.concurrency,
        cores=cores,
        seed=spec.seed,
        facts=spec.facts,
        earlier_speeds_per_s=spec.earlier_speeds_per_s,
        point=spec.point,
    )


def _go_through_phases(run: RunInProgress, context: RunContext) -> None:
    """Each phase that the scenario asks for, on the worker that it wants."""
    phases = run.spec.scenario.phases(context)
    look: Look | None = None
    for number in range(1, MOST_PHASES + 1):
        try:
            plan = next(phases) if look is None else phases.send(look)
        except StopIteration:
            return
        run.known.names[number] = plan.name
        if plan.start is not None:
            start_and_offer(run, number, plan, plan.start)
        else:
            if plan.worker != run.wish or not run.is_warm:
                replace_worker(run, plan)
            else:
                warm_path(run, plan)
            offer(run, number, plan)
        look = look_at(run, number)
    raise RunFailedError(f"{run.spec.scenario.name} has more than {MOST_PHASES} phases, which the event log cannot tell apart")


def _break_off(run: RunInProgress) -> None:
    """End all that is still going on, as far as it can be reached: a node that is gone takes its own processes with it."""
    steps: list[Callable[[], object]] = [run.producer.cancel_producing, partial(keep_samples, run), run.worker.kill_worker]
    for step in (*steps, run.producer.kill_web) if run.web_url else steps:
        with suppress(NodeError):
            step()
