"""Offers the load of a soak, stretch by stretch, from a thread of its own: nothing else that the runner does delays the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.plan.seeds import seed_of
from benchmarks.plan.soak_plan import RETRIED, Ints, Numbering, SoakPlan, Stretch, stretch_at
from benchmarks.record.run_data import Produced
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.soaking.timeline import Timeline
from tasks.causes import cause
from tasks.loads import Burst, Chain, Load, Mix, Paced, TaskClass, Tasks, schedule_ns
from tasks.producing import ProduceOrder

RETRY_AFTER_S = 1.0
LOOK_S = 0.02
FAILURES_IN_A_ROW = 3
AFTER_A_FAILURE_S = 1.0
_RETRIED = Chain((TaskClass("fail_at_first", 1, RETRIED),), attempts=2, backoff_s=RETRY_AFTER_S)

Note = Callable[[str, str], None]
"""Is told of what happens: its kind, and in words."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What has been offered so far."""

    tasks: int
    planned_failures: int
    cpu_s: float
    """Of the producer."""
    is_bursting: bool
    bursts: int


class Offering:
    """Begins when it is started, and ends at the plan's end, or with the stretch in hand once it is asked to."""

    def __init__(
        self, run: RunInProgress, phase: int, plan: SoakPlan, rate_per_s: float, mix: Mix, line: Timeline, note: Note
    ) -> None:
        self._run, self._phase, self._plan, self._rate_per_s = run, phase, plan, rate_per_s
        self._line, self._note = line, note
        self._numbering = Numbering(mix)
        self._lock = threading.Lock()
        self._next = self._planned_failures = self._bursts = self._stretches = 0
        self._cpu_s = self._retries_due = 0.0
        self._is_bursting = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._offer, name="soak load", daemon=True)
        self.failure: str | None = None
        """Why it ended before its time, if so."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Offer no further stretch."""
        self._ending.set()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be offered."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Return when it is over."""
        self._thread.join()

    def so_far(self) -> Offered:
        """What has been offered, up to the stretch in hand."""
        with self._lock:
            return Offered(self._next, self._planned_failures, self._cpu_s, self._is_bursting, self._bursts)

    def class_of(self, sequences: Ints) -> Ints:
        """The class codes of tasks by their numbers."""
        with self._lock:
            return self._numbering.class_of(sequences)

    def _offer(self) -> None:
        failures = 0
        while not self._ending.is_set():
            stretch = stretch_at(self._plan, self._rate_per_s, self._line.elapsed_s())
            if stretch is None:
                return
            try:
                self._offer_one(stretch)
                failures = 0
            except NodeError as error:
                failures += 1
                self._note("producer-failed", cause(error))
                if failures == FAILURES_IN_A_ROW:
                    self.failure = f"the producer has failed {failures} times in a row: {cause(error)}"
                    return
                self._ending.wait(AFTER_A_FAILURE_S)

    def _offer_one(self, stretch: Stretch) -> None:
        with self._lock:
            self._bursts += stretch.is_burst and not self._is_bursting
            self._is_bursting = stretch.is_burst
            self._stretches += 1
        if stretch.rate_per_s <= 0:
            self._ending.wait(stretch.seconds)
            return
        seed = seed_of(self._run.spec.seed, f"soak arrivals/{self._stretches}")
        load = Paced(stretch.rate_per_s, stretch.seconds, "poisson", seed)
        count = len(schedule_ns(load))
        if count == 0:
            self._ending.wait(stretch.seconds)
            return
        with self._lock:
            first, self._next = self._next, self._next + count
            mix = self._numbering.begin_mixed(first, count)
            self._planned_failures += self._numbering.planned_failures(first, count)
        self._produce(mix, load, first)
        self._retries_due += count * self._plan.retry_share
        if (retries := int(self._retries_due)) > 0:
            self._retries_due -= retries
            with self._lock:
                first, self._next = self._next, self._next + retries
                self._numbering.begin_retried(first)
            self._produce(_RETRIED, Burst(retries), first)

    def _produce(self, tasks: Tasks, load: Load, first: int) -> None:
        """Offer a load. Where that fails its tasks keep their numbers, sent or not."""
        spec, producer = self._run.spec, self._run.producer
        order = ProduceOrder(spec.run, self._phase, spec.variant, self._run.places.queue, tasks, load, first_sequence=first)
        producer.start_producing(order)
        expected_s = getattr(load, "duration_s", 0.0)
        time.sleep(max(0.0, expected_s - LOOK_S))
        produced = self._result(load)
        with self._lock:
            self._cpu_s += produced.cpu_s
        if produced.failed:
            self._note("sends-failed", f"{produced.failed} of {produced.attempted} sends: {dict(produced.errors)}")

    def _result(self, load: Load) -> Produced:
        producer = self._run.producer
        while True:
            status = producer.producer()
            if status.result is not None:
                return status.result
            if status.state != "running":
                raise NodeError(producer.name, f"offering {load}", status.error or f"the producer is {status.state}")
            time.sleep(LOOK_S)
