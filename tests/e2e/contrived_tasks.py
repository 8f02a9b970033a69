"""A framework contrived for the tests, whose variants each do one thing wrong; ``contrived`` does none.

The tests copy this file into a folder of their own, where the lab finds it: nothing of the lab knows of it.
"""

import argparse
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis

import tasks.contract
from tasks.contract import Database, Depth, Shape, Variant, WorkerCommand, WorkerPlan, WorkerRequest, database_url
from tasks.workloads import TaskCall, execute, recorder

DATABASE = Database(purpose="queue", variable="CONTRIVED_REDIS_URL", number=9)
IMPORTS = os.pathsep.join([str(Path(__file__).parent), str(Path(tasks.contract.__file__).parents[1])])
WARMUP_PHASE = 0
LAST_TASK = 50
ELSEWHERE_FILE = "elsewhere.txt"
STRAYING_FILE = "straying.txt"
MISSING_MODULE = "made_of_nothing"


def loses(sequence: int) -> bool:
    """One task in a hundred."""
    return sequence % 100 == 99


def doubles(sequence: int) -> bool:
    """One task in fifty, and none of those that are lost."""
    return sequence % 50 == 25


def run(call: TaskCall) -> None:
    """As it should be."""
    execute(*call)


def lose_and_double(call: TaskCall) -> None:
    """Run some tasks not at all and some twice."""
    if call[1] != WARMUP_PHASE and loses(call[2]):
        return
    execute(*call)
    if call[1] != WARMUP_PHASE and doubles(call[2]):
        execute(*call)


def drop(call: TaskCall) -> None:
    """Run none."""


def drop_when_warm(call: TaskCall) -> None:
    """Run none but those of the warm-up."""
    if call[1] == WARMUP_PHASE:
        execute(*call)


executed: list[int] = []


def die_on_the_way(call: TaskCall) -> None:
    """End the process after a few tasks."""
    execute(*call)
    if call[1] != WARMUP_PHASE:
        executed.append(call[2])
    if len(executed) == LAST_TASK:
        print("out of cheese", flush=True)
        os._exit(7)


def hang_when_warm(call: TaskCall) -> None:
    """Begin a task and never end it, nor the process."""
    if call[1] != WARMUP_PHASE:
        recorder.started(*call[:4])
        print("waiting for the end of time", flush=True)
        threading.Event().wait()
    execute(*call)


def abandon_when_warm(call: TaskCall) -> None:
    """Begin a task and forget it."""
    if call[1] == WARMUP_PHASE:
        execute(*call)
    else:
        recorder.started(*call[:4])


outside: list[socket.socket] = []


def report_elsewhere(call: TaskCall) -> None:
    """As it should be, with a connection to where a file beside this one says."""
    if not outside:
        host, port = Path(__file__).with_name(ELSEWHERE_FILE).read_text().split()
        outside.append(socket.create_connection((host, int(port))))
    execute(*call)


def strays(call: TaskCall) -> bool:
    """Whether a straying variant sends this task past the lab: one of a hundred."""
    return call[1] != WARMUP_PHASE and call[2] % 100 == 99


def elsewhere() -> redis.Redis:
    """The server that a file beside this one names."""
    return redis.Redis.from_url(Path(__file__).with_name(STRAYING_FILE).read_text())


BEHAVIOURS: dict[str, Callable[[TaskCall], None]] = {
    "contrived": run,
    "contrived-lossy": lose_and_double,
    "contrived-dropping": drop,
    "contrived-late-dropping": drop_when_warm,
    "contrived-dying": die_on_the_way,
    "contrived-hanging": hang_when_warm,
    "contrived-hasty": run,
    "contrived-early": run,
    "contrived-abandoning": abandon_when_warm,
    "contrived-cold": run,
    "contrived-reporting": report_elsewhere,
    "contrived-straying": run,
}
COLD = "contrived-cold"
"""Its producer has much to do when many tasks are enqueued at once for the first time."""
COLD_S = 0.5
EARLY = ("contrived-early", "contrived-abandoning")
"""Acknowledge a task before they run it: while it runs, it is nowhere in Redis."""
STRAYING = "contrived-straying"
"""Sends some tasks to another server, from where its worker takes them; no connection to it outlasts a task."""
HASTY = "contrived-hasty"
"""Ends on SIGTERM at once, with its task in hand."""
UNSTARTABLE = "contrived-unstartable"


def connect() -> redis.Redis:
    """A client whose blocking commands may block for as long as they ask to."""
    return redis.Redis.from_url(database_url(DATABASE), socket_timeout=None)


def claimed_of(queue: str) -> str:
    """The list of what is taken and not finished."""
    return f"{queue}:claimed"


class ContrivedProducer:
    """Pushes tasks on a list."""

    def __init__(self, cold_s: float) -> None:
        self._cold_s = cold_s
        self._client = connect()
        self._client.ping()

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """Push one task."""
        self._client.lpush(queue, json.dumps(call))

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Push all tasks with one command."""
        warm_s = time.process_time() + self._cold_s
        while time.process_time() < warm_s:
            pass
        self._cold_s = 0
        self._client.lpush(queue, *map(json.dumps, calls))
        return [None] * len(calls)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class StrayingProducer(ContrivedProducer):
    """Pushes some of the tasks on a list of another server."""

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """Push one task."""
        if not strays(call):
            return super().enqueue(queue, call)
        with elsewhere() as other:
            other.lpush(queue, json.dumps(call))

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Push each."""
        for call in calls:
            self.enqueue(queue, call)
        return [None] * len(calls)


class ContrivedFramework:
    """See :class:`tasks.contract.Framework`."""

    name = "contrived"
    variants = tuple(Variant(name, "main-thread", name) for name in (*BEHAVIOURS, UNSTARTABLE))
    databases = (DATABASE,)
    packages = ("redis",)
    puts = ("lpush",)
    loop_factory = None

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """One task at a time in every process."""
        shape = Shape(request.processes, 1)
        arguments = ("-m", Path(__file__).stem, "--variant", request.variant, "--queues", *request.queues)
        if request.variant == UNSTARTABLE:
            arguments = ("-c", f"import {MISSING_MODULE}")
        return WorkerPlan(
            commands=(WorkerCommand(arguments, {"PYTHONPATH": IMPORTS}),) * shape.processes,
            shape=shape,
            working_processes=1,
            guarantee="at-least-once",
            settings={},
        )

    def producer(self, variant: str) -> ContrivedProducer:
        """A connected producer."""
        if variant == STRAYING:
            return StrayingProducer(0)
        return ContrivedProducer(COLD_S if variant == COLD else 0)

    def purge(self, queues: Sequence[str]) -> None:
        """Delete the lists."""
        with connect() as client:
            client.delete(*queues, *map(claimed_of, queues))

    def depth(self, queue: str) -> Depth:
        """Two LLEN."""
        with connect() as client:
            return Depth(waiting=client.llen(queue), claimed=client.llen(claimed_of(queue)), delayed=0)


FRAMEWORK = ContrivedFramework()


def main() -> None:
    """Run a worker process until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", required=True)
    parser.add_argument("--queues", nargs=1, required=True)
    options = parser.parse_args()
    behave, queue = BEHAVIOURS[options.variant], options.queues[0]
    stopping = threading.Event()
    if options.variant != HASTY:
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    client: Any = connect()
    while not stopping.is_set():
        if options.variant == STRAYING:
            with elsewhere() as other:
                while strayed := other.rpop(queue):
                    run(tuple(json.loads(strayed)))
        item = client.blmove(queue, claimed_of(queue), 0.05 if options.variant == STRAYING else 0.5, "RIGHT", "LEFT")
        if item is not None:
            if options.variant in EARLY:
                client.lrem(claimed_of(queue), 1, item)
            behave(tuple(json.loads(item)))
            client.lrem(claimed_of(queue), 1, item)


if __name__ == "__main__":
    main()
