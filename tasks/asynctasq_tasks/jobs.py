# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False
"""An application's long jobs on AsyncTasQ: a SyncTask, which its worker runs in threads.

It keeps no results, so a job writes down itself how far it is, into the application's own database, as an application that asks
after its jobs has to. A job whose worker was killed stays ``running`` there: nobody is left to say otherwise.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, cast, override

import redis
from asynctasq import SyncTask, TaskConfig

from tasks.asynctasq_tasks.settings import DATABASE, configure
from tasks.causes import named_cause
from tasks.contract import WorkerCommand, database_url
from tasks.jobs import Progress, Status
from tasks.queued_jobs import application_redis

QUEUE = "jobs"
SUBMIT_LIMIT_S = 30.0
TASK_CONFIG: TaskConfig = {"queue": QUEUE, "max_attempts": 1}


class RunJob(SyncTask):
    """Last for ``duration_s``, and write down when it started and ended."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the job."""
        record = JobRecord(_client())
        started_at = time.time()
        record.write(self.job_id, Progress(Status.RUNNING, started_at))
        try:
            time.sleep(self.duration_s)
        except BaseException as error:
            record.write(self.job_id, Progress(Status.FAILED, started_at, time.time(), named_cause(error)))
            raise
        record.write(self.job_id, Progress(Status.COMPLETED, started_at, time.time()))


class JobRecord:
    """How far jobs are, each a hash in the application's database. Raises what Redis's client raises."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def write(self, job_id: str, progress: Progress) -> None:
        """Put down how far a job is."""
        known = {"status": progress.status.value, "started_at": progress.started_at, "ended_at": progress.ended_at}
        fields: dict[Any, Any] = {name: value for name, value in {**known, "error": progress.error}.items() if value is not None}
        self._redis.hset(_key(job_id), mapping=fields)

    def read(self, job_ids: Sequence[str]) -> list[Progress]:
        """How far each of these is; one of which nothing is written is pending."""
        with self._redis.pipeline() as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(_key(job_id))
            return [progress_of(fields) for fields in cast(list[Mapping[str, str]], pipeline.execute())]

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is written of these."""
        self._redis.delete(*map(_key, job_ids))


def progress_of(fields: Mapping[str, str]) -> Progress:
    """What is written of a job."""
    if not fields:
        return Progress()
    started_at, ended_at = (float(fields[name]) if name in fields else None for name in ("started_at", "ended_at"))
    return Progress(Status(fields["status"]), started_at, ended_at, fields.get("error"))


class AsyncTasQJobs:
    """See :class:`tasks.jobs.JobQueue`. AsyncTasQ dispatches on an event loop: this one has a loop in a thread of its own."""

    def __init__(self) -> None:
        self._record = JobRecord(application_redis())

    def submit(self, job_id: str, duration_s: float) -> None:
        """Dispatch it."""
        _on_loop(lambda: RunJob(job_id=job_id, duration_s=duration_s).dispatch())

    def progress(self, job_ids: Sequence[str]) -> list[Progress]:
        """All in one round trip."""
        return self._record.read(job_ids) if job_ids else []

    def forget(self, job_ids: Sequence[str]) -> None:
        """All in one command."""
        self._record.forget(job_ids)


def job_worker(slots: int) -> WorkerCommand:
    """AsyncTasQ's own command line."""
    options = ("--driver", "redis", "--queues", QUEUE, "--concurrency", str(slots))
    return WorkerCommand(("-m", "asynctasq", "worker", *options), {DATABASE.variable: database_url(DATABASE)})


def _key(job_id: str) -> str:
    return f"job-progress:{job_id}"


@cache
def _client() -> redis.Redis:
    return application_redis()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    configure()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="dispatching jobs", daemon=True).start()
    return loop


_starting = threading.Lock()


def _on_loop(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with _starting:
        loop = _loop()
    asyncio.run_coroutine_threadsafe(call(), loop).result(SUBMIT_LIMIT_S)
