"""Asks the node's web application whether it is well, on a schedule of its own that does not wait for answers."""

import asyncio
import contextlib
import time

from infrastructure.agent.web import HOST
from infrastructure.readings import HealthAnswer

_QUESTION = f"GET /health HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
_WELL = b"HTTP/1.1 200 "
_NS_PER_S = 1_000_000_000


class WebHealth:
    """A series of questions from :meth:`begin` to :meth:`end`, each on a connection of its own, as a load balancer asks."""

    def __init__(self) -> None:
        self._answers: list[HealthAnswer] = []
        self._series: asyncio.Task[None] | None = None

    @property
    def answers(self) -> list[HealthAnswer]:
        """Of the last series, in the order in which they came; a question that was open at its end has none."""
        return list(self._answers)

    def begin(self, port: int, interval_s: float, limit_s: float) -> None:
        """Begin a new series, in the place of the one before."""
        if self._series is not None:
            self._series.cancel()
        self._answers = []
        self._series = asyncio.create_task(self._ask_on(port, interval_s, limit_s))

    async def end(self) -> None:
        """End the series; its answers stay."""
        series, self._series = self._series, None
        if series is not None:
            series.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await series

    async def _ask_on(self, port: int, interval_s: float, limit_s: float) -> None:
        due_ns = time.monotonic_ns()
        async with asyncio.TaskGroup() as questions:
            while True:
                questions.create_task(self._ask(port, due_ns, limit_s))
                due_ns += round(interval_s * _NS_PER_S)
                await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / _NS_PER_S))

    async def _ask(self, port: int, due_ns: int, limit_s: float) -> None:
        asked_ns, answers = time.monotonic_ns(), self._answers
        try:
            async with asyncio.timeout(limit_s):
                outcome = "answered" if await _is_well(port) else "refused"
        except TimeoutError:
            outcome = "late"
        except OSError:
            outcome = "refused"
        answers.append(HealthAnswer(due_ns, asked_ns, time.monotonic_ns(), outcome))


async def _is_well(port: int) -> bool:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(_QUESTION)
        return (await reader.readline()).startswith(_WELL)
    finally:
        writer.close()
