"""What a framework's own task events have in common. Standard library only, but for :func:`listen`.

A framework names a task as it likes; its events carry that name and nothing of the lab's. While a worker emits events, its bodies
are given the key of that name for their STARTED record (``identity`` of ``workloads.execute``), and a subscriber records the same
key with what it receives; so the two are joined when they are read, and no framework is asked for more than it does anyway.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tasks.events import Streamed

if TYPE_CHECKING:
    import redis

EVENTS_VARIABLE = "LAB_TASK_EVENTS"
"""Set for a worker that is to emit events."""
RECONNECT_S = 0.1

Received = Callable[[Streamed, str, float], None]
"""Takes an event: what it tells, the framework's name for the task, and when the event says that it happened, in seconds since
1970."""


@runtime_checkable
class EventSource(Protocol):
    """A framework whose task events can be subscribed to, by its own means."""

    def event_stream(self, received: Received) -> None:
        """Hand over every event that tells of a start or an end of a task, until the process is ended. ``received`` gets
        :attr:`Streamed.NOTHING` first, once everything that happens from then on will come. A connection that breaks is made
        anew; what happens meanwhile is lost."""
        ...


def emits_events() -> bool:
    """Whether this process belongs to a worker that is to emit events."""
    return bool(os.environ.get(EVENTS_VARIABLE))


def identity_key(name: str) -> int:
    """A framework's name for a task in 64 bits (signed, as the event log holds it). Two of a million tasks share one with a
    probability of 3 in 10^8."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)


def listen(client: "redis.Redis", channel: str) -> Iterator[bytes | None]:
    """The messages of a channel of Redis Pub/Sub, without end; None each time that it has been subscribed to, which is done anew
    when the connection has been broken."""
    from redis import ConnectionError as BrokenError

    while True:
        try:
            with client.pubsub() as subscription:  # type: ignore[no-untyped-call]
                subscription.subscribe(channel)
                for message in subscription.listen():
                    yield message["data"] if message["type"] == "message" else None
        except BrokenError:
            time.sleep(RECONNECT_S)
