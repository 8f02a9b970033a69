"""What keeps the bodies of requests small, for ASGI applications that have no limit of their own. Standard library only."""

import json
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

Application = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
"""What ASGI calls one."""


def refusal(scope: MutableMapping[str, Any], most_bytes: int) -> tuple[int, str] | None:
    """Status and words for a request whose body is announced as longer than ``most_bytes``, or not announced at all (chunked), so
    that it could be of any length; None for any other. Costs a look at the headers, and reads nothing."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit() or int(value) > most_bytes:
                return 413, f"{scope['path']} takes a body of {most_bytes:,} bytes at most"
        elif name == b"transfer-encoding":
            return 411, f"{scope['path']} takes no body whose length is not said beforehand"
    return None


def with_small_bodies(app: Application, most_bytes: int) -> Application:
    """The application, without the requests that :func:`refusal` is for: they are answered so."""

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        refused = refusal(scope, most_bytes) if scope["type"] == "http" else None
        if refused is None:
            await app(scope, receive, send)
            return
        status, text = refused
        body = json.dumps({"error": text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return limited
