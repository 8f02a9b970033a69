"""The application of jobs without a queue that works: what is refused, and in which words. Run in a framework's environment."""

import json
import os
from typing import Any

import pytest

from benchmarks.run.labs.local import packages_of
from tasks.background_jobs import Way
from tests.support import CHECKOUT, environment_python, run_script

IN_EVERY_WAY = """
import json, sys
from fastapi.testclient import TestClient
from tasks.background_jobs import Way
from tasks.job_app import MOST_BODY_BYTES, create_app
from tasks.jobs import TooManyJobsError

class Queued:
    def submit(self, job_id, duration_s): raise TooManyJobsError("full: delete some")
    def find(self, job_id): return None
    def all(self): raise ConnectionError("gone")
    def clear(self): raise ConnectionError("gone")

client = TestClient(create_app("queue", Queued(), Way(sys.argv[1]), 0.01))
asked = {
    "submitted": client.post("/fastapi/job"), "jobs": client.get("/fastapi/jobs"), "metrics": client.get("/metrics"),
    "unknown": client.get("/fastapi/status/x"), "queue unknown": client.get("/queue/status/x"),
    "full": client.post("/queue/job"), "gone": client.get("/queue/jobs"), "not cleared": client.delete("/queue/jobs"),
    "fits": client.post("/fastapi/job", content=b"x" * MOST_BODY_BYTES),
    "large": client.post("/fastapi/job", content=b"x" * (MOST_BODY_BYTES + 1)),
    "deleted": client.delete("/fastapi/jobs"), "docs": client.get("/docs"), "information": client.get("/"),
}
print(json.dumps({name: [a.status_code, a.text] for name, a in asked.items()}))
"""


@pytest.mark.parametrize("way", Way)
def test_what_cannot_be_done_is_said_in_words(way: Way) -> None:
    path = os.pathsep.join((str(CHECKOUT), str(packages_of("api"))))
    told = run_script(IN_EVERY_WAY, way.value, python=environment_python("celery"), PYTHONPATH=path)
    answers: dict[str, tuple[int, str]] = json.loads(told)

    def document(name: str, status: int) -> dict[str, Any]:
        assert answers[name][0] == status, answers[name]
        found: dict[str, Any] = json.loads(answers[name][1])
        return found

    submitted, [job] = document("submitted", 200), document("jobs", 200)["jobs"]
    assert (submitted["status"], job["status"], job["job_id"]) == ("pending", "completed", submitted["job_id"])
    assert 'jobs_submitted_total{implementation="fastapi"} 1.0' in answers["metrics"][1]
    assert document("unknown", 404) == {"detail": "no job x on record: GET /fastapi/jobs lists those that are"}
    assert document("queue unknown", 404) == {"detail": "no job x on record: GET /queue/jobs lists those that are"}
    assert document("full", 503) == {"detail": "full: delete some"}
    for name in ("gone", "not cleared"):
        assert document(name, 503) == {"detail": "queue cannot be reached: ConnectionError: gone"}
    assert document("fits", 200)["status"] == "pending"
    assert "10,001 bytes is too large: 10,000 are the most" in document("large", 413)["detail"]
    assert document("deleted", 200) == {"deleted": 2}
    document("docs", 404)
    information = document("information", 200)
    assert (information["background"], information["job_duration_s"]) == (way.value, 0.01)
    assert {"POST /fastapi/job", "DELETE /queue/jobs", "GET /metrics"} <= set(information["endpoints"])


RESULTS = """
import json
from dataclasses import asdict
from tasks.celery_tasks.jobs import app, progress_of

stored = [
    {"status": "STARTED", "result": {"pid": 1, "hostname": "h"}, "date_done": None},
    {"status": "STARTED", "result": {"started_at": 5.5}, "date_done": None},
    {"status": "SUCCESS", "result": {"started_at": 5.5}, "date_done": "1970-01-01T00:00:07+00:00"},
    {"status": "FAILURE", "result": RuntimeError("no"), "date_done": "1970-01-01T00:00:07+00:00"},
    {"status": "RETRY", "result": None, "date_done": "1970-01-01T00:00:07+00:00"},
]
settings = [app.conf.worker_prefetch_multiplier, app.conf.task_track_started, app.conf.task_ignore_result]
print(json.dumps([settings, [asdict(progress_of(meta)) for meta in stored]]))
"""


def test_a_stored_result_says_how_far_its_job_is() -> None:
    settings, progress = json.loads(run_script(RESULTS, python=environment_python("celery")))
    assert settings == [1, True, False]
    names = ("status", "started_at", "ended_at", "error")
    assert [tuple(p[name] for name in names) for p in progress] == [
        ("running", None, None, None),
        ("running", 5.5, None, None),
        ("completed", 5.5, 7.0, None),
        ("failed", None, 7.0, "RuntimeError: no"),
        ("pending", None, None, None),
    ]
