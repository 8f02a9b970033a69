"""Tasks that ask the mock API for something, over connections that each process (or event loop) keeps and uses again.

The client is httpcore, the part of httpx that speaks HTTP: its asynchronous connections on an event loop, their blocking twins
elsewhere, so that no variant has a better client than another. What httpx lays over it costs as much again for each request,
and the connection pool of both looks at every connection for every request, which at 100 at once takes more CPU than anything
else that a task does; a stack of idle connections, of which the last one used is taken first, costs the same for any number.
"""

import asyncio
import os
import weakref
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpcore

from tasks.contract import MOCK_API_URL_VARIABLE
from tasks.workloads import TaskId, Workload

TIMEOUT_S = 30.0
EXTENSIONS: dict[str, Any] = {"timeout": dict.fromkeys(("connect", "read", "write"), TIMEOUT_S)}
Parameters = Mapping[str, str | int | float]
"""What is asked of the mock API: the parameters of ``infrastructure.mock_api.behaviour``."""


class AnswerError(RuntimeError):
    """An answer that is no success. Plain text only, so that it can be passed on between processes."""


class _Idle:
    """This process's idle connections. They are left to the parent after a fork. Taking from a list and adding to it are each
    one step of the interpreter, so threads need no lock."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self.blocking: list[httpcore.HTTPConnection] = []
        self._of_loops = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[httpcore.AsyncHTTPConnection]]()

    def of_loop(self) -> list[httpcore.AsyncHTTPConnection]:
        return self._of_loops.setdefault(asyncio.get_running_loop(), [])


_idle = _Idle()


@cache
def _server() -> tuple[str, httpcore.Origin]:
    url = os.environ.get(MOCK_API_URL_VARIABLE)
    if not url:
        raise AnswerError(f"{MOCK_API_URL_VARIABLE} is not set: this task needs the lab's mock API, http://host:port")
    return url, httpcore.URL(url).origin


def request_id(task_id: TaskId) -> str:
    """What the mock API's log calls an execution: ``RUN-PHASE-SEQUENCE-ATTEMPT``."""
    return "-".join(map(str, task_id))


def get(parameters: Parameters, name: str) -> None:
    """Ask for ``/delay`` under a name. Raises AnswerError for an answer that is no success, and what httpcore raises."""
    url, origin = _server()
    idle = _idle.blocking
    try:
        connection = idle.pop()
    except IndexError:
        connection = httpcore.HTTPConnection(origin)
    try:
        response = connection.request("GET", _url(url, parameters, name), extensions=EXTENSIONS)
    except BaseException:
        connection.close()
        raise
    idle.append(connection)
    _require_success(response, name)


async def get_async(parameters: Parameters, name: str) -> None:
    """As :func:`get`, from an event loop."""
    url, origin = _server()
    idle = _idle.of_loop()
    connection = idle.pop() if idle else httpcore.AsyncHTTPConnection(origin)
    try:
        response = await connection.request("GET", _url(url, parameters, name), extensions=EXTENSIONS)
    except BaseException:
        await connection.aclose()
        raise
    idle.append(connection)
    _require_success(response, name)


def _url(server: str, parameters: Parameters, name: str) -> str:
    return f"{server}/delay?{urlencode({**parameters, 'id': name})}"


def _require_success(response: httpcore.Response, name: str) -> None:
    if not 200 <= response.status < 300:
        answer = response.content.decode(errors="replace").strip()
        raise AnswerError(f"the mock API answered {name} with {response.status}: {answer}")


def _get(argument: Parameters, task_id: TaskId) -> None:
    get(argument, request_id(task_id))


async def _get_async(argument: Parameters, task_id: TaskId) -> None:
    await get_async(argument, request_id(task_id))


def longest_s(_: Any) -> float:
    """How long a request can take at most: what it waits for an answer."""
    return TIMEOUT_S


HTTP_GET = Workload(_get, _get_async, longest_s=longest_s)
