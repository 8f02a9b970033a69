# mypy: disable-error-code="import-not-found", disallow-untyped-decorators=False
"""An application's long jobs on Celery, and Flower to look at them: an application of Celery's apart from that of the scenarios,
``celery --app=tasks.celery_tasks.jobs worker``, with what applications have that ask after their jobs. Results are on, a job's
start is tracked, and a worker process takes one job after another (prefetch 1); the rest is Celery's default, early
acknowledgement included."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import Celery, Task, states

from tasks.causes import named_cause
from tasks.celery_tasks.application import BROKER, RESULTS
from tasks.contract import WorkerCommand, database_url
from tasks.jobs import JobMonitor, Progress, Status

QUEUE = "jobs"
SETTINGS: Mapping[str, Any] = {
    "task_default_queue": QUEUE,
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_serializer": "json",
    "timezone": "UTC",
    "enable_utc": True,
    "task_track_started": True,
    "worker_prefetch_multiplier": 1,
    "broker_connection_retry_on_startup": True,
}
STATUSES: Mapping[str, Status] = {
    states.STARTED: Status.RUNNING,
    states.SUCCESS: Status.COMPLETED,
    states.FAILURE: Status.FAILED,
    states.REVOKED: Status.FAILED,
}

app = Celery("queuelab-jobs", broker=database_url(BROKER), set_as_current=False)
app.backend_cls = database_url(RESULTS)
app.conf.update(**SETTINGS)


@app.task(name="queuelab.job", bind=True)
def run_job(self: Task, duration_s: float) -> dict[str, float]:
    """Last so long. Celery's own mark of the start holds no time: it is written once more with it."""
    started = {"started_at": time.time()}
    self.update_state(state=states.STARTED, meta=started)
    time.sleep(duration_s)
    return started


class CeleryJobs:
    """See :class:`tasks.jobs.JobQueue`."""

    def submit(self, job_id: str, duration_s: float) -> None:
        """``apply_async`` under the application's id."""
        run_job.apply_async(args=(duration_s,), task_id=job_id)

    def progress(self, job_ids: Sequence[str]) -> list[Progress]:
        """All results in one command."""
        if not job_ids:
            return []
        backend = app.backend
        stored = backend.mget([backend.get_key_for_task(job_id) for job_id in job_ids])
        return [Progress() if result is None else progress_of(backend.decode_result(result)) for result in stored]

    def forget(self, job_ids: Sequence[str]) -> None:
        """All results in one command."""
        backend = app.backend
        backend.client.delete(*(backend.get_key_for_task(job_id) for job_id in job_ids))


def progress_of(meta: Mapping[str, Any]) -> Progress:
    """What a stored result says of its job."""
    status, result = STATUSES.get(meta["status"], Status.PENDING), meta["result"]
    started_at = result.get("started_at") if isinstance(result, dict) else None
    ended = meta["date_done"] if status in (Status.COMPLETED, Status.FAILED) else None
    return Progress(
        status,
        started_at,
        datetime.fromisoformat(ended).timestamp() if ended else None,
        named_cause(result) if isinstance(result, BaseException) else None,
    )


def job_worker(slots: int) -> WorkerCommand:
    """Celery's own command line, with its default pool."""
    arguments = ("-m", "celery", f"--app={__name__}", "worker", "--pool=prefork", f"--concurrency={slots}", f"--queues={QUEUE}")
    return WorkerCommand((*arguments, "--hostname=jobs@%h", "--loglevel=WARNING"))


def job_monitor(port: int) -> JobMonitor:
    """Flower, which only looks: without a login, whoever reaches its port could end workers. Celery reads the broker's URL from
    the variable; on a command line everyone could read its password."""
    arguments = ("-m", "celery", "flower", "--address=127.0.0.1", f"--port={port}", "--read_only=true")
    return JobMonitor("flower", WorkerCommand(arguments, {BROKER.variable: database_url(BROKER)}))
