"""Every framework's module meets the contract, on a real Redis: all its variants, each in one lab."""

import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import redis

from benchmarks.plan.warm_offer import warm_offer
from benchmarks.record.accounting import account
from benchmarks.record.task_table import TaskTable, build_task_tables
from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.log import PhaseCounts
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.redis_server import RedisServer
from tasks.contract import APPLICATION_DATABASE, WorkerPlan, framework_names
from tasks.events import Outcome, Place
from tasks.loads import Burst, Chain, Load, Prefilled, TaskClass, Tasks, only, tasks_in_a_unit
from tasks.producing import ProduceOrder
from tasks.reading import ReadOrder
from tests.e2e.contrived_tasks import COLD
from tests.e2e.one_run_support import contrived_lab, was_cold_at_first

pytestmark = pytest.mark.e2e

QUEUE = "conformance"
PROCESSES = 2
TAKING_S = 0.2
RUN = 1
BACKOFF_S = 1.0
LEAST_WAIT_S = 0.95 * BACKOFF_S
"""A timer goes off early by as much as its event loop's clock, which is read once in a round, lags behind."""
ONE_PROCESS = 1
"""Slots with which a worker is one process. Where two find a retry due at the same time, some frameworks give it out twice; how
often is for scenario 7 to show."""
WAYS: dict[str, Load] = {"many at once": Prefilled(500, many=True), "one by one": Prefilled(500), "as due": Burst(500)}
"""As many tasks as the shortest phases of a benchmark send: the fewer, the more a cold path shows."""
SAME_PHASES = 5
NOTHING = PhaseCounts(0, 0, 0, 0, 0, 0, 0, 0)


@cache
def described() -> dict[str, dict[str, Any]]:
    """Every variant with its framework's description."""
    descriptions = [ask_framework(name, {"op": "describe"}) for name in framework_names()]
    return {
        v["name"]: {"framework": d["name"], "databases": d["databases"], "puts": d["puts"], **v}
        for d in descriptions
        for v in d["variants"]
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", sorted(described()), scope="module")


@pytest.fixture(scope="module")
def lab() -> Iterator[LocalLab]:
    """A lab whose databases are set by their variables, at another server: the lab's own server must win, with that number."""
    databases = {
        d["variable"]: f"redis://nowhere.invalid:1/{d['number'] + 8}" for v in described().values() for d in v["databases"]
    }
    with LocalLab(databases) as running:
        yield running


class Bench:
    """One variant's nodes, and what a test does with them."""

    def __init__(self, lab: LocalLab, variant: str) -> None:
        self.variant = variant
        self.worker = NodeClient(lab.worker_url(variant), lab.token)
        self.producer = NodeClient(lab.producer_url(lab.variants()[variant]), lab.token)
        self.sent = 0

    def reset(self) -> None:
        self.worker.kill_worker()
        self.producer.purge([QUEUE])
        self.worker.clear_events()
        self.producer.clear_events()
        self.sent = 0

    def start(self, processes: int = PROCESSES) -> WorkerPlan:
        return self.worker.start_worker(processes, 1, [QUEUE]).plan

    def send(self, load: Load, workload: str = "noop", argument: object = None) -> None:
        self.send_tasks(load, only(workload, argument))

    def send_tasks(self, load: Load, tasks: Tasks) -> None:
        assert self.sent % tasks_in_a_unit(tasks) == 0
        order = ProduceOrder(RUN, 1, self.variant, QUEUE, tasks, load, first_sequence=self.sent)
        produced = node_steps.produce(self.producer, order)
        assert produced.failed == 0, produced.errors
        self.sent += produced.attempted

    def drain(self) -> None:
        """Twice: between taking a task and noting that it has it, a worker may have it nowhere."""
        node_steps.wait_until_empty(self.producer, QUEUE)
        time.sleep(TAKING_S)
        node_steps.wait_until_empty(self.producer, QUEUE)

    def table(self) -> TaskTable:
        return build_task_tables([self.producer.events(), self.worker.events()], RUN)[1]

    def wait_for_started(self, count: int) -> None:
        give_up_s = time.monotonic() + 30
        while (counts := self.worker.counts(RUN).get(1)) is None or counts.started < count:
            assert time.monotonic() < give_up_s, f"only {counts} of {count} tasks started: {self.worker.worker().log_tail}"
            time.sleep(0.02)

    def wait_for_ends(self, count: int) -> None:
        give_up_s = time.monotonic() + 30
        while (
            counts := self.worker.counts(RUN).get(1, NOTHING)
        ).finished_ok + counts.finished_failed + counts.finished_skipped < count:
            assert time.monotonic() < give_up_s, f"only {counts} of {count} tasks ended: {self.worker.worker().log_tail}"
            time.sleep(0.02)


def needs_chains(bench: Bench) -> None:
    if reason := described()[bench.variant]["lacks"].get("chains"):
        pytest.skip(reason)


@pytest.fixture
def bench(lab: LocalLab, variant: str) -> Iterator[Bench]:
    bench = Bench(lab, variant)
    bench.reset()
    yield bench
    bench.reset()


def test_name_begins_with_the_framework(variant: str) -> None:
    assert variant.startswith(described()[variant]["framework"])


def test_a_tuned_worker_is_what_pages_of_its_documentation_say(variant: str) -> None:
    framework, pages = described()[variant]["framework"], described()[variant]["tuned_pages"]
    request = {"variant": variant, "processes": PROCESSES, "concurrency": 1, "queues": [QUEUE], "track": "tuned"}
    plan = ask_framework(framework, {"op": "plan", "request": request})
    assert pages
    assert plan["settings"]["documentation"] == pages
    assert plan["shape"]["processes"] == PROCESSES
    normalised = ask_framework(framework, {"op": "plan", "request": request | {"track": "normalised"}})
    assert "documentation" not in normalised["settings"]


def test_databases_are_the_frameworks_own() -> None:
    owners: dict[int, str] = {APPLICATION_DATABASE: "the application"}
    for variant in described().values():
        for database in variant["databases"]:
            assert owners.setdefault(database["number"], variant["framework"]) == variant["framework"]


def test_only_the_set_database_is_used(bench: Bench, lab: LocalLab) -> None:
    with redis.Redis.from_url(lab.redis_url) as client:
        client.flushall()
        bench.start()
        bench.send(Prefilled(PROCESSES), "sleep", 1.0)
        bench.wait_for_started(1)
        used = {int(name.removeprefix("db")) for name in client.info("keyspace")}
    assert used <= {d["number"] + 8 for d in described()[bench.variant]["databases"]}
    bench.drain()


def test_no_way_of_sending_is_dearer_at_first_once_it_was_warmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab of its own: in the others' the producers are warm already."""
    with contrived_lab(tmp_path, monkeypatch) as lab:
        first_of = {v["framework"]: name for name, v in reversed(described().items())}
        found = {framework: cold_ways(lab, variant, is_warmed=True) for framework, variant in first_of.items()}
        assert not any(found.values()), found
        assert cold_ways(lab, COLD, is_warmed=False) == ["many at once"], "a cold one is found"


def cold_ways(lab: LocalLab, variant: str, *, is_warmed: bool) -> list[str]:
    """The ways of sending whose first phase is dearer than others like it. Nobody takes the tasks."""
    producer = NodeClient(lab.producer_url(lab.variants()[variant]), lab.token)

    def cpu_s(tasks: Tasks, load: Load) -> float:
        return node_steps.produce(producer, ProduceOrder(RUN, 1, variant, QUEUE, tasks, load)).cpu_s

    def was_cold(load: Load) -> bool:
        tasks = only("noop")
        if is_warmed:
            cpu_s(*warm_offer(tasks, load, tasks))
        return was_cold_at_first([cpu_s(tasks, load) for _ in range(SAME_PHASES)])

    found = [way for way, load in WAYS.items() if was_cold(load)]
    producer.purge([QUEUE])
    return found


def test_every_task_is_executed_once_and_where_the_variant_claims(bench: Bench) -> None:
    plan = bench.start()
    bench.send(Prefilled(30))
    bench.send(Prefilled(30, many=True, chunk=7))
    give_up_s = time.monotonic() + 60
    while bench.worker.counts(RUN).get(1, NOTHING).processes < plan.shape.processes:  # some processes are up before others
        assert time.monotonic() < give_up_s, "not every process works"
        bench.send(Prefilled(4 * PROCESSES), "sleep", 0.05)
        bench.drain()
    bench.drain()
    table = bench.table()
    books = account(table, bench.sent)
    assert (books.completed, books.lost, books.duplicated, books.unexpected) == (bench.sent, 0, 0, 0)
    assert json.dumps(plan.settings)
    roots = {p for p in bench.worker.worker().pids if psutil.Process(p).ppid() not in bench.worker.worker().pids}
    assert_place(described()[bench.variant]["execution"], table, roots)


def assert_place(execution: str, table: TaskTable, roots: set[int]) -> None:
    main_thread = (table.place & Place.MAIN_THREAD) != 0
    greenlet = (table.place & Place.GREENLET) != 0
    coroutine = (table.place & Place.COROUTINE) != 0
    in_roots = np.isin(table.process, list(roots))
    expected = {
        "main-thread": in_roots & main_thread & ~greenlet & ~coroutine,
        "thread": in_roots & ~main_thread & ~greenlet & ~coroutine,
        "greenlet": in_roots & greenlet,
        "coroutine": in_roots & coroutine,
        "child-process": ~in_roots,
    }[execution]
    assert expected.all(), f"{(~expected).sum()} of {len(table)} tasks did not run in a {execution}"


def puts(lab: LocalLab, variant: str) -> int:
    """How often the lab's Redis was told to put a message into a queue, by the commands that the framework's module names."""
    server = RedisServer(lab.redis_url)
    try:
        return server.read(described()[variant]["puts"]).puts or 0
    finally:
        server.close()


def test_depth_counts_by_state_and_purge_forgets_all(bench: Bench, lab: LocalLab) -> None:
    before = puts(lab, bench.variant)
    bench.send(Prefilled(12))
    assert puts(lab, bench.variant) == before + 12
    depth = bench.producer.depth(QUEUE)
    assert (depth.waiting, depth.claimed) == (12, 0)
    bench.producer.purge([QUEUE])
    assert node_steps.is_empty(bench.producer, QUEUE)
    bench.start()
    bench.send(Prefilled(PROCESSES), "sleep", 1.0)
    bench.wait_for_started(1)
    assert bench.producer.depth(QUEUE).claimed >= 1
    bench.worker.kill_worker()
    bench.producer.purge([QUEUE])
    assert node_steps.is_empty(bench.producer, QUEUE)
    started = bench.worker.counts(RUN)[1].started
    bench.start()
    bench.send(Prefilled(1))
    bench.wait_for_started(started + 1)
    bench.drain()
    assert bench.worker.counts(RUN)[1].started == started + 1, "a purged task came back"


def test_graceful_stop_loses_nothing(bench: Bench) -> None:
    bench.start()
    bench.send(Prefilled(20 * PROCESSES), "sleep", 0.05)
    bench.wait_for_started(3 * PROCESSES)
    stopped = bench.worker.stop_worker(20)
    assert stopped.graceful
    table = bench.table()
    assert (table.starts == table.finishes_ok).all(), "a task was cut off"
    assert table.starts.sum() < bench.sent, "everything was done already: the stop proves nothing"
    bench.start()
    bench.drain()
    books = account(bench.table(), bench.sent)
    assert (books.completed, books.lost, books.duplicated) == (bench.sent, 0, 0)


def test_kill_leaves_no_process(bench: Bench) -> None:
    bench.start()
    bench.send(Prefilled(4 * PROCESSES), "sleep", 0.2)
    bench.wait_for_started(PROCESSES)
    pids = bench.worker.worker().pids
    assert pids
    bench.worker.kill_worker()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_task_that_raises_is_recorded_as_failed_and_not_repeated(bench: Bench) -> None:
    bench.start()
    bench.send(Prefilled(3), "fail", "on purpose")
    bench.wait_for_started(3)
    bench.drain()
    bench.send(Prefilled(1))
    bench.drain()
    table = bench.table()
    assert table.outcome[:3].tolist() == [Outcome.FAILED] * 3
    assert table.outcome[3] == Outcome.OK
    assert table.starts.tolist() == [1, 1, 1, 1]


def test_a_chain_is_in_order_and_retried_as_asked(bench: Bench) -> None:
    needs_chains(bench)
    chain = Chain((TaskClass("sleep", 0.05), TaskClass("fail_at_first", 1), TaskClass("noop")), attempts=2, backoff_s=BACKOFF_S)
    bench.start(ONE_PROCESS)
    bench.send_tasks(Prefilled(2), chain)
    bench.wait_for_ends(6)
    table = bench.table()
    assert table.outcome.tolist() == [Outcome.OK] * 6
    assert table.starts.tolist() == [1, 2, 1] * 2
    assert table.finishes_retried.tolist() == [0, 1, 0] * 2
    assert table.attempt.tolist() == [1, 2, 1] * 2
    for first in (0, 3):
        (start, again, last), (end, end_again, _) = table.started_ns[first : first + 3], table.finished_ns[first : first + 3]
        assert end <= again < end_again <= last, "a stage started before the one before it had ended well"
        assert start < end
        assert end_again - again >= LEAST_WAIT_S * 1e9, "the second attempt came too early"


def test_what_follows_a_task_that_failed_for_good_is_skipped(bench: Bench) -> None:
    needs_chains(bench)
    chain = Chain((TaskClass("noop"), TaskClass("fail", "on purpose"), TaskClass("noop"), TaskClass("noop")), 2, BACKOFF_S)
    bench.start(ONE_PROCESS)
    bench.send_tasks(Prefilled(1), chain)
    bench.wait_for_ends(4)
    bench.drain()
    table = bench.table()
    assert table.outcome.tolist() == [Outcome.OK, Outcome.FAILED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert table.starts.tolist() == [1, 2, 0, 0]
    assert (table.finishes_retried[1], table.finishes_failed[1]) == (1, 1)


def test_a_task_that_waits_for_its_retry_counts_in_the_depth_and_is_purged(bench: Bench) -> None:
    needs_chains(bench)
    bench.start(ONE_PROCESS)
    bench.send_tasks(Prefilled(1), Chain((TaskClass("fail", "on purpose"),), attempts=2, backoff_s=60.0))
    bench.wait_for_started(1)
    time.sleep(0.5)  # until the framework has put it away
    depth = bench.producer.depth(QUEUE)
    assert depth.waiting + depth.claimed + depth.delayed == 1
    bench.worker.kill_worker()
    bench.producer.purge([QUEUE])
    assert node_steps.is_empty(bench.producer, QUEUE)


def test_a_message_is_read_as_it_was_sent_in_every_serializer(bench: Bench) -> None:
    variant = described()[bench.variant]
    assert variant["model_serializer"] in ("", *variant["serializers"])
    for serializer in variant["serializers"]:
        for kind in ("nested", "text", "bytes"):
            payload = {"kind": kind, "size_bytes": 500, "seed": 1}
            order = ReadOrder(bench.variant, serializer, QUEUE, "payload", payload, samples=2, limit_s=10)
            times = bench.worker.read_messages(order)
            assert len(times.decode_ns) == 2
            assert min(times.message_bytes) > 300
    assert node_steps.is_empty(bench.producer, QUEUE)


def test_a_serializer_that_it_does_not_offer_is_refused(bench: Bench) -> None:
    if not described()[bench.variant]["serializers"]:
        pytest.skip("it offers no choice of serializers")
    with pytest.raises(NodeError, match="no serializer 'braille'"):
        bench.worker.read_messages(ReadOrder(bench.variant, "braille", QUEUE, "noop", None, samples=1, limit_s=1))
    with pytest.raises(NodeError, match="no serializer 'braille'"):
        bench.producer.connect_producer(bench.variant, "braille")


def test_an_unknown_variant_is_refused(lab: LocalLab) -> None:
    from benchmarks.run.labs.lab import LabError

    with pytest.raises(LabError, match="no variant 'nothing-such'"):
        lab.worker_url("nothing-such")
