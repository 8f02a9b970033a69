"""Messages of tasks as the framework makes and reads them, on the worker's node, beside the worker."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from benchmarks.record.payloads.message_samples import MESSAGES
from benchmarks.run.contract import Places
from tasks.reading import MessageTimes, ReadOrder

NS_PER_S, NS_PER_US = 1_000_000_000, 1_000
SAMPLING_SHARE = 0.2
COLUMNS = ("serializer", "kind", "size_bytes", "sample", "message_bytes", "send_us", "decode_us")


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message: a task of a workload with an argument as plain data, in a serializer. ``size_bytes`` is the
    argument's, 0 for one that has no size of its own."""

    serializer: str
    kind: str
    size_bytes: int
    workload: str
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Messages:
    """When the tasks of the phase have ended, sends and reads each of the messages up to ``samples`` times.

    Its reading has a row for every sample, with the columns of :data:`COLUMNS`: the bytes that Redis held for it and the
    microseconds that sending it and decoding it took, each by the framework's own functions. Sizes of which one message would
    take longer than ``longest_s``, by what the next smaller size took beyond a message without argument, are left out; after
    ``SAMPLING_SHARE`` of that time no further sample is begun.
    """

    variant: str
    messages: Sequence[Message]
    samples: int
    longest_s: float

    @property
    def name(self) -> str:
        """What its reading is called."""
        return MESSAGES

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """What is given sends and reads the messages; nothing is done before."""
        queue = f"{places.queue}-messages"

        def times_of(message: Message) -> MessageTimes:
            order = ReadOrder(
                variant=self.variant,
                serializer=message.serializer,
                queue=queue,
                workload=message.workload,
                argument=message.argument,
                samples=self.samples,
                limit_s=SAMPLING_SHARE * self.longest_s,
            )
            return places.worker.read_messages(order)

        yield lambda: read_all(self.messages, times_of, self.longest_s)


def read_all(messages: Sequence[Message], times_of: Callable[[Message], MessageTimes], longest_s: float) -> pd.DataFrame:
    """The reading of messages that are read by ``times_of``: serializer by serializer, first what has no size of its own, then
    each kind from small to large."""
    rows: list[tuple[Any, ...]] = []

    def read(message: Message) -> float:
        """Read one message; how many seconds it takes at least."""
        times = times_of(message)
        for sample, figures in enumerate(zip(times.message_bytes, times.send_ns, times.decode_ns, strict=True)):
            message_bytes, send_ns, decode_ns = figures
            times_us = (send_ns / NS_PER_US, decode_ns / NS_PER_US)
            rows.append((message.serializer, message.kind, message.size_bytes, sample, message_bytes, *times_us))
        return (min(times.send_ns) + min(times.decode_ns)) / NS_PER_S

    for _, group in groupby(sorted(messages, key=lambda m: m.serializer), key=lambda m: m.serializer):
        of_serializer = sorted(group, key=lambda m: (m.size_bytes > 0, m.kind, m.size_bytes))
        least_s = min((read(m) for m in of_serializer if not m.size_bytes), default=0.0)
        for _, kind in groupby((m for m in of_serializer if m.size_bytes), key=lambda m: m.kind):
            seconds_per_byte = 0.0
            for message in kind:
                if message.size_bytes * seconds_per_byte > longest_s:
                    break
                seconds_per_byte = (read(message) - least_s) / message.size_bytes
    return pd.DataFrame(rows, columns=list(COLUMNS))
