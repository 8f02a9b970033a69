"""Scenario 10 on a real Redis: every event that is owed arrives, names its task, and is paid for; subscribers come and go."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from benchmarks.record.flags import TOO_FEW_PROCESSES
from benchmarks.record.run_data import RunResult
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from tasks.events import Kind, Streamed
from tests.e2e.agent_support import until
from tests.e2e.scenario_support import number_of, require_valid, run_scenario, stored

SIZES = {"tasks": 100, "paced_s": 0.3, "slow_delay_ms": 4, "settle_s": 5}
EVENTS_OF_A_TASK = {"floor": 2, "celery-prefork": 3, "asynctasq-async": 2}
"""Celery tells of a task's arrival at the worker as well."""
FRAMEWORKS = sorted({variant.partition("-")[0] for variant in EVENTS_OF_A_TASK})

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_every_event_owed_arrives_and_is_paid_for(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 10, tuple(EVENTS_OF_A_TASK), SIZES)
    # So few tasks may be done before a second process has looked for any.
    for variant, row in require_valid(results, but={TOO_FEW_PROCESSES.code}).items():
        tasks = measure(row, "task_count")
        for phase, owed in {"on_1": 2 * tasks, "on_5": 10 * tasks, "on_slow": 2 * tasks, "paced": 2 * 30}.items():
            assert measure(row, f"{phase}_events_owed") == owed
            assert measure(row, f"{phase}_events_received") == owed, f"{variant}, {phase}: {row.flags}"
            assert measure(row, f"{phase}_connections_broken") == 0
            assert 0 < measure(row, f"{phase}_delivery_p50_ms") < 10_000
            assert 0 < measure(row, f"{phase}_transit_p50_ms") < 10_000
        assert measure(row, "emission_events_per_task") == EVENTS_OF_A_TASK[variant]
        assert 0 < measure(row, "emission_calls_per_task") <= EVENTS_OF_A_TASK[variant]
        more_commands = measure(row, "on_0_redis_commands_per_task") - measure(row, "off_redis_commands_per_task")
        assert more_commands == pytest.approx(measure(row, "emission_calls_per_task"), abs=0.5)
        # The last event of a slow subscriber comes after it has slept over all the others.
        assert measure(row, "on_slow_delivery_p99_ms") > 0.8 * (2 * tasks * SIZES["slow_delay_ms"] - 500)
        assert measure(row, "on_5_redis_bytes_per_task") > measure(row, "on_1_redis_bytes_per_task")
        run = stored(results, variant)
        receipts = run.reading("receipts")
        of_one = receipts[(receipts.phase == number_of(run, "on_1")) & (receipts.what != Streamed.NOTHING)]
        assert sorted(of_one.sequence) == sorted([*range(int(tasks))] * 2)


Producer = Callable[[str], NodeClient]


@pytest.fixture
def producer_of(local_lab: LocalLab) -> Producer:
    def connect(framework: str) -> NodeClient:
        client = NodeClient(local_lab.producer_url(framework), local_lab.token)
        client.clear_events()
        return client

    return connect


def subscriptions(client: NodeClient, phase: int) -> int:
    return client.count_events(Kind.RECEIVED, 1, phase).get(Streamed.NOTHING, 0)


def processes_of_subscribers() -> list[psutil.Process]:
    return [p for p in psutil.Process(os.getpid()).children(recursive=True) if is_subscriber(p)]


def is_subscriber(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "tasks.subscriber" in process.cmdline()
    except psutil.NoSuchProcess:  # it ended meanwhile
        return False


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_connection_that_was_cut_is_made_anew_and_all_end_with_the_session(
    producer_of: Producer, local_lab: LocalLab, framework: str
) -> None:
    client = producer_of(framework)
    with client.session():
        client.start_subscribers(run=1, phase=1, count=2, delay_s=0)
        until(lambda: subscriptions(client, 1) == 2, "two subscriptions")
        with redis.Redis.from_url(local_lab.redis_url) as server:
            assert server.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 2
        until(lambda: subscriptions(client, 1) == 4, "two subscriptions made anew")
        assert client.subscribers().state == "running"
        assert len(processes_of_subscribers()) == 3, "the program and two subscribers"
        with pytest.raises(NodeError, match="running already"):
            client.start_subscribers(run=1, phase=2, count=1, delay_s=0)
    until(lambda: not processes_of_subscribers(), "the end of all subscribers")


def test_a_subscriber_that_ends_ends_all_and_is_reported(producer_of: Producer) -> None:
    client = producer_of("floor")
    client.start_subscribers(run=1, phase=1, count=2, delay_s=0)
    until(lambda: subscriptions(client, 1) == 2, "two subscriptions")
    program, *_ = [p for p in processes_of_subscribers() if p.children()]
    program.children()[0].kill()
    until(lambda: client.subscribers().state == "died", "the death to be noticed")
    assert "ended, with code -9" in str(client.subscribers().died)
    until(lambda: not processes_of_subscribers(), "the end of the others")
    assert client.health().ok, "what befalls a subscriber is its run's business"
