# mypy: disable-error-code="import-not-found"
"""The application that producer and worker share, and what is set on it.

Normalised track: tasks are acknowledged after they have run (``task_acks_late``), as the other frameworks do, and everything
else is Celery's default. Tuned track: what Celery's optimizing guide advises for many short tasks
(https://docs.celeryq.dev/en/stable/userguide/optimizing.html): early acknowledgement, a prefetch multiplier of 64, no rate
limits; with greenlets :mod:`tasks.celery_tasks.variants` leaves the prefetch multiplier at its default. A worker's process learns
what is asked of it from the variables of this module.
"""

import os
from collections.abc import Mapping
from typing import Any

from celery import Celery

from tasks.contract import Database, database_url

BROKER = Database(purpose="broker", variable="CELERY_BROKER_URL", number=1)
RESULTS = Database(purpose="results", variable="CELERY_RESULT_BACKEND", number=2)
TRACK_VARIABLE = "LAB_CELERY_TRACK"
LANES_VARIABLE = "LAB_CELERY_LANES"
CONNECTIONS_VARIABLE = "LAB_CELERY_CONNECTIONS"
RESULTS_VARIABLE = "LAB_CELERY_RESULTS"
LONG_JOBS_VARIABLE = "LAB_CELERY_LONG_JOBS"
SERIALIZER_VARIABLE = "LAB_CELERY_SERIALIZER"

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"task_acks_late": True, "worker_prefetch_multiplier": 4, "worker_disable_rate_limits": False},
    "tuned": {"task_acks_late": False, "worker_prefetch_multiplier": 64, "worker_disable_rate_limits": True},
}
RESULT_SETTINGS: Mapping[str, Any] = {"result_expires": 60}
"""What is set besides the result backend where it is on: results that nobody fetches are gone soon."""
LONG_JOB_SETTINGS: Mapping[str, Any] = {
    "task_track_started": True,
    "worker_prefetch_multiplier": 1,
    "task_acks_late": False,
    "result_expires": 3600,
}
"""As :mod:`tasks.celery_tasks.jobs` has them, early acknowledgement, which is Celery's default, included."""
PRIORITY_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"broker_transport_options": {"queue_order_strategy": "priority"}},
    "tuned": {
        "broker_transport_options": {"queue_order_strategy": "priority"},
        "task_acks_late": True,
        "worker_prefetch_multiplier": 4,
    },
}
"""What is set over :data:`SETTINGS` where the order of ``--queues`` is to count: the routing guide's strategy, and on the tuned
track no more prefetching than by default."""
COMMON_SETTINGS: Mapping[str, Any] = {
    "task_ignore_result": True,
    "worker_send_task_events": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
}
PICKLE = "pickle"
SERIALIZERS = ("json", PICKLE, "msgpack", "yaml")


def settings_for(track: str, *, by_priority: bool, connections: int = 0) -> dict[str, Any]:
    """Settings of a track; ``connections`` is the most that a process may have to the broker, 0 for the default."""
    settings = {**COMMON_SETTINGS, **SETTINGS[track], **(PRIORITY_SETTINGS[track] if by_priority else {})}
    if connections:
        settings["broker_transport_options"] = {**settings.get("broker_transport_options", {}), "max_connections": connections}
    return settings


def serializer_settings(serializer: str) -> dict[str, Any]:
    """Sent and accepted is this serializer and no other. Raises ValueError for one that is none of :data:`SERIALIZERS`."""
    if serializer not in SERIALIZERS:
        raise ValueError(f"no serializer {serializer!r}: there are {', '.join(SERIALIZERS)}")
    return {"task_serializer": serializer, "accept_content": [serializer]}


def store_results() -> None:
    """Turn the result backend on, for the tasks that are sent with ``ignore_result=False``."""
    app.backend_cls = database_url(RESULTS)
    app.conf.update(**RESULT_SETTINGS)


# Celery takes these variables over all that is said to it: the lab's server must win, and results must be off, for with a backend
# gevent and eventlet make one anew for every task, used or not. A backend class is the one thing that wins over the variable.
os.environ[BROKER.variable] = database_url(BROKER)
app = Celery("queuelab", broker=database_url(BROKER))
app.backend_cls = "disabled://"
app.conf.update(
    **settings_for(
        os.environ.get(TRACK_VARIABLE, "normalised"),
        by_priority=LANES_VARIABLE in os.environ,
        connections=int(os.environ.get(CONNECTIONS_VARIABLE, "0")),
    )
)
if RESULTS_VARIABLE in os.environ:
    store_results()
if LONG_JOBS_VARIABLE in os.environ:
    store_results()
    app.conf.update(**LONG_JOB_SETTINGS)
if SERIALIZER_VARIABLE in os.environ:
    app.conf.update(**serializer_settings(os.environ[SERIALIZER_VARIABLE]))
