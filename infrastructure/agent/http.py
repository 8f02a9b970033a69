"""The agent's routes. Bodies and answers are JSON; an error is ``{"error": "..."}``.

Everything but ``/health`` and ``/metrics`` needs ``Authorization: Bearer TOKEN``. The routes that change something work with or
without a session: without one, for use by hand, nothing is undone when the caller goes away.

============================ ======================================================================================
route                        answer
============================ ======================================================================================
GET /health                  role, framework, variant, state of the worker, ok; 503 where it is not
GET /metrics                 Prometheus text
GET /clock                   monotonic_ns, boot_id, time_namespace
GET /describe                what the framework is (``tasks.bridge``)
GET /session                 a newline each second for as long as the session is held; 409 if another one is
POST /worker/start           processes, slots, queues, track, watch → plan, pids
GET /worker/start_times      a StartTimes of a start that was watched, once the worker is connected
POST /worker/stop            grace_s → graceful, asked_ns, took_s
POST /worker/pause, resume   ``{}``, once all processes stand still or go on
POST /worker/kill            ``{}``, once no process is left
GET /worker                  state, pids of the whole tree, died, log_tail
GET /worker/logs             logs: the whole log of each of the worker's commands
GET /worker/connections      addresses of the worker's side of its connections to Redis
POST /interpreter/start      took_s: the framework's Python started with nothing to do, until it has ended
POST /producer/connect       variant, serializer → ``{}``
POST /producer/start         order → ``{}``; the load goes on by itself
POST /producer/cancel        ``{}``
GET /producer                state, result, error
POST /web/start              variant, queue, bare → a :class:`~infrastructure.agent.web.WebReport`, once it answers
POST /web/stop               grace_s → graceful, took_s
POST /web/kill               ``{}``, once no process is left
GET /web                     state, died, log_tail, and the WebReport of the last start
POST /subscribers/start      run, phase, count, delay_s → ``{}``, once they are started; see ``tasks.subscriber``
POST /subscribers/stop       ``{}``, once none is left; so at the end of a session
GET /subscribers             state, died, log_tail
POST /messages/read          order → message_bytes, send_ns, decode_ns (``tasks.reading``)
POST /queues/purge           queues → ``{}``
GET /queues/depth?queue=     waiting, claimed, delayed
GET /events                  all event files, whole records, as application/octet-stream
POST /events/clear           ``{}``
GET /counts?run=             for each phase its :class:`~infrastructure.agent.counting.PhaseCounts`
GET /events/count            of ?kind=, ?run= and ?phase=: for each outcome how many records there are
POST /samples/begin          interval_s → ``{}``; of the worker's tree, or the web application's, as are the next three
POST /samples/take           required → a TreeSample, now
POST /samples/end            ``{}``
GET /samples                 the TreeSamples of the series
PUT /lab                     what the runner is doing (``LabState``), for /metrics → ``{}``; forgotten with the session
DELETE /lab                  ``{}``
============================ ======================================================================================
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from infrastructure.agent import metrics
from infrastructure.agent.errors import BridgeError, NodeConflictError, SupervisionError
from infrastructure.agent.node import Node
from infrastructure.agent.requests import (
    Body,
    LabState,
    MessagesRead,
    ProducerConnect,
    ProducerStart,
    QueuesPurge,
    SamplesBegin,
    SamplesTake,
    SubscribersStart,
    WebStart,
    WorkerStart,
    WorkerStop,
)
from tasks.events import Kind

OPEN_PATHS = ("/health", "/metrics")
HEARTBEAT_S = 1.0


def create_app(node: Node) -> Starlette:
    """The agent's application for one node."""
    routes = Routes(node)
    table: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
        ("GET", "/health"): routes.health,
        ("GET", "/metrics"): routes.metrics,
        ("GET", "/clock"): routes.clock,
        ("GET", "/describe"): routes.describe,
        ("POST", "/worker/start"): routes.worker_start,
        ("GET", "/worker/start_times"): routes.worker_start_times,
        ("POST", "/worker/stop"): routes.worker_stop,
        ("POST", "/worker/pause"): routes.worker_pause,
        ("POST", "/worker/resume"): routes.worker_resume,
        ("POST", "/worker/kill"): routes.worker_kill,
        ("GET", "/worker"): routes.worker,
        ("GET", "/worker/logs"): routes.worker_logs,
        ("GET", "/worker/connections"): routes.worker_connections,
        ("POST", "/interpreter/start"): routes.interpreter_start,
        ("POST", "/producer/connect"): routes.producer_connect,
        ("POST", "/producer/start"): routes.producer_start,
        ("POST", "/producer/cancel"): routes.producer_cancel,
        ("GET", "/producer"): routes.producer,
        ("POST", "/web/start"): routes.web_start,
        ("POST", "/web/stop"): routes.web_stop,
        ("POST", "/web/kill"): routes.web_kill,
        ("GET", "/web"): routes.web,
        ("POST", "/subscribers/start"): routes.subscribers_start,
        ("POST", "/subscribers/stop"): routes.subscribers_stop,
        ("GET", "/subscribers"): routes.subscribers,
        ("POST", "/messages/read"): routes.messages_read,
        ("POST", "/queues/purge"): routes.queues_purge,
        ("GET", "/queues/depth"): routes.queues_depth,
        ("GET", "/events"): routes.events,
        ("POST", "/events/clear"): routes.events_clear,
        ("GET", "/events/count"): routes.events_count,
        ("GET", "/counts"): routes.counts,
        ("POST", "/samples/begin"): routes.samples_begin,
        ("POST", "/samples/take"): routes.samples_take,
        ("POST", "/samples/end"): routes.samples_end,
        ("GET", "/samples"): routes.samples,
        ("PUT", "/lab"): routes.lab_put,
        ("DELETE", "/lab"): routes.lab_delete,
    }
    return Starlette(
        routes=[
            Route("/session", SessionLease(node), methods=["GET"]),
            *(Route(path, endpoint, methods=[method]) for (method, path), endpoint in table.items()),
        ],
        middleware=[Middleware(RequireToken, token=node.settings.token.get_secret_value())],
        exception_handlers={
            NodeConflictError: _answering(409),
            BridgeError: _answering(502),
            SupervisionError: _answering(500),
            HTTPException: _http_error,
            Exception: _answering(500),
        },
    )


class RequireToken:
    """Answers 401 to requests without the token, except those for :data:`OPEN_PATHS`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not hmac.compare_digest(given, self._expected):
                text = "this needs the header 'Authorization: Bearer TOKEN' with the node's LAB_TOKEN"
                await JSONResponse({"error": text}, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SessionLease:
    """Holds the node for as long as the client stays."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A heartbeat until the client goes away or the node ends."""
        node = self._node
        await node.open_session()
        gone = asyncio.create_task(_disconnected(receive))
        closing = asyncio.create_task(node.closing.wait())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            while not gone.done() and not closing.done():
                await send({"type": "http.response.body", "body": b"\n", "more_body": True})
                await asyncio.wait((gone, closing), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            closing.cancel()
            node.close_session()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Routes:
    """One method for each route."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def health(self, _: Request) -> Response:
        """What the node is, and whether it is well."""
        health = self._node.health()
        return JSONResponse(health, 200 if health["ok"] else 503)

    async def metrics(self, request: Request) -> Response:
        """Everything for Prometheus."""
        text, content_type = metrics.exposition(await self._node.scrape(), request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    async def clock(self, _: Request) -> Response:
        """The node's clock, and what tells whether it is the caller's too."""
        return JSONResponse(
            {
                "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                "time_namespace": str(Path("/proc/self/ns/time").readlink()),
                "monotonic_ns": time.monotonic_ns(),
            }
        )

    async def describe(self, _: Request) -> Response:
        """What the framework is."""
        return JSONResponse(await self._node.bridge.order("describe"))

    async def worker_start(self, request: Request) -> Response:
        """Start a worker."""
        self._node.require_role("worker")
        return JSONResponse(await self._node.start_worker(await _body(request, WorkerStart)))

    async def worker_start_times(self, _: Request) -> Response:
        """How the worker's start went, once it is over."""
        self._node.require_role("worker")
        return JSONResponse(asdict(await self._node.start_times()))

    async def worker_stop(self, request: Request) -> Response:
        """Stop the worker."""
        self._node.require_role("worker")
        body = await _body(request, WorkerStop)
        return JSONResponse(asdict(await self._node.worker.stop(body.grace_s)))

    async def worker_pause(self, _: Request) -> Response:
        """Pause the worker."""
        self._node.require_role("worker")
        await self._node.worker.pause()
        return JSONResponse({})

    async def worker_resume(self, _: Request) -> Response:
        """Resume the worker."""
        self._node.require_role("worker")
        await self._node.worker.resume()
        return JSONResponse({})

    async def worker_kill(self, _: Request) -> Response:
        """Kill the worker."""
        self._node.require_role("worker")
        await self._node.worker.kill()
        return JSONResponse({})

    async def worker(self, _: Request) -> Response:
        """How the worker is."""
        self._node.require_role("worker")
        worker = self._node.worker
        return JSONResponse(
            {
                "state": worker.state,
                "pids": [process.pid for process in worker.tree()],
                "died": worker.died,
                "log_tail": worker.log_tail(),
            }
        )

    async def worker_logs(self, _: Request) -> Response:
        """What the worker has printed."""
        self._node.require_role("worker")
        return JSONResponse({"logs": [log.read_text(encoding="utf-8", errors="replace") for log in self._node.worker.logs]})

    async def interpreter_start(self, _: Request) -> Response:
        """What starting Python alone takes."""
        return JSONResponse(await self._node.bridge.order("bare_start"))

    async def worker_connections(self, _: Request) -> Response:
        """Where the worker's connections to Redis come from."""
        self._node.require_role("worker")
        return JSONResponse({"addresses": self._node.worker_connections()})

    async def producer_connect(self, request: Request) -> Response:
        """Connect a producer."""
        self._node.require_role("producer")
        body = await _body(request, ProducerConnect)
        return JSONResponse(await self._node.bridge.order("connect", variant=body.variant, serializer=body.serializer))

    async def producer_start(self, request: Request) -> Response:
        """Begin a load."""
        self._node.require_role("producer")
        self._node.producer.start((await _body(request, ProducerStart)).order)
        return JSONResponse({})

    async def producer_cancel(self, _: Request) -> Response:
        """Cancel the load."""
        self._node.require_role("producer")
        await self._node.producer.cancel()
        return JSONResponse({})

    async def producer(self, _: Request) -> Response:
        """How the load goes."""
        self._node.require_role("producer")
        return JSONResponse(asdict(self._node.producer.report))

    async def web_start(self, request: Request) -> Response:
        """Start the web application."""
        self._node.require_role("producer")
        return JSONResponse(asdict(await self._node.web.start(await _body(request, WebStart))))

    async def web_stop(self, request: Request) -> Response:
        """Stop the web application."""
        self._node.require_role("producer")
        body = await _body(request, WorkerStop)
        return JSONResponse(asdict(await self._node.worker.stop(body.grace_s)))

    async def web_kill(self, _: Request) -> Response:
        """Kill the web application."""
        self._node.require_role("producer")
        await self._node.worker.kill()
        return JSONResponse({})

    async def web(self, _: Request) -> Response:
        """How the web application is."""
        self._node.require_role("producer")
        supervisor, report = self._node.worker, self._node.web.report
        status = {"state": supervisor.state, "died": supervisor.died, "log_tail": supervisor.log_tail()}
        return JSONResponse({**status, "report": None if report is None else asdict(report)})

    async def subscribers_start(self, request: Request) -> Response:
        """Start subscribers."""
        self._node.require_role("producer")
        await self._node.start_subscribers(await _body(request, SubscribersStart))
        return JSONResponse({})

    async def subscribers_stop(self, _: Request) -> Response:
        """End the subscribers: there is nothing that they could have left to do."""
        self._node.require_role("producer")
        await self._node.subscribers.kill()
        return JSONResponse({})

    async def subscribers(self, _: Request) -> Response:
        """How the subscribers are."""
        self._node.require_role("producer")
        found = self._node.subscribers
        return JSONResponse({"state": found.state, "died": found.died, "log_tail": found.log_tail()})

    async def messages_read(self, request: Request) -> Response:
        """Have the framework send and read messages."""
        body = await _body(request, MessagesRead)
        return JSONResponse(await self._node.bridge.order("read_messages", order=body.order))

    async def queues_purge(self, request: Request) -> Response:
        """Empty queues."""
        body = await _body(request, QueuesPurge)
        return JSONResponse(await self._node.bridge.order("purge", queues=body.queues))

    async def queues_depth(self, request: Request) -> Response:
        """How deep a queue is."""
        return JSONResponse(await self._node.bridge.order("depth", queue=_query(request, "queue")))

    async def events(self, _: Request) -> Response:
        """The event log."""
        return StreamingResponse(self._node.events.raw(), media_type="application/octet-stream")

    async def events_clear(self, _: Request) -> Response:
        """Empty the event log."""
        await asyncio.to_thread(self._node.events.clear)
        return JSONResponse({})

    async def counts(self, request: Request) -> Response:
        """What has happened in a run."""
        return JSONResponse(await asyncio.to_thread(self._node.events.counts, _number(request, "run")))

    async def events_count(self, request: Request) -> Response:
        """How many records of one kind a phase has."""
        number = _number(request, "kind")
        if number not in {kind.value for kind in Kind}:
            raise HTTPException(400, f"kind={number} is none: there are {', '.join(f'{k.value} ({k.name})' for k in Kind)}")
        run, phase = _number(request, "run"), _number(request, "phase")
        return JSONResponse(await asyncio.to_thread(self._node.events.by_outcome, Kind(number), run, phase))

    async def samples_begin(self, request: Request) -> Response:
        """Begin a series of samples."""
        body = await _body(request, SamplesBegin)
        await asyncio.to_thread(self._node.sampler.begin, body.interval_s)
        return JSONResponse({})

    async def samples_take(self, request: Request) -> Response:
        """Take one sample."""
        body = await _body(request, SamplesTake)
        return JSONResponse(asdict(await self._node.take_sample(required=body.required)))

    async def samples_end(self, _: Request) -> Response:
        """End the series."""
        await asyncio.to_thread(self._node.sampler.end)
        return JSONResponse({})

    async def samples(self, _: Request) -> Response:
        """The series."""
        return JSONResponse([asdict(row) for row in self._node.sampler.rows])

    async def lab_put(self, request: Request) -> Response:
        """What the runner is doing."""
        self._node.lab_state = await _body(request, LabState)
        return JSONResponse({})

    async def lab_delete(self, _: Request) -> Response:
        """The runner is doing nothing any more."""
        self._node.lab_state = None
        return JSONResponse({})


async def _body[B: Body](request: Request, kind: type[B]) -> B:
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise HTTPException(400, f"{request.url.path} cannot take this body: {'; '.join(problems)}") from error


def _query(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise HTTPException(400, f"{request.url.path} needs ?{name}=...")
    return value


def _number(request: Request, name: str) -> int:
    value = _query(request, name)
    if not value.isdigit():
        raise HTTPException(400, f"{name}={value!r} must be a number")
    return int(value)


def _answering(status: int) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error) or type(error).__name__}, status)

    return answer


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = f"{request.method} {request.url.path}: {error.detail}" if error.status_code in (404, 405) else error.detail
    return JSONResponse({"error": text}, error.status_code, error.headers)
