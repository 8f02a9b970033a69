"""A node over HTTP: requests, their errors, and the session that holds it."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from tasks.causes import cause

CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 30.0
FRAMEWORK_LIMIT_S = 90.0
"""Longer than the agent waits for the framework, so that its own account of the failure arrives."""
SILENCE_LIMIT_S = 10.0


class NodeError(Exception):
    """A node refused or failed: ``node`` names it, ``what`` was asked, and ``detail`` says what went wrong and what to do."""

    def __init__(self, node: str, what: str, detail: str) -> None:
        super().__init__(f"node {node}: {what}: {detail}")
        self.node = node
        self.what = what
        self.detail = detail


class Session:
    """A session that is held on a node."""

    def __init__(self) -> None:
        self._lost: NodeError | None = None

    def check(self) -> None:
        """Raises NodeError if the node has ended the session, or is silent: its worker is gone then."""
        if self._lost is not None:
            raise self._lost

    def lose(self, error: NodeError) -> None:
        """Note that the session is lost, and why."""
        self._lost = error


class Transport:
    """One node, by its URL. Every call raises NodeError when the node cannot be reached, refuses or fails.

    It can be used from several threads. ``name`` is what errors call the node: its URL, unless something better is given.
    """

    def __init__(self, url: str, token: str, name: str = "") -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_timeout(ANSWER_LIMIT_S),
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Hold the node, so that it ends all that is started in the block when this process goes away, however that happens.

        Raises NodeError when another session holds it. The session is kept by a thread; ask :meth:`Session.check` now and then
        whether it still is.
        """
        session = Session()
        leaving = threading.Event()
        what = "GET /session"
        with contextlib.ExitStack() as opened:
            with self._errors(what):
                response = opened.enter_context(self._client.stream("GET", "/session", timeout=_timeout(SILENCE_LIMIT_S)))
                self._check(response, what)

            def hold() -> None:
                detail = "the node ended the session"
                try:
                    for _ in response.iter_raw():
                        pass
                except httpx.HTTPError as error:
                    detail = f"the session broke off: {error!r}"
                if not leaving.is_set():
                    session.lose(NodeError(self.name, what, f"{detail}; its worker has been killed. See the node's log"))

            holder = threading.Thread(target=hold, name=f"session {self.name}", daemon=True)
            holder.start()
            try:
                yield session
            finally:
                leaving.set()
                connection: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                holder.join()

    def _get(self, path: str, limit_s: float = ANSWER_LIMIT_S, **query: str | int) -> dict[str, Any]:
        answer: dict[str, Any] = self._json("GET", path, limit_s, params=query)
        return answer

    def _post(self, path: str, body: Mapping[str, Any] | None = None, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        answer: dict[str, Any] = self._json("POST", path, limit_s, json=body)
        return answer

    def _json(self, method: str, path: str, limit_s: float = ANSWER_LIMIT_S, **content: Any) -> Any:
        response = self._request(method, path, limit_s, **content)
        try:
            return response.json()
        except ValueError as error:
            detail = f"{self.url} did not answer with JSON; is it a node agent?"
            raise NodeError(self.name, f"{method} {path}", detail) from error

    def _request(self, method: str, path: str, limit_s: float = ANSWER_LIMIT_S, **content: Any) -> httpx.Response:
        what = f"{method} {path}"
        with self._errors(what):
            response = self._client.request(method, path, timeout=_timeout(limit_s), **content)
        self._check(response, what)
        return response

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            detail = f"cannot connect to {self.url} ({cause(error)}); is its agent running, and is the URL right?"
            raise NodeError(self.name, what, detail) from error
        except httpx.TimeoutException as error:
            raise NodeError(
                self.name, what, f"{self.url} did not answer in time ({type(error).__name__}); see its log"
            ) from error
        except httpx.TransportError as error:
            detail = f"the connection to {self.url} broke off ({cause(error)}); its agent may have ended, see its log"
            raise NodeError(self.name, what, detail) from error

    def _check(self, response: httpx.Response, what: str) -> None:
        if response.is_success:
            return
        text = response.read().decode("utf-8", errors="replace")
        try:
            text = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            text = text[:500] or response.reason_phrase
        raise NodeError(self.name, what, f"{text} (HTTP {response.status_code})")


def _timeout(limit_s: float) -> httpx.Timeout:
    return httpx.Timeout(limit_s, connect=CONNECT_LIMIT_S)
