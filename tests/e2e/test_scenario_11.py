"""Scenario 11 on a real Redis, and the web application that it measures."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest
import redis

from benchmarks.record.flags import PARTLY_UNSUPPORTED
from benchmarks.record.run_data import RunResult
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.scenarios.scenario_11_fastapi import ENDPOINTS, WARM_WAITS
from tasks.events import Outcome, Place
from tasks.loads import Burst, Mix, TaskClass
from tasks.producing import ProduceOrder
from tests.e2e.agent_support import until
from tests.e2e.scenario_support import require_valid, run_scenario, stored

SIZES = {
    "rate_per_s": 100,
    "calm_s": 0.8,
    "wait_s": 0.4,
    "flat_requests": 60,
    "dispatch_steps": 1,
    "step_s": 0.2,
    "warm_requests": 16,
}
CONTROL, THREADED, NATIVE = "floor", "celery-threads", "asynctasq-async"
RESULTS_DATABASE = 2

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def producer(local_lab: LocalLab) -> Iterator[NodeClient]:
    with NodeClient(local_lab.producer_url(CONTROL), local_lab.token, "producer") as client:
        yield client


@pytest.fixture
def held(producer: NodeClient) -> Iterator[NodeClient]:
    """The producer's node, with nothing left running after the test."""
    with producer.session():
        yield producer
    until(lambda: producer.web().state != "running", "the end of the application")


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def tasks_of(run: StoredRun, endpoint: str) -> pd.DataFrame:
    """All tasks of the measured phases that were posted to an endpoint."""
    tasks = run.tasks()
    return tasks[(tasks["phase"] > 0) & (tasks["label"] == ENDPOINTS.index(endpoint))]


def test_requests_are_answered_and_their_tasks_done_where_they_belong(local_lab: LocalLab, tmp_path: Path) -> None:
    with redis.Redis.from_url(f"{local_lab.redis_url}/{RESULTS_DATABASE}") as database:
        database.flushdb()
        results = run_scenario(local_lab, tmp_path, 11, (CONTROL, THREADED, NATIVE), SIZES)
        stored_results = len(database.keys("celery-task-meta-*"))
    for variant, row in require_valid(results).items():
        run = stored(results, variant)
        web, elsewhere = (set(tasks_of(run, endpoint)["process"]) for endpoint in ("nothing", "dispatch"))
        assert len(web) == 1
        assert not web & elsewhere
        assert set(tasks_of(run, "background")["process"]) == web == set(tasks_of(run, "nothing_threaded")["process"])
        assert (tasks_of(run, "nothing")["place"].to_numpy() & int(Place.COROUTINE)).all()
        assert not (tasks_of(run, "background")["place"].to_numpy() & int(Place.MAIN_THREAD)).any()
        assert (run.tasks()["outcome"] == Outcome.OK).all()
        held_per_s = row.measures["dispatch_service_level_per_s"]
        assert held_per_s is None or held_per_s < measure(row, "dispatch_flat_out_per_s")
        assert measure(row, "dispatch_p50_ms") < measure(row, "dispatch_p95_ms")
        assert measure(row, "startup_cpu_ms") <= measure(row, "startup_ms") + 20
        assert measure(row, "startup_import_ms") < measure(row, "startup_ms")
        assert 10 < measure(row, "web_memory_bare_mb") < measure(row, "web_memory_ready_mb") < 200
        starts = run.reading("web_starts")
        assert starts["kind"].tolist() == ["bare", "whole"]
        assert starts["lifespan_ms"].isna().tolist() == [True, variant == THREADED]
        waited = tasks_of(run, "wait")
        if variant == NATIVE:
            assert (len(waited), row.measures["wait_p50_ms"]) == (0, None)
            assert PARTLY_UNSUPPORTED.code in [flag.code for flag in row.flags]
        else:
            assert (waited["acknowledged_ns"] > waited["finished_ns"]).all()
            assert measure(row, "wait_p50_ms") > 0
        if variant == THREADED:
            others = len(tasks_of(run, "dispatch"))
            assert WARM_WAITS < len(waited) <= stored_results < len(waited) + others, "of what is waited for, warm-up included"
        with NodeClient(local_lab.producer_url(row.framework), local_lab.token) as node:
            assert node.web().state == "stopped"


def test_an_application_ends_with_the_session_in_which_it_was_started(producer: NodeClient) -> None:
    with producer.session():
        url = producer.start_web(CONTROL, "lab-floor").url
        assert httpx.get(f"{url}/health").status_code == httpx.codes.OK
        with pytest.raises(NodeError, match="a worker is running already"):
            producer.start_web(CONTROL, "lab-floor")
    until(lambda: producer.web().state == "stopped", "the end of the application")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_the_bare_application_has_nothing_of_a_framework(held: NodeClient) -> None:
    report = held.start_web(CONTROL, "lab-floor", bare=True)
    call = [1, 1, 1, 1, "noop", None]
    assert (report.import_s, report.lifespan_s) == (None, None)
    assert report.cpu_s > 0
    assert httpx.post(f"{report.url}/nothing", json=call).json() == {"sequence": 1}
    assert httpx.post(f"{report.url}/dispatch", json=call).status_code == httpx.codes.NOT_FOUND
    assert held.stop_web(10).graceful


def test_a_request_that_is_refused_is_a_failed_send(held: NodeClient) -> None:
    url = held.start_web(CONTROL, "lab-floor").url
    classes = (TaskClass("noop", endpoint="/nothing"), TaskClass("fail", "on purpose", 1, endpoint="/nothing"))
    held.clear_events()
    produced = node_steps.produce(held, ProduceOrder(9, 1, CONTROL, "lab-floor", Mix(classes), Burst(40), web_url=url))
    assert 0 < produced.failed < 40 == produced.attempted
    refusals = sum(
        count for text, count in produced.errors.items() if text.startswith("WebAnswerError: POST /nothing was answered 500")
    )
    # The server closes a connection after such an answer; a request that had just been put on it is lost with it.
    assert 0 < refusals <= produced.failed
    counts = held.counts(9)[1]
    assert (counts.finished_ok, counts.finished_failed) == (produced.acknowledged, refusals)


def test_an_application_that_does_not_start_is_reported_with_its_log(local_lab: LocalLab) -> None:
    with NodeClient(local_lab.producer_url("asynctasq"), local_lab.token) as node:
        with pytest.raises(NodeError, match=r"(?s)the web application did not become ready.*KeyError: 'asynctasq-none'"):
            node.start_web("asynctasq-none", "lab")
        assert node.start_web(NATIVE, "lab").ready_s > 0
        node.kill_web()


def test_a_worker_node_has_no_application(local_lab: LocalLab) -> None:
    with (
        NodeClient(local_lab.worker_url(CONTROL), local_lab.token) as worker,
        pytest.raises(NodeError, match="this node is a worker; ask a producer node"),
    ):
        worker.start_web(CONTROL, "lab-floor")
