"""The node agent around a small framework on a real Redis."""

import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.plan.wishes import StartWish
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.nodes.worker import WorkerStatus
from benchmarks.run.one_run.own_traffic import read_redis
from benchmarks.run.redis_server import RedisServer
from tasks.events import Kind, Outcome
from tasks.loads import Burst, Load, Paced, Prefilled, only
from tasks.producing import ProduceOrder
from tasks.redis_traffic import RedisTraffic
from tests.e2e.agent_support import (
    LIMIT_S,
    QUEUE,
    Agent,
    agent,
    agent_environment,
    alive,
    client_of,
    statuses,
    until,
    write_framework,
)
from tests.support import CHECKOUT

pytestmark = pytest.mark.e2e

Start = Callable[..., Agent]
Fresh = Callable[[str], NodeClient]
OWN_WORKER = '{"processes": 2, "concurrency": 1, "queues": ["lab"]}'


@pytest.fixture(scope="module")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_framework(tmp_path_factory.mktemp("frameworks"))


def starting(stack: ExitStack, folders: pytest.TempPathFactory, frameworks: Path, redis_url: str) -> Start:
    def start_one(role: str, variant: str = "", **settings: str) -> Agent:
        environment = {"LAB_ROLE": role, "LAB_VARIANT": variant, **settings}
        return stack.enter_context(agent(folders.mktemp(role), frameworks, redis_url, environment))

    return start_one


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory, frameworks: Path, redis_url: str) -> Iterator[Start]:
    """Starts an agent of the test's own."""
    with ExitStack() as stack:
        yield starting(stack, tmp_path_factory, frameworks, redis_url)


@pytest.fixture(scope="module")
def node_of(tmp_path_factory: pytest.TempPathFactory, frameworks: Path, redis_url: str) -> Iterator[Callable[[str], Agent]]:
    """The one agent of a variant that the tests share; empty for the producer's."""
    with ExitStack() as stack:
        start_shared = starting(stack, tmp_path_factory, frameworks, redis_url)
        yield functools.cache(lambda variant: start_shared("worker", variant) if variant else start_shared("producer"))


@pytest.fixture
def producer(node_of: Callable[[str], Agent]) -> NodeClient:
    """The shared producer, with an empty queue and event log."""
    client = node_of("").client
    client.purge([QUEUE])
    client.clear_events()
    return client


@pytest.fixture
def fresh(node_of: Callable[[str], Agent]) -> Iterator[Fresh]:
    """Gives the shared agent of a variant, without a worker and with an empty event log."""
    used = []

    def fresh_one(variant: str) -> NodeClient:
        client = node_of(variant).client
        client.clear_events()
        used.append(client)
        return client

    yield fresh_one
    for client in used:
        client.kill_worker()


@pytest.fixture
def worker(fresh: Fresh) -> NodeClient:
    return fresh("tiny")


def produce(
    client: NodeClient, load: Load, run: int = 1, phase: int = 1, workload: str = "noop", argument: object = None
) -> None:
    client.start_producing(ProduceOrder(run, phase, "tiny", QUEUE, only(workload, argument), load))
    status = until(lambda: (s := client.producer()).state != "running" and s, "the producer")
    assert status.state == "done", status.error
    assert status.result is not None
    assert status.result.acknowledged == status.result.attempted


def wait_finished(client: NodeClient, count: int, run: int = 1, phase: int = 1) -> None:
    def finished() -> bool:
        counts = client.counts(run).get(phase)
        return counts is not None and counts.finished_ok + counts.finished_failed >= count

    until(finished, f"{count} tasks")


def exported(client: NodeClient) -> Callable[..., float]:
    """A look-up of what a node tells Prometheus, by name and labels."""
    values = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(client.metrics())
        for sample in family.samples
    }
    return lambda name, **labels: values[name, frozenset(labels.items())]


def died(client: NodeClient) -> WorkerStatus:
    return until(lambda: (s := client.worker()).state == "died" and s, "the worker's death")


def test_a_worker_takes_what_the_producer_sends_and_everything_agrees(worker: NodeClient, producer: NodeClient) -> None:
    started = worker.start_worker(processes=2, concurrency=1, queues=[QUEUE])
    assert started.plan.shape.processes == 2
    assert started.plan.settings == {"track": "normalised"}
    assert set(started.pids) <= set(worker.worker().pids)

    produce(producer, Paced(rate_per_s=200, duration_s=0.5), workload="sleep", argument=0.002)
    produce(producer, Burst(5), phase=2, workload="fail", argument="on purpose")
    wait_finished(worker, 100)
    wait_finished(worker, 5, phase=2)

    counts = worker.counts(1)
    assert (counts[1].started, counts[1].finished_ok, counts[1].finished_failed) == (100, 100, 0)
    assert (counts[2].started, counts[2].finished_ok, counts[2].finished_failed) == (5, 0, 5)
    assert 1 <= counts[1].processes <= 2
    assert producer.counts(1)[1].enqueued_ok == 100
    assert worker.counts(2) == {}

    events = worker.events()
    assert len(events) == 210
    assert len(np.unique(events["sequence"][(events["phase"] == 1) & (events["kind"] == 3)])) == 100
    assert set(events["process"].tolist()) <= set(worker.worker().pids)

    worker.clear_events()
    producer.clear_events()
    assert worker.counts(1) == {}
    assert len(worker.events()) == 0
    produce(producer, Prefilled(50, many=True), run=2)
    wait_finished(worker, 50, run=2)
    assert len(worker.events()) == 100
    assert producer.counts(2)[1].enqueued_ok == 50
    assert worker.depth(QUEUE).waiting == 0


def test_metrics_agree_with_the_counts(start: Start, producer: NodeClient) -> None:
    worker = start("worker", "tiny").client
    sent_before = exported(producer)("tiny_tasks_enqueued_total", outcome="ok")
    worker.start_worker(2, 2, [QUEUE])
    produce(producer, Burst(30), workload="sleep", argument=0.003)
    produce(producer, Burst(4), workload="fail", argument="on purpose", phase=2)
    wait_finished(worker, 30)
    wait_finished(worker, 4, phase=2)
    worker.clear_events()

    found = exported(worker)
    assert found("tiny_tasks_total", variant="tiny", outcome="ok") == 30
    assert found("tiny_tasks_total", variant="tiny", outcome="failed") == 4
    assert found("tiny_task_duration_seconds_count", variant="tiny") == 34
    assert found("tiny_task_duration_seconds_sum", variant="tiny") >= 30 * 0.003
    assert found("tiny_task_duration_seconds_bucket", variant="tiny", le="0.0025") <= 4
    assert found("tiny_task_queue_wait_seconds_count", variant="tiny") == 34
    assert found("tiny_task_end_to_end_seconds_count", variant="tiny") == 34
    assert found("tiny_worker_up", variant="tiny") == 1
    assert found("tiny_worker_processes", variant="tiny") == 3
    assert found("tiny_worker_starts_total", variant="tiny") == 1
    assert found("tiny_queue_depth", variant="tiny", queue=QUEUE, state="waiting") == 0
    assert found("tiny_worker_memory_bytes", variant="tiny", kind="pss") > 1e6
    node = {"role": "worker", "framework": "tiny", "variant": "tiny"}
    assert found("lab_event_log_bytes", **node) == 0
    assert found("lab_agent_cpu_seconds_total", **node) > found("lab_agent_sampling_cpu_seconds_total", **node) > 0

    sent = exported(producer)
    assert sent("tiny_tasks_enqueued_total", outcome="ok") == sent_before + 34
    assert sent("tiny_producer_lateness_seconds_count") == sent_before + 34
    assert "tiny_tasks_total" not in producer.metrics()
    assert "tiny_worker" not in producer.metrics()


def test_what_is_going_on_is_exported_while_it_goes_on(worker: NodeClient, producer: NodeClient) -> None:
    worker.start_worker(2, 2, [QUEUE])
    order = ProduceOrder(1, 1, "tiny", QUEUE, only("sleep", 0.4), Paced(50, 0.5))
    producer.start_producing(order)
    until(lambda: exported(producer)("tiny_producer_offered_rate") == 50, "the rate that is offered")
    until(lambda: exported(worker)("tiny_tasks_in_flight", variant="tiny") == 2, "tasks in flight")
    until(lambda: producer.producer().state == "done", "the end of the load")
    assert exported(producer)("tiny_producer_offered_rate") == 0
    worker.kill_worker()
    assert exported(worker)("tiny_tasks_in_flight", variant="tiny") == 0, "what was cut off is not running any more"


def test_a_death_is_counted_and_an_end_that_was_asked_for_is_not(worker: NodeClient) -> None:
    def deaths() -> float:
        return exported(worker)("tiny_worker_deaths_total", variant="tiny")

    before = deaths()
    worker.start_worker(1, 1, [QUEUE])
    worker.kill_worker()
    assert deaths() == before
    os.kill(worker.start_worker(1, 1, [QUEUE]).pids[0], signal.SIGKILL)
    died(worker)
    assert deaths() == before + 1


def test_the_node_tells_what_the_runner_does_until_its_session_ends(worker: NodeClient) -> None:
    state = {
        "running": True, "scenario": "scenario_1_throughput", "framework": "tiny", "variant": "tiny", "run": 7, "repetition": 1,
        "phase": "paced", "phase_began_unix_s": 1e9, "planned": 10, "done": 4, "runs_planned": 2, "runs_valid": 1,
        "runs_invalid": 0,
    }  # fmt: skip
    with worker.session():
        worker.show_lab_state(state)
        assert exported(worker)("lab_progress_tasks", state="done") == 4
        worker.forget_lab_state()
        assert "lab_run_info" not in worker.metrics()
        worker.show_lab_state(state)
        assert 'run="7"' in worker.metrics()
    until(lambda: "lab_run_info" not in worker.metrics(), "the end of the session")
    with pytest.raises(NodeError, match=r"PUT /lab.*planned"):
        worker.show_lab_state({**state, "planned": -1})


def test_redis_is_read_without_what_the_lab_asks_of_it(worker: NodeClient, producer: NodeClient, redis_url: str) -> None:
    """A client that is none of the lab's sends a known number of bytes, while the lab reads Redis, counts and purges queues, and
    is scraped by Prometheus."""
    worker.start_worker(2, 2, [QUEUE, "other"])
    worker.pause_worker()
    request, reply = b"*3\r\n$3\r\nSET\r\n$5\r\nknown\r\n$3\r\nabc\r\n", b"+OK\r\n"
    over = threading.Event()

    looked = Counter[int]()

    def poll(number: int, look: Callable[[], object]) -> None:
        while not over.wait(0.1):
            look()
            looked[number] += 1

    parts = urlsplit(redis_url)
    nodes = (worker, producer)
    with ExitStack() as stack:
        server = RedisServer(redis_url)
        stack.callback(server.close)
        asked = stack.enter_context(redis.Redis.from_url(redis_url))
        until(lambda: asked.info("clients")["blocked_clients"] == 0, "the end of what the worker's processes waited for")
        client = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
        client.sendall(f"AUTH {parts.password}\r\n".encode())
        assert client.recv(100) == reply
        looks = [lambda: exported(worker), lambda: producer.depth(QUEUE), lambda: producer.purge([QUEUE])]
        pollers = stack.enter_context(ThreadPoolExecutor(len(looks)))
        stack.callback(over.set)
        before = read_redis(server.read, nodes)
        polling = [pollers.submit(poll, *numbered) for numbered in enumerate(looks)]
        commands, give_up_s = 0, time.monotonic() + LIMIT_S
        while any(looked[number] < 3 for number in range(len(looks))):
            client.sendall(request)
            assert client.recv(100) == reply
            commands += 1
            if commands % 200 == 0:
                read_redis(server.read, nodes)
            assert time.monotonic() < give_up_s, looked
        after = read_redis(server.read, nodes)
        over.set()
        for poller in polling:
            poller.result()
    known = RedisTraffic(commands, commands * len(request), commands * len(reply))
    assert after.of_others - before.of_others == known


def test_connections_are_those_that_redis_sees(worker: NodeClient, redis_url: str) -> None:
    worker.start_worker(2, 2, [QUEUE])
    until(lambda: len(worker.connections()) == 3, "the connections of two workers and their parent")
    with redis.Redis.from_url(redis_url) as server:
        seen = {client["addr"] for client in server.client_list() if client["db"] == "3"}
    assert set(worker.connections()) <= seen


def test_a_watched_start_is_timed_from_its_spawn_to_its_last_connection(worker: NodeClient) -> None:
    with pytest.raises(NodeError, match="no start is being watched"):
        worker.start_times()
    assert worker.take_sample(required=False).processes == 0
    before_ns = time.monotonic_ns()
    (root,) = worker.start_worker(2, 2, [QUEUE], watch=StartWish("ready", profile_imports=True)).pids
    times = worker.start_times()
    assert before_ns < times.spawned_ns < times.up_ns <= times.connected_ns < time.monotonic_ns()
    assert times.first_connected_ns == times.connected_ns
    assert times.processes == 3
    assert times == worker.start_times()
    (log,) = worker.worker_logs()
    assert "| redis" in log[: times.log_bytes[0]]
    assert "PYTHONPYCACHEPREFIX" not in psutil.Process(root).environ()
    stopped = worker.stop_worker(LIMIT_S)
    assert times.connected_ns < stopped.asked_ns < time.monotonic_ns() - stopped.took_s * 1e9
    assert worker.start_interpreter() > 0
    memory = worker.import_framework()
    assert 0 < memory.uss_bytes <= memory.pss_bytes <= memory.rss_bytes


def test_a_cold_start_compiles_everything_again(worker: NodeClient) -> None:
    for _ in range(2):
        (root,) = worker.start_worker(1, 1, [QUEUE], watch=StartWish("ready", bytecode_cold=True, page_cache_cold=True)).pids
        worker.start_times()
        folder = Path(psutil.Process(root).environ()["PYTHONPYCACHEPREFIX"])
        assert list(folder.rglob("tiny_tasks.*.pyc"))
        worker.kill_worker()


def test_a_watched_start_that_fails_says_why(fresh: Fresh) -> None:
    worker = fresh("tiny-broken")
    worker.start_worker(1, 1, [QUEUE], watch=StartWish("ready"))
    with pytest.raises(NodeError, match=r"(?s)ended before they were connected to Redis; its log ends:.*out of cheese"):
        worker.start_times()


def test_a_paused_worker_takes_nothing_and_goes_on_when_resumed(worker: NodeClient, producer: NodeClient) -> None:
    worker.start_worker(3, 3, [QUEUE])
    until(lambda: len(worker.worker().pids) == 4, "all processes")
    worker.pause_worker()
    paused = worker.worker()
    assert paused.state == "paused"
    assert statuses(paused.pids) == {psutil.STATUS_STOPPED}
    produce(producer, Prefilled(40))
    assert worker.counts(1) == {}
    worker.resume_worker()
    assert worker.worker().state == "running"
    wait_finished(worker, 40)


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("variant", ["tiny", "tiny-leaving"])
def test_a_worker_that_ends_on_sigterm_is_stopped_gracefully(fresh: Fresh, variant: str, paused: bool) -> None:
    worker = fresh(variant)
    worker.start_worker(2, 2, [QUEUE])
    until(lambda: "ready" in worker.worker().log_tail, "the worker")
    pids = worker.worker().pids
    if paused:
        worker.pause_worker()
    report = worker.stop_worker(grace_s=LIMIT_S)
    assert report.graceful
    assert report.took_s < LIMIT_S
    assert alive(pids) == []
    assert worker.worker().state == "stopped"
    assert worker.worker().died is None
    assert worker.stop_worker(grace_s=1).graceful


def test_what_will_not_end_is_killed_after_the_grace(fresh: Fresh) -> None:
    worker = fresh("tiny-deaf")
    worker.start_worker(2, 2, [QUEUE])
    until(lambda: "ready" in worker.worker().log_tail, "the worker")
    pids = worker.worker().pids
    report = worker.stop_worker(grace_s=0.2)
    assert not report.graceful
    assert report.took_s >= 0.2
    assert alive(pids) == []


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("variant", ["tiny", "tiny-deaf"])
def test_a_kill_leaves_no_process(fresh: Fresh, variant: str, paused: bool) -> None:
    worker = fresh(variant)
    worker.start_worker(3, 3, [QUEUE])
    until(lambda: len(worker.worker().pids) == 4, "all processes")
    pids = worker.worker().pids
    if paused:
        worker.pause_worker()
    worker.kill_worker()
    assert alive(pids) == []
    assert worker.worker() == WorkerStatus("stopped", (), None, worker.worker().log_tail)
    worker.start_worker(1, 1, [QUEUE])
    assert worker.worker().state == "running"


@pytest.mark.parametrize("paused", [False, True])
def test_a_kill_leaves_no_semaphore(fresh: Fresh, paused: bool) -> None:
    worker = fresh("tiny-semaphore")
    worker.start_worker(2, 2, [QUEUE])
    until(lambda: "ready" in worker.worker().log_tail, "the worker")
    status = worker.worker()
    name = next(line for line in status.log_tail.splitlines() if line.startswith("semaphore ")).split()[1].lstrip("/")
    assert Path(f"/dev/shm/sem.{name}").exists()
    if paused:
        worker.pause_worker()
    worker.kill_worker()
    assert alive(status.pids) == []
    assert not Path(f"/dev/shm/sem.{name}").exists()


def test_a_worker_that_ends_unasked_is_reported_with_its_log(fresh: Fresh) -> None:
    worker = fresh("tiny-broken")
    worker.start_worker(2, 2, [QUEUE])
    status = died(worker)
    assert status.died is not None
    assert "exited with code 3" in status.died
    assert "out of cheese" in status.died
    assert not worker.health().ok
    with pytest.raises(NodeError, match="no worker to pause: it is died"):
        worker.pause_worker()


def test_a_root_killed_by_a_signal_takes_its_worker_with_it(fresh: Fresh) -> None:
    worker = fresh("tiny-deaf")
    started = worker.start_worker(2, 2, [QUEUE])
    until(lambda: "ready" in worker.worker().log_tail, "the worker")
    pids = worker.worker().pids
    os.kill(started.pids[0], signal.SIGSEGV)
    assert "SIGSEGV" in str(died(worker).died)
    until(lambda: alive(pids) == [], "the end of the tree")
    worker.start_worker(1, 1, [QUEUE])
    assert worker.worker().died is None


def test_samples_of_a_tree_make_sense(worker: NodeClient, producer: NodeClient) -> None:
    with pytest.raises(NodeError, match="no worker to sample"):
        worker.take_sample()
    worker.start_worker(2, 2, [QUEUE])
    until(lambda: "ready" in worker.worker().log_tail, "the worker")
    worker.begin_samples(interval_s=0.05)
    before = worker.take_sample()
    produce(producer, Prefilled(2_000, many=True))
    wait_finished(worker, 2_000)
    after = worker.take_sample()
    until(lambda: len(worker.samples()) >= 3, "samples")
    worker.end_samples()
    rows = worker.samples()
    assert len(worker.samples()) == len(rows)
    for row in (before, *rows, after):
        assert 0 < row.uss_bytes <= row.pss_bytes <= row.rss_bytes
        assert row.processes == 3
        assert row.threads >= 3
        assert row.fds >= 9
        assert row.cgroup_memory_bytes is None
        assert row.sharers is not None, "the node looked"
        assert row.sharers >= 2, "two nodes' bridges, at the least, run the same Python"
    assert after.cpu_s > before.cpu_s
    assert after.voluntary_switches > before.voluntary_switches
    assert [row.at_ns for row in rows] == sorted(row.at_ns for row in rows)


def test_a_session_ends_what_was_begun_in_it_and_is_the_only_one(worker: NodeClient) -> None:
    with worker.session() as session:
        with pytest.raises(NodeError, match="another session holds this node"), worker.session():
            pass
        worker.start_worker(2, 2, [QUEUE])
        until(lambda: len(worker.worker().pids) == 3, "all processes")
        pids = worker.worker().pids
        session.check()
    until(lambda: alive(pids) == [], "the end of the worker")
    with worker.session():
        assert worker.worker().state == "stopped"


def test_a_session_whose_runner_is_killed_ends_worker_and_load(
    worker: NodeClient, producer: NodeClient, node_of: Callable[[str], Agent]
) -> None:
    code = (
        "import sys\n"
        "from benchmarks.run.nodes.client import NodeClient\n"
        "from contextlib import ExitStack\n"
        "with ExitStack() as held:\n"
        "    for url, token in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "        held.enter_context(NodeClient(url, token).session())\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    held = [argument for agent in (node_of("tiny"), node_of("")) for argument in (agent.client.url, agent.token)]
    runner = subprocess.Popen(
        [sys.executable, "-c", code, *held],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert runner.stdout is not None
    assert runner.stdin is not None
    assert runner.stdout.readline() == b"held\n"
    worker.start_worker(2, 2, [QUEUE])
    producer.start_producing(ProduceOrder(1, 1, "tiny", QUEUE, only("noop"), Paced(10, 600)))
    until(lambda: len(worker.worker().pids) == 3, "all processes")
    pids = worker.worker().pids
    runner.kill()
    runner.communicate()
    until(lambda: alive(pids) == [], "the end of the worker")
    until(lambda: producer.producer().state == "failed", "the end of the load")
    assert producer.producer().error == "cancelled"
    producer.purge([QUEUE])
    produce(producer, Burst(3), run=2)


def test_a_lost_session_is_noticed_by_its_holder(start: Start) -> None:
    node = start("worker", "tiny")
    with node.client.session() as session:
        node.end()

        def lost() -> str:
            try:
                session.check()
            except NodeError as error:
                return str(error)
            return ""

        assert "its worker has been killed" in until(lost, "the loss of the session")


def test_an_agents_own_worker_waits_paused_and_comes_back_after_a_session(start: Start) -> None:
    node = start("worker", "tiny", LAB_AUTOSTART=OWN_WORKER)
    client = node.client

    def waits() -> WorkerStatus | None:
        status = client.worker()
        return status if status.state == "paused" else None

    first = until(waits, "the agent's own worker")
    assert statuses(first.pids) == {psutil.STATUS_STOPPED}
    with client.session():
        assert alive(first.pids) == []
        assert client.worker().pids == ()
        mine = client.start_worker(1, 1, [QUEUE])
        assert client.worker().state == "running"
    again = until(waits, "the agent's own worker again")
    assert len(again.pids) == 3
    assert set(again.pids).isdisjoint(mine.pids)
    client.start_worker(1, 1, [QUEUE])
    assert alive(again.pids) == []


def test_an_own_worker_that_dies_makes_the_node_unwell(start: Start) -> None:
    node = start("worker", "tiny-broken", LAB_AUTOSTART=OWN_WORKER)
    until(lambda: node.client.worker().state == "died", "the failure")
    assert "out of cheese" in str(node.client.worker().died)
    assert not node.client.health().ok


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_that_is_ended_leaves_no_process_and_no_port(start: Start, number: signal.Signals) -> None:
    node = start("worker", "tiny-deaf")
    with node.client.session():
        node.client.start_worker(2, 2, [QUEUE])
        until(lambda: len(node.client.worker().pids) == 3, "all processes")
        pids = [child.pid for child in psutil.Process(node.process.pid).children(recursive=True)]
        assert len(pids) == 4
        node.process.send_signal(number)
        assert node.process.wait(LIMIT_S) == 0
    assert alive(pids) == []
    assert not (node.events_dir.parent / "port").exists()


def test_an_agent_ends_with_its_parent(tmp_path: Path, frameworks: Path, redis_url: str) -> None:
    environment = agent_environment(tmp_path, frameworks, redis_url, "secret", LAB_ROLE="worker", LAB_VARIANT="tiny-deaf")
    code = (
        "import os, subprocess, sys\n"
        "os.environ['LAB_PARENT_PID'] = str(os.getpid())\n"
        "subprocess.run([sys.executable, '-m', 'infrastructure.agent'])\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=CHECKOUT)
    try:
        with client_of(tmp_path, "secret") as client:
            client.start_worker(2, 2, [QUEUE])
            until(lambda: len(client.worker().pids) == 3, "all processes")
            pids = [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]
    finally:
        parent.kill()
        parent.wait()
    assert len(pids) == 5
    until(lambda: alive(pids) == [], "the end of the agent and all its children")


def test_only_health_and_metrics_are_open(start: Start) -> None:
    node = start("worker", "tiny")
    url = node.client.url
    for path in ("/worker", "/events", "/counts?run=1", "/clock", "/session", "/nothing"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": node.token}):
            answer = httpx.get(url + path, headers=headers)
            assert answer.status_code == 401
            assert "LAB_TOKEN" in answer.json()["error"]
    assert httpx.post(f"{url}/worker/kill").status_code == 401
    assert httpx.get(f"{url}/health").json() == {
        "role": "worker",
        "framework": "tiny",
        "variant": "tiny",
        "worker": "none",
        "ok": True,
    }
    assert httpx.get(f"{url}/metrics").status_code == 200
    assert node.token not in httpx.get(f"{url}/metrics").text


def test_refusals_say_what_is_wrong(worker: NodeClient, producer: NodeClient) -> None:
    with pytest.raises(NodeError, match="this node is a producer; ask a worker node"):
        producer.start_worker(1, 1, [QUEUE])
    with pytest.raises(NodeError, match="this node is a worker; ask a producer node"):
        worker.cancel_producing()
    with pytest.raises(NodeError, match=r"processes: .*greater than or equal to 1"):
        worker.start_worker(0, 1, [QUEUE])
    with pytest.raises(NodeError, match=r"ValueError: concurrency: at most 100 \(HTTP 502\)"):
        worker.start_worker(1, 101, [QUEUE])
    with pytest.raises(NodeError, match=r"no worker to resume: it is (none|stopped)"):
        worker.resume_worker()
    with pytest.raises(NodeError, match=r"POST /worker/begin: Not Found \(HTTP 404\)"):
        worker._post("/worker/begin")
    with pytest.raises(NodeError, match="run='x' must be a number"):
        worker._get("/counts", run="x")
    worker.start_worker(1, 1, [QUEUE])
    with pytest.raises(NodeError, match="a worker is running already"):
        worker.start_worker(1, 1, [QUEUE])


def test_a_bridge_that_dies_is_reported_and_started_again(producer: NodeClient) -> None:
    with pytest.raises(NodeError, match="bridge was ended by SIGABRT over 'depth'"):
        producer.depth("crash")
    assert producer.depth(QUEUE).waiting == 0
    assert producer.describe()["name"] == "tiny"


def test_a_load_can_be_cancelled_but_not_doubled(producer: NodeClient) -> None:
    producer.connect_producer("tiny")
    order = ProduceOrder(1, 1, "tiny", QUEUE, only("noop"), Paced(10, 600))
    producer.start_producing(order)
    with pytest.raises(NodeError, match="a load is being offered already"):
        producer.start_producing(order)
    producer.cancel_producing()
    assert producer.producer().state == "failed"
    assert producer.producer().error == "cancelled"
    producer.cancel_producing()


def test_the_clock_is_this_hosts(worker: NodeClient) -> None:
    reading = worker.clock()
    assert reading.before_ns <= reading.node_ns <= reading.after_ns
    assert reading.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert reading.time_namespace == str(Path("/proc/self/ns/time").readlink())


def test_clearing_removes_the_files_of_processes_that_have_ended(
    worker: NodeClient, producer: NodeClient, node_of: Callable[[str], Agent]
) -> None:
    folder = node_of("tiny").events_dir
    worker.start_worker(1, 1, [QUEUE])
    produce(producer, Burst(3))
    wait_finished(worker, 3)
    assert len(list(folder.iterdir())) == 1
    worker.clear_events()
    assert [path.stat().st_size for path in folder.iterdir()] == [0]
    worker.kill_worker()
    worker.clear_events()
    assert list(folder.iterdir()) == []


def test_an_unreachable_node_is_named() -> None:
    with NodeClient("http://127.0.0.1:1", "secret", name="the far one") as client:
        began_s = time.monotonic()
        with pytest.raises(
            NodeError, match=r"node the far one: GET /health: cannot connect to http://127.0.0.1:1 .*is its agent running"
        ):
            client.health()
        assert time.monotonic() - began_s < LIMIT_S


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"LAB_ROLE": "boss"}, "LAB_ROLE='boss': Input should be 'worker' or 'producer'"),
        ({"LAB_ROLE": "worker"}, "LAB_VARIANT is missing"),
        ({"LAB_ROLE": "producer", "LAB_AGENT_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_a_wrong_environment_ends_with_a_clear_error(
    tmp_path: Path, frameworks: Path, redis_url: str, settings: dict[str, str], problem: str
) -> None:
    environment = agent_environment(tmp_path, frameworks, redis_url, "secret", **settings)
    ended = subprocess.run(
        [sys.executable, "-m", "infrastructure.agent"], env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert problem in ended.stderr
    assert "Traceback" not in ended.stderr


def test_subscribers_need_a_framework_with_events_and_a_producer_node(producer: NodeClient, worker: NodeClient) -> None:
    producer.start_subscribers(run=1, phase=1, count=1, delay_s=0)
    died = until(lambda: producer.subscribers().died, "the subscribers' end")
    assert "tiny has no event_stream" in died
    assert producer.health().ok
    with pytest.raises(NodeError, match="this node is a worker"):
        worker.start_subscribers(run=1, phase=1, count=1, delay_s=0)
    with pytest.raises(NodeError, match="count: Input should be greater than or equal to 1"):
        producer.start_subscribers(run=1, phase=1, count=0, delay_s=0)


def test_records_are_counted_by_kind_and_outcome(producer: NodeClient, node_of: Callable[[str], Agent]) -> None:
    produce(producer, Burst(7), run=3, phase=2)
    assert producer.count_events(Kind.ENQUEUED, 3, 2) == {Outcome.OK: 7}
    assert producer.count_events(Kind.ENQUEUED, 3, 1) == {}
    headers = {"Authorization": f"Bearer {node_of('').token}"}
    answer = httpx.get(f"{producer.url}/events/count?kind=9&run=1&phase=1", headers=headers)
    assert (answer.status_code, "kind=9 is none: there are 1 (ENQUEUED)" in answer.json()["error"]) == (400, True)
