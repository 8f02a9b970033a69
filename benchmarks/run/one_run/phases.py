"""A phase of a run: its devices attached, its load offered and drained, the readings at its marks taken."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from benchmarks.plan.wishes import StartWish, WorkerWish
from benchmarks.record.run_data import PhaseRecord, Produced, Reading, StartRecord, StopRecord
from benchmarks.run.contract import PhasePlan
from benchmarks.run.nodes import clock, steps
from benchmarks.run.one_run import marks
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.killing import Kill
from benchmarks.run.one_run.producing import STOP_GRACE_S, produce
from benchmarks.run.one_run.waiting import Expected, drain, ended, require_time_and_worker
from benchmarks.run.one_run.warming import warm_producer
from benchmarks.run.one_run.workers import clear_for, describe_worker, kill_worker, start_watched
from tasks.loads import Prefilled, count_of, tasks_in_a_unit

SETTLE_AFTER_START_S = 0.25
STOP_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class _Marks:
    """The readings of a phase before its load, when the producer had finished, and when all was drained."""

    before: Reading
    filled: Reading
    after: Reading


@dataclass(frozen=True, slots=True)
class _Course:
    """How the load of a phase went; ``resumed_ns``, ``drained_ns`` and ``queued`` are as in
    :class:`benchmarks.record.run_data.PhaseRecord`."""

    produced: Produced
    resumed_ns: int
    drained_ns: int
    drained: bool
    marks: _Marks
    queued: int | None = None
    killed_ns: int | None = None


def offer(run: RunInProgress, number: int, plan: PhasePlan) -> None:
    """Offer a load to the warm worker, and note the phase. Raises RunFailedError."""
    prefilled = isinstance(plan.load, Prefilled)
    with _attached(run, number, plan):
        if prefilled:
            run.worker.pause_worker()
        before = marks.before(run, is_still=prefilled)
        kill = None if plan.kill is None else Kill(run, plan.kill)
        produced = produce(run, number, plan.tasks, plan.load, besides=steps.nothing if kill is None else kill.if_due)
        if kill is not None:
            kill.wait()
        filled = marks.midway(run, is_still=prefilled)
        queued = None
        if isinstance(plan.load, Prefilled):
            _look_elsewhere(run)
            # Any other load is known to Redis by its commands, of which these looks are some.
            queued = _queued(run) if plan.load.many else None
        resumed_ns = produced.began_ns
        if prefilled:
            resumed_ns = clock.now_ns()
            run.worker.resume_worker()
        expected = Expected.of(plan.tasks, produced)
        if _losses_counted(plan):
            # A send that was given up may have been accepted after all.
            expected = replace(expected, acknowledged=produced.attempted)
        drained = drain(run, number, expected, _time_left_s(run), claims_may_stay=kill is not None)
        drained_ns = clock.now_ns()
        seen = _Marks(before, filled, marks.after(run, drained=drained))
    killed_ns = None if kill is None else kill.killed_ns
    _note(run, number, plan, _Course(produced, resumed_ns, drained_ns, drained, seen, queued, killed_ns))


def start_and_offer(run: RunInProgress, number: int, plan: PhasePlan, start: StartWish) -> None:
    """A phase that begins with its worker's start. While the worker starts, nothing is asked of its node but to watch: whatever
    else it did would take time from the start. Raises RunFailedError."""
    kill_worker(run)
    clear_for(run, plan.worker)
    run.known.producer_environment = run.producer.connect_producer(run.spec.variant, plan.worker.serializer)
    warm_producer(run, plan)
    with _attached(run, number, plan):
        before = filled = marks.before(run, is_still=True, worker=run.worker.take_sample(required=False))
        if start.when == "waiting":
            produced = produce(run, number, plan.tasks, plan.load)
            filled = marks.midway(run, is_still=True, worker=before.worker)
            worker, times = start_watched(run, plan.worker, start)
        else:
            worker, times = start_watched(run, plan.worker, start)
            time.sleep(SETTLE_AFTER_START_S)
            filled = marks.midway(run, is_still=False)
            produced = produce(run, number, plan.tasks, plan.load)
        stop = _stop_midway(run, number, plan.worker, start.stop_after) if start.stop_after is not None else None
        expected = Expected.of(plan.tasks, produced)
        drained = drain(run, number, expected, _time_left_s(run), claims_may_stay=stop is not None)
        drained_ns = clock.now_ns()
        seen = _Marks(before, filled, marks.after(run, drained=drained))
    describe_worker(run, worker, seen.after.worker if start.when == "waiting" else filled.worker)
    course = _Course(produced, produced.began_ns, drained_ns, drained, seen)
    _note(run, number, plan, course, StartRecord(start, times, stop))


def _stop_midway(run: RunInProgress, number: int, wish: WorkerWish, after: int) -> StopRecord:
    """Have the worker end once so many tasks have ended, and start another for the rest."""
    name = run.known.names[number]
    while ended(run, number) < after:
        require_time_and_worker(run, f"waiting for {after} tasks of {name} to end")
        time.sleep(STOP_LOOK_S)
    stopped = run.worker.stop_worker(STOP_GRACE_S)
    _, times = start_watched(run, wish, StartWish("waiting"))
    return StopRecord(stopped.asked_ns, stopped.graceful, stopped.took_s, times)


@contextmanager
def _attached(run: RunInProgress, number: int, plan: PhasePlan) -> Iterator[None]:
    """The phase's devices attached; what they read is kept where the block is left in order."""
    run.observer.phase(plan.name, _planned(plan))
    with ExitStack() as attached:
        readers: dict[str, Callable[[], pd.DataFrame]] = {
            device.name: attached.enter_context(device.attach(run.places, run.spec.run, number)) for device in plan.devices
        }
        yield
        run.known.readings[number] = {name: read() for name, read in readers.items()}


def _look_elsewhere(run: RunInProgress) -> None:
    """Note what workers and producers are connected to that is not the lab's. Only while nothing is measured: it takes a node
    milliseconds."""
    for node in (run.worker, run.producer):
        run.known.elsewhere.update(node.foreign_connections())


def _queued(run: RunInProgress) -> int:
    """How many tasks lie in the worker's queues."""
    return sum(run.producer.depth(queue).total for queue in run.queues)


def _time_left_s(run: RunInProgress) -> float:
    return run.deadline_s - time.monotonic()


def _losses_counted(plan: PhasePlan) -> bool:
    return plan.losses_counted or plan.kill is not None


def _planned(plan: PhasePlan) -> int:
    return count_of(plan.load) * tasks_in_a_unit(plan.tasks)


def _note(run: RunInProgress, number: int, plan: PhasePlan, course: _Course, start: StartRecord | None = None) -> None:
    _look_elsewhere(run)
    began_ns = course.produced.began_ns
    run.known.records.append(
        PhaseRecord(
            number=number,
            name=plan.name,
            worker=run.known.workers[-1],
            tasks=plan.tasks,
            load=plan.load,
            planned=_planned(plan),
            produced=course.produced,
            began_ns=began_ns if start is None else min(began_ns, start.times.spawned_ns),
            resumed_ns=course.resumed_ns,
            drained_ns=course.drained_ns,
            timed_out=not course.drained,
            before=course.marks.before,
            filled=course.marks.filled,
            after=course.marks.after,
            failures_expected=plan.failures_expected,
            rate_may_be_missed=plan.rate_may_be_missed,
            losses_counted=_losses_counted(plan),
            killed_ns=course.killed_ns,
            start=start,
            queued=course.queued,
        )
    )
    if not course.drained:
        require_time_and_worker(run, f"draining {plan.name}")
