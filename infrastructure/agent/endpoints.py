"""What is done for each of the agent's routes (``infrastructure.agent.http``), but for the session."""

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from infrastructure.agent import metrics
from infrastructure.agent.node import Node
from infrastructure.agent.parsing import body_of, number_of, query_of
from infrastructure.agent.requests import (
    EventsDrop,
    EventsTake,
    HealthBegin,
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
from infrastructure.agent.token import TRUSTED
from infrastructure.environment import shown
from tasks.events import Kind

SCRAPE_KEPT_S = 1.0


class Endpoints:
    """One method for each route."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._scraping = asyncio.Lock()
        self._scrape: metrics.Scrape | None = None
        self._scraped_s = 0.0

    async def health(self, _: Request) -> Response:
        """What the node is, and whether it is well."""
        health = self._node.health()
        return JSONResponse(health, 200 if health["ok"] else 503)

    async def metrics(self, request: Request) -> Response:
        """Everything for Prometheus. To gather it means to read events: whoever asks without the token has that done once in
        :data:`SCRAPE_KEPT_S` at most, however often it asks."""
        async with self._scraping:
            if self._scrape is None or request.scope[TRUSTED] or time.monotonic() - self._scraped_s > SCRAPE_KEPT_S:
                self._scrape, self._scraped_s = await self._node.scrape(), time.monotonic()
            scrape = self._scrape
        text, content_type = metrics.exposition(scrape, request.headers.get("accept", ""))
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
        return JSONResponse(await self._node.start_worker(await body_of(request, WorkerStart)))

    async def worker_start_times(self, _: Request) -> Response:
        """How the worker's start went, once it is over."""
        self._node.require_role("worker")
        return JSONResponse(asdict(await self._node.start_times()))

    async def worker_stop(self, request: Request) -> Response:
        """Stop the worker."""
        self._node.require_role("worker")
        body = await body_of(request, WorkerStop)
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

    async def logs(self, _: Request) -> Response:
        """What everything that the node has started has printed."""
        return JSONResponse(self._node.logs())

    async def interpreter_start(self, _: Request) -> Response:
        """What starting Python alone takes."""
        return JSONResponse(await self._node.bridge.order("bare_start"))

    async def interpreter_import(self, _: Request) -> Response:
        """What Python takes with the framework imported."""
        return JSONResponse(await self._node.bridge.order("imported"))

    async def worker_connections(self, _: Request) -> Response:
        """Where the worker's connections to Redis come from."""
        self._node.require_role("worker")
        return JSONResponse({"addresses": self._node.worker_connections()})

    async def foreign_connections(self, _: Request) -> Response:
        """Where what this node has started is connected to beside the lab."""
        return JSONResponse({"addresses": await self._node.foreign_connections()})

    async def producer_connect(self, request: Request) -> Response:
        """Connect a producer."""
        self._node.require_role("producer")
        body = await body_of(request, ProducerConnect)
        await self._node.bridge.order("connect", variant=body.variant, serializer=body.serializer)
        return JSONResponse({"environment": shown(self._node.bridge.environment)})

    async def producer_start(self, request: Request) -> Response:
        """Begin a load."""
        self._node.require_role("producer")
        self._node.producer.start((await body_of(request, ProducerStart)).order)
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
        return JSONResponse(asdict(await self._node.web.start(await body_of(request, WebStart))))

    async def web_stop(self, request: Request) -> Response:
        """Stop the web application."""
        self._node.require_role("producer")
        body = await body_of(request, WorkerStop)
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

    async def health_begin(self, request: Request) -> Response:
        """Begin to ask the web application whether it is well."""
        self._node.require_role("producer")
        body = await body_of(request, HealthBegin)
        self._node.web_health.begin(self._node.web.port, body.interval_s, body.limit_s)
        return JSONResponse({})

    async def health_end(self, _: Request) -> Response:
        """Ask it no more."""
        self._node.require_role("producer")
        await self._node.web_health.end()
        return JSONResponse({})

    async def health_answers(self, _: Request) -> Response:
        """What came of every question."""
        return JSONResponse([asdict(answer) for answer in self._node.web_health.answers])

    async def subscribers_start(self, request: Request) -> Response:
        """Start subscribers."""
        self._node.require_role("producer")
        await self._node.start_subscribers(await body_of(request, SubscribersStart))
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
        body = await body_of(request, MessagesRead)
        return JSONResponse(await self._node.bridge.order("read_messages", order=body.order))

    async def queues_purge(self, request: Request) -> Response:
        """Empty queues."""
        body = await body_of(request, QueuesPurge)
        return JSONResponse(await self._node.bridge.order("purge", queues=body.queues))

    async def queues_depth(self, request: Request) -> Response:
        """How deep a queue is."""
        return JSONResponse(await self._node.bridge.order("depth", queue=query_of(request, "queue")))

    async def redis_own(self, _: Request) -> Response:
        """What purging queues and asking how deep they are has cost Redis."""
        traffic = self._node.bridge.redis_traffic
        return JSONResponse({"traffic": None if traffic is None else asdict(traffic)})

    async def events(self, _: Request) -> Response:
        """The event log."""
        return StreamingResponse(self._node.events.raw(), media_type="application/octet-stream")

    async def events_clear(self, _: Request) -> Response:
        """Empty the event log."""
        await asyncio.to_thread(self._node.events.clear)
        return JSONResponse({})

    async def events_take(self, request: Request) -> Response:
        """What the event log has behind cursors: the new cursors on a line of their own, and the records."""
        body = await body_of(request, EventsTake)
        taken = await asyncio.to_thread(self._node.events.records_after, body.cursors, body.most_bytes)
        head = json.dumps(dict(taken.cursors)).encode() + b"\n"
        return Response(head + taken.records, media_type="application/octet-stream")

    async def events_drop(self, request: Request) -> Response:
        """Give back the space of what was taken."""
        body = await body_of(request, EventsDrop)
        await asyncio.to_thread(self._node.events.drop_before, body.cursors)
        return JSONResponse({})

    async def counts(self, request: Request) -> Response:
        """What has happened in a run."""
        return JSONResponse(await asyncio.to_thread(self._node.events.counts, number_of(request, "run")))

    async def events_count(self, request: Request) -> Response:
        """How many records of one kind a phase has."""
        number = number_of(request, "kind")
        if number not in {kind.value for kind in Kind}:
            raise HTTPException(400, f"kind={number} is none: there are {', '.join(f'{k.value} ({k.name})' for k in Kind)}")
        run, phase = number_of(request, "run"), number_of(request, "phase")
        return JSONResponse(await asyncio.to_thread(self._node.events.by_outcome, Kind(number), run, phase))

    async def samples_begin(self, request: Request) -> Response:
        """Begin a series of samples."""
        body = await body_of(request, SamplesBegin)
        await asyncio.to_thread(self._node.sampler.begin, body.interval_s)
        return JSONResponse({})

    async def samples_take(self, request: Request) -> Response:
        """Take one sample."""
        body = await body_of(request, SamplesTake)
        return JSONResponse(asdict(await self._node.take_sample(required=body.required)))

    async def samples_end(self, _: Request) -> Response:
        """End the series."""
        await asyncio.to_thread(self._node.sampler.end)
        return JSONResponse({})

    async def samples(self, _: Request) -> Response:
        """The series."""
        return JSONResponse([asdict(row) for row in self._node.sampler.rows])

    async def footprints_begin(self, request: Request) -> Response:
        """Begin a series of footprints."""
        body = await body_of(request, SamplesBegin)
        await asyncio.to_thread(self._node.footprints.begin, body.interval_s)
        return JSONResponse({})

    async def footprints_end(self, _: Request) -> Response:
        """End the series."""
        await asyncio.to_thread(self._node.footprints.end)
        return JSONResponse({})

    async def footprints(self, _: Request) -> Response:
        """The series."""
        return JSONResponse([asdict(row) for row in self._node.footprints.rows])

    async def lab_put(self, request: Request) -> Response:
        """What the runner is doing."""
        self._node.lab_state = await body_of(request, LabState)
        return JSONResponse({})

    async def lab_delete(self, _: Request) -> Response:
        """The runner is doing nothing any more."""
        self._node.lab_state = None
        return JSONResponse({})
