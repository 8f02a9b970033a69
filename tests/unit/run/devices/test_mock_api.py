"""What reads the mock API's log and measures what it can serve, against a real one."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from benchmarks.run import mock_api_capacity
from benchmarks.run.contract import Places
from benchmarks.run.devices.mock_api import MOCK_API_LOG
from benchmarks.run.labs.lab import Lab, LabError
from benchmarks.run.mock_api_capacity import Spent, requests_per_s, spent_from
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from tests.mock_api_server import running_mock_api

LOG_CAPACITY = 3


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_mock_api(MOCK_API_LOG_CAPACITY=str(LOG_CAPACITY)) as url:
        yield url


def places(url: str) -> Places:
    node = cast(NodeClient, None)
    return Places(node, node, "queue", "redis://localhost", url)


def ask(url: str, name: str, **parameters: str) -> None:
    httpx.get(f"{url}/delay", params={"id": name, "ms": "1", **parameters})


def lab_at(url: str) -> Lab:
    return cast(Lab, SimpleNamespace(mock_api_url=url))


def test_the_log_of_a_phase_holds_what_was_answered_in_it(server: str) -> None:
    ask(server, "before")
    with MOCK_API_LOG.attach(places(server), 7, 1) as read:
        ask(server, "7-1-0-1")
        ask(server, "7-1-1-1", fail="always")
        log = read()
    assert list(log.columns) == ["id", "arrived_ns", "status", "latency_ms"]
    assert list(log["id"]) == ["7-1-0-1", "7-1-1-1"]
    assert list(log["status"]) == [200, 503]
    assert (log["latency_ms"] >= 1).all()


def test_a_phase_without_requests_has_a_log_of_the_same_columns(server: str) -> None:
    with MOCK_API_LOG.attach(places(server), 7, 1) as read:
        log = read()
    assert log.empty
    assert log["arrived_ns"].dtype == "int64"


def test_a_log_that_is_not_whole_is_an_error(server: str) -> None:
    with MOCK_API_LOG.attach(places(server), 7, 1) as read:
        for number in range(LOG_CAPACITY + 2):
            ask(server, str(number))
        with pytest.raises(NodeError, match="2 answers are not in it: raise MOCK_API_LOG_CAPACITY"):
            read()


@pytest.mark.parametrize(
    ("url", "problem"), [("", "brought up without the mock API"), ("http://127.0.0.1:1", "POST /log/clear: .*see its log")]
)
def test_a_mock_api_that_is_not_there_is_an_error(url: str, problem: str) -> None:
    with pytest.raises(NodeError, match=problem), MOCK_API_LOG.attach(places(url), 7, 1):
        pass


def test_its_capacity_is_what_it_serves_in_a_second_of_its_own_cpu(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mock_api_capacity, "CONNECTIONS", 50)
    monkeypatch.setattr(mock_api_capacity, "MEASURED_S", 0.5)
    offered_per_s = 50 * 1000 / mock_api_capacity.LATENCY_MS
    assert requests_per_s(lab_at(server)) > offered_per_s


def test_requests_and_cpu_are_read_from_the_metrics() -> None:
    requests = 'mock_api_requests_total{status="200"} 7001.0\nmock_api_requests_total{status="503"} 2.0\n'
    metrics = f"{requests}process_cpu_seconds_total 0.35\n"
    assert spent_from(metrics) == Spent(7001, 0.35)
    with pytest.raises(LabError, match="does another program listen on its port"):
        spent_from("process_cpu_seconds_total 0.35\n")


@pytest.mark.parametrize(
    ("url", "problem"), [("", "brought up without"), ("http://127.0.0.1:1", "cannot be measured"), ("http://x", "must be http")]
)
def test_a_capacity_that_cannot_be_measured_is_an_error(url: str, problem: str) -> None:
    with pytest.raises(LabError, match=problem):
        requests_per_s(lab_at(url))
