"""A Redis, a small framework with variants that behave well or badly, and agents around it."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from tests.support import CHECKOUT, is_alive

FRAMEWORK = "tiny"
QUEUE = "lab"
LIMIT_S = 30.0

FRAMEWORK_SOURCE = """
import json
import os
from dataclasses import dataclass
from pathlib import Path

import redis

import tasks.contract
from tasks.contract import Database, Depth, Variant, WorkerCommand, WorkerPlan, database_url, Shape

DATABASE = Database("queue", "TINY_REDIS_URL", 3)
PATHS = os.pathsep.join([str(Path(__file__).parent), str(Path(tasks.contract.__file__).parents[1])])


class Sender:
    def __init__(self):
        self.client = redis.Redis.from_url(database_url(DATABASE))

    def enqueue(self, queue, call):
        self.client.lpush(queue, json.dumps(call))

    def enqueue_many(self, queue, calls):
        self.client.lpush(queue, *map(json.dumps, calls))
        return [None] * len(calls)

    def close(self):
        self.client.close()


class Tiny:
    name = "tiny"
    variants = tuple(
        Variant(name, "child-process", name) for name in ("tiny", "tiny-deaf", "tiny-broken", "tiny-leaving", "tiny-semaphore")
    )
    databases = (DATABASE,)
    packages = ("redis",)
    puts = ("lpush",)
    loop_factory = None

    def worker_plan(self, request):
        if request.concurrency > 100:
            raise ValueError("concurrency: at most 100")
        shape = Shape(request.processes, request.concurrency)
        command = WorkerCommand(
            ("-m", "tiny_worker", request.variant, str(shape.processes), ",".join(request.queues)), {"PYTHONPATH": PATHS}
        )
        return WorkerPlan((command,), shape, 1, "at-most-once", {"track": request.track})

    def producer(self, variant):
        return Sender()

    def purge(self, queues):
        Sender().client.delete(*queues)

    def depth(self, queue):
        if queue == "crash":
            os.abort()
        return Depth(Sender().client.llen(queue), 0, 0)


FRAMEWORK = Tiny()
"""

WORKER_SOURCE = """
import json
import multiprocessing
import os
import signal
import sys

import redis

from tasks.contract import database_url
from tasks.workloads import execute
from tiny_tasks import DATABASE

variant, processes, queues = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")


def work():
    signal.signal(signal.SIGTERM, signal.SIG_IGN if variant == "tiny-deaf" else lambda *_: os._exit(0))
    client = redis.Redis.from_url(database_url(DATABASE), socket_timeout=None)
    while True:
        item = client.brpop(queues, 1)
        if item is not None:
            try:
                execute(*json.loads(item[1]))
            except RuntimeError:
                pass


def spawn():
    child = os.fork()
    if child == 0:
        if variant == "tiny-deaf":
            os.setsid()
        work()
    return child


if variant == "tiny-broken":
    print("out of cheese", flush=True)
    sys.exit(3)
if variant == "tiny-semaphore":
    semaphore = multiprocessing.get_context("spawn").Semaphore()
    print("semaphore", semaphore._semlock.name, flush=True)
children = [spawn() for _ in range(processes)]
connected = redis.Redis.from_url(database_url(DATABASE))
connected.ping()
print("ready", flush=True)
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
while not told:
    signal.pause()
if variant == "tiny":
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)
"""
"""A root that forks its workers. ``tiny-deaf``: they leave its session and ignore SIGTERM; ``tiny-leaving``: the root ends
without telling them; ``tiny-broken``: ends by itself at once; ``tiny-semaphore``: holds a named semaphore."""


def until[T](look: Callable[[], T | Literal[False] | None], what: str) -> T:
    """What ``look`` returns, once it is true."""
    deadline_s = time.monotonic() + LIMIT_S
    while not (seen := look()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"waited {LIMIT_S} s in vain for {what}")
        time.sleep(0.02)
    return seen


def alive(pids: Iterable[int]) -> list[int]:
    """Those of these processes that still run."""
    return [pid for pid in pids if is_alive(pid)]


def statuses(pids: tuple[int, ...]) -> set[str]:
    return {str(psutil.Process(pid).status()) for pid in pids}


def write_framework(folder: Path) -> Path:
    """The folder for LAB_FRAMEWORKS_PATH."""
    (folder / "tiny_tasks.py").write_text(FRAMEWORK_SOURCE)
    (folder / "tiny_worker.py").write_text(WORKER_SOURCE)
    return folder


@dataclass(frozen=True, slots=True)
class Agent:
    process: subprocess.Popen[bytes]
    client: NodeClient
    token: str
    events_dir: Path

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S)


def agent_environment(folder: Path, frameworks: Path, redis_url: str, token: str, **settings: str) -> dict[str, str]:
    """The environment of an agent whose files are in ``folder``."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("LAB_")},
        "PYTHONPATH": str(CHECKOUT),
        "LAB_FRAMEWORK": FRAMEWORK,
        "LAB_FRAMEWORK_PYTHON": sys.executable,
        "LAB_FRAMEWORKS_PATH": str(frameworks),
        "LAB_TOKEN": token,
        "LAB_EVENTS_DIR": str(folder / "events"),
        "LAB_REDIS_URL": redis_url,
        "LAB_AGENT_PORT": "0",
        "LAB_AGENT_PORT_FILE": str(folder / "port"),
        **settings,
    }


def client_of(folder: Path, token: str) -> NodeClient:
    """A client for the agent that writes its port into ``folder``, once it answers."""
    port = until(lambda: (folder / "port").exists() and (folder / "port").read_text(), "the agent's port")
    client = NodeClient(f"http://127.0.0.1:{port}", token)
    until(lambda: _is_up(client), "the agent")
    return client


def _is_up(client: NodeClient) -> bool:
    with contextlib.suppress(NodeError):
        client.health()
        return True
    return False


@contextlib.contextmanager
def agent(folder: Path, frameworks: Path, redis_url: str, settings: Mapping[str, str]) -> Iterator[Agent]:
    """A running agent."""
    token = secrets.token_hex(16)
    environment = agent_environment(folder, frameworks, redis_url, token, **settings)
    process = subprocess.Popen([sys.executable, "-m", "infrastructure.agent"], env=environment, cwd=CHECKOUT)
    try:
        with client_of(folder, token) as client:
            yield Agent(process, client, token, folder / "events")
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(LIMIT_S)
