"""An order's way through a shop: validate, charge, reserve stock, confirm by e-mail, analyse.

The shop's books are hashes in a Redis database of its own (:data:`tasks.contract.APPLICATION_DATABASE`); payments and e-mails go
through the mock API, whose log is the other book. Nothing guards a step against being done twice: what a queue does once too
often stands in the books. Order ``u`` of a phase is the unit ``u`` of its chains, so every task knows its order by its own
sequence number.
"""

import asyncio
import functools
import json
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import redis
import redis.asyncio
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from tasks import http_work
from tasks.contract import APPLICATION_DATABASE, REDIS_URL_VARIABLE
from tasks.draws import draw
from tasks.workloads import TaskId, Workload

STAGES = ("order_validate", "order_charge", "order_reserve", "order_confirm", "order_analyse")
ITEMS = 10
"""Different things that the shop sells."""
MOST_OF_ONE = 3
"""The largest quantity of an order."""
MOST_CONNECTIONS = 10_000
"""More than there are tasks at once: redis-py's own limit of 100 raises in the task that comes after."""
REDIS_AT_MOST_S = 10.0
"""What a stage may take that asks Redis twice, each time for no longer than redis-py waits for an answer."""

Failure = Literal["", "once", "always"]


@dataclass(frozen=True, slots=True)
class Books:
    """The keys of one phase's books, all hashes: ``orders`` (JSON by order), ``stock`` (pieces by item), ``reserved`` and
    ``analysed`` (how often, by order)."""

    run: int
    phase: int

    def key(self, book: str) -> str:
        """The key of a book."""
        return f"shop:{self.run}-{self.phase}:{book}"

    @property
    def keys(self) -> list[str]:
        """All keys."""
        return [self.key(book) for book in ("orders", "stock", "reserved", "analysed")]


def order_of(unit: int) -> tuple[int, int]:
    """What an order is for: the item and the quantity."""
    return unit % ITEMS, 1 + unit // ITEMS % MOST_OF_ONE


def failure_of(unit: int, once_share: float, always_share: float, seed: int) -> Failure:
    """How the payment of an order is to fail: one draw for each order, so that all variants meet the same failures."""
    drawn = draw(seed, unit)
    if drawn < always_share:
        return "always"
    return "once" if drawn < always_share + once_share else ""


def request_name(stage: str, run: int, phase: int, unit: int) -> str:
    """What the mock API's log calls the request of a stage for an order, at every attempt."""
    return f"{stage}-{run}-{phase}-{unit}"


def _unit(task_id: TaskId) -> int:
    return task_id[2] // len(STAGES)


def _books(task_id: TaskId) -> Books:
    return Books(task_id[0], task_id[1])


def _url() -> str:
    server = os.environ.get(REDIS_URL_VARIABLE)
    if not server:
        raise LookupError(f"{REDIS_URL_VARIABLE} is not set: this task needs the lab's Redis, redis://host:port")
    return f"{server.rstrip('/')}/{APPLICATION_DATABASE}"


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(_url(), max_connections=MOST_CONNECTIONS)


_clients_of_loops = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]()


def _client_of_loop() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    client = _clients_of_loops.get(loop)
    if client is None:
        client = _clients_of_loops[loop] = redis.asyncio.Redis.from_url(_url(), max_connections=MOST_CONNECTIONS)
    return client


def _read(order: bytes | str | None, task_id: TaskId) -> tuple[int, int]:
    if order is None:
        raise LookupError(f"the shop has no order {_unit(task_id)} in phase {task_id[1]} of run {task_id[0]}")
    found = json.loads(order)
    return found["item"], found["quantity"]


def _require_stocked(pieces: bytes | str | None, item: int) -> None:
    if pieces is None:
        raise LookupError(f"the shop does not sell item {item}")


def _validate(_: Any, task_id: TaskId) -> None:
    books, client = _books(task_id), _client()
    item, _quantity = _read(client.hget(books.key("orders"), str(_unit(task_id))), task_id)
    _require_stocked(client.hget(books.key("stock"), str(item)), item)


async def _validate_async(_: Any, task_id: TaskId) -> None:
    books, client = _books(task_id), _client_of_loop()
    item, _quantity = _read(await client.hget(books.key("orders"), str(_unit(task_id))), task_id)
    _require_stocked(await client.hget(books.key("stock"), str(item)), item)


def _reserve(_: Any, task_id: TaskId) -> None:
    books, client = _books(task_id), _client()
    order = _read(client.hget(books.key("orders"), str(_unit(task_id))), task_id)
    with client.pipeline() as transaction:
        _note_reservation(transaction, books, _unit(task_id), order)
        transaction.execute()


async def _reserve_async(_: Any, task_id: TaskId) -> None:
    books, client = _books(task_id), _client_of_loop()
    order = _read(await client.hget(books.key("orders"), str(_unit(task_id))), task_id)
    async with client.pipeline() as transaction:
        _note_reservation(transaction, books, _unit(task_id), order)
        await transaction.execute()


def _note_reservation(transaction: Pipeline | AsyncPipeline, books: Books, unit: int, order: tuple[int, int]) -> None:
    item, quantity = order
    transaction.hincrby(books.key("stock"), str(item), -quantity)
    transaction.hincrby(books.key("reserved"), str(unit), 1)


def _analyse(_: Any, task_id: TaskId) -> None:
    _client().hincrby(_books(task_id).key("analysed"), str(_unit(task_id)), 1)


async def _analyse_async(_: Any, task_id: TaskId) -> None:
    await _client_of_loop().hincrby(_books(task_id).key("analysed"), str(_unit(task_id)), 1)


def _longest_s(_: Any) -> float:
    return REDIS_AT_MOST_S


def _charge_parameters(argument: Mapping[str, float], unit: int) -> http_work.Parameters:
    failure = failure_of(unit, argument["fail_once_share"], argument["fail_always_share"], int(argument["failures_seed"]))
    return {"ms": argument["ms"], "fail": failure} if failure else {"ms": argument["ms"]}


def _confirm_parameters(argument: Mapping[str, float], _: int) -> http_work.Parameters:
    return {"ms": argument["ms"]}


def _request(stage: str, parameters_for: Callable[[Mapping[str, float], int], http_work.Parameters]) -> Workload:
    """A stage that asks the mock API, under the order's name."""

    def blocking(argument: Mapping[str, float], task_id: TaskId) -> None:
        unit = _unit(task_id)
        http_work.get(parameters_for(argument, unit), request_name(stage, task_id[0], task_id[1], unit))

    async def coroutine(argument: Mapping[str, float], task_id: TaskId) -> None:
        unit = _unit(task_id)
        await http_work.get_async(parameters_for(argument, unit), request_name(stage, task_id[0], task_id[1], unit))

    return Workload(blocking, coroutine, longest_s=http_work.longest_s)


ORDER_VALIDATE = Workload(_validate, _validate_async, longest_s=_longest_s)
ORDER_CHARGE: Workload = _request("order_charge", _charge_parameters)
ORDER_RESERVE = Workload(_reserve, _reserve_async, longest_s=_longest_s)
ORDER_CONFIRM: Workload = _request("order_confirm", _confirm_parameters)
ORDER_ANALYSE = Workload(_analyse, _analyse_async, longest_s=_longest_s)
