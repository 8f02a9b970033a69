# mypy: disable-error-code="import-not-found"
"""Where AsyncTasQ's queues lie, and how a process of the lab's own is set up for them."""

import os
from typing import Any

import asynctasq
from asynctasq import RedisConfig

from tasks.contract import MODEL_SESSIONS_VARIABLE, Database, database_url

DATABASE = Database(purpose="queue", variable="ASYNCTASQ_REDIS_URL", number=0)
SERIALIZER = "msgspec"

os.environ.setdefault(MODEL_SESSIONS_VARIABLE, "_asynctasq_session_factory")


def settings() -> dict[str, Any]:
    """What is not left as it is by default."""
    return {"driver": "redis", "redis": RedisConfig(url=database_url(DATABASE))}


def configure() -> None:
    """Set this process up, without events."""
    asynctasq.init(settings())


def require_serializer(serializer: str) -> None:
    """Raises ValueError for any but the one that there is."""
    if serializer != SERIALIZER:
        raise ValueError(f"no serializer {serializer!r}: there is {SERIALIZER}")
