"""What tasks saw of an order that was changed after they had been sent (``tasks.model_work``)."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import redis

from benchmarks.record.payloads.stale_orders import ORDERS_SEEN
from benchmarks.run.contract import Places
from tasks.contract import APPLICATION_DATABASE
from tasks.model_ledger import orders_seen_key

COLUMNS = ("sequence", "way", "sent_version", "seen_version", "row_version")


@dataclass(frozen=True, slots=True)
class OrdersSeen:
    """Its reading has a row for each task that looked at its order: ``sequence``; ``way``, in which it was handed the order; and
    the order's version as it was sent, as the task saw it, and as the database had it at that moment."""

    @property
    def name(self) -> str:
        """What its reading is called."""
        return ORDERS_SEEN

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """What is given reads what the tasks wrote down; it is gone afterwards."""
        key = orders_seen_key(run, phase)
        with redis.Redis.from_url(f"{places.redis_url.rstrip('/')}/{APPLICATION_DATABASE}") as client:
            client.delete(key)
            try:

                def read() -> pd.DataFrame:
                    entries: list[bytes] = client.lrange(key, 0, -1)
                    return pd.DataFrame([json.loads(entry) for entry in entries], columns=list(COLUMNS))

                yield read
            finally:
                client.delete(key)
