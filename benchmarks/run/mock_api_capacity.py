"""How many requests a second the mock API can serve: a fact of :mod:`benchmarks.run.calibration`."""

import asyncio
import re
from dataclasses import dataclass
from typing import cast, override
from urllib.parse import urlsplit

import httpx

from benchmarks.run.labs.lab import Lab, LabError
from tasks.causes import cause

CONNECTIONS = 500
LATENCY_MS = 100
WARM_S = 0.3
MEASURED_S = 1.5
_ANSWERED = b"\r\n\r\nok\n"
_REQUESTS = re.compile(r'^mock_api_requests_total\{status="200"\} (\S+)$', re.MULTILINE)
_CPU_S = re.compile(r"^process_cpu_seconds_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the mock API says of itself since its start, both at the same moment."""

    requests: float
    cpu_s: float


def spent_from(metrics: str) -> Spent:
    """Read from what ``/metrics`` prints. Raises LabError where it is not there."""
    requests, cpu_s = _REQUESTS.search(metrics), _CPU_S.search(metrics)
    if requests is None or cpu_s is None:
        raise LabError("the mock API's /metrics lacks its requests or CPU seconds: does another program listen on its port?")
    return Spent(float(requests[1]), float(cpu_s[1]))


def requests_per_s(lab: Lab) -> float:
    """Requests that the mock API serves at 100 ms for each second of its own CPU time, which is what a core of its own would let
    it serve: :data:`CONNECTIONS` connections ask again as soon as they are answered, and what they themselves cost on a shared
    core does not count. Raises LabError."""
    if not lab.mock_api_url:
        raise LabError(
            "a scenario needs the mock API, which the lab was brought up without: start it, or leave that scenario out"
        )
    before, after = asyncio.run(_load(lab.mock_api_url))
    if after.cpu_s <= before.cpu_s or after.requests <= before.requests:
        raise LabError("the mock API served nothing while its capacity was measured: see its log")
    return (after.requests - before.requests) / (after.cpu_s - before.cpu_s)


class _Connection(asyncio.Protocol):
    """Asks over one connection, again and again."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        if self._transport is not None:
            self._transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(_ANSWERED):
            self._received = b""
            self.ask()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _load(url: str) -> tuple[Spent, Spent]:
    server = urlsplit(url)
    if server.hostname is None or server.port is None:
        raise LabError(f"the mock API's address must be http://host:port, not {url!r}")
    request = f"GET /delay?ms={LATENCY_MS}&id=calibration HTTP/1.1\r\nHost: {server.netloc}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        try:
            for _ in range(CONNECTIONS):
                _, connection = await loop.create_connection(lambda: _Connection(request), server.hostname, server.port)
                connections.append(connection)
            for index, connection in enumerate(connections):
                loop.call_later(index * LATENCY_MS / 1000 / CONNECTIONS, connection.ask)
            await asyncio.sleep(WARM_S)
            before = await _spent(client)
            await asyncio.sleep(MEASURED_S)
            return before, await _spent(client)
        except (OSError, httpx.HTTPError) as error:
            raise LabError(f"the mock API at {url} cannot be measured: {cause(error)}") from error
        finally:
            for connection in connections:
                connection.close()


async def _spent(client: httpx.AsyncClient) -> Spent:
    return spent_from((await client.get("/metrics")).raise_for_status().text)
