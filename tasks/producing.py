"""Offers a load to a framework and records every send: when it was due, when the call began and ended, whether it failed.

Runs inside the framework's own environment. A send that raises is recorded as failed and counted with its error; it is never
dropped or repeated. Sends in flight are bounded, so a stalled broker shows as lateness, not as memory.
"""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.loads import Load, Prefilled, schedule_ns
from tasks import pacing
from tasks.contract import AsyncProducer, Producer
from tasks.workloads import TaskCall, recorder

monotonic_ns = time.monotonic_ns


@dataclass(frozen=True, slots=True)
class ProduceOrder:
    """What to offer: tasks of one workload to one queue under a load, numbered from ``first_sequence``. Raises ValueError for an
    ``in_flight_limit`` with which nothing could ever be sent."""

    run: int
    phase: int
    variant: str
    queue: str
    workload: str
    argument: Any
    load: Load
    first_sequence: int = 0
    in_flight_limit: int = 64

    def __post_init__(self) -> None:
        if self.in_flight_limit < 1:
            raise ValueError(f"in_flight_limit must be at least 1, not {self.in_flight_limit}")


@dataclass(frozen=True, slots=True)
class ProduceResult:
    """What was offered. Times are monotonic; ``cpu_s`` is the producer process's own, user and system."""

    attempted: int
    acknowledged: int
    failed: int
    errors: dict[str, int]
    began_ns: int
    ended_ns: int
    cpu_s: float


@dataclass(slots=True)
class _Tally:
    order: ProduceOrder
    acknowledged: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def call(self, index: int, due_ns: int) -> TaskCall:
        order = self.order
        return (order.run, order.phase, order.first_sequence + index, due_ns, order.workload, order.argument)

    def note(self, call: TaskCall, before_ns: int, after_ns: int, error: BaseException | None) -> None:
        recorder.enqueued(call[0], call[1], call[2], call[3], before_ns, after_ns, error is None)
        if error is None:
            self.acknowledged += 1
        else:
            self.errors[f"{type(error).__name__}: {error}"[:300]] += 1

    def note_many(self, calls: Sequence[TaskCall], before_ns: int, after_ns: int, errors: Sequence[BaseException | None]) -> None:
        if len(errors) != len(calls):
            errors = [ValueError(f"enqueue_many told of {len(errors)} sends when it was given {len(calls)}")] * len(calls)
        for call, error in zip(calls, errors, strict=True):
            self.note(call, before_ns, after_ns, error)

    def chunks(self, load: Prefilled) -> Iterator[tuple[int, list[TaskCall]]]:
        for first in range(0, load.count, load.chunk):
            before_ns = monotonic_ns()
            yield before_ns, [self.call(i, before_ns) for i in range(first, min(first + load.chunk, load.count))]

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
        )


def _mean_gap_ns(offsets: "array[int]") -> float:
    return offsets[-1] / len(offsets) if offsets else 0.0


def produce(producer: Producer, order: ProduceOrder) -> ProduceResult:
    """Offer the load with a blocking client: one send at a time."""
    tally = _Tally(order)
    load = order.load
    offsets = array("q") if isinstance(load, Prefilled) else schedule_ns(load)
    pacing.sharpen_timers()
    cpu_before_ns, began_ns = time.process_time_ns(), monotonic_ns()
    if isinstance(load, Prefilled) and load.many:
        for before_ns, calls in tally.chunks(load):
            errors: Sequence[BaseException | None]
            try:
                errors = producer.enqueue_many(order.queue, calls)
            except Exception as raised:
                errors = [raised] * len(calls)
            tally.note_many(calls, before_ns, monotonic_ns(), errors)
    elif isinstance(load, Prefilled):
        for index in range(load.count):
            _send(producer, tally, tally.call(index, monotonic_ns()))
    else:
        spin_ns = pacing.spin_stretch_ns(_mean_gap_ns(offsets))
        for index, offset_ns in enumerate(offsets):
            due_ns = began_ns + offset_ns
            pacing.wait_until(due_ns, spin_ns)
            _send(producer, tally, tally.call(index, due_ns))
    return tally.result(began_ns, cpu_before_ns)


def _send(producer: Producer, tally: _Tally, call: TaskCall) -> None:
    error: Exception | None = None
    before_ns = monotonic_ns()
    try:
        producer.enqueue(tally.order.queue, call)
    except Exception as raised:
        error = raised
    tally.note(call, before_ns, monotonic_ns(), error)


async def produce_async(producer: AsyncProducer, order: ProduceOrder) -> ProduceResult:
    """Offer the load from an event loop. A prefilled load goes one send at a time (or in chunks); a paced one keeps at most
    ``in_flight_limit`` sends open at once."""
    tally = _Tally(order)
    load = order.load
    offsets = array("q") if isinstance(load, Prefilled) else schedule_ns(load)
    pacing.sharpen_timers()
    cpu_before_ns, began_ns = time.process_time_ns(), monotonic_ns()
    if isinstance(load, Prefilled) and load.many:
        for before_ns, calls in tally.chunks(load):
            errors: Sequence[BaseException | None]
            try:
                errors = await producer.enqueue_many(order.queue, calls)
            except asyncio.CancelledError as raised:
                if _is_being_cancelled():
                    raise
                errors = [raised] * len(calls)
            except Exception as raised:
                errors = [raised] * len(calls)
            tally.note_many(calls, before_ns, monotonic_ns(), errors)
    elif isinstance(load, Prefilled):
        for index in range(load.count):
            await _send_async(producer, tally, tally.call(index, monotonic_ns()))
    else:
        await _send_paced(producer, tally, began_ns, offsets)
    return tally.result(began_ns, cpu_before_ns)


async def _send_paced(producer: AsyncProducer, tally: _Tally, began_ns: int, offsets: "array[int]") -> None:
    timer = pacing.AsyncTimer()
    slots = asyncio.Semaphore(tally.order.in_flight_limit)
    spin_ns = pacing.spin_stretch_ns(_mean_gap_ns(offsets))

    async def send(call: TaskCall) -> None:
        try:
            await _send_async(producer, tally, call)
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            for index, offset_ns in enumerate(offsets):
                due_ns = began_ns + offset_ns
                await timer.wait_until(due_ns, spin_ns)
                await slots.acquire()
                group.create_task(send(tally.call(index, due_ns)))
                await asyncio.sleep(0)
    finally:
        timer.close()


async def _send_async(producer: AsyncProducer, tally: _Tally, call: TaskCall) -> None:
    error: BaseException | None = None
    before_ns = monotonic_ns()
    try:
        await producer.enqueue(tally.order.queue, call)
    except asyncio.CancelledError as raised:
        if _is_being_cancelled():
            raise
        error = raised
    except Exception as raised:
        error = raised
    tally.note(call, before_ns, monotonic_ns(), error)


def _is_being_cancelled() -> bool:
    """Whether the load is to end, rather than the framework having cancelled a send of its own, which has only failed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
