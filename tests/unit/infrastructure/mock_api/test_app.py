"""The mock API over HTTP: a real server on a free port."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infrastructure.mock_api.app import split_id
from tests.mock_api_server import running_mock_api

LOG_CAPACITY = 500


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_mock_api(MOCK_API_LOG_CAPACITY=str(LOG_CAPACITY), MOCK_API_DEFAULT_MS="1") as url:
        yield url


@pytest.fixture
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server) as client:
        client.post("/log/clear").raise_for_status()
        yield client


def delay(api: httpx.Client, **parameters: Any) -> int:
    return api.get("/delay", params=parameters).status_code


def entries(api: httpx.Client, since_ns: int = 0) -> list[list[Any]]:
    log: list[list[Any]] = api.get("/log", params={"since": since_ns}).json()["entries"]
    return log


def test_an_answer_never_comes_early_and_the_log_tells_when_it_came(api: httpx.Client) -> None:
    before_ns = time.monotonic_ns()
    for number, wanted_ms in enumerate((0, 1, 10.5, 30)):
        assert delay(api, ms=wanted_ms, id=f"t/{number} &ü") == 200
    log = entries(api)
    assert [entry[0] for entry in log] == [f"t/{number} &ü" for number in range(4)]
    for (_, arrived_ns, status, latency_ms), wanted_ms in zip(log, (0, 1, 10.5, 30), strict=True):
        assert before_ns < arrived_ns < time.monotonic_ns()
        assert status == 200
        assert latency_ms >= wanted_ms
    assert entries(api, since_ns=log[2][1]) == log[2:]


def test_the_same_ids_fail_whatever_the_order(api: httpx.Client) -> None:
    ids = [f"task-{number}" for number in range(60)]
    first = {request_id: delay(api, ms=0, id=request_id, error_rate=0.3, status=500) for request_id in ids}
    again = {request_id: delay(api, ms=0, id=request_id, error_rate=0.3, status=500) for request_id in reversed(ids)}
    assert first == again
    assert set(first.values()) == {200, 500}
    assert {request_id: delay(api, ms=0, id=request_id, error_rate=0.3, status=500, seed=1) for request_id in ids} != first


def test_fail_once_fails_at_the_first_request_of_an_id_and_always_at_each(api: httpx.Client) -> None:
    assert [delay(api, ms=0, id="a", fail="once") for _ in range(3)] == [503, 200, 200]
    assert delay(api, ms=0, id="b", fail="once") == 503
    assert [delay(api, ms=0, id="c", fail="always", status=429) for _ in range(2)] == [429, 429]
    api.post("/log/clear").raise_for_status()
    assert delay(api, ms=0, id="a", fail="once") == 503


def test_requests_wait_side_by_side_and_are_counted(api: httpx.Client) -> None:
    async def many() -> list[int]:
        async with httpx.AsyncClient(base_url=api.base_url) as client:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(client.get(f"/delay?ms=300&id={number}")) for number in range(20)]
            return [task.result().status_code for task in tasks]

    assert asyncio.run(many()) == [200] * 20
    delay(api, ms=0, id="bad", fail="always")
    assert api.get("/stats").json() == {"served": 21, "errors": 1, "in_flight": 0, "peak_in_flight": 20}
    assert sorted(entry[0] for entry in entries(api)) == sorted([*map(str, range(20)), "bad"])


def test_a_full_log_says_so_and_keeps_counting(api: httpx.Client) -> None:
    assert api.get("/log").json() == {"overflowed": False, "dropped": 0, "entries": []}
    for number in range(LOG_CAPACITY + 3):
        delay(api, ms=0, id=number)
    log = api.get("/log").json()
    assert (log["overflowed"], log["dropped"], len(log["entries"])) == (True, 3, LOG_CAPACITY)
    assert api.get("/stats").json()["served"] == LOG_CAPACITY + 3


def test_metrics_count_by_status_and_keep_a_histogram(api: httpx.Client) -> None:
    def metrics() -> dict[str, float]:
        lines = (line for line in api.get("/metrics").text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    before = metrics()
    delay(api, ms=0, id="x")
    delay(api, ms=30, id="y")
    delay(api, ms=0, id="z", fail="always", status=418)
    after = metrics()
    assert after['mock_api_requests_total{status="200"}'] - before['mock_api_requests_total{status="200"}'] == 2
    assert after['mock_api_requests_total{status="418"}'] == 1
    assert after["mock_api_requests_in_flight"] == 0
    histogram = "mock_api_request_duration_seconds"
    assert after[f"{histogram}_count"] - before[f"{histogram}_count"] == 3
    assert after[f'{histogram}_bucket{{le="0.025"}}'] - before[f'{histogram}_bucket{{le="0.025"}}'] == 2


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/delay?ms=ten&id=a", 400, "ms='ten' is not a number from 0 to 600000"),
        ("/delay?distribution=lognormal", 400, "id is missing"),
        ("/delay?fail=once", 400, "id is missing"),
        ("/delay?ms", 400, "ms"),
        ("/log?since=yesterday", 400, "since='yesterday'"),
        ("/", 404, "GET /delay"),
        ("/log/clear", 404, "POST /log/clear"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(api: httpx.Client, path: str, status: int, text: str) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert text in answer.json()["error"]
    assert api.get("/stats").json()["served"] == 0


def test_a_wrong_setting_ends_it_with_a_message() -> None:
    environment = {**os.environ, "MOCK_API_PORT": "eighty"}
    done = subprocess.run(
        [sys.executable, "-m", "infrastructure.mock_api"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "MOCK_API_PORT='eighty'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", (b"", b"")),
        (b"id=7", (b"7", b"")),
        (b"ms=1&id=a%2Fb+c&status=500", (b"a/b c", b"ms=1&status=500")),
        (b"grid=1", (b"", b"grid=1")),
    ],
)
def test_the_id_is_split_from_what_requests_have_in_common(query: bytes, expected: tuple[bytes, bytes]) -> None:
    assert split_id(query) == expected
