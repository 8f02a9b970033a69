# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False
"""Celery's own task events: emitted by a worker that is asked for them, and received by Celery's receiver."""

import threading
import time
from collections.abc import Mapping
from typing import Any, override

from celery.events import EventDispatcher, EventReceiver

from tasks.celery_tasks.application import app
from tasks.events import Streamed
from tasks.streaming import Received, emits_events
from tasks.workloads import recorder

EMITS_EVENTS = emits_events()
STREAMED: Mapping[str, Streamed] = {
    "task-started": Streamed.STARTED,
    "task-succeeded": Streamed.FINISHED,
    "task-failed": Streamed.FINISHED,
}
PROBE, PROBE_INTERVAL_S = "lab-probe", 0.02
"""An event of the lab's own, by which a subscriber learns that it is subscribed; and how often it is sent until it arrives."""


class TimedDispatcher(EventDispatcher):
    """Records each time that events are handed to Redis: one, or all that a pool with an event loop has buffered."""

    @override
    def _publish(self, event: Any, *arguments: Any, **options: Any) -> None:
        began_ns = time.monotonic_ns()
        super()._publish(event, *arguments, **options)
        recorder.emitted(began_ns, len(event) if isinstance(event, list) else 1)


class ProbedReceiver(EventReceiver):
    """A receiver cannot know when it is subscribed, so whenever it has connected probes are sent until one has come back, which
    sets ``subscribed``."""

    @override
    def on_consume_ready(self, *arguments: Any, **options: Any) -> None:
        """Begin to send probes."""
        super().on_consume_ready(*arguments, **options)
        self.subscribed = threading.Event()
        threading.Thread(target=_probe, args=(self.subscribed,), daemon=True).start()


def _probe(subscribed: threading.Event) -> None:
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
        while not subscribed.wait(PROBE_INTERVAL_S):
            dispatcher.send(PROBE)


def event_stream(received: Received) -> None:
    """As :meth:`tasks.streaming.EventSource.event_stream`, over kombu's fanout of Redis Pub/Sub."""

    def on_event(event: Mapping[str, Any]) -> None:
        received(STREAMED[event["type"]], event["uuid"], event["timestamp"])

    def on_probe(_: Mapping[str, Any]) -> None:
        if not receiver.subscribed.is_set():
            receiver.subscribed.set()
            received(Streamed.NOTHING, "", 0.0)

    with app.connection_for_read() as connection:
        handlers = {PROBE: on_probe, **dict.fromkeys(STREAMED, on_event)}
        receiver = ProbedReceiver(connection, handlers=handlers, app=app)
        receiver.run(wakeup=False)


if EMITS_EVENTS:
    app.events.dispatcher_cls = TimedDispatcher
