"""The producer of a node: loads, queues, messages, subscribers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from benchmarks.record.run_data import Produced
from benchmarks.run.nodes.transport import FRAMEWORK_LIMIT_S, Transport
from tasks.contract import Depth
from tasks.producing import ProduceOrder
from tasks.reading import MessageTimes, ReadOrder
from tasks.redis_traffic import RedisTraffic


@dataclass(frozen=True, slots=True)
class ProducerStatus:
    """How a load goes: its ``result`` once done, its ``error`` once failed."""

    state: Literal["idle", "running", "done", "failed"]
    result: Produced | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SubscribersStatus:
    """The state of the subscribers, why they died if so, and the end of their log."""

    state: Literal["none", "running", "paused", "stopped", "died"]
    died: str | None
    log_tail: str


class ProducerCalls(Transport):
    """What a node is asked about its producer and its framework's queues."""

    def connect_producer(self, variant: str, serializer: str = "") -> dict[str, str]:
        """Connect a producer for a variant (and one of its serializers), so that the first load does not pay for it. Returns all
        variables that it was started with, without secrets."""
        answer = self._post("/producer/connect", {"variant": variant, "serializer": serializer}, limit_s=FRAMEWORK_LIMIT_S)
        return dict(answer["environment"])

    def start_producing(self, order: ProduceOrder) -> None:
        """Begin a load; :meth:`producer` tells how it goes."""
        self._post("/producer/start", {"order": asdict(order)})

    def producer(self) -> ProducerStatus:
        """How the load goes."""
        answer = self._get("/producer")
        result = answer["result"]
        return ProducerStatus(answer["state"], None if result is None else Produced(**result), answer["error"])

    def cancel_producing(self) -> None:
        """End the load where it is."""
        self._post("/producer/cancel")

    def purge(self, queues: Sequence[str]) -> None:
        """Empty the framework's queues."""
        self._post("/queues/purge", {"queues": list(queues)}, limit_s=FRAMEWORK_LIMIT_S)

    def depth(self, queue: str) -> Depth:
        """How deep a queue is."""
        return Depth(**self._get("/queues/depth", limit_s=FRAMEWORK_LIMIT_S, queue=queue))

    def own_redis_traffic(self) -> RedisTraffic | None:
        """What all purges and depths of the node, whoever asked for them, have cost Redis so far; None during one."""
        traffic = self._get("/redis/own")["traffic"]
        return None if traffic is None else RedisTraffic(**traffic)

    def read_messages(self, order: ReadOrder) -> MessageTimes:
        """Have messages sent and read outside a worker."""
        return MessageTimes(**self._post("/messages/read", {"order": asdict(order)}, limit_s=FRAMEWORK_LIMIT_S))

    def start_subscribers(self, run: int, phase: int, count: int, delay_s: float) -> None:
        """Start ``count`` subscribers to the framework's task events, each sleeping ``delay_s`` over every event; they record in
        the producer's event log that they are subscribed, and what they receive."""
        self._post("/subscribers/start", {"run": run, "phase": phase, "count": count, "delay_s": delay_s})

    def subscribers(self) -> SubscribersStatus:
        """How the subscribers are."""
        return SubscribersStatus(**self._get("/subscribers"))

    def stop_subscribers(self) -> None:
        """End all subscribers; returns when none is left."""
        self._post("/subscribers/stop")
