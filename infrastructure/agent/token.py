"""Who may ask the agent: whoever has the node's token."""

import hmac

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS = ("/health", "/metrics")
TRUSTED = "lab.trusted"
"""In a request's scope: whether it carries the token."""


class RequireToken:
    """Answers 401 to requests without the token, except those for :data:`OPEN_PATHS`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            scope[TRUSTED] = hmac.compare_digest(given, self._expected)
            if not scope[TRUSTED] and scope["path"] not in OPEN_PATHS:
                text = "this needs the header 'Authorization: Bearer TOKEN' with the node's LAB_TOKEN"
                await JSONResponse({"error": text}, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
                return
        await self._app(scope, receive, send)
