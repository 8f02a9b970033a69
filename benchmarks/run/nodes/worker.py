"""The worker of a node: start, stop, pause, and samples of its process tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.plan.wishes import StartWish
from benchmarks.run.nodes.transport import ANSWER_LIMIT_S, FRAMEWORK_LIMIT_S, Transport
from infrastructure.readings import Footprint, StartTimes, TreeSample
from tasks.contract import Shape, Track, WorkerCommand, WorkerPlan

_WATCHED = ("bytecode_cold", "page_cache_cold", "profile_imports")


@dataclass(frozen=True, slots=True)
class StartedWorker:
    """A worker that was started: what the framework makes of the request, one root process for each command, and all variables
    of the first of them."""

    plan: WorkerPlan
    pids: tuple[int, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a worker ended: ``graceful`` if every process ended by itself; when it was asked to (monotonic), and how long it
    took."""

    graceful: bool
    asked_ns: int
    took_s: float


@dataclass(frozen=True, slots=True)
class ImportedMemory:
    """What one interpreter takes, as :class:`infrastructure.readings.TreeSample` has it of a tree."""

    rss_bytes: int
    pss_bytes: int
    uss_bytes: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker's state, the living processes of its whole tree, why it died if so, and the end of its log."""

    state: Literal["none", "running", "paused", "stopped", "died"]
    pids: tuple[int, ...]
    died: str | None
    log_tail: str


class WorkerCalls(Transport):
    """What a node is asked about its worker."""

    def start_worker(
        self,
        processes: int,
        concurrency: int,
        queues: Sequence[str],
        track: Track = "normalised",
        *,
        lanes_by_priority: bool = False,
        serializer: str = "",
        events: bool = False,
        results: bool = False,
        long_jobs: bool = False,
        long_tasks: bool = False,
        optional_packages: bool = False,
        watch: StartWish | None = None,
    ) -> StartedWorker:
        """Start the node's worker, as :class:`tasks.contract.WorkerRequest` says; returns once its processes are started, which
        is before they take tasks."""
        body = {
            "processes": processes,
            "concurrency": concurrency,
            "queues": list(queues),
            "track": track,
            "lanes_by_priority": lanes_by_priority,
            "serializer": serializer,
            "events": events,
            "results": results,
            "long_jobs": long_jobs,
            "long_tasks": long_tasks,
            "optional_packages": optional_packages,
            "watch": None if watch is None else {name: getattr(watch, name) for name in _WATCHED},
        }
        answer = self._post("/worker/start", body, limit_s=FRAMEWORK_LIMIT_S)
        return StartedWorker(_plan(answer["plan"]), tuple(answer["pids"]), answer["environment"])

    def start_times(self) -> StartTimes:
        """How the start went, if it was watched; returns once the worker is connected to Redis."""
        answer = self._get("/worker/start_times", limit_s=FRAMEWORK_LIMIT_S)
        return StartTimes(**{**answer, "log_bytes": tuple(answer["log_bytes"])})

    def start_interpreter(self) -> float:
        """Seconds that the framework's Python takes to start and to end, with nothing to do."""
        took_s: float = self._post("/interpreter/start")["took_s"]
        return took_s

    def import_framework(self) -> ImportedMemory:
        """The memory of an interpreter that has imported the framework and done nothing with it."""
        return ImportedMemory(**self._post("/interpreter/import", limit_s=FRAMEWORK_LIMIT_S))

    def stop_worker(self, grace_s: float) -> StopReport:
        """Have the worker end by itself, and killed what is left of it after ``grace_s``."""
        return StopReport(**self._post("/worker/stop", {"grace_s": grace_s}, limit_s=grace_s + ANSWER_LIMIT_S))

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

    def begin_footprints(self, interval_s: float) -> None:
        """Begin a series of footprints of the same tree, beside samples."""
        self._post("/footprints/begin", {"interval_s": interval_s})

    def end_footprints(self) -> None:
        """End the series."""
        self._post("/footprints/end")

    def footprints(self) -> list[Footprint]:
        """The series, ascending in time."""
        return [Footprint(**row) for row in self._json("GET", "/footprints")]


def _plan(data: Mapping[str, Any]) -> WorkerPlan:
    return WorkerPlan(
        commands=tuple(WorkerCommand(tuple(c["arguments"]), c["environment"]) for c in data["commands"]),
        shape=Shape(**data["shape"]),
        working_processes=data["working_processes"],
        guarantee=data["guarantee"],
        settings=data["settings"],
    )
