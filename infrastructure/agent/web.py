"""The web application of a producer node (``tasks.web_app``), supervised as the worker of a worker node is."""

import asyncio
import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from infrastructure.agent.errors import NodeConflictError, SupervisionError
from infrastructure.agent.requests import WebStart
from infrastructure.agent.sampling import Sampler
from infrastructure.agent.supervisor import Supervisor
from tasks.contract import WorkerCommand

HOST = "127.0.0.1"
_START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class WebReport:
    """Where the application is, as its node sees it, and how long its start took: ``ready_s`` from the start of its process to
    its first answer; ``import_s`` of that for the framework's module; ``lifespan_s`` for the framework's part of the lifespan.
    The latter two are None where it has none. ``cpu_s``, ``pss_bytes`` and ``uss_bytes`` are what its processes have used and
    have by then."""

    url: str
    ready_s: float
    import_s: float | None
    lifespan_s: float | None
    cpu_s: float
    pss_bytes: int
    uss_bytes: int


class WebApplication:
    """Starts the application. It is stopped and killed as its supervisor's worker."""

    def __init__(self, python: Path, framework: str, supervisor: Supervisor, sampler: Sampler) -> None:
        self._python = python
        self._framework = framework
        self._supervisor = supervisor
        self._sampler = sampler
        self._report: WebReport | None = None
        self._port: int | None = None
        self.addresses: set[tuple[str, int]] = set()
        """Where applications of this node have listened so far: a client may hold its connection to one that has ended."""

    @property
    def report(self) -> WebReport | None:
        """Of the last start; None before the first."""
        return self._report

    @property
    def port(self) -> int:
        """Where the last one that was started listens. Raises NodeConflictError before the first."""
        if self._port is None:
            raise NodeConflictError("no web application has been started")
        return self._port

    async def start(self, request: WebStart) -> WebReport:
        """Start the application and wait for its first answer. Its socket listens before there is a process, so that the first
        request waits in the kernel and is answered as soon as the application is ready. Raises SupervisionError, with the end
        of its log, where it does not become so, and NodeConflictError where there is one already."""
        with socket.create_server((HOST, 0)) as listener:
            port: int = listener.getsockname()[1]
            self._port = port
            self.addresses.add((HOST, port))
            arguments = ["-m", "tasks.web_app", self._framework, request.variant, "--queue", request.queue]
            arguments += ["--socket", str(listener.fileno()), *(["--bare"] if request.bare else [])]
            command = WorkerCommand((str(self._python), *arguments))
            await self._supervisor.start([command], inherited=(listener.fileno(),))
        try:
            took, ready_ns = await asyncio.to_thread(_first_answer, port)
        except (OSError, http.client.HTTPException, ValueError) as error:
            await self._supervisor.kill()
            raise SupervisionError(
                f"the web application did not become ready ({error!r}); its log ends:\n{self._supervisor.log_tail()}"
            ) from error
        sample = await asyncio.to_thread(self._sampler.take)
        self._report = WebReport(
            url=f"http://{HOST}:{port}",
            ready_s=(ready_ns - self._supervisor.spawned_ns) / 1e9,
            import_s=took["import_s"],
            lifespan_s=took["lifespan_s"],
            cpu_s=sample.cpu_s,
            pss_bytes=sample.pss_bytes,
            uss_bytes=sample.uss_bytes,
        )
        return self._report


def _first_answer(port: int) -> tuple[dict[str, float | None], int]:
    """What /health says, and the monotonic time at which it did."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_START_LIMIT_S)
    try:
        connection.request("GET", "/health")
        body = connection.getresponse().read()
        ready_ns = time.monotonic_ns()
    finally:
        connection.close()
    took: dict[str, float | None] = json.loads(body)
    return took, ready_ns
