"""The runner's side of a node agent (``infrastructure.agent``): its routes as typed, blocking calls."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import httpx

from benchmarks.plan.wishes import StartWish
from benchmarks.record.run_data import Produced
from infrastructure.event_log import Events, events_from_bytes
from infrastructure.readings import StartTimes, TreeSample
from tasks.contract import Depth, Shape, Track, WorkerCommand, WorkerPlan
from tasks.events import Kind
from tasks.producing import ProduceOrder
from tasks.reading import MessageTimes, ReadOrder

_CONNECT_LIMIT_S = 5.0
_ANSWER_LIMIT_S = 30.0
_FRAMEWORK_LIMIT_S = 90.0
"""Longer than the agent waits for the framework, so that its own account of the failure arrives."""
_SILENCE_LIMIT_S = 10.0
_WATCHED = ("bytecode_cold", "page_cache_cold", "profile_imports")


class NodeError(Exception):
    """A node refused or failed: ``node`` names it, ``what`` was asked, and ``detail`` says what went wrong and what to do."""

    def __init__(self, node: str, what: str, detail: str) -> None:
        super().__init__(f"node {node}: {what}: {detail}")
        self.node = node
        self.what = what
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What a node is, the state of its worker, and whether it is well."""

    role: Literal["worker", "producer"]
    framework: str
    variant: str | None
    worker: str
    ok: bool


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A node's monotonic clock, read between two readings of the caller's own: the node's time belongs to a moment between
    ``before_ns`` and ``after_ns``. Boot and time namespace tell whether both clocks are the same one."""

    node_ns: int
    before_ns: int
    after_ns: int
    boot_id: str
    time_namespace: str


@dataclass(frozen=True, slots=True)
class StartedWorker:
    """A worker that was started: what the framework makes of the request, and one root process for each command."""

    plan: WorkerPlan
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a worker ended: ``graceful`` if every process ended by itself; when it was asked to (monotonic), and how long it
    took."""

    graceful: bool
    asked_ns: int
    took_s: float


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker's state, the living processes of its whole tree, why it died if so, and the end of its log."""

    state: Literal["none", "running", "paused", "stopped", "died"]
    pids: tuple[int, ...]
    died: str | None
    log_tail: str


@dataclass(frozen=True, slots=True)
class WebReport:
    """A web application that was started (``infrastructure.agent.web``): its URL as its own node sees it; what its start took, of
    that the import of the framework's module and its part of the lifespan, which are None where it has none; and the CPU that
    it had used by then and its memory (PSS)."""

    url: str
    ready_s: float
    import_s: float | None
    lifespan_s: float | None
    cpu_s: float
    pss_bytes: int


@dataclass(frozen=True, slots=True)
class WebStatus:
    """A web application's state, why it died if so, the end of its log, and how its last start went."""

    state: Literal["none", "running", "stopped", "died"]
    died: str | None
    log_tail: str
    report: WebReport | None


@dataclass(frozen=True, slots=True)
class ProducerStatus:
    """How a load goes: its ``result`` once done, its ``error`` once failed."""

    state: Literal["idle", "running", "done", "failed"]
    result: Produced | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SubscribersStatus:
    """The state of the subscribers, why they died if so, and the end of their log."""

    state: Literal["none", "running", "paused", "stopped", "died"]
    died: str | None
    log_tail: str


@dataclass(frozen=True, slots=True)
class PhaseCounts:
    """What a node's event log says of one phase so far; ``processes`` counts the distinct processes that started tasks."""

    enqueued_ok: int
    enqueued_failed: int
    started: int
    finished_ok: int
    finished_failed: int
    finished_retried: int
    finished_skipped: int
    processes: int


class Session:
    """A session that is held on a node."""

    def __init__(self) -> None:
        self._lost: NodeError | None = None

    def check(self) -> None:
        """Raises NodeError if the node has ended the session, or is silent: its worker is gone then."""
        if self._lost is not None:
            raise self._lost

    def lose(self, error: NodeError) -> None:
        """Note that the session is lost, and why."""
        self._lost = error


class NodeClient:
    """One node, by its URL. Every call raises NodeError when the node cannot be reached, refuses or fails.

    A client can be used from several threads. ``name`` is what errors call the node: its URL, unless something better is given.
    """

    def __init__(self, url: str, token: str, name: str = "") -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_timeout(_ANSWER_LIMIT_S),
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def health(self) -> NodeHealth:
        """What the node is, and whether it is well."""
        what = "GET /health"
        with self._errors(what):
            response = self._client.get("/health")
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self._check(response, what)
        return NodeHealth(**response.json())

    def metrics(self) -> str:
        """What the node tells Prometheus."""
        return self._request("GET", "/metrics").text

    def clock(self) -> ClockReading:
        """The node's clock against this process's."""
        before_ns = time.monotonic_ns()
        answer = self._get("/clock")
        after_ns = time.monotonic_ns()
        return ClockReading(answer["monotonic_ns"], before_ns, after_ns, answer["boot_id"], answer["time_namespace"])

    def describe(self) -> dict[str, Any]:
        """What the framework is: name, variants, databases, versions, producer_loop (``tasks.bridge``)."""
        return self._get("/describe", limit_s=_FRAMEWORK_LIMIT_S)

    def start_worker(
        self,
        processes: int,
        slots: int,
        queues: Sequence[str],
        track: Track = "normalised",
        *,
        lanes_by_priority: bool = False,
        serializer: str = "",
        events: bool = False,
        results: bool = False,
        optional_packages: bool = False,
        watch: StartWish | None = None,
    ) -> StartedWorker:
        """Start the node's worker, as :class:`tasks.contract.WorkerRequest` says; returns once its processes are started, which
        is before they take tasks."""
        body = {
            "processes": processes,
            "slots": slots,
            "queues": list(queues),
            "track": track,
            "lanes_by_priority": lanes_by_priority,
            "serializer": serializer,
            "events": events,
            "results": results,
            "optional_packages": optional_packages,
            "watch": None if watch is None else {name: getattr(watch, name) for name in _WATCHED},
        }
        answer = self._post("/worker/start", body, limit_s=_FRAMEWORK_LIMIT_S)
        return StartedWorker(_plan(answer["plan"]), tuple(answer["pids"]))

    def start_times(self) -> StartTimes:
        """How the start went, if it was watched; returns once the worker is connected to Redis."""
        answer = self._get("/worker/start_times", limit_s=_FRAMEWORK_LIMIT_S)
        return StartTimes(**{**answer, "log_bytes": tuple(answer["log_bytes"])})

    def start_interpreter(self) -> float:
        """Seconds that the framework's Python takes to start and to end, with nothing to do."""
        took_s: float = self._post("/interpreter/start")["took_s"]
        return took_s

    def stop_worker(self, grace_s: float) -> StopReport:
        """Have the worker end by itself, and killed what is left of it after ``grace_s``."""
        return StopReport(**self._post("/worker/stop", {"grace_s": grace_s}, limit_s=grace_s + _ANSWER_LIMIT_S))

    def pause_worker(self) -> None:
        """Have every process of the worker stand still; returns when they do."""
        self._post("/worker/pause")

    def resume_worker(self) -> None:
        """Let the worker go on."""
        self._post("/worker/resume")

    def kill_worker(self) -> None:
        """Kill the worker; returns when no process of it is left."""
        self._post("/worker/kill")

    def worker(self) -> WorkerStatus:
        """How the worker is."""
        answer = self._get("/worker")
        return WorkerStatus(**{**answer, "pids": tuple(answer["pids"])})

    def worker_logs(self) -> tuple[str, ...]:
        """What each of the worker's commands has printed so far."""
        return tuple(self._get("/worker/logs")["logs"])

    def connections(self) -> tuple[str, ...]:
        """Addresses, ``ip:port`` each, of the worker's side of its connections to Redis (those of its CLIENT LIST)."""
        return tuple(self._get("/worker/connections")["addresses"])

    def connect_producer(self, variant: str, serializer: str = "") -> None:
        """Connect a producer for a variant (and one of its serializers), so that the first load does not pay for it."""
        self._post("/producer/connect", {"variant": variant, "serializer": serializer}, limit_s=_FRAMEWORK_LIMIT_S)

    def start_producing(self, order: ProduceOrder) -> None:
        """Begin a load; :meth:`producer` tells how it goes."""
        self._post("/producer/start", {"order": asdict(order)})

    def producer(self) -> ProducerStatus:
        """How the load goes."""
        answer = self._get("/producer")
        result = answer["result"]
        return ProducerStatus(answer["state"], None if result is None else Produced(**result), answer["error"])

    def cancel_producing(self) -> None:
        """End the load where it is."""
        self._post("/producer/cancel")

    def start_web(self, variant: str, queue: str, *, bare: bool = False) -> WebReport:
        """Start the node's web application for tasks of a variant, or bare of the framework; returns once it answers."""
        body = {"variant": variant, "queue": queue, "bare": bare}
        return WebReport(**self._post("/web/start", body, limit_s=_FRAMEWORK_LIMIT_S))

    def stop_web(self, grace_s: float) -> StopReport:
        """Have the web application end by itself, and killed what is left of it after ``grace_s``."""
        return StopReport(**self._post("/web/stop", {"grace_s": grace_s}, limit_s=grace_s + _ANSWER_LIMIT_S))

    def kill_web(self) -> None:
        """Kill the web application; returns when no process of it is left."""
        self._post("/web/kill")

    def web(self) -> WebStatus:
        """How the web application is."""
        answer = self._get("/web")
        report = answer["report"]
        return WebStatus(**{**answer, "report": None if report is None else WebReport(**report)})

    def read_messages(self, order: ReadOrder) -> MessageTimes:
        """Have messages sent and read outside a worker."""
        return MessageTimes(**self._post("/messages/read", {"order": asdict(order)}, limit_s=_FRAMEWORK_LIMIT_S))

    def start_subscribers(self, run: int, phase: int, count: int, delay_s: float) -> None:
        """Start ``count`` subscribers to the framework's task events, each sleeping ``delay_s`` over every event; they record in
        the producer's event log that they are subscribed, and what they receive."""
        self._post("/subscribers/start", {"run": run, "phase": phase, "count": count, "delay_s": delay_s})

    def subscribers(self) -> SubscribersStatus:
        """How the subscribers are."""
        return SubscribersStatus(**self._get("/subscribers"))

    def stop_subscribers(self) -> None:
        """End all subscribers; returns when none is left."""
        self._post("/subscribers/stop")

    def purge(self, queues: Sequence[str]) -> None:
        """Empty the framework's queues."""
        self._post("/queues/purge", {"queues": list(queues)}, limit_s=_FRAMEWORK_LIMIT_S)

    def depth(self, queue: str) -> Depth:
        """How deep a queue is."""
        return Depth(**self._get("/queues/depth", limit_s=_FRAMEWORK_LIMIT_S, queue=queue))

    def events(self) -> Events:
        """The node's event log."""
        raw = bytearray()
        with self._errors("GET /events"), self._client.stream("GET", "/events") as response:
            self._check(response, "GET /events")
            for portion in response.iter_bytes():
                raw += portion
        return events_from_bytes(raw)

    def clear_events(self) -> None:
        """Empty the node's event log."""
        self._post("/events/clear")

    def counts(self, run: int) -> dict[int, PhaseCounts]:
        """What the node's event log says of a run by now, by phase."""
        return {int(phase): PhaseCounts(**counts) for phase, counts in self._get("/counts", run=run).items()}

    def count_events(self, kind: Kind, run: int, phase: int) -> dict[int, int]:
        """How many records of one kind a phase has in the node's event log by now, by outcome."""
        counts = self._get("/events/count", kind=kind.value, run=run, phase=phase)
        return {int(outcome): count for outcome, count in counts.items()}

    def begin_samples(self, interval_s: float) -> None:
        """Begin a series of samples of the tree of the worker, or of the web application on a producer node."""
        self._post("/samples/begin", {"interval_s": interval_s})

    def take_sample(self, *, required: bool = True) -> TreeSample:
        """One sample of the same tree, now. Unless it is ``required``, the sample may be one of no processes."""
        return TreeSample(**self._post("/samples/take", {"required": required}))

    def end_samples(self) -> None:
        """End the series."""
        self._post("/samples/end")

    def samples(self) -> list[TreeSample]:
        """The series, ascending in time."""
        return [TreeSample(**row) for row in self._json("GET", "/samples")]

    def show_lab_state(self, state: Mapping[str, Any]) -> None:
        """Have the node tell Prometheus what the runner is doing: the fields of ``infrastructure.agent.requests.LabState``."""
        self._json("PUT", "/lab", json=dict(state))

    def forget_lab_state(self) -> None:
        """Have the node tell it no more."""
        self._json("DELETE", "/lab")

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Hold the node, so that it ends all that is started in the block when this process goes away, however that happens.

        Raises NodeError when another session holds it. The session is kept by a thread; ask :meth:`Session.check` now and then
        whether it still is.
        """
        session = Session()
        leaving = threading.Event()
        what = "GET /session"
        with contextlib.ExitStack() as opened:
            with self._errors(what):
                response = opened.enter_context(self._client.stream("GET", "/session", timeout=_timeout(_SILENCE_LIMIT_S)))
                self._check(response, what)

            def hold() -> None:
                detail = "the node ended the session"
                try:
                    for _ in response.iter_raw():
                        pass
                except httpx.HTTPError as error:
                    detail = f"the session broke off: {error!r}"
                if not leaving.is_set():
                    session.lose(NodeError(self.name, what, f"{detail}; its worker has been killed. See the node's log"))

            holder = threading.Thread(target=hold, name=f"session {self.name}", daemon=True)
            holder.start()
            try:
                yield session
            finally:
                leaving.set()
                connection: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                holder.join()

    def _get(self, path: str, limit_s: float = _ANSWER_LIMIT_S, **query: str | int) -> dict[str, Any]:
        answer: dict[str, Any] = self._json("GET", path, limit_s, params=query)
        return answer

    def _post(self, path: str, body: Mapping[str, Any] | None = None, limit_s: float = _ANSWER_LIMIT_S) -> dict[str, Any]:
        answer: dict[str, Any] = self._json("POST", path, limit_s, json=body)
        return answer

    def _json(self, method: str, path: str, limit_s: float = _ANSWER_LIMIT_S, **content: Any) -> Any:
        response = self._request(method, path, limit_s, **content)
        try:
            return response.json()
        except ValueError as error:
            detail = f"{self.url} did not answer with JSON; is it a node agent?"
            raise NodeError(self.name, f"{method} {path}", detail) from error

    def _request(self, method: str, path: str, limit_s: float = _ANSWER_LIMIT_S, **content: Any) -> httpx.Response:
        what = f"{method} {path}"
        with self._errors(what):
            response = self._client.request(method, path, timeout=_timeout(limit_s), **content)
        self._check(response, what)
        return response

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            detail = f"cannot connect to {self.url} ({error}); is its agent running, and is the URL right?"
            raise NodeError(self.name, what, detail) from error
        except httpx.TimeoutException as error:
            raise NodeError(
                self.name, what, f"{self.url} did not answer in time ({type(error).__name__}); see its log"
            ) from error
        except httpx.TransportError as error:
            detail = f"the connection to {self.url} broke off ({error}); its agent may have ended, see its log"
            raise NodeError(self.name, what, detail) from error

    def _check(self, response: httpx.Response, what: str) -> None:
        if response.is_success:
            return
        text = response.read().decode("utf-8", errors="replace")
        try:
            text = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            text = text[:500] or response.reason_phrase
        raise NodeError(self.name, what, f"{text} (HTTP {response.status_code})")


def _timeout(limit_s: float) -> httpx.Timeout:
    return httpx.Timeout(limit_s, connect=_CONNECT_LIMIT_S)


def _plan(data: Mapping[str, Any]) -> WorkerPlan:
    return WorkerPlan(
        commands=tuple(WorkerCommand(tuple(c["arguments"]), c["environment"]) for c in data["commands"]),
        shape=Shape(**data["shape"]),
        working_processes=data["working_processes"],
        guarantee=data["guarantee"],
        settings=data["settings"],
    )
