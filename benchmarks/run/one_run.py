"""Makes one run: worker up and warm, settle, each phase offered and drained, worker stopped, events collected.

Pure coordination: what is offered comes from the scenario, what happened comes from the event log and the readings.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field, replace
from typing import Self

import pandas as pd

from benchmarks.plan.queues import queue_of
from benchmarks.plan.wishes import StartWish, WorkerWish
from benchmarks.record.accounting import account
from benchmarks.record.run_data import (
    PhaseData,
    PhaseRecord,
    Produced,
    Reading,
    RunContext,
    RunData,
    StartRecord,
    StopRecord,
    WorkerRecord,
)
from benchmarks.record.task_table import TaskTable, build_task_tables
from benchmarks.run.contract import Look, PhasePlan, Places, Scenario
from benchmarks.run.host import read_host
from benchmarks.run.labs.lab import Lab
from benchmarks.run.nodes import clock
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.log import PhaseCounts
from benchmarks.run.nodes.transport import NodeError, Session
from benchmarks.run.nodes.worker import WorkerStatus
from benchmarks.run.redis_server import RedisServer
from benchmarks.run.watching import Observer
from infrastructure.event_log import Events
from infrastructure.readings import StartTimes, TreeSample
from tasks.contract import Track, Variant, WorkerPlan
from tasks.loads import Load, Mix, Prefilled, Tasks, count_of, goes_through_web, only, queue_name, tasks_in_a_unit
from tasks.producing import ProduceOrder

WARMUP_PHASE = 0
WARMUP_TASK_S = 0.02
WARMUP_BATCH = 50
WARMUP_AT_MOST_S = 60.0
SETTLE_S = 0.5
SETTLE_AFTER_START_S = 0.25
STOP_LOOK_S = 0.02
SAMPLE_INTERVAL_S = 0.25
QUIET_S = 3.0
MOST_PHASES = 255
"""The event log holds a phase's number in one byte."""
STOP_GRACE_S = 20.0
IDLE_STOP_GRACE_S = 0.5
"""For a worker whose tasks have all ended: killing it loses nothing, and some take over four seconds to end by themselves."""


class RunFailedError(Exception):
    """A run could not be made; the text says why, with the tail of the log of what failed."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run to make. ``facts`` are those that the scenario asks for (:mod:`benchmarks.run.calibration`)."""

    scenario: Scenario
    sizes: Mapping[str, float | int]
    facts: Mapping[str, float]
    variant: str
    framework: str
    run: int
    repetition: int
    processes: int
    slots: int
    track: Track
    warmup_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """All that was recorded of a run. ``failure`` says why it could not be made, if so; ``data`` is then what there is of it,
    or None where it failed before its worker was warm. ``tables`` are by number of the phase."""

    spec: RunSpec
    data: RunData | None
    failure: str | None
    phase_names: Mapping[int, str]
    tables: Mapping[int, TaskTable]
    samples: tuple[TreeSample, ...]
    readings: Mapping[str, pd.DataFrame]
    """What devices read, by device, with the phase's number as first column."""


@dataclass(slots=True)
class _Known:
    """What is known so far of a run that may yet fail."""

    context: RunContext | None = None
    workers: list[WorkerRecord] = field(default_factory=list)
    records: list[PhaseRecord] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=lambda: {WARMUP_PHASE: "warm-up"})
    samples: list[TreeSample] = field(default_factory=list)
    readings: dict[int, dict[str, pd.DataFrame]] = field(default_factory=dict)


NO_COUNTS = PhaseCounts(0, 0, 0, 0, 0, 0, 0, 0)


class Runner:
    """Makes runs in one lab, as a context manager.

    It holds a session on every worker node that is up, for as long as it lasts: a worker that a node has started by itself is
    ended by that, so that nothing but the variant under test runs, and whatever a node has started ends with the runner.
    """

    def __init__(self, lab: Lab, observer: Observer) -> None:
        self._lab = lab
        self._observer = observer
        self._stack = ExitStack()
        self._nodes: dict[str, tuple[NodeClient, Session]] = {}

    def __enter__(self) -> Self:
        for variant, url in self._lab.worker_urls().items():
            self._hold(f"worker-{variant}", url)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def variant(self, framework: str, name: str) -> Variant:
        """A variant, as its framework declares it."""
        description = self._hold(f"producer-{framework}", self._lab.producer_url(framework)).describe()
        return next(Variant(**v) for v in description["variants"] if v["name"] == name)

    def make(self, spec: RunSpec) -> RecordedRun:
        """Make a run. A run that cannot be made comes back with its failure; faults of the lab itself are raised as LabError
        or NodeError."""
        worker = self._hold(f"worker-{spec.variant}", self._lab.worker_url(spec.variant))
        producer = self._hold(f"producer-{spec.framework}", self._lab.producer_url(spec.framework))
        self._require_alone(spec.variant)
        server = RedisServer(self._lab.redis_url)
        places = Places(worker, producer, queue_of(spec.variant), self._lab.redis_url, self._lab.mock_api_url)
        try:
            return _RunInProgress(spec, places, server, self._observer).make()
        finally:
            server.close()

    def _hold(self, name: str, url: str) -> NodeClient:
        if name not in self._nodes:
            node = self._stack.enter_context(NodeClient(url, self._lab.token, name))
            self._nodes[name] = (node, self._stack.enter_context(node.session()))
        node, session = self._nodes[name]
        session.check()
        return node

    def _require_alone(self, variant: str) -> None:
        """While one variant is measured, no other worker runs."""
        for other, url in self._lab.worker_urls().items():
            if other != variant and (state := self._hold(f"worker-{other}", url).worker().state) == "running":
                raise NodeError(f"worker-{other}", "being still", f"its worker is {state} while {variant} is to be measured")


class _RunInProgress:
    def __init__(self, spec: RunSpec, places: Places, server: RedisServer, observer: Observer) -> None:
        self._spec = spec
        self._places = places
        self._worker = places.worker
        self._producer = places.producer
        self._redis = server
        self._observer = observer
        self._deadline_s = time.monotonic() + spec.timeout_s
        self._known = _Known()
        self._wish: WorkerWish | None = None
        self._worker_is_up = False
        self._warm = False
        """Whether the worker is warm. One that was started as part of a phase is not."""
        self._sampling = False
        self._queues: list[str] = [places.queue]
        self._web_url = ""
        self._warmed = 0
        """Warm-up tasks offered, over all workers of the run."""

    def make(self) -> RecordedRun:
        failure: str | None = None
        try:
            self._go()
        except (RunFailedError, NodeError) as error:
            failure = str(error)
            self._producer.cancel_producing()
            self._keep_samples()
            self._worker.kill_worker()
            if self._web_url:
                self._producer.kill_web()
        return self._recorded(failure)

    def _go(self) -> None:
        spec, known = self._spec, self._known
        self._worker.kill_worker()
        self._worker.clear_events()
        self._producer.clear_events()
        known.context = self._context()
        phases = spec.scenario.phases(known.context)
        look: Look | None = None
        for number in range(1, MOST_PHASES + 1):
            try:
                plan = next(phases) if look is None else phases.send(look)
            except StopIteration:
                break
            known.names[number] = plan.name
            if plan.start is not None:
                self._start_and_offer(number, plan, plan.start)
            else:
                if plan.worker != self._wish or not self._warm:
                    self._replace_worker(plan.worker)
                self._offer(number, plan)
            look = self._look_at(number)
        else:
            raise RunFailedError(
                f"{spec.scenario.name} has more than {MOST_PHASES} phases, which the event log cannot tell apart"
            )
        if self._web_url:
            self._end_web()
        self._end_worker()

    def _context(self) -> RunContext:
        spec = self._spec
        description = self._producer.describe()
        variant = next(Variant(**v) for v in description["variants"] if v["name"] == spec.variant)
        cores = len(os.sched_getaffinity(0))
        return RunContext(spec.sizes, variant, spec.processes, spec.slots, cores, spec.facts)

    def _look_at(self, number: int) -> Look:
        def look() -> PhaseData:
            return next(p for p in self._phases(self._events()).values() if p.record.number == number)

        return look

    def _replace_worker(self, wish: WorkerWish) -> None:
        """End the worker that there is, and have the one that is wished for, warm and settled."""
        spec = self._spec
        if self._worker_is_up:
            self._end_worker()
        self._clear_for(wish)
        plan = self._start_worker(wish)
        self._producer.connect_producer(spec.variant, wish.serializer)
        self._warm_up(plan, wish)
        time.sleep(SETTLE_S)
        self._known.workers.append(self._describe_worker(plan, self._worker.take_sample()))
        self._worker.begin_samples(SAMPLE_INTERVAL_S)
        self._sampling = self._warm = True

    def _clear_for(self, wish: WorkerWish) -> None:
        self._wish = wish
        self._queues = [queue_name(self._places.queue, lane) for lane in wish.lanes]
        self._producer.purge(self._queues)

    def _start_worker(self, wish: WorkerWish, watch: StartWish | None = None) -> WorkerPlan:
        spec = self._spec
        started = self._worker.start_worker(
            wish.processes or spec.processes,
            wish.slots or spec.slots,
            self._queues,
            spec.track,
            lanes_by_priority=wish.lanes_by_priority,
            serializer=wish.serializer,
            events=wish.events,
            results=wish.results,
            optional_packages=wish.optional_packages,
            watch=watch,
        )
        self._worker_is_up = True
        return started.plan

    def _end_worker(self) -> None:
        self._keep_samples()
        self._require_time_and_worker("ending")
        self._worker.stop_worker(IDLE_STOP_GRACE_S)

    def _web_for(self, tasks: Tasks) -> str:
        """The URL of the run's web application where tasks are posted to it, which is started when it is first needed."""
        if not goes_through_web(tasks):
            return ""
        if not self._web_url:
            self._web_url = self._producer.start_web(self._spec.variant, self._places.queue).url
        return self._web_url

    def _end_web(self) -> None:
        status = self._producer.web()
        if status.died is not None:
            raise RunFailedError(f"the web application died: {status.died}")
        self._producer.stop_web(STOP_GRACE_S)
        self._web_url = ""

    def _keep_samples(self) -> None:
        if self._sampling:
            self._worker.end_samples()
            self._known.samples.extend(self._worker.samples())
            self._sampling = False

    def _describe_worker(self, plan: WorkerPlan, idle: TreeSample) -> WorkerRecord:
        description = self._producer.describe()
        execution = next(v["execution"] for v in description["variants"] if v["name"] == self._spec.variant)
        clocks = [self._worker.clock(), self._producer.clock()]
        return WorkerRecord(
            number=len(self._known.workers) + 1,
            variant=self._spec.variant,
            framework=self._spec.framework,
            processes=plan.shape.processes,
            slots=plan.shape.slots,
            working_processes=plan.working_processes,
            execution=execution,
            guarantee=plan.guarantee,
            settings=plan.settings,
            versions=description["versions"],
            died=None,
            same_time_namespace=all(clock.shares_clock(c.boot_id, c.time_namespace) for c in clocks),
            idle=idle,
        )

    def _warm_up(self, plan: WorkerPlan, wish: WorkerWish) -> None:
        """Run tasks that take a moment until every process has executed one, then others until the warm-up time is over."""
        before = self._counts(WARMUP_PHASE).processes
        batch = 4 * plan.shape.slots
        began_s = time.monotonic()
        self._observer.phase(self._known.names[WARMUP_PHASE], 0)
        warm = _over_lanes(wish.warm, wish.lanes)
        while True:
            self._warm_batch(batch, _over_lanes(only("sleep", WARMUP_TASK_S), wish.lanes))
            worked = self._counts(WARMUP_PHASE).processes - before
            if worked >= plan.shape.processes:
                break
            if time.monotonic() - began_s > WARMUP_AT_MOST_S:
                raise RunFailedError(
                    f"warm-up: after {WARMUP_AT_MOST_S:.0f} s only {worked} of {plan.shape.processes} processes have executed a "
                    f"task; the end of the worker's log:\n{self._worker.worker().log_tail}"
                )
        if wish.warm != only("noop"):
            self._warm_batch(batch, warm)
        while time.monotonic() - began_s < self._spec.warmup_s:
            self._warm_batch(WARMUP_BATCH, warm)

    def _warm_batch(self, count: int, tasks: Mix) -> None:
        produced = self._produce(WARMUP_PHASE, tasks, Prefilled(count=count), first_sequence=self._warmed)
        if produced.acknowledged < count:
            raise RunFailedError(f"warm-up: {produced.failed} of {count} tasks could not be enqueued: {dict(produced.errors)}")
        self._warmed += count
        if not self._drain(WARMUP_PHASE, self._warmed, limit_s=WARMUP_AT_MOST_S):
            self._require_time_and_worker(f"draining {self._known.names[WARMUP_PHASE]}")
            counts = self._counts(WARMUP_PHASE)
            raise RunFailedError(
                f"warm-up: {self._warmed} tasks were enqueued and {counts.finished_ok} ended within {WARMUP_AT_MOST_S:.0f} s; "
                f"the end of the worker's log:\n{self._worker.worker().log_tail}"
            )

    def _offer(self, number: int, plan: PhasePlan) -> None:
        load = plan.load
        planned = count_of(load) * tasks_in_a_unit(plan.tasks)
        self._observer.phase(plan.name, planned)
        prefilled = isinstance(load, Prefilled)
        with ExitStack() as attached:
            readers: dict[str, Callable[[], pd.DataFrame]] = {
                device.name: attached.enter_context(device.attach(self._places, self._spec.run, number))
                for device in plan.devices
            }
            if prefilled:
                self._worker.pause_worker()
            before = self._read()
            produced = self._produce(number, plan.tasks, load)
            filled = self._read()
            resumed_ns = produced.began_ns
            if prefilled:
                resumed_ns = clock.now_ns()
                self._worker.resume_worker()
            drained = self._drain(number, produced.acknowledged, limit_s=self._deadline_s - time.monotonic())
            drained_ns = clock.now_ns()
            after = self._read()
            self._known.readings[number] = {name: read() for name, read in readers.items()}
        self._known.records.append(
            PhaseRecord(
                number=number,
                name=plan.name,
                worker=self._known.workers[-1],
                tasks=plan.tasks,
                load=load,
                planned=planned,
                produced=produced,
                began_ns=produced.began_ns,
                resumed_ns=resumed_ns,
                drained_ns=drained_ns,
                timed_out=not drained,
                before=before,
                filled=filled,
                after=after,
                failures_expected=plan.failures_expected,
                rate_may_be_missed=plan.rate_may_be_missed,
            )
        )
        if not drained:
            self._require_time_and_worker(f"draining {plan.name}")

    def _start_and_offer(self, number: int, plan: PhasePlan, start: StartWish) -> None:
        """A phase that begins with its worker's start. While the worker starts, nothing is asked of its node but to watch:
        whatever else it did would take time from the start."""
        planned = count_of(plan.load) * tasks_in_a_unit(plan.tasks)
        self._observer.phase(plan.name, planned)
        self._keep_samples()
        self._worker.kill_worker()
        self._worker_is_up = self._warm = False
        self._clear_for(plan.worker)
        self._producer.connect_producer(self._spec.variant, plan.worker.serializer)
        with ExitStack() as attached:
            readers: dict[str, Callable[[], pd.DataFrame]] = {
                device.name: attached.enter_context(device.attach(self._places, self._spec.run, number))
                for device in plan.devices
            }
            before = filled = self._read(self._worker.take_sample(required=False))
            if start.when == "waiting":
                produced = self._produce(number, plan.tasks, plan.load)
                filled = self._read(before.worker)
                worker, times = self._start_watched(plan.worker, start)
            else:
                worker, times = self._start_watched(plan.worker, start)
                time.sleep(SETTLE_AFTER_START_S)
                filled = self._read()
                produced = self._produce(number, plan.tasks, plan.load)
            stop = self._stop_midway(number, plan.worker, start.stop_after) if start.stop_after is not None else None
            drained = self._drain(
                number,
                produced.acknowledged,
                limit_s=self._deadline_s - time.monotonic(),
                claims_may_stay=stop is not None,
            )
            drained_ns = clock.now_ns()
            after = self._read()
            self._known.readings[number] = {name: read() for name, read in readers.items()}
        idle = after.worker if start.when == "waiting" else filled.worker
        self._known.workers.append(self._describe_worker(worker, idle))
        self._known.records.append(
            PhaseRecord(
                number=number,
                name=plan.name,
                worker=self._known.workers[-1],
                tasks=plan.tasks,
                load=plan.load,
                planned=planned,
                produced=produced,
                began_ns=min(produced.began_ns, times.spawned_ns),
                resumed_ns=produced.began_ns,
                drained_ns=drained_ns,
                timed_out=not drained,
                before=before,
                filled=filled,
                after=after,
                failures_expected=plan.failures_expected,
                rate_may_be_missed=plan.rate_may_be_missed,
                start=StartRecord(start, times, stop),
            )
        )
        if not drained:
            self._require_time_and_worker(f"draining {plan.name}")

    def _start_watched(self, wish: WorkerWish, start: StartWish) -> tuple[WorkerPlan, StartTimes]:
        plan = self._start_worker(wish, start)
        return plan, self._worker.start_times()

    def _stop_midway(self, number: int, wish: WorkerWish, after: int) -> StopRecord:
        """Have the worker end once so many tasks have ended, and start another for the rest."""
        name = self._known.names[number]
        while self._ended(number) < after:
            self._require_time_and_worker(f"waiting for {after} tasks of {name} to end")
            time.sleep(STOP_LOOK_S)
        stopped = self._worker.stop_worker(STOP_GRACE_S)
        _, times = self._start_watched(wish, StartWish("waiting"))
        return StopRecord(stopped.asked_ns, stopped.graceful, stopped.took_s, times)

    def _read(self, worker: TreeSample | None = None) -> Reading:
        return Reading(redis=self._redis.read(), host=read_host(), worker=worker or self._worker.take_sample())

    def _produce(self, phase: int, tasks: Tasks, load: Load, first_sequence: int = 0) -> Produced:
        spec = self._spec
        web_url = self._web_for(tasks)
        order = ProduceOrder(
            spec.run,
            phase,
            spec.variant,
            self._places.queue,
            tasks,
            load,
            first_sequence=first_sequence,
            web_url=web_url,
            serializer="" if self._wish is None else self._wish.serializer,
        )

        def meanwhile() -> None:
            doing = f"offering {self._known.names[phase]} ({load})"
            if self._worker_is_up:
                self._require_time_and_worker(doing)
            else:
                self._require_time(doing)
            if not isinstance(load, Prefilled):
                self._observer.progress(self._ended(phase))

        return node_steps.produce(self._producer, order, meanwhile)

    def _drain(self, phase: int, acknowledged: int, limit_s: float, *, claims_may_stay: bool = False) -> bool:
        """Wait until all acknowledged tasks have ended and the queue is empty, or nothing has ended for :data:`QUIET_S` on an
        empty queue (tasks were lost). Where ``claims_may_stay``, a queue then counts as empty though a worker that is gone has
        claimed tasks of it. False when the time was over first."""
        began_s = time.monotonic()
        give_up_s = min(began_s + limit_s, self._deadline_s)
        ended, progress_s = -1, began_s
        while True:
            now_ended = self._ended(phase)
            self._observer.progress(now_ended)
            if now_ended > ended:
                ended, progress_s = now_ended, time.monotonic()
            quiet = time.monotonic() - progress_s > QUIET_S
            if (ended >= acknowledged or quiet) and self._queues_are_empty(but_claimed=quiet and claims_may_stay):
                return True
            if time.monotonic() > give_up_s:
                return False
            self._require_worker(f"draining {self._known.names[phase]}")
            time.sleep(node_steps.look_interval_s(time.monotonic() - began_s))

    def _queues_are_empty(self, *, but_claimed: bool) -> bool:
        return all(node_steps.is_empty(self._producer, queue, but_claimed=but_claimed) for queue in self._queues)

    def _require_worker(self, doing: str) -> WorkerStatus:
        worker = self._worker.worker()
        if worker.state == "died":
            raise RunFailedError(f"the worker died while {doing}: {worker.died}")
        if worker.state not in ("running", "paused"):
            raise RunFailedError(f"the worker is {worker.state} while {doing}: its node has ended it")
        return worker

    def _require_time_and_worker(self, doing: str) -> None:
        self._require_worker(doing)
        self._require_time(doing)

    def _require_time(self, doing: str) -> None:
        if time.monotonic() > self._deadline_s:
            raise RunFailedError(
                f"the run's time of {self._spec.timeout_s:.0f} s was over while {doing}; "
                f"the end of the worker's log:\n{self._worker.worker().log_tail}"
            )

    def _counts(self, phase: int) -> PhaseCounts:
        """What has happened on the worker's node and, where the web application executes tasks too, on the producer's."""
        nodes = (self._worker, self._producer) if self._web_url else (self._worker,)
        counts = [node.counts(self._spec.run).get(phase, NO_COUNTS) for node in nodes]
        return PhaseCounts(*(sum(column) for column in zip(*map(astuple, counts), strict=True)))

    def _ended(self, phase: int) -> int:
        counts = self._counts(phase)
        return counts.finished_ok + counts.finished_failed + counts.finished_skipped

    def _events(self) -> list[Events]:
        return [self._producer.events(), self._worker.events()]

    def _phases(self, events: list[Events]) -> dict[str, PhaseData]:
        """What the event log says of the phases so far."""
        tables = build_task_tables(events, self._spec.run)
        return {
            record.name: PhaseData(
                record=record,
                tasks=(table := tables.get(record.number, TaskTable.empty())),
                account=account(table, record.planned),
                readings=self._known.readings.get(record.number, {}),
            )
            for record in self._known.records
        }

    def _recorded(self, failure: str | None) -> RecordedRun:
        spec, known = self._spec, self._known
        events, samples = self._events(), tuple(known.samples)
        data = None
        if known.workers and known.context is not None:
            data = RunData(
                scenario=spec.scenario.name,
                variant=spec.variant,
                run=spec.run,
                context=known.context,
                worker=replace(known.workers[0], died=self._worker.worker().died),
                phases=self._phases(events),
                samples=samples,
            )
        return RecordedRun(
            spec=spec,
            data=data,
            failure=failure,
            phase_names=known.names,
            tables=build_task_tables(events, spec.run),
            samples=samples,
            readings=_by_device(known.readings),
        )


def _over_lanes(tasks: Mix, lanes: Sequence[str]) -> Mix:
    """The tasks with those of no lane spread over all lanes of a worker."""
    classes = (replace(c, lane=lane) for c in tasks.classes for lane in ((c.lane,) if c.lane else lanes))
    return replace(tasks, classes=tuple(classes))


def _by_device(readings: Mapping[int, Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    frames: dict[str, list[pd.DataFrame]] = {}
    for phase, of_phase in sorted(readings.items()):
        for device, frame in of_phase.items():
            numbered = frame.copy(deep=False)
            numbered.insert(0, "phase", phase)
            frames.setdefault(device, []).append(numbered)
    return {device: pd.concat(parts, ignore_index=True) for device, parts in frames.items()}
