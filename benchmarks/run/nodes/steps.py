"""Steps with a node that take a while: offer a load to its end, wait for a queue to be empty."""

import time
from collections.abc import Callable

from benchmarks.record.run_data import Produced
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from tasks.producing import ProduceOrder

POLL_S = 0.05
LOOK_AT_MOST_EVERY_S, LOOK_AT_LEAST_EVERY_S = 0.05, 0.5
EMPTY_AT_MOST_S = 120.0


def look_interval_s(elapsed_s: float) -> float:
    """How long to wait before the next look at something that has gone on for ``elapsed_s``: looks cost the nodes CPU time that
    belongs to what is measured, so they become rarer, while what is short is still noticed soon."""
    return min(LOOK_AT_LEAST_EVERY_S, max(LOOK_AT_MOST_EVERY_S, elapsed_s / 10))


def nothing() -> None:
    """What there is to do between two looks, where there is nothing to do."""


def produce(producer: NodeClient, order: ProduceOrder, meanwhile: Callable[[], None] = nothing) -> Produced:
    """Offer a load and wait until it is offered, calling ``meanwhile`` at every look. Raises NodeError when the producer
    failed."""
    producer.start_producing(order)
    began_s = time.monotonic()
    while True:
        status = producer.producer()
        if status.result is not None:
            return status.result
        if status.state != "running":
            raise NodeError(producer.name, f"offering {order.load}", status.error or f"the producer is {status.state}")
        meanwhile()
        time.sleep(look_interval_s(time.monotonic() - began_s))


def is_empty(producer: NodeClient, queue: str, *, but_claimed: bool = False) -> bool:
    """Whether the queue holds no task in any state, or in any but claimed by a worker."""
    depth = producer.depth(queue)
    return depth.total - (depth.claimed if but_claimed else 0) == 0


def wait_until_empty(producer: NodeClient, queue: str) -> None:
    """Wait until the queue holds no task in any state. Raises NodeError when that takes over two minutes."""
    give_up_s = time.monotonic() + EMPTY_AT_MOST_S
    while not is_empty(producer, queue):
        if time.monotonic() > give_up_s:
            raise NodeError(producer.name, f"draining {queue}", f"it is not empty after {EMPTY_AT_MOST_S:.0f} s")
        time.sleep(POLL_S)
