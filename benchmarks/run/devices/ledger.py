"""The books of the shop whose orders are the tasks (``tasks.order_work``)."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import redis

from benchmarks.run.contract import Places
from tasks.contract import APPLICATION_DATABASE
from tasks.order_work import ITEMS, MOST_OF_ONE, Books, order_of

WARMUP_PHASE = 0
BOOKS = ("stock_before", "stock_after", "reserved", "analysed")


@dataclass(frozen=True, slots=True)
class Ledger:
    """Opens the books for a phase of ``orders`` orders, with stock for all of them, and reads them when all tasks have ended.

    Its reading has a row for every entry: ``book``, one of :data:`BOOKS`; ``entry``, the number of the item (stock) or of the
    order (the others); ``quantity``, pieces in stock or how often the order is in the book. All are whole numbers.
    """

    orders: int

    @property
    def name(self) -> str:
        """What its reading is called."""
        return "ledger"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Open the books; what is given reads them. They, and what the warm-up has left there, are gone afterwards."""
        books, warmup = Books(run, phase), Books(run, WARMUP_PHASE)
        stock = dict.fromkeys(range(ITEMS), MOST_OF_ONE * self.orders)
        with redis.Redis.from_url(f"{places.redis_url}/{APPLICATION_DATABASE}", decode_responses=True) as client:
            client.delete(*books.keys)
            client.hset(books.key("stock"), mapping=stock)
            client.hset(books.key("orders"), mapping={str(unit): _order(unit) for unit in range(self.orders)})
            try:

                def read() -> pd.DataFrame:
                    entries = {
                        "stock_before": stock.items(),
                        "stock_after": _entries(client, books.key("stock")),
                        "reserved": _entries(client, books.key("reserved")),
                        "analysed": _entries(client, books.key("analysed")),
                    }
                    rows = [(book, entry, quantity) for book in BOOKS for entry, quantity in entries[book]]
                    return pd.DataFrame(rows, columns=["book", "entry", "quantity"])

                yield read
            finally:
                client.delete(*books.keys, *warmup.keys)


def _order(unit: int) -> str:
    item, quantity = order_of(unit)
    return json.dumps({"item": item, "quantity": quantity})


def _entries(client: redis.Redis, key: str) -> Iterable[tuple[int, int]]:
    return sorted((int(entry), int(quantity)) for entry, quantity in client.hgetall(key).items())
