"""What a request brings along, checked. Whatever is wrong with it is an HTTPException with status 400 that says so."""

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from infrastructure.agent.requests import Body


async def body_of[B: Body](request: Request, kind: type[B]) -> B:
    """The body as this kind of request."""
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise HTTPException(400, f"{request.url.path} cannot take this body: {'; '.join(problems)}") from error


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
