"""The mock API as a bare ASGI application: one coroutine a request and no web framework, so that one core serves thousands/s."""

import asyncio
import json
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from functools import lru_cache
from itertools import batched
from time import monotonic_ns
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure.mock_api.behaviour import Behaviour, is_failing, latency_ms, parse_behaviour
from infrastructure.mock_api.request_log import RequestLog
from infrastructure.mock_api.settings import Settings
from tasks.bodies import refusal
from tasks.causes import cause

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NS_PER_MS = 1_000_000
BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.105, 0.125, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram; one just above 100 ms shows whether the usual latency was kept."""

_JSON = "application/json"
_ENTRIES_A_CHUNK = 5_000
MOST_BODY_BYTES = 10_000
"""No request needs a body."""


def _head(status: int, content_type: str, length: int) -> Message:
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": status, "headers": headers}


_OK_BODY = {"type": "http.response.body", "body": b"ok\n"}
_FAILED_BODY = {"type": "http.response.body", "body": b"failed as asked\n"}
_OK_HEAD = _head(200, "text/plain", 3)


def split_id(query: bytes) -> tuple[bytes, bytes]:
    """The request's id, unquoted (empty if there is none), and the rest of the query."""
    request_id = b""
    rest = []
    for part in query.split(b"&"):
        if part.startswith(b"id="):
            request_id = part[3:]
        elif part:
            rest.append(part)
    if b"%" in request_id or b"+" in request_id:
        request_id = unquote_to_bytes(request_id.replace(b"+", b" "))
    return request_id, b"&".join(rest)


class Counts(Collector):
    """What Prometheus is told: counted in plain integers, put into words only when asked."""

    def __init__(self) -> None:
        self.by_status: dict[int, int] = {200: 0}
        self.in_flight = 0
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.by_status[status] = self.by_status.get(status, 0) + 1
        self._buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s += seconds

    def collect(self) -> Iterator[Metric]:
        """The metric families."""
        requests = CounterMetricFamily("mock_api_requests", "Delayed requests answered, by status", labels=["status"])
        for status, count in sorted(self.by_status.items()):
            requests.add_metric([str(status)], count)
        yield requests
        yield GaugeMetricFamily(
            "mock_api_requests_in_flight", "Delayed requests that wait for their answer", value=self.in_flight
        )
        cumulated, buckets = 0, []
        for bound, count in zip([*map(str, BUCKETS_S), "+Inf"], self._buckets, strict=True):
            cumulated += count
            buckets.append((bound, cumulated))
        yield HistogramMetricFamily(
            "mock_api_request_duration_seconds", "From a request's arrival to its answer", buckets=buckets, sum_value=self._sum_s
        )


class MockApi:
    """The application; its table of requests is in the package's docstring."""

    def __init__(self, settings: Settings) -> None:
        self._counts = Counts()
        self._registry = CollectorRegistry()
        self._registry.register(self._counts)
        ProcessCollector(registry=self._registry)
        self._log = RequestLog(settings.log_capacity)
        self._failed_once: set[bytes] = set()
        self._served = self._errors = self._peak_in_flight = 0
        self._unremembered = 0

        @lru_cache(maxsize=1024)
        def behaviour(query: bytes) -> Behaviour:
            parameters = dict(parse_qsl(query.decode(errors="replace"), keep_blank_values=True, strict_parsing=bool(query)))
            return parse_behaviour(parameters, settings.default_ms, settings.seed)

        self._behaviour = behaviour
        self._routes: dict[tuple[str, str], Callable[[bytes, Send], Awaitable[None]]] = {
            ("GET", "/delay"): self._delay,
            ("GET", "/log"): self._show_log,
            ("POST", "/log/clear"): self._clear,
            ("GET", "/stats"): self._stats,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/health"): self._health,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in self._routes)
            await _send_json(send, {"error": f"no {scope['method']} {scope['path']}; there are {known}"}, status=404)
            return
        # What it does not read it still lets in, as far as the server buffers it.
        if scope["method"] != "GET" and (refused := refusal(scope, MOST_BODY_BYTES)) is not None:
            await _send_json(send, {"error": refused[1]}, status=refused[0])
            return
        try:
            await route(scope["query_string"], send)
        except ValueError as error:
            await _send_json(send, {"error": cause(error)}, status=400)

    async def _delay(self, query: bytes, send: Send) -> None:
        arrived_ns = monotonic_ns()
        request_id, rest = split_id(query)
        behaviour = self._behaviour(rest)
        if not request_id and behaviour.depends_on_id:
            raise ValueError("id is missing: a log-normal latency and an error follow from the request's id")
        due_ns = arrived_ns + int(latency_ms(behaviour, request_id) * NS_PER_MS)
        counts = self._counts
        counts.in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, counts.in_flight)
        try:
            # The loop's timers count whole milliseconds and may fire up to one early.
            while (now_ns := monotonic_ns()) < due_ns:
                await asyncio.sleep((due_ns - now_ns) * 1e-9)
        finally:
            counts.in_flight -= 1
        failed = is_failing(behaviour, request_id) and (behaviour.fail == "always" or self._is_first_failure(request_id))
        status = behaviour.status if failed else 200
        took_ns = now_ns - arrived_ns
        self._served += 1
        self._errors += failed
        counts.answered(status, took_ns * 1e-9)
        self._log.append(request_id, arrived_ns, status, took_ns / NS_PER_MS)
        if failed:
            await send(_head(status, "text/plain", len(_FAILED_BODY["body"])))
            await send(_FAILED_BODY)
        else:
            await send(_OK_HEAD)
            await send(_OK_BODY)

    def _is_first_failure(self, request_id: bytes) -> bool:
        """Whether a request with this id has not failed before. Ids beyond the log's capacity cannot be remembered: they do not
        fail, and the log says that it overflowed."""
        if request_id in self._failed_once:
            return False
        if len(self._failed_once) >= self._log.capacity:
            self._unremembered += 1
            return False
        self._failed_once.add(request_id)
        return True

    async def _show_log(self, query: bytes, send: Send) -> None:
        since = dict(parse_qsl(query.decode(errors="replace"))).get("since", "0")
        if not since.isdigit():
            raise ValueError(f"since={since!r} is not a time in nanoseconds")
        overflowed = self._log.dropped + self._unremembered > 0
        head = {"overflowed": overflowed, "dropped": self._log.dropped}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", _JSON.encode())]})
        await _send_chunk(send, json.dumps(head)[:-1] + ', "entries": [')
        separator = ""
        for entries in batched(self._log.entries(int(since)), _ENTRIES_A_CHUNK):
            await _send_chunk(send, separator + json.dumps(entries)[1:-1])
            separator = ", "
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"]}"})

    async def _clear(self, _: bytes, send: Send) -> None:
        self._log.clear()
        self._failed_once.clear()
        self._served = self._errors = self._unremembered = 0
        self._peak_in_flight = self._counts.in_flight
        await _send_json(send, {})

    async def _stats(self, _: bytes, send: Send) -> None:
        stats = {
            "served": self._served,
            "errors": self._errors,
            "in_flight": self._counts.in_flight,
            "peak_in_flight": self._peak_in_flight,
        }
        await _send_json(send, stats)

    async def _metrics(self, _: bytes, send: Send) -> None:
        await _send(send, 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry))

    async def _health(self, _: bytes, send: Send) -> None:
        await _send_json(send, {"status": "ok"})


async def _send_chunk(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _send_json(send: Send, data: Any, status: int = 200) -> None:
    await _send(send, status, _JSON, json.dumps(data).encode())


async def _send(send: Send, status: int, content_type: str, body: bytes) -> None:
    await send(_head(status, content_type, len(body)))
    await send({"type": "http.response.body", "body": body})
