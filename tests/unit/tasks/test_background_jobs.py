"""Jobs within the application's process: how each way ends, and that what is remembered of them is bounded."""

import asyncio
import inspect

import pytest

from tasks.background_jobs import BODIES, BackgroundJobs, Way
from tasks.jobs import Status, TooManyJobsError


def run(way: Way, jobs: BackgroundJobs, job_id: str) -> None:
    if inspect.iscoroutinefunction(BODIES[way]):
        asyncio.run(BODIES[way](jobs, job_id, 0.001))
    else:
        BODIES[way](jobs, job_id, 0.001)


def status_of(jobs: BackgroundJobs, job_id: str) -> Status:
    job = jobs.find(job_id)
    assert job is not None
    return job.progress.status


@pytest.mark.parametrize("way", Way)
def test_in_every_way_a_job_starts_after_it_was_accepted_and_ends_after_it_has_started(way: Way) -> None:
    jobs = BackgroundJobs()
    accepted = jobs.accept("a")
    assert accepted.progress.status is Status.PENDING
    run(way, jobs, "a")
    [job] = jobs.all()
    progress = job.progress
    assert progress.status is Status.COMPLETED
    assert progress.started_at is not None
    assert progress.ended_at is not None
    assert accepted.submitted_at <= progress.started_at <= progress.ended_at


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
def test_one_that_raises_has_failed_and_says_why(error: BaseException) -> None:
    jobs = BackgroundJobs()
    jobs.accept("a")
    with pytest.raises(type(error)), jobs.running("a"):
        assert status_of(jobs, "a") is Status.RUNNING
        raise error
    [job] = jobs.all()
    assert (job.progress.status, type(error).__name__ in str(job.progress.error)) == (Status.FAILED, True)


def test_no_more_are_on_record_than_may_be() -> None:
    jobs = BackgroundJobs(limit=2)
    for job_id in "ab":
        jobs.accept(job_id)
        run(Way.THREAD, jobs, job_id)
    with pytest.raises(TooManyJobsError):
        jobs.accept("c")
    assert jobs.clear() == 2
    jobs.accept("c")
    assert [job.job_id for job in jobs.all()] == ["c"]


def test_deleting_records_makes_no_room_for_more_than_may_run() -> None:
    jobs = BackgroundJobs(limit=1)
    jobs.accept("a")
    with jobs.running("a"):
        assert jobs.clear() == 1
        with pytest.raises(TooManyJobsError):
            jobs.accept("b")
    assert jobs.all() == [], "a record that was deleted does not come back with the job's end"
    jobs.accept("b")
