"""Bodies of requests are small, or are not read."""

import asyncio
from typing import Any

import pytest

from tasks.bodies import with_small_bodies

MOST = 100


def answer_to(*headers: tuple[bytes, bytes]) -> int:
    """The status that a request with these headers is answered with; 200 where it reaches the application."""
    statuses = []

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> Any:
        raise AssertionError("nothing of it is read")

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "path": "/some", "headers": [(b"host", b"here"), *headers]}
    asyncio.run(with_small_bodies(app, MOST)(scope, receive, send))
    [status] = statuses
    return int(status)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        (((b"content-length", b"100"),), 200),
        (((b"content-length", b"101"),), 413),
        (((b"content-length", b"-1"),), 413),
        (((b"content-length", b"many"),), 413),
        (((b"transfer-encoding", b"chunked"),), 411),
        (((b"content-length", b"1"), (b"transfer-encoding", b"chunked")), 411),
    ],
)
def test_only_a_body_that_is_said_to_be_small_reaches_the_application(
    headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    assert answer_to(*headers) == status
