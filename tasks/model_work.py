# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False
"""An order with its lines, by SQLAlchemy on SQLite, and tasks that are handed it as a model, as a dictionary or as its id.

Producer and worker have no file in common: each side makes the same order from the same seed. The producer's database is in
memory and only there to read the order from; the worker's is a file beside its event log, made anew by ``model_reset``. The order
is changed (``model_change``) on the worker's side only, after the producer has read it.

What is written down about each task that was to see the order goes to a list in Redis (``tasks.model_ledger``).
"""

import functools
import json
import os
import random
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Engine, ForeignKey, NullPool, create_engine, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tasks.contract import APPLICATION_DATABASE, MODEL_SESSIONS_VARIABLE, REDIS_URL_VARIABLE
from tasks.events import EVENTS_DIR_VARIABLE
from tasks.model_ledger import orders_seen_key
from tasks.workloads import TaskId, Workload

ORDER_ID = 1
FIRST_VERSION = 1
DATABASE_FILE = "orders.sqlite"
LOCKED_AT_MOST_S = 5.0
"""How long Python's sqlite3 waits for a database that another connection has locked."""


class Base(DeclarativeBase):
    """What all models have in common."""


class Order(Base):
    """An order. ``version`` counts up with every change of the row."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    email: Mapped[str]
    street: Mapped[str]
    city: Mapped[str]
    status: Mapped[str]
    note: Mapped[str]
    version: Mapped[int]
    lines: Mapped[list["OrderLine"]] = relationship(lazy="selectin", order_by="OrderLine.id")


class OrderLine(Base):
    """One article of an order."""

    __tablename__ = "order_lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    article: Mapped[str]
    description: Mapped[str]
    quantity: Mapped[int]
    price_cents: Mapped[int]


def made_order(lines: int, seed: int) -> Order:
    """The order that a seed makes, not in any database yet."""
    draw = random.Random(f"order/{lines}/{seed}")
    return Order(
        id=ORDER_ID,
        customer=f"Customer {draw.randrange(10**6)}",
        email=f"customer{draw.randrange(10**6)}@example.org",
        street=f"{draw.randrange(1, 200)} Example Street",
        city="Sampleton",
        status="new",
        note="Please leave the parcel with the neighbours.",
        version=FIRST_VERSION,
        lines=[
            OrderLine(
                id=number,
                article=f"A-{draw.randrange(10**6):06d}",
                description=f"Article number {number} in colour {draw.randrange(100)}",
                quantity=draw.randrange(1, 10),
                price_cents=draw.randrange(100, 50_000),
            )
            for number in range(1, lines + 1)
        ],
    )


def as_dict(order: Order) -> dict[str, Any]:
    """All that the order and its lines hold, as one writes it by hand."""
    return {**_columns(order), "lines": [_columns(line) for line in order.lines]}


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _fill(engine: Engine, lines: int, seed: int) -> None:
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(made_order(lines, seed))
        session.commit()


def _prepare(order: dict[str, Any]) -> dict[str, Any]:
    """The order as the producer's application hands it over: read from its database."""
    engine = create_engine("sqlite://")
    _fill(engine, order["lines"], order["seed"])
    with Session(engine) as session:
        read = session.get_one(Order, ORDER_ID)
        session.expunge_all()
    engine.dispose()
    handed: dict[str, Any] = {"model": read, "dict": as_dict(read), "id": ORDER_ID}
    return {**order, "order": handed[order["way"]]}


def _database_path() -> Path:
    return Path(os.environ[EVENTS_DIR_VARIABLE]) / DATABASE_FILE


@functools.cache
def _engine() -> Engine:
    """This process's way to the worker's database. Without a pool: no connection may outlive a fork."""
    return create_engine(f"sqlite:///{_database_path()}", poolclass=NullPool)


def _offer_sessions() -> None:
    """Give the sessions to a framework that fetches models by itself, under the name that it looks for."""
    if attribute := os.environ.get(MODEL_SESSIONS_VARIABLE):
        engine = create_async_engine(f"sqlite+aiosqlite:///{_database_path()}", poolclass=NullPool)
        setattr(Base, attribute, async_sessionmaker(engine, expire_on_commit=False))


_offer_sessions()


def _arrived(argument: dict[str, Any]) -> dict[str, Any]:
    """The order as the task sees it. Raises ValueError when it is not whole."""
    if argument["way"] == "id":
        with Session(_engine()) as session:
            seen = as_dict(session.get_one(Order, argument["order"]))
    else:
        seen = argument["order"] if argument["way"] == "dict" else as_dict(argument["order"])
    if seen["lines"] != _expected_lines(argument["lines"], argument["seed"]):
        raise ValueError(f"order {seen['id']} handed over as {argument['way']} has not the lines that it was sent with")
    return seen


@functools.cache
def _expected_lines(lines: int, seed: int) -> list[dict[str, Any]]:
    return [{**_columns(line), "order_id": ORDER_ID} for line in made_order(lines, seed).lines]


def _read(argument: dict[str, Any], _: TaskId) -> None:
    _arrived(argument)


def _read_and_tell(argument: dict[str, Any], task_id: TaskId) -> None:
    """Look at the order, then at its row as it is now, and write down what was seen."""
    seen = _arrived(argument)
    with Session(_engine()) as session:
        row_version = session.scalar(select(Order.version).where(Order.id == ORDER_ID))
    run, phase, sequence, _ = task_id
    entry = {
        "sequence": sequence,
        "way": argument["way"],
        "sent_version": FIRST_VERSION,
        "seen_version": seen["version"],
        "row_version": row_version,
    }
    _ledger().rpush(orders_seen_key(run, phase), json.dumps(entry))


@functools.cache
def _ledger() -> redis.Redis:
    return redis.Redis.from_url(f"{os.environ[REDIS_URL_VARIABLE].rstrip('/')}/{APPLICATION_DATABASE}")


def _reset(argument: dict[str, Any], _: TaskId) -> None:
    _fill(_engine(), argument["lines"], argument["seed"])


def _change(_: Any, __: TaskId) -> None:
    with Session(_engine()) as session:
        session.execute(update(Order).where(Order.id == ORDER_ID).values(version=Order.version + 1, status="paid"))
        session.commit()


def _longest_s(_: Any) -> float:
    return LOCKED_AT_MOST_S


MODEL = Workload(_read, prepare=_prepare, longest_s=_longest_s)
MODEL_SEEN = Workload(_read_and_tell, prepare=_prepare, longest_s=_longest_s)
MODEL_RESET = Workload(_reset, longest_s=_longest_s)
MODEL_CHANGE = Workload(_change, longest_s=_longest_s)
