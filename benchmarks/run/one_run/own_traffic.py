"""Reads Redis at a moment at which it is known what the lab itself has asked of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.record.run_data import RedisReading
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from tasks.redis_traffic import RedisTraffic

LIMIT_S = 10.0
_AGAIN_AFTER_S = 0.005


def read_redis(read: Callable[[], RedisReading], nodes: Sequence[NodeClient]) -> RedisReading:
    """The counters of Redis with what the reader and the ``nodes`` have added to them.

    A node asks Redis how deep a queue is whenever Prometheus scrapes it: where one was doing so, or did so meanwhile, all is read
    again. Raises NodeError when there is no such moment within :data:`LIMIT_S`, and what ``read`` raises."""
    give_up_s = time.monotonic() + LIMIT_S
    while True:
        before = _traffic(nodes)
        if before is not None:
            reading = read()
            if _traffic(nodes) == before:
                return replace(reading, own=sum(before, reading.own))
        if time.monotonic() > give_up_s:
            names = ", ".join(node.name for node in nodes)
            raise NodeError(names, "reading Redis", f"for {LIMIT_S:.0f} s these nodes have been asking it how deep queues are")
        time.sleep(_AGAIN_AFTER_S)


def _traffic(nodes: Sequence[NodeClient]) -> list[RedisTraffic] | None:
    """What each of the nodes has asked of Redis so far; None while one of them is asking."""
    found = [node.own_redis_traffic() for node in nodes]
    known = [traffic for traffic in found if traffic is not None]
    return known if len(known) == len(found) else None
