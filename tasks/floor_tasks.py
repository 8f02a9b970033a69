"""The control: a bare Redis list worker, the least that a queue over Redis can cost.

A producer pushes JSON on a list (LPUSH); a worker moves one item to a claimed list (BLMOVE), runs it and removes it (LREM). A
task whose worker was killed stays in the claimed list, so nothing is lost; nothing returns it by itself either.
"""

import argparse
import json
import logging
import signal
import threading
from collections.abc import Sequence
from typing import Any

import redis

from tasks.contract import Database, Depth, Variant, WorkerCommand, WorkerPlan, WorkerRequest, database_url, spread
from tasks.workloads import TaskCall, execute

DATABASE = Database(purpose="queue", variable="FLOOR_REDIS_URL", number=3)
POLL_S = 0.5

logger = logging.getLogger(__name__)


def _claimed(queue: str) -> str:
    return f"{queue}:claimed"


def _encode(call: TaskCall) -> str:
    return json.dumps(call, separators=(",", ":"))


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

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class FloorFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "floor"
    variants = (Variant("floor", "main-thread", "bare Redis list: BLMOVE, run, LREM", control=True),)
    databases = (DATABASE,)
    packages = ("redis", "hiredis")
    loop_factory = None

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One process for each, one thread for every slot beyond the first."""
        shape = spread(request.processes, request.slots)
        command = WorkerCommand(
            ("-m", "tasks.floor_tasks", "--slots", str(shape.slots // shape.processes), "--queues", *request.queues)
        )
        return WorkerPlan(
            commands=(command,) * shape.processes,
            shape=shape,
            working_processes=shape.processes,
            guarantee="at-least-once",
            settings={"claim": "BLMOVE", "acknowledge": "LREM", "poll_s": POLL_S, "protocol": "json"},
        )

    def producer(self, variant: str) -> FloorProducer:
        """A connected producer."""
        return FloorProducer()

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the lists."""
        with connect() as client:
            client.delete(*queues, *map(_claimed, queues))

    def depth(self, queue: str) -> Depth:
        """Two LLEN."""
        with connect() as client:
            waiting, claimed = client.llen(queue), client.llen(_claimed(queue))
        return Depth(waiting=waiting, claimed=claimed, delayed=0)


FRAMEWORK = FloorFramework()


def work(queues: Sequence[str], stopping: threading.Event) -> None:
    """Take and run tasks until asked to stop. With several queues each is asked in turn."""
    client: Any = connect()
    timeout_s = POLL_S / len(queues)
    while not stopping.is_set():
        for queue in queues:
            item = client.blmove(queue, _claimed(queue), timeout_s, "RIGHT", "LEFT")
            if item is not None:
                try:
                    execute(*json.loads(item))
                except Exception:
                    logger.exception("a task failed")
                client.lrem(_claimed(queue), 1, item)
    client.close()


def main() -> None:
    """Run a worker process until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--queues", nargs="+", required=True)
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threads = [threading.Thread(target=work, args=(options.queues, stopping)) for _ in range(options.slots - 1)]
    for thread in threads:
        thread.start()
    work(options.queues, stopping)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
