"""Offers a load to a framework and records every send: when it was due, when the call began and ended, whether it failed.

Runs inside the framework's own environment. A send that raises is recorded as failed and counted with its error; it is never
dropped or repeated. Sends in flight are bounded, so a stalled broker shows as lateness, not as memory.
"""

import asyncio
import functools
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tasks import pacing
from tasks.causes import named_cause
from tasks.contract import AsyncChainProducer, AsyncProducer, ChainProducer, Producer
from tasks.loads import Chain, Load, Mix, Prefilled, TaskClass, Tasks, classes_of, queue_name, schedule_ns
from tasks.workloads import WORKLOADS, TaskCall, recorder

monotonic_ns = time.monotonic_ns


@dataclass(frozen=True, slots=True)
class ProduceOrder:
    """What to offer: tasks to a queue (and its lanes) under a load, numbered from ``first_sequence``, in a serializer of the
    variant's (empty: its default). ``web_url`` is that of the web application whose endpoints the tasks are posted to, and empty
    where they have none. Raises ValueError for an ``in_flight_limit`` with which nothing could ever be sent, for many tasks at
    once that are chains or of several lanes or endpoints, and for tasks of which not all can be posted, or none."""

    run: int
    phase: int
    variant: str
    queue: str
    tasks: Tasks
    load: Load
    first_sequence: int = 0
    in_flight_limit: int = 64
    serializer: str = ""
    web_url: str = ""

    def __post_init__(self) -> None:
        if self.in_flight_limit < 1:
            raise ValueError(f"in_flight_limit must be at least 1, not {self.in_flight_limit}")
        classes = classes_of(self.tasks)
        targets = {(c.lane, c.endpoint) for c in classes}
        if isinstance(self.load, Prefilled) and self.load.many and (isinstance(self.tasks, Chain) or len(targets) > 1):
            raise ValueError("many tasks at once must be of one lane or endpoint and no chains")
        if {bool(c.endpoint) for c in classes} != {bool(self.web_url)} or (self.web_url and isinstance(self.tasks, Chain)):
            raise ValueError("with a web_url every class of a mix needs an endpoint, and without one none may have any")


@dataclass(frozen=True, slots=True)
class ProduceResult:
    """What was offered. Times are monotonic; ``cpu_s`` is the producer process's own, user and system. ``longest_s`` is what the
    longest of the tasks can take by what its workload declares, from a start to an end."""

    attempted: int
    acknowledged: int
    failed: int
    errors: dict[str, int]
    began_ns: int
    ended_ns: int
    cpu_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A class of tasks, ready to be sent; ``queue`` is the endpoint of those that are posted."""

    queue: str
    workload: str
    argument: Any
    label: int

    @classmethod
    def of(cls, task_class: TaskClass, queue: str) -> "_Prepared":
        argument = WORKLOADS[task_class.workload].prepare(task_class.argument)
        target = task_class.endpoint or queue_name(queue, task_class.lane)
        return cls(target, task_class.workload, argument, task_class.label)


@dataclass(slots=True)
class _Tally:
    order: ProduceOrder
    count: int
    acknowledged: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    _classes: list[_Prepared] = field(init=False)
    _picks: "array[int]" = field(init=False)

    def __post_init__(self) -> None:
        order = self.order
        self._classes = [_Prepared.of(c, order.queue) for c in classes_of(order.tasks)]
        self._picks = order.tasks.draw(self.count) if isinstance(order.tasks, Mix) else array("H")

    def class_of(self, index: int) -> _Prepared:
        return self._classes[self._picks[index]]

    def call(self, index: int, task_class: _Prepared, due_ns: int) -> TaskCall:
        order = self.order
        return (order.run, order.phase, order.first_sequence + index, due_ns, task_class.workload, task_class.argument)

    def chain(self, unit: int, due_ns: int) -> list[TaskCall]:
        stages = self._classes
        return [self.call(unit * len(stages) + place, stage, due_ns) for place, stage in enumerate(stages)]

    def note(self, call: TaskCall, label: int, before_ns: int, after_ns: int, error: BaseException | None) -> None:
        recorder.enqueued(call[0], call[1], call[2], call[3], before_ns, after_ns, error is None, label)
        if error is None:
            self.acknowledged += 1
        else:
            self.errors[f"{named_cause(error)}"[:300]] += 1

    def note_chain(self, calls: Sequence[TaskCall], before_ns: int, after_ns: int, error: BaseException | None) -> None:
        for call, stage in zip(calls, self._classes, strict=True):
            self.note(call, stage.label, before_ns, after_ns, error)

    def note_many(self, calls: Sequence[TaskCall], before_ns: int, after_ns: int, errors: Sequence[BaseException | None]) -> None:
        if len(errors) != len(calls):
            errors = [ValueError(f"enqueue_many told of {len(errors)} sends when it was given {len(calls)}")] * len(calls)
        first = self.order.first_sequence
        for call, error in zip(calls, errors, strict=True):
            self.note(call, self.class_of(call[2] - first).label, before_ns, after_ns, error)

    def chunks(self, load: Prefilled) -> Iterator[tuple[int, list[TaskCall]]]:
        for first in range(0, load.count, load.chunk):
            before_ns = monotonic_ns()
            indices = range(first, min(first + load.chunk, load.count))
            yield before_ns, [self.call(i, self.class_of(i), before_ns) for i in indices]

    @property
    def many_queue(self) -> str:
        return self._classes[0].queue

    def result(self, began_ns: int, cpu_before_ns: int) -> ProduceResult:
        failed = sum(self.errors.values())
        return ProduceResult(
            attempted=self.acknowledged + failed,
            acknowledged=self.acknowledged,
            failed=failed,
            errors=dict(self.errors),
            began_ns=began_ns,
            ended_ns=monotonic_ns(),
            cpu_s=(time.process_time_ns() - cpu_before_ns) / 1e9,
            longest_s=max(WORKLOADS[c.workload].longest_s(c.argument) for c in classes_of(self.order.tasks)),
        )


def _mean_gap_ns(offsets: "array[int]") -> float:
    return offsets[-1] / len(offsets) if offsets else 0.0


def produce(producer: Producer, order: ProduceOrder) -> ProduceResult:
    """Offer the load with a blocking client: one send at a time."""
    load = order.load
    offsets = array("q") if isinstance(load, Prefilled) else schedule_ns(load)
    tally = _Tally(order, load.count if isinstance(load, Prefilled) else len(offsets))
    send = _send_chain if isinstance(order.tasks, Chain) else _send
    pacing.sharpen_timers()
    cpu_before_ns, began_ns = time.process_time_ns(), monotonic_ns()
    if isinstance(load, Prefilled) and load.many:
        for before_ns, calls in tally.chunks(load):
            errors: Sequence[BaseException | None]
            try:
                errors = producer.enqueue_many(tally.many_queue, calls)
            except Exception as raised:
                errors = [raised] * len(calls)
            tally.note_many(calls, before_ns, monotonic_ns(), errors)
    elif isinstance(load, Prefilled):
        for index in range(load.count):
            send(producer, tally, index, monotonic_ns())
    else:
        spin_ns = pacing.spin_stretch_ns(_mean_gap_ns(offsets))
        for index, offset_ns in enumerate(offsets):
            due_ns = began_ns + offset_ns
            pacing.wait_until(due_ns, spin_ns)
            send(producer, tally, index, due_ns)
    return tally.result(began_ns, cpu_before_ns)


def _send(producer: Producer, tally: _Tally, index: int, due_ns: int) -> None:
    task_class = tally.class_of(index)
    call = tally.call(index, task_class, due_ns)
    error: Exception | None = None
    before_ns = monotonic_ns()
    try:
        producer.enqueue(task_class.queue, call)
    except Exception as raised:
        error = raised
    tally.note(call, task_class.label, before_ns, monotonic_ns(), error)


def _send_chain(producer: Producer, tally: _Tally, index: int, due_ns: int) -> None:
    tasks = cast(Chain, tally.order.tasks)
    calls = tally.chain(index, due_ns)
    error: Exception | None = None
    before_ns = monotonic_ns()
    try:
        cast(ChainProducer, producer).enqueue_chain(tally.order.queue, calls, tasks.attempts, tasks.backoff_s)
    except Exception as raised:
        error = raised
    tally.note_chain(calls, before_ns, monotonic_ns(), error)


async def produce_async(producer: AsyncProducer, order: ProduceOrder) -> ProduceResult:
    """Offer the load from an event loop. A prefilled load goes one send at a time (or in chunks); a paced one keeps at most
    ``in_flight_limit`` sends open at once."""
    load = order.load
    offsets = array("q") if isinstance(load, Prefilled) else schedule_ns(load)
    tally = _Tally(order, load.count if isinstance(load, Prefilled) else len(offsets))
    send = _send_chain_async if isinstance(order.tasks, Chain) else _send_async
    pacing.sharpen_timers()
    cpu_before_ns, began_ns = time.process_time_ns(), monotonic_ns()
    if isinstance(load, Prefilled) and load.many:
        for before_ns, calls in tally.chunks(load):
            errors: Sequence[BaseException | None]
            try:
                errors = await producer.enqueue_many(tally.many_queue, calls)
            except asyncio.CancelledError as raised:
                if _is_being_cancelled():
                    raise
                errors = [raised] * len(calls)
            except Exception as raised:
                errors = [raised] * len(calls)
            tally.note_many(calls, before_ns, monotonic_ns(), errors)
    elif isinstance(load, Prefilled):
        for index in range(load.count):
            await send(producer, tally, index, monotonic_ns())
    else:
        await _send_paced(functools.partial(send, producer, tally), order.in_flight_limit, began_ns, offsets)
    return tally.result(began_ns, cpu_before_ns)


async def _send_paced(
    send: Callable[[int, int], Awaitable[None]], in_flight_limit: int, began_ns: int, offsets: "array[int]"
) -> None:
    timer = pacing.AsyncTimer()
    slots = asyncio.Semaphore(in_flight_limit)
    spin_ns = pacing.spin_stretch_ns(_mean_gap_ns(offsets))

    async def send_and_release(index: int, due_ns: int) -> None:
        try:
            await send(index, due_ns)
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            for index, offset_ns in enumerate(offsets):
                due_ns = began_ns + offset_ns
                await timer.wait_until(due_ns, spin_ns)
                await slots.acquire()
                group.create_task(send_and_release(index, due_ns))
                await asyncio.sleep(0)
    finally:
        timer.close()


async def _send_async(producer: AsyncProducer, tally: _Tally, index: int, due_ns: int) -> None:
    task_class = tally.class_of(index)
    call = tally.call(index, task_class, due_ns)
    before_ns = monotonic_ns()
    error = await _failure(producer.enqueue(task_class.queue, call))
    tally.note(call, task_class.label, before_ns, monotonic_ns(), error)


async def _send_chain_async(producer: AsyncProducer, tally: _Tally, index: int, due_ns: int) -> None:
    tasks = cast(Chain, tally.order.tasks)
    calls = tally.chain(index, due_ns)
    before_ns = monotonic_ns()
    sending = cast(AsyncChainProducer, producer).enqueue_chain(tally.order.queue, calls, tasks.attempts, tasks.backoff_s)
    error = await _failure(sending)
    tally.note_chain(calls, before_ns, monotonic_ns(), error)


async def _failure(sending: Awaitable[None]) -> BaseException | None:
    """Why a send failed, if it did."""
    try:
        await sending
    except asyncio.CancelledError as raised:
        if _is_being_cancelled():
            raise
        return raised
    except Exception as raised:
        return raised
    return None


def _is_being_cancelled() -> bool:
    """Whether the load is to end, rather than the framework having cancelled a send of its own, which has only failed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
