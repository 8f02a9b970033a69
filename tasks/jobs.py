"""Long jobs of a web application (``tasks.job_app``): what is known of one, and what a framework offers that is to run them.

A job does nothing but last, as the calls of ``time.sleep`` do that stand for work in most comparisons. Times are in seconds of
the machine's clock since 1970, for they are compared between processes and shown to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from tasks.contract import WorkerCommand

MOST_JOBS = 10_000
"""How many jobs of one kind an application has on record, or has accepted and not ended, at most."""


class Status(StrEnum):
    """How far a job is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a job besides that it was accepted. ``started_at`` is None also for one that failed before it could say
    when it started."""

    status: Status = Status.PENDING
    started_at: float | None = None
    ended_at: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was accepted."""

    job_id: str
    submitted_at: float
    progress: Progress = field(default_factory=Progress)

    def document(self) -> dict[str, Any]:
        """As the application answers it: times in UTC as ISO 8601 has them, durations in seconds, null for what is not known
        yet."""
        progress = self.progress
        return {
            "job_id": self.job_id,
            "status": progress.status.value,
            "submitted_at": _utc(self.submitted_at),
            "started_at": _utc(progress.started_at),
            "completed_at": _utc(progress.ended_at),
            "queue_time_s": _between(self.submitted_at, progress.started_at),
            "execution_time_s": _between(progress.started_at, progress.ended_at),
            "total_time_s": _between(self.submitted_at, progress.ended_at),
            "error": progress.error,
        }


class TooManyJobsError(Exception):
    """No further job is accepted; the text says why and what to do."""


def require_room(jobs: int, limit: int) -> None:
    """Raises TooManyJobsError where there are as many jobs as there may be."""
    if jobs >= limit:
        raise TooManyJobsError(
            f"{jobs} jobs are on record or not ended yet, and {limit} may be: wait for their end and delete them"
        )


class JobQueue(Protocol):
    """A framework's client, as an application has it that submits jobs and asks after them. All calls block, and may come from
    several threads; they raise what the framework raises."""

    def submit(self, job_id: str, duration_s: float) -> None:
        """Have a worker run a job under this id; return once the broker has it."""
        ...

    def progress(self, job_ids: Sequence[str]) -> list[Progress]:
        """How far each of these is, by the framework's own results."""
        ...

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is stored of these. Those that wait or run are not stopped."""
        ...


@dataclass(frozen=True, slots=True)
class JobMonitor:
    """A framework's own monitor in a browser: the environment that it is installed in, and how it is started."""

    environment: str
    command: WorkerCommand


@runtime_checkable
class JobFramework(Protocol):
    """What a framework offers besides that can run an application's jobs."""

    def job_queue(self) -> JobQueue:
        """A client, which connects when it is first used."""
        ...

    def job_worker(self, slots: int) -> WorkerCommand:
        """The one command that starts a worker which runs so many jobs at once."""
        ...


@runtime_checkable
class MonitoredJobFramework(Protocol):
    """What such a framework offers besides that has a monitor of its own."""

    def job_monitor(self, port: int) -> JobMonitor:
        """How the monitor is started on this port of the loopback address."""
        ...


def counts(jobs: Sequence[Job]) -> Mapping[Status, int]:
    """How many jobs there are of each status."""
    found = dict.fromkeys(Status, 0)
    for job in jobs:
        found[job.progress.status] += 1
    return found


def _utc(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(end - begin, 6)
