"""What an application says of a job, and that it takes no more than it can remember."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.jobs import Job, Progress, Status, TooManyJobsError, counts, require_room

times = st.floats(min_value=0, max_value=4e9)
waits = st.floats(min_value=0, max_value=1e5)


@given(times, waits, waits)
def test_total_time_is_queue_time_and_execution_time(submitted_at: float, queue_s: float, execution_s: float) -> None:
    started_at = submitted_at + queue_s
    document = Job("a", submitted_at, Progress(Status.COMPLETED, started_at, started_at + execution_s)).document()
    assert document["total_time_s"] == pytest.approx(document["queue_time_s"] + document["execution_time_s"], abs=1e-5)
    assert document["queue_time_s"] >= 0
    assert document["execution_time_s"] >= 0


def test_what_is_not_known_yet_is_null() -> None:
    assert Job("a", 0.0).document() == {
        "job_id": "a",
        "status": "pending",
        "submitted_at": "1970-01-01T00:00:00.000+00:00",
        "started_at": None,
        "completed_at": None,
        "queue_time_s": None,
        "execution_time_s": None,
        "total_time_s": None,
        "error": None,
    }
    running = Job("a", 1.0, Progress(Status.RUNNING, 3.5)).document()
    assert (running["status"], running["queue_time_s"], running["total_time_s"]) == ("running", 2.5, None)


def test_one_that_failed_before_its_start_has_a_total_time_and_no_other() -> None:
    document = Job("a", 1.0, Progress(Status.FAILED, None, 4.0, "WorkerLostError: killed")).document()
    assert (document["total_time_s"], document["queue_time_s"], document["execution_time_s"]) == (3.0, None, None)
    assert document["error"] == "WorkerLostError: killed"


def test_every_status_is_counted_those_that_no_job_has_too() -> None:
    found = counts([Job("a", 0.0), Job("b", 0.0, Progress(Status.RUNNING, 1.0)), Job("c", 0.0)])
    assert found == {Status.PENDING: 2, Status.RUNNING: 1, Status.COMPLETED: 0, Status.FAILED: 0}


def test_one_more_than_there_may_be_is_refused_with_what_to_do() -> None:
    require_room(2, limit=3)
    with pytest.raises(TooManyJobsError, match=r"^3 jobs are .* 3 may be: wait .* delete"):
        require_room(3, limit=3)
