"""The load that a producer node is offering, or has offered last."""

import asyncio
import enum
import time
from dataclasses import dataclass
from typing import Any

from infrastructure.agent.bridge import BridgeClient
from infrastructure.agent.errors import BridgeError, NodeConflictError
from tasks.causes import cause
from tasks.loads import Load, Paced, Ramp, load_from


class ProducerState(enum.StrEnum):
    """``done`` and ``failed`` are kept until the next load."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProducerReport:
    """How the load goes: ``result`` (a ProduceResult) once done, ``error`` once failed."""

    state: ProducerState
    result: dict[str, Any] | None = None
    error: str | None = None


def offered_per_s(load: Load, elapsed_s: float) -> float:
    """Tasks a second that become due by a load's schedule ``elapsed_s`` after its start; 0 for one without a rate of its own."""
    match load:
        case Paced() if elapsed_s < load.duration_s:
            return load.rate_per_s
        case Ramp() if elapsed_s < load.duration_s:
            return load.from_per_s + (load.to_per_s - load.from_per_s) * elapsed_s / load.duration_s
        case _:
            return 0.0


class ProducerDesk:
    """Has the bridge offer one load at a time."""

    def __init__(self, bridge: BridgeClient) -> None:
        self._bridge = bridge
        self._report = ProducerReport(ProducerState.IDLE)
        self._work: asyncio.Task[None] | None = None
        self._cancelled = False
        self._load: Load | None = None
        self._began_s = 0.0

    @property
    def report(self) -> ProducerReport:
        """How the load goes."""
        return self._report

    @property
    def offered_per_s(self) -> float:
        """The rate at which the load that is being offered wants tasks sent now."""
        if self._load is None or self._report.state is not ProducerState.RUNNING:
            return 0.0
        return offered_per_s(self._load, time.monotonic() - self._began_s)

    def start(self, order: dict[str, Any]) -> None:
        """Begin a load. Raises NodeConflictError while another is being offered."""
        if self._report.state is ProducerState.RUNNING:
            raise NodeConflictError("a load is being offered already; wait for its end or cancel it")
        self._report = ProducerReport(ProducerState.RUNNING)
        self._cancelled = False
        self._began_s = time.monotonic()
        try:
            self._load = load_from(order["load"])
        except (KeyError, TypeError, ValueError, AttributeError):
            self._load = None  # the bridge says what is wrong with it
        self._work = asyncio.create_task(self._produce(order))

    async def cancel(self) -> None:
        """End the load, by killing the bridge in the middle of it; nothing if there is none."""
        if self._report.state is ProducerState.RUNNING and self._work is not None:
            self._cancelled = True
            self._bridge.kill()
            await self._work

    async def _produce(self, order: dict[str, Any]) -> None:
        try:
            result = await self._bridge.order("produce", limit_s=None, order=order)
        except BridgeError as error:
            self._report = ProducerReport(ProducerState.FAILED, error="cancelled" if self._cancelled else cause(error))
        else:
            self._report = ProducerReport(ProducerState.DONE, result=result)
