"""The application of jobs with a real worker: every endpoint, its end, and which jobs outlive its process."""

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from benchmarks.run.job_api import PLACE_FILE, JobApi, JobApiWish, running_places
from benchmarks.run.labs.local import LocalLab, free_port
from infrastructure.janitor import processes_of_lab
from tasks.background_jobs import Way
from tasks.jobs import JobQueue, Progress, TooManyJobsError
from tasks.queued_jobs import QueuedJobs
from tests.e2e.cli_support import LabCli
from tests.support import wait_for

pytestmark = pytest.mark.e2e

FRAMEWORK = "celery"
KINDS = ("fastapi", FRAMEWORK)
SLOTS = 4


def statuses(client: httpx.Client, kind: str) -> list[str]:
    return [job["status"] for job in client.get(f"/{kind}/jobs").raise_for_status().json()["jobs"]]


def text_at(url: str) -> str:
    """What is answered there; empty where nobody answers."""
    try:
        return httpx.get(url, trust_env=False, timeout=10).text
    except httpx.TransportError:
        return ""


def process_of(processes: set[int], argument: str) -> int:
    """The one of the processes that has this on its command line, not its children: it leads their group."""
    [found] = [p for p in processes if os.getpgid(p) == p and argument in Path(f"/proc/{p}/cmdline").read_text().split("\0")]
    return found


def assert_whole(job: Mapping[str, Any], duration_s: float) -> None:
    assert (job["status"], job["error"]) == ("completed", None)
    assert job["submitted_at"] <= job["started_at"] <= job["completed_at"]
    assert job["queue_time_s"] >= 0
    assert job["execution_time_s"] >= duration_s
    assert job["total_time_s"] == pytest.approx(job["queue_time_s"] + job["execution_time_s"], abs=1e-3)


def test_every_endpoint_answers_for_both_and_all_ends_when_a_part_dies(lab_cli: LabCli) -> None:
    port, duration_s = free_port(), 0.2
    options = ("--port", str(port), "--duration", str(duration_s), "--concurrency", str(SLOTS))
    command = lab_cli.begin("api", FRAMEWORK, *options, until="Ctrl-C ends all of it.")
    [lab] = command.labs
    base = f"http://127.0.0.1:{port}"
    lines = re.findall(r"^  curl (?:-X (\S+) )?(\S+)$", command.output(), re.MULTILINE)
    with httpx.Client(base_url=base, trust_env=False, timeout=30) as client:
        for kind in KINDS:
            job_id = client.post(f"/{kind}/job").raise_for_status().json()["job_id"]
            address = f"/{kind}/status/{job_id}"
            wait_for(lambda a=address: client.get(a).json()["status"] == "completed", "the job to end")  # type: ignore[misc]
            assert_whole(client.get(address).json(), duration_s)
            told = [client.request(method or "GET", url.replace("JOB_ID", job_id)) for method, url in lines if f"/{kind}/" in url]
            assert [answer.status_code for answer in told] == [200, 200, 200, 200]
            assert told[2].json()["count"] == 2
            assert told[3].json() == {"deleted": 2}
            assert client.get(address).status_code == 404
            assert client.get(f"/{kind}/jobs").json() == {"count": 0, "jobs": []}
        assert client.get("/health").json() == {"status": "ok"}
        assert f"POST /{FRAMEWORK}/job" in client.get("/").json()["endpoints"]
        assert "process_resident_memory_bytes" in client.get("/metrics").text

    monitor_port = free_port()
    monitor = lab_cli.start("job-monitor", FRAMEWORK, "--port", str(monitor_port), "--api-port", str(port))
    wait_for(lambda: "jobs@" in text_at(f"http://127.0.0.1:{monitor_port}/workers"), "the worker to be in the monitor")

    [place] = [place for place in running_places(FRAMEWORK) if place.port == port]
    assert (lab.folder / PLACE_FILE).stat().st_mode & 0o777 == 0o600
    [password] = re.findall(r":([^:@]+)@", place.redis_url)
    seen = [Path(f"/proc/{p}/cmdline").read_text() for p in lab.processes()]
    assert any(f"--port={monitor_port}" in text for text in seen)
    assert [text for text in seen if password in text] == []
    os.kill(process_of(lab.processes(), "worker"), signal.SIGKILL)
    ended = command.end()
    assert monitor.end().code == -signal.SIGKILL
    assert ended.code == 1
    assert ended.errors.startswith("Error: the worker has ended (signal 9)")
    assert password not in ended.output + ended.errors + monitor.output() + monitor.errors()
    assert [place for place in running_places(FRAMEWORK) if place.port == port] == []


@pytest.mark.parametrize("framework", [FRAMEWORK, "asynctasq"])
def test_a_killed_application_loses_its_background_jobs_and_no_job_of_the_queue(framework: str) -> None:
    duration_s, queued = 1.0, SLOTS + 1
    with LocalLab() as lab:
        api = JobApi(lab, JobApiWish(framework, free_port(), SLOTS, Way.THREAD, duration_s))
        api.start()
        with httpx.Client(base_url=api.url, trust_env=False, timeout=30) as client:
            background = [client.post("/fastapi/job").json()["job_id"] for _ in range(2)]
            for _ in range(queued):
                client.post(f"/{framework}/job").raise_for_status()
            wait_for(lambda: "running" in statuses(client, framework), "a job of the queue to start")
            wait_for(lambda: set(statuses(client, "fastapi")) & {"running", "completed"} != set(), "a background job to start")
            os.kill(process_of(processes_of_lab(lab.lab_id, lab.folder), "tasks.job_app"), signal.SIGKILL)
        wait_for(lambda: not text_at(f"{api.url}/health"), "the application to die")
        api.start_application()
        with httpx.Client(base_url=api.url, trust_env=False, timeout=30) as client:
            assert client.get("/fastapi/jobs").json()["count"] == 0
            assert {client.get(f"/fastapi/status/{job_id}").status_code for job_id in background} == {404}
            wait_for(lambda: statuses(client, framework) == ["completed"] * queued, "the jobs of the queue to end")
            for job in client.get(f"/{framework}/jobs").json()["jobs"]:
                assert_whole(job, duration_s)
            assert client.delete(f"/{framework}/jobs").json() == {"deleted": queued}
            assert client.get(f"/{framework}/jobs").json() == {"count": 0, "jobs": []}


class Refusing(JobQueue):
    """A queue that takes nothing while it is down."""

    def __init__(self) -> None:
        self.down = False
        self.forgotten: list[str] = []

    def submit(self, job_id: str, duration_s: float) -> None:
        if self.down:
            raise ConnectionError("down")

    def progress(self, job_ids: Any) -> list[Progress]:
        return [Progress() for _ in job_ids]

    def forget(self, job_ids: Any) -> None:
        self.forgotten += job_ids


def test_the_record_of_queued_jobs_is_bounded_and_holds_what_was_accepted(local_lab: LocalLab) -> None:
    queue = Refusing()
    with redis.Redis.from_url(f"{local_lab.redis_url}/15", decode_responses=True) as client:
        jobs = QueuedJobs("made-up", queue, client, limit=2)
        first = jobs.submit("b", 1.0)
        queue.down = True
        with pytest.raises(ConnectionError):
            jobs.submit("lost", 1.0)
        queue.down = False
        jobs.submit("a", 1.0)
        with pytest.raises(TooManyJobsError):
            jobs.submit("c", 1.0)
        assert [job.job_id for job in jobs.all()] == ["b", "a"], "the oldest first"
        assert jobs.find("b") == first
        assert jobs.find("lost") is None
        assert (jobs.clear(), jobs.all(), queue.forgotten) == (2, [], ["b", "a"])
        assert jobs.clear() == 0
