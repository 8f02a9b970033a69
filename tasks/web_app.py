# mypy: disable-error-code="import-not-found", disallow-untyped-decorators=False
"""The web application from which tasks are dispatched: ``python -m tasks.web_app NAME VARIANT --queue QUEUE --socket FD``.

FastAPI on uvicorn, one process, with asyncio's own event loop and h11, which every framework's environment has. ``FD`` is a
listening socket that the process inherits; whoever connects to it before the application is up is answered once it is.

======================= ==========================================================================================
endpoint                what it does with the task call that is posted to it, before it answers
======================= ==========================================================================================
POST /nothing           runs it on the event loop: with an empty task, an ``async def`` endpoint that does nothing
POST /nothing-threaded  runs it in FastAPI's thread pool: with an empty task, a ``def`` endpoint that does nothing
POST /dispatch          dispatches it by the framework (:class:`tasks.contract.WebPart`)
POST /wait              dispatches it and waits for its end by the framework's own results, where it has any
POST /job               dispatches it as a long job whose result the framework keeps, where it keeps any
POST /background        hands it to FastAPI's BackgroundTasks, which run it in this process after the answer: in the thread pool
POST /background-...    the same, and it runs on the event loop: ``awaiting`` what it waits for, or ``blocking`` the loop
GET /health             what the start took: ``import_s`` of the framework's module, ``lifespan_s`` of its lifespan
======================= ==========================================================================================

With ``--bare`` there is no framework in it, and only /nothing and /health: what the application's own start takes.
"""

import argparse
import inspect
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import BackgroundTasks, Body, FastAPI

from tasks.bodies import with_small_bodies
from tasks.contract import WebPart, load_framework
from tasks.loads import DISPATCH_ENDPOINT, JOB_ENDPOINT, WAIT_ENDPOINT
from tasks.workloads import TaskCall, execute, execute_async

KEEP_ALIVE_S = 600
"""Longer than a run, so that no connection is closed under a request."""
START_FAILED = 3
MOST_BODY_BYTES = 1_000_000

Call = Annotated[TaskCall, Body()]
Answer = dict[str, int]


def _answer(call: TaskCall) -> Answer:
    return {"sequence": call[2]}


def create_app(part: WebPart | None, queue: str, import_s: float | None) -> FastAPI:
    """The application; without a framework's part it is the bare one. ``import_s`` is passed on to /health."""
    took: dict[str, float | None] = {"import_s": import_s, "lifespan_s": None}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if part is None or part.lifespan is None:
            yield
            return
        began_ns = time.monotonic_ns()
        async with part.lifespan(app):
            took["lifespan_s"] = (time.monotonic_ns() - began_ns) / 1e9
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, float | None]:
        return took

    @app.post("/nothing")
    async def nothing(call: Call) -> Answer:
        await execute_async(*call)
        return _answer(call)

    if part is None:
        return app

    @app.post("/nothing-threaded")
    def nothing_threaded(call: Call) -> Answer:
        execute(*call)
        return _answer(call)

    @app.post("/background")
    async def background(call: Call, tasks: BackgroundTasks) -> Answer:
        tasks.add_task(execute, *call)
        return _answer(call)

    @app.post("/background-awaiting")
    async def background_awaiting(call: Call, tasks: BackgroundTasks) -> Answer:
        tasks.add_task(execute_async, *call)
        return _answer(call)

    @app.post("/background-blocking")
    async def background_blocking(call: Call, tasks: BackgroundTasks) -> Answer:
        tasks.add_task(_blocking, *call)
        return _answer(call)

    app.post(DISPATCH_ENDPOINT)(_endpoint(part.dispatch, queue))
    app.post(JOB_ENDPOINT)(_endpoint(part.submit or part.dispatch, queue))
    if part.wait is not None:
        app.post(WAIT_ENDPOINT)(_endpoint(part.wait, queue))
    return app


async def _blocking(*call: Any) -> None:
    """A coroutine that does not await what it waits for."""
    execute(*call)


def _endpoint(send: Callable[[str, TaskCall], Any], queue: str) -> Callable[[Any], Any]:
    async def awaited(call: Call) -> Answer:
        await send(queue, call)
        return _answer(call)

    def threaded(call: Call) -> Answer:
        send(queue, call)
        return _answer(call)

    return awaited if inspect.iscoroutinefunction(send) else threaded


def main() -> None:
    """Serve until SIGTERM. Exits with 3 where the application's start failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework")
    parser.add_argument("variant")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    part, import_s = None, None
    if not options.bare:
        began_ns = time.monotonic_ns()
        framework: Any = load_framework(options.framework)
        part = framework.web_part(options.variant)
        import_s = (time.monotonic_ns() - began_ns) / 1e9
    config = uvicorn.Config(
        with_small_bodies(create_app(part, options.queue, import_s), MOST_BODY_BYTES),
        loop="asyncio",
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=options.socket)])
    if not server.started:
        sys.exit(START_FAILED)


if __name__ == "__main__":
    main()
