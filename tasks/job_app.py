# mypy: disable-error-code="import-not-found", disallow-untyped-decorators=False
"""A web application with long jobs, in background tasks and in a framework's queue: ``python -m tasks.job_app NAME --port PORT``.

FastAPI on uvicorn, one process, on the loopback address. ``NAME`` is the framework, and the first part of its endpoints' paths.

============================ =======================================================================================
endpoint                     answer
============================ =======================================================================================
POST /fastapi/job            a new job, which FastAPI's BackgroundTasks run after the answer (``--background`` says how)
GET /fastapi/status/{id}     a job, see :meth:`tasks.jobs.Job.document`
GET /fastapi/jobs            ``count``, and ``jobs``: all that are on record, the oldest first
DELETE /fastapi/jobs         ``deleted``: how many records there were; what runs goes on
... /NAME/...                the same for jobs that a worker of the framework runs
GET /                        what there is
GET /metrics                 for Prometheus (:mod:`tasks.job_metrics`)
GET /health                  ``{"status": "ok"}``
============================ =======================================================================================

Errors are ``{"detail": "what is wrong and what to do"}``: 404 for a job that is not on record, 413 for a body that is too large
(none is needed), 503 where no job is accepted or the queue does not answer.

What only looks into this process's memory is answered on the event loop. What asks the framework blocks, and runs in FastAPI's
thread pool: background tasks that fill the pool keep it waiting, as they would in any application.
"""

import argparse
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from tasks.background_jobs import BODIES, BackgroundJobs, Way
from tasks.causes import cause, named_cause
from tasks.contract import load_framework
from tasks.job_metrics import CachedMetrics, JobCounts
from tasks.jobs import Job, JobFramework, TooManyJobsError, counts
from tasks.queued_jobs import QueuedJobs, application_redis

BACKGROUND = "fastapi"
ADDRESS = "127.0.0.1"
MOST_BODY_BYTES = 10_000
"""No request needs a body."""

Document = dict[str, Any]
Message = MutableMapping[str, Any]


class LimitedBodies:
    """Refuses a request that announces a larger body. What is not announced is not read either: no endpoint asks for it."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer one request."""
        headers = dict(scope.get("headers", ()))
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MOST_BODY_BYTES:
            detail = f"a body of {int(length):,} bytes is too large: {MOST_BODY_BYTES:,} are the most, and none is needed"
            await JSONResponse({"detail": detail}, status_code=413)(cast(Any, scope), receive, send)
            return
        await self._app(scope, receive, send)


def found(job: Job | None, kind: str, job_id: str) -> Document:
    """A job's document. Raises HTTPException where there is no such job."""
    if job is None:
        raise HTTPException(404, f"no job {job_id} on record: GET /{kind}/jobs lists those that are")
    return job.document()


def listed(jobs: list[Job]) -> Document:
    """The document of all jobs."""
    return {"count": len(jobs), "jobs": [job.document() for job in jobs]}


@contextmanager
def reaching(kind: str) -> Iterator[None]:
    """Answer with 503 for whatever a framework or Redis raises."""
    try:
        yield
    except TooManyJobsError:
        raise
    except Exception as error:
        raise HTTPException(503, f"{kind} cannot be reached: {named_cause(error)}") from error


def add_background(app: FastAPI, jobs: BackgroundJobs, way: Way, duration_s: float, metrics: JobCounts) -> None:
    """The endpoints of background tasks."""

    @app.post(f"/{BACKGROUND}/job")
    async def submit(tasks: BackgroundTasks) -> Document:
        job = jobs.accept(str(uuid.uuid4()))
        tasks.add_task(BODIES[way], jobs, job.job_id, duration_s)
        metrics.count(BACKGROUND)
        return job.document()

    @app.get(f"/{BACKGROUND}/status/{{job_id}}")
    async def status(job_id: str) -> Document:
        return found(jobs.find(job_id), BACKGROUND, job_id)

    @app.get(f"/{BACKGROUND}/jobs")
    async def all_jobs() -> Document:
        return listed(jobs.all())

    @app.delete(f"/{BACKGROUND}/jobs")
    async def clear() -> Document:
        return {"deleted": jobs.clear()}


def add_queued(app: FastAPI, kind: str, jobs: QueuedJobs, duration_s: float, metrics: JobCounts) -> None:
    """The endpoints of a framework's queue."""

    @app.post(f"/{kind}/job")
    def submit() -> Document:
        with reaching(kind):
            job = jobs.submit(str(uuid.uuid4()), duration_s)
        metrics.count(kind)
        return job.document()

    @app.get(f"/{kind}/status/{{job_id}}")
    def status(job_id: str) -> Document:
        with reaching(kind):
            job = jobs.find(job_id)
        return found(job, kind, job_id)

    @app.get(f"/{kind}/jobs")
    def all_jobs() -> Document:
        with reaching(kind):
            return listed(jobs.all())

    @app.delete(f"/{kind}/jobs")
    def clear() -> Document:
        with reaching(kind):
            return {"deleted": jobs.clear()}


def create_app(kind: str, queued: QueuedJobs, way: Way, duration_s: float) -> FastAPI:
    """The application. Its pages of documentation would fetch scripts from elsewhere: there are none."""
    app = FastAPI(title="queuelab jobs", docs_url=None, redoc_url=None)
    app.add_middleware(cast(Any, LimitedBodies))
    background = BackgroundJobs()
    job_counts = JobCounts(lambda: counts(background.all()))
    metrics = CachedMetrics(job_counts)

    @app.exception_handler(TooManyJobsError)
    async def refused(_: Request, error: TooManyJobsError) -> JSONResponse:
        return JSONResponse({"detail": cause(error)}, status_code=503)

    add_background(app, background, way, duration_s, job_counts)
    add_queued(app, kind, queued, duration_s, job_counts)

    @app.get("/")
    async def information() -> Document:
        endpoints = [
            f"{method} {path}"
            for prefix in (BACKGROUND, kind)
            for method, path in (
                ("POST", f"/{prefix}/job"),
                ("GET", f"/{prefix}/status/{{job_id}}"),
                ("GET", f"/{prefix}/jobs"),
                ("DELETE", f"/{prefix}/jobs"),
            )
        ]
        return {
            "name": app.title,
            "job_duration_s": duration_s,
            "background": way,
            "endpoints": [*endpoints, "GET /", "GET /metrics", "GET /health"],
        }

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--background", type=Way, choices=[*Way], required=True)
    parser.add_argument("--duration", type=float, required=True, help="of a job, in seconds")
    options = parser.parse_args()
    framework = cast(JobFramework, load_framework(options.framework))
    queued = QueuedJobs(options.framework, framework.job_queue(), application_redis())
    app = create_app(options.framework, queued, options.background, options.duration)
    uvicorn.run(
        app, host=ADDRESS, port=options.port, loop="asyncio", http="h11", ws="none", log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
