"""Jobs that run within the web application itself, and what it remembers of them: both are gone with its process."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Any

from tasks.causes import named_cause
from tasks.jobs import MOST_JOBS, Job, Progress, Status, require_room


class Way(StrEnum):
    """The ways in which people write a background task."""

    THREAD = "thread"
    """A plain function, which FastAPI runs in its thread pool."""
    AWAITING = "awaiting"
    """An ``async def`` that awaits whatever it waits for."""
    BLOCKING = "blocking"
    """An ``async def`` that blocks: nothing else happens on the event loop until it has ended."""


class BackgroundJobs:
    """The jobs of this process. Bounded: as many as ``limit`` may be on record, and as many not ended yet, on record or not."""

    def __init__(self, limit: int = MOST_JOBS) -> None:
        self._limit = limit
        self._jobs: dict[str, Job] = {}
        self._unended = 0
        self._lock = threading.Lock()

    def accept(self, job_id: str) -> Job:
        """Put a job on record. Raises TooManyJobsError."""
        with self._lock:
            require_room(max(len(self._jobs), self._unended), self._limit)
            job = self._jobs[job_id] = Job(job_id, time.time())
            self._unended += 1
        return job

    @contextmanager
    def running(self, job_id: str) -> Iterator[None]:
        """Record that an accepted job runs, and how it ends."""
        started_at = time.time()
        self._note(job_id, Progress(Status.RUNNING, started_at))
        progress = Progress(Status.FAILED, started_at)
        try:
            yield
            progress = replace(progress, status=Status.COMPLETED)
        except BaseException as error:
            progress = replace(progress, error=named_cause(error))
            raise
        finally:
            self._note(job_id, replace(progress, ended_at=time.time()))
            with self._lock:
                self._unended -= 1

    def find(self, job_id: str) -> Job | None:
        """The job of this id, if it is on record."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """All that are on record, the oldest first."""
        with self._lock:
            return [*self._jobs.values()]

    def clear(self) -> int:
        """Forget all records, and say how many there were. What runs goes on."""
        with self._lock:
            count = len(self._jobs)
            self._jobs.clear()
        return count

    def _note(self, job_id: str, progress: Progress) -> None:
        with self._lock:
            if (job := self._jobs.get(job_id)) is not None:
                self._jobs[job_id] = replace(job, progress=progress)


def in_thread(jobs: BackgroundJobs, job_id: str, duration_s: float) -> None:
    """A background task that is a plain function."""
    with jobs.running(job_id):
        time.sleep(duration_s)


async def awaiting(jobs: BackgroundJobs, job_id: str, duration_s: float) -> None:
    """A background task that awaits."""
    with jobs.running(job_id):
        await asyncio.sleep(duration_s)


async def blocking(jobs: BackgroundJobs, job_id: str, duration_s: float) -> None:
    """A background task that blocks the event loop."""
    with jobs.running(job_id):
        time.sleep(duration_s)


BODIES: Mapping[Way, Callable[[BackgroundJobs, str, float], Any]] = {
    Way.THREAD: in_thread,
    Way.AWAITING: awaiting,
    Way.BLOCKING: blocking,
}
