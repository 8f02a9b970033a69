"""What a request brings along, checked. Whatever is wrong with it is an HTTPException that says so: with status
400, or 413 for more than is taken."""

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from infrastructure.agent.requests import Body

MOST_BODY_BYTES = 1_000_000
"""Many times what the largest order takes."""


async def body_of[B: Body](request: Request, kind: type[B]) -> B:
    """The body as this kind of request."""
    try:
        return kind.model_validate_json(await _body(request))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise HTTPException(400, f"{request.url.path} cannot take this body: {'; '.join(problems)}") from error


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MOST_BODY_BYTES:
            raise HTTPException(413, f"{request.url.path} takes a body of {MOST_BODY_BYTES:,} bytes at most")
    return b"".join(parts)


def query_of(request: Request, name: str) -> str:
    """A parameter of the query, which must be there."""
    value = request.query_params.get(name)
    if not value:
        raise HTTPException(400, f"{request.url.path} needs ?{name}=...")
    return value


def number_of(request: Request, name: str) -> int:
    """A parameter of the query that is a whole number, 0 or more."""
    value = query_of(request, name)
    if not value.isdigit():
        raise HTTPException(400, f"{name}={value!r} must be a number")
    return int(value)
