"""The control: a bare Redis list worker, the least that a queue over Redis can cost.

A producer pushes JSON on a list (LPUSH); a worker moves one item to a claimed list (BLMOVE), runs it and removes it (LREM). A
task whose worker was killed stays in the claimed list, so nothing is lost; nothing returns it by itself either.

A chain's message holds all the tasks that are still to come. When a worker has run the first of them, one transaction takes the
message from the claimed list and pushes that of the rest; or, when it is to be tried again, puts it into a sorted set by the
time when it is due, from which workers move it back.
"""

import argparse
import base64
import functools
import json
import logging
import signal
import threading
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis

from tasks.contract import (
    Database,
    Depth,
    Variant,
    WebPart,
    WorkerCommand,
    WorkerPlan,
    WorkerRequest,
    database_url,
)
from tasks.events import Streamed
from tasks.streaming import EVENTS_VARIABLE, Received, emits_events, identity_key, listen
from tasks.workloads import TaskCall, execute, recorder

DATABASE = Database(purpose="queue", variable="FLOOR_REDIS_URL", number=3)
SERIALIZER = "json"
CONTROL = Variant(
    "floor",
    "main-thread",
    "bare Redis list: BLMOVE, run, LREM",
    control=True,
    serializers=(SERIALIZER,),
    tuned_concurrency=1,
    tuned_pages=("docs/methodology.md",),
)
BYTES_MARK = "__bytes__"
POLL_S = 0.5
LANES_POLL_S = 0.01
"""How often all of several queues are asked again when all were empty."""
WAIT_LIMIT_S = 30.0
REPLY_KEPT_S = 60
DUE_POLL_S = 0.05
"""How often a process looks for tasks that are due to be tried again."""
MOVE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
for _, message in ipairs(due) do
    redis.call('ZREM', KEYS[1], message)
    redis.call('LPUSH', KEYS[2], message)
end
"""

EVENTS_CHANNEL = "floor:events"

logger = logging.getLogger(__name__)


def _claimed(queue: str) -> str:
    return f"{queue}:claimed"


def _delayed(queue: str) -> str:
    return f"{queue}:delayed"


def _packed(value: object) -> dict[str, str]:
    """What stands for bytes in JSON."""
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} cannot be sent in JSON")
    return {BYTES_MARK: base64.b64encode(value).decode()}


def _unpacked(data: dict[str, Any]) -> Any:
    return base64.b64decode(data[BYTES_MARK]) if data.keys() == {BYTES_MARK} else data


_encode = json.JSONEncoder(separators=(",", ":"), default=_packed).encode
_decode = json.JSONDecoder(object_hook=_unpacked).decode


def connect() -> redis.Redis:
    """A client of the framework's database, whose blocking commands may block for as long as they ask to."""
    return redis.Redis.from_url(database_url(DATABASE), socket_timeout=None)


class FloorProducer:
    """Pushes tasks with one LPUSH each, or one LPUSH for many."""

    def __init__(self) -> None:
        self._client = connect()
        self._client.ping()

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """Push one task."""
        self._client.lpush(queue, _encode(call))

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Push all tasks with one command."""
        try:
            self._client.lpush(queue, *map(_encode, calls))
        except redis.RedisError as error:
            return [error] * len(calls)
        return [None] * len(calls)

    def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """Push the message of a whole chain."""
        self._client.lpush(queue, _encode({"calls": calls, "attempt": 1, "attempts": attempts, "backoff_s": backoff_s}))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class FloorWeb:
    """Pushes tasks from an application's event loop. A message that names a list to reply on is waited for there."""

    def __init__(self) -> None:
        self._client: Any = None

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Connected."""
        self._client = redis.asyncio.Redis.from_url(database_url(DATABASE), socket_timeout=None)
        try:
            await self._client.ping()
            yield
        finally:
            await self._client.aclose()

    async def dispatch(self, queue: str, call: TaskCall) -> None:
        """Push one task."""
        await self._client.lpush(queue, _encode(call))

    async def wait(self, queue: str, call: TaskCall) -> None:
        """Push one task and wait for its reply. Raises TimeoutError where none comes, and RuntimeError where the task failed."""
        reply = f"{queue}:reply:{uuid.uuid4()}"
        await self._client.lpush(queue, _encode({"call": call, "reply": reply}))
        answer = await self._client.blpop([reply], timeout=WAIT_LIMIT_S)
        if answer is None:
            raise TimeoutError(f"no reply to task {call[2]} within {WAIT_LIMIT_S:.0f} s")
        if answer[1]:
            raise RuntimeError(f"task {call[2]} failed: {answer[1].decode()}")


class FloorMessageReader:
    """Decodes as a worker does."""

    def __init__(self) -> None:
        self._client = connect()

    def take(self, queue: str) -> bytes:
        """RPOP; LookupError where the list is empty."""
        message: Any = self._client.rpop(queue)
        if message is None:
            raise LookupError(f"no message waits in {queue}")
        return bytes(message)

    def decode(self, message: bytes) -> TaskCall:
        """JSON."""
        call: TaskCall = _decode(message.decode())
        return call


def _require_serializer(serializer: str) -> None:
    if serializer != SERIALIZER:
        raise ValueError(f"no serializer {serializer!r}: there is {SERIALIZER}")


class FloorFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "floor"
    variants = (CONTROL,)
    databases = (DATABASE,)
    packages = ("redis", "hiredis")
    puts = ("lpush",)
    loop_factory = None

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One command for each process, in which there is a thread for every task at once."""
        shape = CONTROL.shape(request.processes, request.concurrency)
        command = WorkerCommand(
            ("-m", "tasks.floor_tasks", "--concurrency", str(shape.concurrency), "--queues", *request.queues),
            {EVENTS_VARIABLE: "on"} if request.events else {},
        )
        return WorkerPlan(
            commands=(command,) * shape.processes,
            shape=shape,
            working_processes=shape.processes,
            guarantee="at-least-once",
            settings={
                **({"documentation": CONTROL.tuned_pages} if request.track == "tuned" else {}),
                "claim": "BLMOVE",
                "acknowledge": "LREM",
                "poll_s": POLL_S,
                "protocol": "json",
                "chains": "the rest is pushed when a task has ended; one to be tried again waits in a sorted set",
                "due_poll_s": DUE_POLL_S,
                "events": "one PUBLISH each of started and finished" if request.events else "off",
            },
        )

    def producer(self, variant: str) -> FloorProducer:
        """A connected producer."""
        return FloorProducer()

    def serializing_producer(self, variant: str, serializer: str) -> FloorProducer:
        """The same: there is one serializer."""
        _require_serializer(serializer)
        return FloorProducer()

    def message_reader(self, variant: str, serializer: str) -> "FloorMessageReader":
        """What reads the messages of such a producer."""
        _require_serializer(serializer)
        return FloorMessageReader()

    def web_part(self, variant: str) -> WebPart:
        """A client on the application's event loop, connected in its lifespan."""
        web = FloorWeb()
        return WebPart(dispatch=web.dispatch, wait=web.wait, lifespan=web.lifespan)

    def event_stream(self, received: Received) -> None:
        """Redis Pub/Sub."""
        with connect() as client:
            for message in listen(client, EVENTS_CHANNEL):
                if message is None:
                    received(Streamed.NOTHING, "", 0.0)
                else:
                    event = json.loads(message)
                    received(Streamed[event["event"]], event["task"], event["at"])

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the lists."""
        with connect() as client:
            client.delete(*queues, *map(_claimed, queues), *map(_delayed, queues))

    def depth(self, queue: str) -> Depth:
        """Two LLEN and a ZCARD, at one moment: a task moves between the three."""
        with connect() as client, client.pipeline() as pipeline:
            pipeline.llen(queue).llen(_claimed(queue)).zcard(_delayed(queue))
            waiting, claimed, delayed = pipeline.execute()
        return Depth(waiting=waiting, claimed=claimed, delayed=delayed)


FRAMEWORK = FloorFramework()


def work(queues: Sequence[str], stopping: threading.Event) -> None:
    """Take and run tasks until asked to stop."""
    client: Any = connect()
    run = _run_and_tell if emits_events() else _run
    while not stopping.is_set():
        queue, item = _claim(client, queues)
        if item is not None:
            message = _decode(item.decode())
            if isinstance(message, dict):
                if "reply" in message:
                    _run_and_reply(client, queue, item, message)
                else:
                    _return_due_tasks(queue, stopping)
                    _run_link(client, queue, item, message)
                continue
            try:
                run(client, message)
            except Exception:
                logger.exception("a task failed")
            client.lrem(_claimed(queue), 1, item)
    client.close()


def _run(_: Any, call: TaskCall) -> None:
    execute(*call)


def _run_and_tell(client: Any, call: TaskCall) -> None:
    """Run a task, and publish its start and its end."""
    name = "-".join(map(str, call[:3]))
    _publish(client, Streamed.STARTED, name)
    try:
        execute(*call, identity=identity_key(name))
    finally:
        _publish(client, Streamed.FINISHED, name)


def _publish(client: Any, what: Streamed, name: str) -> None:
    began_ns = time.monotonic_ns()
    client.publish(EVENTS_CHANNEL, json.dumps({"event": what.name, "task": name, "at": time.time()}))
    recorder.emitted(began_ns)


def _run_and_reply(client: Any, queue: str, item: bytes, message: dict[str, Any]) -> None:
    """Run a task that is waited for, and tell how it ended."""
    outcome = ""
    try:
        execute(*message["call"])
    except Exception as error:
        logger.exception("a task failed")
        outcome = repr(error)
    with client.pipeline() as transaction:
        transaction.lpush(message["reply"], outcome).expire(message["reply"], REPLY_KEPT_S)
        transaction.lrem(_claimed(queue), 1, item)
        transaction.execute()


def _run_link(client: Any, queue: str, item: bytes, chain: dict[str, Any]) -> None:
    """Run the first task of a chain, and put what is to come after it where it belongs."""
    calls, attempt, attempts = chain["calls"], chain["attempt"], chain["attempts"]
    first: TaskCall = calls[0]
    with client.pipeline() as transaction:
        try:
            execute(*first, attempt, attempts, len(calls) - 1)
        except Exception:
            logger.exception("a task of a chain failed")
            if attempt < attempts:
                again = _encode({**chain, "attempt": attempt + 1})
                transaction.zadd(_delayed(queue), {again: time.time() + chain["backoff_s"]})
        else:
            if calls[1:]:
                transaction.lpush(queue, _encode({**chain, "calls": calls[1:], "attempt": 1}))
        transaction.lrem(_claimed(queue), 1, item)
        transaction.execute()


@functools.cache
def _return_due_tasks(queue: str, stopping: threading.Event) -> None:
    """Have this process move back what is due, from its first chain on: who has none does not pay for it."""
    threading.Thread(target=_move_due, args=(queue, stopping)).start()


def _move_due(queue: str, stopping: threading.Event) -> None:
    client = connect()
    move = client.register_script(MOVE_DUE)
    while not stopping.wait(DUE_POLL_S):
        move(keys=[_delayed(queue), queue], args=[time.time()])
    client.close()


def _claim(client: Any, queues: Sequence[str]) -> tuple[str, bytes | None]:
    """The next task of the first queue that has one. No command of Redis waits for several lists and moves what it takes: with
    several queues each is asked in order, and when all are empty the first is waited for, for a short time."""
    if len(queues) > 1:
        for queue in queues:
            if (item := client.lmove(queue, _claimed(queue), "RIGHT", "LEFT")) is not None:
                return queue, item
    first, wait_s = queues[0], POLL_S if len(queues) == 1 else LANES_POLL_S
    return first, client.blmove(first, _claimed(first), wait_s, "RIGHT", "LEFT")


def main() -> None:
    """Run a worker process until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--queues", nargs="+", required=True)
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threads = [threading.Thread(target=work, args=(options.queues, stopping)) for _ in range(options.concurrency - 1)]
    for thread in threads:
        thread.start()
    work(options.queues, stopping)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
