"""Makes one run: worker up and warm, settle, each phase offered and drained, worker stopped, events collected.

Pure coordination: what is offered comes from the scenario, what happened comes from the event log and the readings.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from benchmarks import clock, node_steps
from benchmarks.accounting import account
from benchmarks.labs import Lab
from benchmarks.loads import Load, Prefilled, count_of
from benchmarks.manifest import read_host
from benchmarks.model import PhaseData, PhasePlan, PhaseRecord, Produced, Reading, RunData, Scenario, TreeSample, WorkerRecord
from benchmarks.node_client import NodeClient, NodeError, PhaseCounts, Session, WorkerStatus
from benchmarks.redis_server import RedisServer
from benchmarks.task_table import TaskTable, build_task_tables
from infrastructure.event_log import Events
from tasks.contract import Track, WorkerPlan
from tasks.producing import ProduceOrder

WARMUP_PHASE = 0
WARMUP_TASK_S = 0.02
WARMUP_BATCH = 50
WARMUP_AT_MOST_S = 60.0
SETTLE_S = 0.5
SAMPLE_INTERVAL_S = 0.25
QUIET_S = 3.0
STOP_GRACE_S = 20.0


def queue_of(variant: str) -> str:
    """The queue that a variant's tasks go to: its own, as variants of one framework may share a database."""
    return f"lab-{variant}"


class RunFailedError(Exception):
    """A run could not be made; the text says why, with the tail of the log of what failed."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run to make."""

    scenario: Scenario
    sizes: Mapping[str, float | int]
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


class Observer(Protocol):
    """Is told how a run goes on."""

    def phase(self, name: str, planned: int) -> None:
        """A phase begins, with so many tasks."""
        ...

    def progress(self, done: int) -> None:
        """So many tasks of the phase have ended."""
        ...


@dataclass(slots=True)
class _Known:
    """What is known so far of a run that may yet fail."""

    worker: WorkerRecord | None = None
    records: list[PhaseRecord] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=lambda: {WARMUP_PHASE: "warm-up"})


NO_COUNTS = PhaseCounts(0, 0, 0, 0, 0, 0, 0)


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

    def make(self, spec: RunSpec) -> RecordedRun:
        """Make a run. A run that cannot be made comes back with its failure; faults of the lab itself are raised as LabError
        or NodeError."""
        worker = self._hold(f"worker-{spec.variant}", self._lab.worker_url(spec.variant))
        producer = self._hold(f"producer-{spec.framework}", self._lab.producer_url(spec.framework))
        self._require_alone(spec.variant)
        server = RedisServer(self._lab.redis_url)
        try:
            return _RunInProgress(spec, worker, producer, server, self._observer).make()
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
    def __init__(self, spec: RunSpec, worker: NodeClient, producer: NodeClient, server: RedisServer, observer: Observer) -> None:
        self._spec = spec
        self._worker = worker
        self._producer = producer
        self._redis = server
        self._queue = queue_of(spec.variant)
        self._observer = observer
        self._deadline_s = time.monotonic() + spec.timeout_s
        self._known = _Known()

    def make(self) -> RecordedRun:
        failure: str | None = None
        try:
            self._go()
        except (RunFailedError, NodeError) as error:
            failure = str(error)
            self._producer.cancel_producing()
            self._worker.kill_worker()
        return self._recorded(failure)

    def _go(self) -> None:
        spec = self._spec
        self._worker.kill_worker()
        self._producer.purge([self._queue])
        self._worker.clear_events()
        self._producer.clear_events()
        plan = self._worker.start_worker(spec.processes, spec.slots, [self._queue], spec.track).plan
        self._producer.connect_producer(spec.variant)
        self._warm_up(plan)
        time.sleep(SETTLE_S)
        self._known.worker = self._describe_worker(plan)
        self._worker.begin_samples(SAMPLE_INTERVAL_S)
        for number, phase in enumerate(spec.scenario.phases(spec.sizes), start=1):
            self._known.names[number] = phase.name
            self._offer(number, phase)
        self._worker.end_samples()
        self._require_time_and_worker("ending")
        self._worker.stop_worker(STOP_GRACE_S)

    def _describe_worker(self, plan: WorkerPlan) -> WorkerRecord:
        description = self._producer.describe()
        execution = next(v["execution"] for v in description["variants"] if v["name"] == self._spec.variant)
        clocks = [self._worker.clock(), self._producer.clock()]
        return WorkerRecord(
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
            idle=self._worker.take_sample(),
        )

    def _warm_up(self, plan: WorkerPlan) -> None:
        """Run tasks that take a moment until every process has executed one, then no-ops until the warm-up time is over."""
        wanted = plan.shape.processes
        batch = 4 * plan.shape.slots
        began_s = time.monotonic()
        offered = 0
        self._observer.phase(self._known.names[WARMUP_PHASE], 0)
        while True:
            offered = self._warm_batch(offered, batch, "sleep", WARMUP_TASK_S)
            worked = self._counts(WARMUP_PHASE).processes
            if worked >= wanted:
                break
            if time.monotonic() - began_s > WARMUP_AT_MOST_S:
                raise RunFailedError(
                    f"warm-up: after {WARMUP_AT_MOST_S:.0f} s only {worked} of {wanted} processes have executed a task; "
                    f"the end of the worker's log:\n{self._worker.worker().log_tail}"
                )
        while time.monotonic() - began_s < self._spec.warmup_s:
            offered = self._warm_batch(offered, WARMUP_BATCH, "noop", None)

    def _warm_batch(self, offered: int, count: int, workload: str, argument: float | None) -> int:
        produced = self._produce(WARMUP_PHASE, workload, argument, Prefilled(count=count), first_sequence=offered)
        if produced.acknowledged < count:
            raise RunFailedError(f"warm-up: {produced.failed} of {count} tasks could not be enqueued: {dict(produced.errors)}")
        offered += count
        if not self._drain(WARMUP_PHASE, offered, limit_s=WARMUP_AT_MOST_S):
            self._require_time_and_worker(f"draining {self._known.names[WARMUP_PHASE]}")
            counts = self._counts(WARMUP_PHASE)
            raise RunFailedError(
                f"warm-up: {offered} tasks were enqueued and {counts.finished_ok} ended within {WARMUP_AT_MOST_S:.0f} s; "
                f"the end of the worker's log:\n{self._worker.worker().log_tail}"
            )
        return offered

    def _offer(self, number: int, plan: PhasePlan) -> None:
        load = plan.load(self._phases(self._events())) if callable(plan.load) else plan.load
        planned = count_of(load)
        self._observer.phase(plan.name, planned)
        prefilled = isinstance(load, Prefilled)
        if prefilled:
            self._worker.pause_worker()
        before = self._read()
        produced = self._produce(number, plan.workload, plan.argument, load)
        filled = self._read()
        resumed_ns = produced.began_ns
        if prefilled:
            resumed_ns = clock.now_ns()
            self._worker.resume_worker()
        drained = self._drain(number, produced.acknowledged, limit_s=self._deadline_s - time.monotonic())
        self._known.records.append(
            PhaseRecord(
                number=number,
                name=plan.name,
                workload=plan.workload,
                load=load,
                planned=planned,
                produced=produced,
                began_ns=produced.began_ns,
                resumed_ns=resumed_ns,
                drained_ns=clock.now_ns(),
                timed_out=not drained,
                before=before,
                filled=filled,
                after=self._read(),
            )
        )
        if not drained:
            self._require_time_and_worker(f"draining {plan.name}")

    def _read(self) -> Reading:
        return Reading(redis=self._redis.read(), host=read_host(), worker=self._worker.take_sample())

    def _produce(self, phase: int, workload: str, argument: Any, load: Load, first_sequence: int = 0) -> Produced:
        spec = self._spec
        order = ProduceOrder(spec.run, phase, spec.variant, self._queue, workload, argument, load, first_sequence)

        def meanwhile() -> None:
            self._require_time_and_worker(f"offering {self._known.names[phase]} ({load})")
            if not isinstance(load, Prefilled):
                self._observer.progress(self._ended(phase))

        return node_steps.produce(self._producer, order, meanwhile)

    def _drain(self, phase: int, acknowledged: int, limit_s: float) -> bool:
        """Wait until all acknowledged tasks have ended and the queue is empty, or nothing has ended for :data:`QUIET_S` on an
        empty queue (tasks were lost). False when the time was over first."""
        began_s = time.monotonic()
        give_up_s = min(began_s + limit_s, self._deadline_s)
        ended, progress_s = -1, began_s
        while True:
            now_ended = self._ended(phase)
            self._observer.progress(now_ended)
            if now_ended > ended:
                ended, progress_s = now_ended, time.monotonic()
            quiet = time.monotonic() - progress_s > QUIET_S
            if (ended >= acknowledged or quiet) and node_steps.is_empty(self._producer, self._queue):
                return True
            if time.monotonic() > give_up_s:
                return False
            self._require_worker(f"draining {self._known.names[phase]}")
            time.sleep(node_steps.look_interval_s(time.monotonic() - began_s))

    def _require_worker(self, doing: str) -> WorkerStatus:
        worker = self._worker.worker()
        if worker.state == "died":
            raise RunFailedError(f"the worker died while {doing}: {worker.died}")
        if worker.state not in ("running", "paused"):
            raise RunFailedError(f"the worker is {worker.state} while {doing}: its node has ended it")
        return worker

    def _require_time_and_worker(self, doing: str) -> None:
        worker = self._require_worker(doing)
        if time.monotonic() > self._deadline_s:
            raise RunFailedError(
                f"the run's time of {self._spec.timeout_s:.0f} s was over while {doing}; "
                f"the end of the worker's log:\n{worker.log_tail}"
            )

    def _counts(self, phase: int) -> PhaseCounts:
        return self._worker.counts(self._spec.run).get(phase, NO_COUNTS)

    def _ended(self, phase: int) -> int:
        counts = self._counts(phase)
        return counts.finished_ok + counts.finished_failed

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
            )
            for record in self._known.records
        }

    def _recorded(self, failure: str | None) -> RecordedRun:
        spec, known = self._spec, self._known
        events, samples = self._events(), tuple(self._worker.samples())
        data = None
        if known.worker is not None:
            data = RunData(
                scenario=spec.scenario.name,
                variant=spec.variant,
                run=spec.run,
                worker=replace(known.worker, died=self._worker.worker().died),
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
        )
