"""Tasks that call the mock API, against a server that tells its connections apart."""

import asyncio
import os
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpcore
import pytest

from tasks import http_work
from tasks.http_work import AnswerError, get, get_async
from tasks.workloads import WORKLOADS
from tests.mock_api_server import running_mock_api
from tests.support import environment_python, run_script


class Server(ThreadingHTTPServer):
    """Answers at once, or with the rest of those that it is to have together."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[int, str]] = []
        self.together = threading.Barrier(1)
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.client_address[1], self.path))
        self.server.together.wait(timeout=10)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("LAB_MOCK_API_URL", f"http://127.0.0.1:{made.server_port}")
        fresh()
        yield made
        made.shutdown()
        thread.join()
        fresh()


def fresh() -> None:
    """As in a process that has asked for nothing yet."""
    for connection in http_work._idle.blocking:
        connection.close()
    http_work._idle._forget()
    http_work._server.cache_clear()


def test_a_task_asks_for_its_parameters_under_its_own_id(server: Server) -> None:
    WORKLOADS["http_get"].blocking({"ms": 5, "fail": "once"}, (3, 1, 17, 2))
    assert [path for _, path in server.asked] == ["/delay?ms=5&fail=once&id=3-1-17-2"]


def test_one_after_another_they_share_a_connection(server: Server) -> None:
    for number in range(3):
        get({"ms": 1}, str(number))
    assert len({port for port, _ in server.asked}) == 1


def test_at_the_same_time_each_has_its_own_and_all_are_used_again(server: Server) -> None:
    server.together = threading.Barrier(4)
    for _ in range(2):
        threads = [threading.Thread(target=get, args=({"ms": 1}, str(number))) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.asked) == 8
    assert len({port for port, _ in server.asked}) == 4


def test_an_event_loop_has_connections_of_its_own(server: Server) -> None:
    server.together = threading.Barrier(4)

    async def rounds() -> None:
        coroutine = WORKLOADS["http_get"].coroutine
        assert coroutine is not None
        for _ in range(2):
            await asyncio.gather(*(coroutine({"ms": 1}, (1, 1, number, 1)) for number in range(4)))
        for connection in http_work._idle.of_loop():
            await connection.aclose()

    asyncio.run(rounds())
    asyncio.run(rounds())
    assert len(server.asked) == 16
    assert len({port for port, _ in server.asked}) == 8


FORKING = """
import os
from tasks.http_work import get
get({}, "parent")
child = os.fork()
if child:
    os.waitpid(child, 0)
    get({}, "parent-again")
else:
    get({}, "child")
"""


def test_a_forked_process_leaves_the_connections_to_its_parent(server: Server) -> None:
    run_script(FORKING, LAB_MOCK_API_URL=os.environ["LAB_MOCK_API_URL"])
    port_of = {path.rpartition("=")[2]: port for port, path in server.asked}
    assert port_of["parent"] == port_of["parent-again"] != port_of["child"]


def test_an_answer_that_is_no_success_raises_and_keeps_the_connection(server: Server) -> None:
    server.status = 503
    with pytest.raises(AnswerError, match="answered 1-1-0-1 with 503: ok") as raised:
        get({"ms": 1}, "1-1-0-1")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    server.status = 200
    get({"ms": 1}, "again")
    assert len({port for port, _ in server.asked}) == 1


def test_a_connection_that_breaks_is_not_used_again(server: Server) -> None:
    get({"ms": 1}, "first")
    (connection,) = http_work._idle.blocking
    connection.close()
    with pytest.raises(httpcore.ConnectionNotAvailable):
        get({"ms": 1}, "second")
    get({"ms": 1}, "third")
    assert len(server.asked) == 2


def test_without_the_mock_api_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_MOCK_API_URL", raising=False)
    fresh()
    with pytest.raises(AnswerError, match="LAB_MOCK_API_URL is not set"):
        get({}, "1")
    with pytest.raises(AnswerError, match="LAB_MOCK_API_URL is not set"):
        asyncio.run(get_async({}, "1"))


GREENLETS = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(); from gevent.pool import Pool; each = Pool(20).map",
    "eventlet": "import eventlet; eventlet.monkey_patch(); each = lambda f, x: list(eventlet.GreenPool(20).imap(f, x))",
}
TWENTY = """
import time
from tasks.http_work import get
began = time.monotonic()
each(lambda number: get({"ms": 200}, str(number)), range(20))
print(time.monotonic() - began)
"""


@pytest.mark.parametrize("library", GREENLETS)
def test_greenlets_wait_together(library: str, tmp_path: Path) -> None:
    with running_mock_api() as url:
        took_s = run_script(GREENLETS[library] + TWENTY, python=environment_python("celery"), LAB_MOCK_API_URL=url)
    assert 0.2 <= float(took_s) < 20 * 0.2
