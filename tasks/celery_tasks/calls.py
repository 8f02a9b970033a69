# mypy: disable-error-code="import-not-found", disallow-untyped-decorators=False
"""The two tasks that the application knows: one that runs a task call, and one that does so as a part of a chain."""

from typing import Any

from celery import Task

from tasks.celery_tasks.application import app
from tasks.celery_tasks.events import EMITS_EVENTS
from tasks.streaming import identity_key
from tasks.workloads import TaskCall
from tasks.workloads import execute as run_workload


@app.task(name="queuelab.execute", bind=True)
def execute(self: Task, run: int, phase: int, sequence: int, due_ns: int, workload: str, argument: Any) -> None:
    """Run a task call; see :data:`tasks.workloads.TaskCall`."""
    run_workload(run, phase, sequence, due_ns, workload, argument, self.request.retries + 1, identity=_identity(self))


@app.task(name="queuelab.link", bind=True)
def link(self: Task, call: TaskCall, attempts: int, backoff_s: float, followers: int) -> None:
    """Run a task call of a chain; when it raises, have it retried while there are attempts left."""
    try:
        run_workload(*call, self.request.retries + 1, attempts, followers)
    except Exception as error:
        raise self.retry(exc=error, countdown=backoff_s, max_retries=attempts - 1) from error


def _identity(task: Task) -> int:
    return identity_key(task.request.id) if EMITS_EVENTS else 0
