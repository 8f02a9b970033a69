"""Errors as answers: ``{"error": "..."}`` with the status that says whose fault it is."""

from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infrastructure.agent.errors import BridgeError, NodeConflictError, SupervisionError
from tasks.causes import cause


def _answering(status: int) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": cause(error)}, status)

    return answer


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = f"{request.method} {request.url.path}: {error.detail}" if error.status_code in (404, 405) else error.detail
    return JSONResponse({"error": text}, error.status_code, error.headers)


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
    NodeConflictError: _answering(409),
    BridgeError: _answering(502),
    SupervisionError: _answering(500),
    HTTPException: _http_error,
    Exception: _answering(500),
}
"""What answers for each kind of error."""
