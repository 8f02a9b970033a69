"""Messages that are sent and read one by one."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tasks.reading import ReadOrder, read_messages
from tasks.workloads import TaskCall

FIXED_NS = 30_000_000
"""What every message costs: by it alone a hundredfold larger one would take too long."""
ORDER = ReadOrder("some-variant", "json", "q", "noop", ["x"], samples=3, limit_s=10)


class Blocking:
    """A framework with one queue, in JSON; ``decode_s`` is how long it takes to read, ``damaged`` what it makes of a sequence."""

    def __init__(self, decode_s: float = 0, damaged: int | None = None) -> None:
        self.waiting: list[bytes] = []
        self._decode_s = decode_s
        self._damaged = damaged

    def enqueue(self, queue: str, call: TaskCall) -> None:
        self.waiting.append(json.dumps(call).encode())

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        return []

    def close(self) -> None:
        """Nothing to close."""

    def take(self, queue: str) -> bytes:
        return self.waiting.pop()

    def decode(self, message: bytes) -> TaskCall:
        time.sleep(self._decode_s)
        run, phase, sequence, due_ns, workload, argument = json.loads(message)
        return (run, phase, sequence if self._damaged is None else self._damaged, due_ns, workload, argument)


class Async:
    """The same on an event loop."""

    def __init__(self) -> None:
        self._blocking = Blocking()

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        await asyncio.sleep(0)
        self._blocking.enqueue(queue, call)

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        return []

    async def close(self) -> None:
        """Nothing to close."""

    def take(self, queue: str) -> bytes:
        return self._blocking.take(queue)

    async def decode(self, message: bytes) -> TaskCall:
        await asyncio.sleep(0)
        return self._blocking.decode(message)


@pytest.mark.parametrize("framework", [Blocking(), Async()])
def test_every_sample_has_its_bytes_and_times(framework: Any) -> None:
    times = asyncio.run(read_messages(framework, framework, ORDER))
    assert len(times.message_bytes) == len(times.send_ns) == len(times.decode_ns) == 3
    assert min(times.message_bytes) > len('["x"]')
    assert min(times.send_ns + times.decode_ns) >= 0


def test_decoding_alone_is_counted_as_decoding() -> None:
    framework = Blocking(decode_s=0.01)
    times = asyncio.run(read_messages(framework, framework, ORDER))
    assert min(times.decode_ns) >= 10_000_000
    assert framework.waiting == []


def test_no_sample_is_begun_after_the_time_is_over() -> None:
    framework = Blocking(decode_s=0.01)
    order = ReadOrder("some-variant", "json", "q", "noop", None, samples=100, limit_s=0)
    assert len(asyncio.run(read_messages(framework, framework, order)).send_ns) == 1


def test_a_message_that_is_not_read_as_it_was_sent_is_an_error() -> None:
    framework = Blocking(damaged=7)
    with pytest.raises(ValueError, match=r"a message in json was sent as .* and read as"):
        asyncio.run(read_messages(framework, framework, ORDER))


def test_a_body_that_does_not_find_what_it_needs_is_an_error() -> None:
    framework = Blocking()
    order = ReadOrder("some-variant", "json", "q", "fail", "what the body says", samples=1, limit_s=1)
    with pytest.raises(RuntimeError, match="what the body says"):
        asyncio.run(read_messages(framework, framework, order))
