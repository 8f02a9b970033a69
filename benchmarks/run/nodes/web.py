"""The web application of a producer node."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.run.nodes.transport import ANSWER_LIMIT_S, FRAMEWORK_LIMIT_S, Transport
from benchmarks.run.nodes.worker import StopReport
from infrastructure.readings import HealthAnswer


@dataclass(frozen=True, slots=True)
class WebReport:
    """A web application that was started (``infrastructure.agent.web``): its URL as its own node sees it; what its start took, of
    that the import of the framework's module and its part of the lifespan, which are None where it has none; and the CPU that
    it had used by then and its memory (PSS and USS)."""

    url: str
    ready_s: float
    import_s: float | None
    lifespan_s: float | None
    cpu_s: float
    pss_bytes: int
    uss_bytes: int


@dataclass(frozen=True, slots=True)
class WebStatus:
    """A web application's state, why it died if so, the end of its log, and how its last start went."""

    state: Literal["none", "running", "stopped", "died"]
    died: str | None
    log_tail: str
    report: WebReport | None


class WebCalls(Transport):
    """What a node is asked about its web application."""

    def start_web(self, variant: str, queue: str, *, bare: bool = False) -> WebReport:
        """Start the node's web application for tasks of a variant, or bare of the framework; returns once it answers."""
        body = {"variant": variant, "queue": queue, "bare": bare}
        return WebReport(**self._post("/web/start", body, limit_s=FRAMEWORK_LIMIT_S))

    def stop_web(self, grace_s: float) -> StopReport:
        """Have the web application end by itself, and killed what is left of it after ``grace_s``."""
        return StopReport(**self._post("/web/stop", {"grace_s": grace_s}, limit_s=grace_s + ANSWER_LIMIT_S))

    def kill_web(self) -> None:
        """Kill the web application; returns when no process of it is left."""
        self._post("/web/kill")

    def web(self) -> WebStatus:
        """How the web application is."""
        answer = self._get("/web")
        report = answer["report"]
        return WebStatus(**{**answer, "report": None if report is None else WebReport(**report)})

    def begin_health(self, interval_s: float, limit_s: float) -> None:
        """Begin to ask the web application, so often, whether it is well; each time it may take ``limit_s``."""
        self._post("/web/health/begin", {"interval_s": interval_s, "limit_s": limit_s})

    def end_health(self) -> None:
        """Ask it no more."""
        self._post("/web/health/end")

    def health_answers(self) -> list[HealthAnswer]:
        """What came of every question of the series."""
        return [HealthAnswer(**row) for row in self._json("GET", "/web/health")]
