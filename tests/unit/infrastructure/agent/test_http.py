"""What the agent does for whoever asks: little, however often it is asked, and with however much."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from infrastructure.agent import http, metrics
from infrastructure.agent.parsing import MOST_BODY_BYTES
from infrastructure.mock_api.app import MOST_BODY_BYTES as MOST_OF_MOCK_API
from tests.mock_api_server import running_mock_api

TOKEN = {"Authorization": "Bearer word"}


class FakeNode:
    """A node that counts how often it is scraped."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(token=SimpleNamespace(get_secret_value=lambda: "word"))
        self.scrapes = 0

    async def scrape(self) -> Any:
        self.scrapes += 1
        return self.scrapes


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    monkeypatch.setattr(metrics, "exposition", lambda scrape, _: (str(scrape).encode(), "text/plain"))
    return FakeNode()


def client_of(node: Any) -> TestClient:
    return TestClient(http.create_app(node))


def test_strangers_have_events_read_once_however_often_they_ask(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("infrastructure.agent.endpoints.time.monotonic", lambda: now_s[0])
    client = client_of(node)
    assert {client.get("/metrics").text for _ in range(50)} == {"1"}
    now_s[0] += 1.1
    assert {client.get("/metrics").text for _ in range(50)} == {"2"}
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).text == "2"
    assert client.get("/metrics", headers=TOKEN).text == "3", "the runner wants it as it is now"


@pytest.mark.parametrize("path", ["/queues/purge", "/samples/begin", "/lab"])
def test_a_body_has_a_limit(node: FakeNode, path: str) -> None:
    client, method = client_of(node), "PUT" if path == "/lab" else "POST"
    answer = client.request(method, path, content=b"x" * (MOST_BODY_BYTES + 1), headers=TOKEN)
    assert (answer.status_code, f"{path} takes a body of 1,000,000 bytes at most" in answer.json()["error"]) == (413, True)
    assert client.request(method, path, content=b"x" * MOST_BODY_BYTES, headers=TOKEN).status_code == 400
    assert client.request(method, path, content=b"x" * (MOST_BODY_BYTES + 1)).status_code == 401, "nothing of it is read"


def test_so_has_the_mock_apis() -> None:
    import httpx

    with running_mock_api() as url:
        assert httpx.post(f"{url}/log/clear", content=b"x" * MOST_OF_MOCK_API).status_code == 200
        answer = httpx.post(f"{url}/log/clear", content=b"x" * (MOST_OF_MOCK_API + 1))
        assert (answer.status_code, "10,000 bytes at most" in answer.json()["error"]) == (413, True)
        assert httpx.post(f"{url}/log/clear", content=iter([b"x"])).status_code == 411
