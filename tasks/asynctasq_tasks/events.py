# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False
"""AsyncTasQ's own task events: emitted by a worker that is asked for them, and received over Redis Pub/Sub."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import override

import asynctasq
import redis
from asynctasq import EventRegistry, EventsConfig, RedisEventEmitter, TaskEvent, WorkerEvent
from msgspec import msgpack

from tasks.asynctasq_tasks.settings import DATABASE, settings
from tasks.contract import database_url
from tasks.events import Streamed
from tasks.streaming import Received, emits_events, listen
from tasks.workloads import recorder

EMITS_EVENTS = emits_events()
STREAMED: Mapping[str, Streamed] = {
    "task_started": Streamed.STARTED,
    "task_completed": Streamed.FINISHED,
    "task_failed": Streamed.FINISHED,
}


class TimedEmitter(RedisEventEmitter):
    """Records how long each event takes to be handed to Redis."""

    @override
    async def emit(self, event: TaskEvent | WorkerEvent) -> None:
        """Publish an event."""
        began_ns = time.monotonic_ns()
        await super().emit(event)
        recorder.emitted(began_ns)


def configure_events() -> None:
    """As ``ASYNCTASQ_EVENTS_ENABLE_ALL`` and ``ASYNCTASQ_EVENTS_ENABLE_EVENT_EMITTER_REDIS`` do, with a timed emitter."""
    asynctasq.init({**settings(), "events": EventsConfig(enable_all=True)})
    EventRegistry.add(TimedEmitter())


def event_stream(received: Received) -> None:
    """As :meth:`tasks.streaming.EventSource.event_stream`, over Redis Pub/Sub, which its emitter is made for; AsyncTasQ brings no
    subscriber of its own."""
    with redis.Redis.from_url(database_url(DATABASE), socket_timeout=None) as client:
        for message in listen(client, EventsConfig().channel):
            if message is None:
                received(Streamed.NOTHING, "", 0.0)
                continue
            event = msgpack.decode(message)
            if (what := STREAMED.get(event["event_type"])) is not None:
                received(what, event["task_id"], datetime.fromisoformat(event["timestamp"]).timestamp())
