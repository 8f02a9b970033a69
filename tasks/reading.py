"""What a message of one task is and what reading it costs, by the framework's own functions, outside a worker.

Runs inside the framework's own environment. Each message is really sent, to a queue that no worker listens to, and taken out of
Redis again, so that its bytes are those that a worker would get.
"""

import inspect
import time
from dataclasses import dataclass
from typing import Any

from tasks.contract import AsyncMessageReader, AsyncProducer, MessageReader, Producer
from tasks.workloads import WORKLOADS

monotonic_ns = time.monotonic_ns


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """Which messages to send and read: those of a workload with an argument as plain data, in one of the variant's serializers,
    by way of a queue of their own; at most ``samples``, at least one, and none is begun after ``limit_s``."""

    variant: str
    serializer: str
    queue: str
    workload: str
    argument: Any
    samples: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class MessageTimes:
    """How long each message was in bytes, how long sending it took, and reading it: three lists of one length."""

    message_bytes: list[int]
    send_ns: list[int]
    decode_ns: list[int]


async def read_messages(
    producer: Producer | AsyncProducer, reader: MessageReader | AsyncMessageReader, order: ReadOrder
) -> MessageTimes:
    """Send and read messages one after another. Raises ValueError for one that is not read as it was sent, and what the framework
    and the task's body raise."""
    workload = WORKLOADS[order.workload]
    argument = workload.prepare(order.argument)
    times = MessageTimes([], [], [])
    give_up_ns = monotonic_ns() + int(order.limit_s * 1e9)
    for sample in range(order.samples):
        call = (0, 0, sample, monotonic_ns(), order.workload, argument)
        began_ns = monotonic_ns()
        sending = producer.enqueue(order.queue, call)
        if inspect.isawaitable(sending):
            await sending
        sent_ns = monotonic_ns()
        message = reader.take(order.queue)
        taken_ns = monotonic_ns()
        read = reader.decode(message)
        if inspect.isawaitable(read):
            read = await read
        read_ns = monotonic_ns()
        if list(read[:5]) != list(call[:5]):
            raise ValueError(f"a message in {order.serializer} was sent as {call[:5]} and read as {read[:5]}")
        if sample == 0:
            workload.blocking(read[5], (0, 0, sample, 1))
        times.message_bytes.append(len(message))
        times.send_ns.append(sent_ns - began_ns)
        times.decode_ns.append(read_ns - taken_ns)
        if monotonic_ns() > give_up_ns:
            break
    return times
