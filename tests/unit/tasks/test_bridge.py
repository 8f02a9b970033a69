"""The bridge into a framework's environment, with a framework of the test's own from a folder of its own."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from benchmarks.run.redis_server import RedisServer
from tasks.contract import without_credentials
from tasks.events import Kind
from tasks.loads import only
from tasks.redis_traffic import RedisTraffic
from tests.support import PATIENCE_S, child_environment, environment_python, events_in

pytestmark = pytest.mark.e2e

FRAMEWORK = '''
"""A bare Redis list, which talks all the time."""
import json
import os
import subprocess

import redis
import redis.asyncio

from tasks.contract import Database, Depth, Variant, WorkerCommand, WorkerPlan, database_url, Shape

DATABASE = Database("queue", "BARE_REDIS_URL", 7)
print("imported")


class Blocking:
    def __init__(self):
        self.client = redis.Redis.from_url(database_url(DATABASE))
        self.client.ping()

    def enqueue(self, queue, call):
        print("a line", call)
        self.client.lpush(queue, json.dumps(call))

    def enqueue_many(self, queue, calls):
        os.write(1, b"bytes")
        self.client.lpush(queue, *map(json.dumps, calls))
        return [None] * len(calls)

    def close(self):
        self.client.close()


class Async:
    def __init__(self):
        self.client = redis.asyncio.Redis.from_url(database_url(DATABASE))

    async def enqueue(self, queue, call):
        print("a line", call)
        await self.client.lpush(queue, json.dumps(call))

    async def enqueue_many(self, queue, calls):
        await self.client.lpush(queue, *map(json.dumps, calls))
        return [None] * len(calls)

    async def close(self):
        await self.client.aclose()


class Bare:
    name = "bare"
    variants = (Variant("bare", "main-thread", "blocking"), Variant("bare-async", "coroutine", "on a loop"))
    databases = (DATABASE,)
    packages = ("redis",)
    puts = ("lpush",)
    loop_factory = None

    def worker_plan(self, request):
        subprocess.run(["echo", "a child's line"], check=True)
        if request.variant not in ("bare", "bare-async"):
            raise ValueError(f"no variant {request.variant!r}")
        shape = Shape(request.processes, request.concurrency)
        command = WorkerCommand(("-m", "bare_tasks", *request.queues), {"SLOTS": str(shape.slots)})
        settings = {"track": request.track, "odd": object()} if request.track == "tuned" else {"track": request.track}
        return WorkerPlan((command,) * shape.processes, shape, shape.processes, "at-most-once", settings)

    def producer(self, variant):
        if variant == "broken":
            raise ConnectionError("nobody there")
        return Async() if variant == "bare-async" else Blocking()

    def purge(self, queues):
        print("purging")
        Blocking().client.delete(*queues)

    def depth(self, queue):
        return Depth(waiting=Blocking().client.llen(queue), claimed=0, delayed=0)


FRAMEWORK = Bare()
'''


class BridgeProcess:
    """A running bridge: one line to it, one line from it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.cost: RedisTraffic | None = None
        """What the last answer said that it had cost Redis."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """An answer, without what it cost Redis."""
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.cost = RedisTraffic(**answer.pop("redis")) if "redis" in answer else None
        return answer

    def ask(self, op: str, **order: Any) -> dict[str, Any]:
        self.tell(json.dumps({"op": op, **order}))
        return self.hear()


@pytest.fixture
def bridge(tmp_path: Path, redis_url: str, events_dir: Path) -> Iterator[BridgeProcess]:
    folder = tmp_path / "frameworks"
    folder.mkdir()
    (folder / "bare_tasks.py").write_text(FRAMEWORK)
    process = subprocess.Popen(
        [str(environment_python("base")), "-m", "tasks.bridge", "bare"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(LAB_FRAMEWORKS_PATH=str(folder), LAB_REDIS_URL=redis_url, LAB_EVENTS_DIR=str(events_dir)),
    )
    with redis.Redis.from_url(redis_url, db=7) as client, BridgeProcess(process) as running:
        client.flushdb()
        yield running


def _order(variant: str, count: int, **changes: Any) -> dict[str, Any]:
    load = {"kind": "prefilled", "count": count, "many": False, "chunk": 10}
    order = {"run": 1, "phase": 2, "variant": variant, "queue": "q", "tasks": asdict(only("noop")), "load": load}
    return {**order, **changes}


def test_it_says_what_the_framework_is_as_installed_there(bridge: BridgeProcess, redis_url: str) -> None:
    described = bridge.ask("describe")
    assert described["name"] == "bare"
    assert [variant["name"] for variant in described["variants"]] == ["bare", "bare-async"]
    (database,) = described["databases"]
    assert (database["purpose"], database["variable"], database["url"]) == (
        "queue",
        "BARE_REDIS_URL",
        f"{without_credentials(redis_url)}/7",
    )
    assert described["versions"].keys() == {"python", "redis"}
    assert described["producer_loop"] == ""


def test_a_plan_is_complete_with_the_interpreter(bridge: BridgeProcess) -> None:
    request = {"variant": "bare", "processes": 2, "concurrency": 2, "queues": ["a", "b"], "track": "normalised"}
    plan = bridge.ask("plan", request=request)
    arguments = [str(environment_python("base")), "-m", "bare_tasks", "a", "b"]
    assert plan["commands"] == [{"arguments": arguments, "environment": {"SLOTS": "4"}}] * 2
    assert plan["shape"] == {"processes": 2, "concurrency": 2}
    assert (plan["working_processes"], plan["guarantee"], plan["settings"]) == (2, "at-most-once", {"track": "normalised"})


def test_it_says_where_it_imports_from_and_what_starting_its_python_takes(bridge: BridgeProcess) -> None:
    folders = [Path(folder) for folder in bridge.ask("folders")["folders"]]
    assert all(any((folder / module).exists() for folder in folders) for module in ("json", "redis", "bridge.py"))
    assert 0 < bridge.ask("bare_start")["took_s"] < PATIENCE_S


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"op": "job_worker", "slots": 1}, "nothing for an application's jobs"),
        ({"op": "job_monitor", "port": 1}, "no monitor of its own"),
    ],
)
def test_a_framework_without_jobs_for_an_application_says_so(bridge: BridgeProcess, order: dict[str, Any], said: str) -> None:
    assert bridge.ask(**order)["error"].startswith(f"LookupError: bare offers {said}")


def test_an_interpreter_with_the_framework_imported_takes_more_than_a_bare_one(bridge: BridgeProcess) -> None:
    memory = bridge.ask("imported")
    assert 5_000_000 < memory["uss_bytes"] <= memory["pss_bytes"] <= memory["rss_bytes"]


@pytest.mark.parametrize("variant", ["bare", "bare-async"])
def test_it_produces_counts_and_purges(bridge: BridgeProcess, events_dir: Path, variant: str) -> None:
    assert bridge.ask("connect", variant=variant) == {}
    one_by_one = bridge.ask("produce", order=_order(variant, 25))
    load = {"kind": "prefilled", "count": 12, "many": True, "chunk": 5}
    many = bridge.ask("produce", order=_order(variant, 12, load=load, first_sequence=25))
    burst = bridge.ask("produce", order=_order(variant, 0, load={"kind": "burst", "count": 3}, first_sequence=37))
    assert [(r["attempted"], r["acknowledged"], r["errors"]) for r in (one_by_one, many, burst)] == [
        (25, 25, {}),
        (12, 12, {}),
        (3, 3, {}),
    ]
    assert bridge.ask("depth", queue="q") == {"waiting": 40, "claimed": 0, "delayed": 0}
    assert bridge.ask("purge", queues=["q", "other"]) == {}
    assert bridge.ask("depth", queue="q")["waiting"] == 0
    events = events_in(events_dir)
    assert sorted(events["sequence"]) == list(range(40))
    assert set(events["kind"]) == {Kind.ENQUEUED}


def test_it_changes_between_variants_and_survives_one_that_cannot_be_connected(bridge: BridgeProcess) -> None:
    for variant in ("bare", "bare-async", "bare"):
        assert bridge.ask("produce", order=_order(variant, 2))["acknowledged"] == 2
        assert bridge.ask("connect", variant="broken") == {"error": "ConnectionError: nobody there"}
    assert bridge.ask("depth", queue="q")["waiting"] == 6


def test_orders_are_answered_in_their_order(bridge: BridgeProcess) -> None:
    bridge.tell('{"op": "depth", "queue": "q"}\n{"op": "nonsense"}\n{"op": "purge", "queues": ["q"]}\n{"op": "describe"}')
    answers = [bridge.hear() for _ in range(4)]
    assert [sorted(answer)[0] for answer in answers[:2]] == ["claimed", "error"]
    assert answers[2] == {}
    assert answers[3]["name"] == "bare"


@pytest.mark.parametrize(
    "order", [{"op": "depth", "queue": "q"}, {"op": "purge", "queues": ["q", "r"]}, {"op": "depth", "queue": []}]
)
@pytest.mark.parametrize("variant", ["bare", "bare-async"])
def test_counting_and_purging_say_exactly_what_they_cost_redis_and_sending_is_not_in_it(
    bridge: BridgeProcess, redis_url: str, variant: str, order: dict[str, Any]
) -> None:
    bridge.ask("produce", order=_order(variant, 25))
    server = RedisServer(redis_url)
    before = server.read()
    bridge.ask(**order)
    after = server.read()
    server.close()
    assert bridge.cost is not None
    assert bridge.cost.commands > 0
    assert after.of_others - before.of_others == bridge.cost


IMPOSSIBLE = [
    ('{"op": "fly"}', "'fly'"),
    ("{}", "None"),
    ('{"op": "depth"}', "'queue'"),
    ('{"op": "plan", "request": {"variant": "x", "processes": 1, "concurrency": 1, "queues": []}}', "no variant 'x'"),
    (
        '{"op": "plan", "request": {"variant": "bare", "processes": 1, "concurrency": 1, "queues": [], "track": "tuned"}}',
        "plain data",
    ),
    (json.dumps({"op": "produce", "order": _order("bare", -1)}), "count must be"),
    (json.dumps({"op": "produce", "order": _order("bare", 1, in_flight_limit=0)}), "in_flight_limit must be"),
    ('{"op": "depth", ', '\'{"op": "depth",\''),
    ("not JSON", "'not JSON'"),
    ("", "''"),
    ('["depth"]', "'[\"depth\"]'"),
]


def test_what_it_cannot_do_is_answered_with_the_reason_and_it_goes_on(bridge: BridgeProcess) -> None:
    for line, named in IMPOSSIBLE:
        bridge.tell(line)
        answer = bridge.hear()
        assert answer.keys() == {"error"}, line
        assert named in answer["error"]
        assert bridge.ask("depth", queue="q") == {"waiting": 0, "claimed": 0, "delayed": 0}


def test_the_end_of_input_ends_it_and_prints_have_gone_to_standard_error(bridge: BridgeProcess) -> None:
    request = {"variant": "bare", "processes": 1, "concurrency": 1, "queues": ["q"]}
    assert "error" not in bridge.ask("plan", request=request)
    assert bridge.ask("produce", order=_order("bare", 1, load={"kind": "prefilled", "count": 1, "many": True}))["attempted"] == 1
    rest, errors = bridge.process.communicate(timeout=PATIENCE_S)
    assert bridge.process.returncode == 0
    assert rest == ""
    for printed in ("imported", "a child's line", "bytes"):
        assert printed in errors


def test_an_unknown_framework_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(environment_python("base")), "-m", "tasks.bridge", "nonesuch"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=child_environment(LAB_FRAMEWORKS_PATH=str(tmp_path)),
        check=False,
    )
    assert done.returncode != 0
    assert "no framework 'nonesuch'" in done.stderr
    assert done.stdout == ""
