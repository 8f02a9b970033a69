"""The runner's side of a node agent (``infrastructure.agent``): its routes as typed, blocking calls."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from benchmarks.run.nodes.log import LogCalls
from benchmarks.run.nodes.producer import ProducerCalls
from benchmarks.run.nodes.transport import FRAMEWORK_LIMIT_S
from benchmarks.run.nodes.web import WebCalls
from benchmarks.run.nodes.worker import WorkerCalls


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What a node is, the state of its worker, and whether it is well."""

    role: Literal["worker", "producer"]
    framework: str
    variant: str | None
    worker: str
    ok: bool


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A node's monotonic clock, read between two readings of the caller's own: the node's time belongs to a moment between
    ``before_ns`` and ``after_ns``. Boot and time namespace tell whether both clocks are the same one."""

    node_ns: int
    before_ns: int
    after_ns: int
    boot_id: str
    time_namespace: str


class NodeClient(WorkerCalls, ProducerCalls, WebCalls, LogCalls):
    """One node. See :class:`benchmarks.run.nodes.transport.Transport` for its errors."""

    def health(self) -> NodeHealth:
        """What the node is, and whether it is well."""
        what = "GET /health"
        with self._errors(what):
            response = self._client.get("/health")
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self._check(response, what)
        return NodeHealth(**response.json())

    def metrics(self) -> str:
        """What the node tells Prometheus."""
        return self._request("GET", "/metrics").text

    def clock(self) -> ClockReading:
        """The node's clock against this process's."""
        before_ns = time.monotonic_ns()
        answer = self._get("/clock")
        after_ns = time.monotonic_ns()
        return ClockReading(answer["monotonic_ns"], before_ns, after_ns, answer["boot_id"], answer["time_namespace"])

    def logs(self) -> dict[str, str]:
        """What all that the node has started has printed, by name."""
        return {name: str(text) for name, text in self._get("/logs").items()}

    def foreign_connections(self) -> tuple[str, ...]:
        """Addresses, ``ip:port`` each, that what the node has started is connected to beside the lab's own servers."""
        return tuple(self._get("/connections/foreign")["addresses"])

    def describe(self) -> dict[str, Any]:
        """What the framework is: name, variants, databases, versions, producer_loop (``tasks.bridge``)."""
        return self._get("/describe", limit_s=FRAMEWORK_LIMIT_S)

    def show_lab_state(self, state: Mapping[str, Any]) -> None:
        """Have the node tell Prometheus what the runner is doing: the fields of ``infrastructure.agent.requests.LabState``."""
        self._json("PUT", "/lab", json=dict(state))

    def forget_lab_state(self) -> None:
        """Have the node tell it no more."""
        self._json("DELETE", "/lab")
