"""Jobs that a framework's worker runs, and the web application's record of them in Redis: both outlive its process."""

import os
import time
from typing import cast

import redis

from tasks.contract import APPLICATION_DATABASE, REDIS_URL_VARIABLE
from tasks.jobs import MOST_JOBS, Job, JobQueue, require_room


def application_redis() -> redis.Redis:
    """The application's own database in the lab's Redis."""
    return redis.Redis.from_url(f"{os.environ[REDIS_URL_VARIABLE].rstrip('/')}/{APPLICATION_DATABASE}", decode_responses=True)


class QueuedJobs:
    """The jobs that were handed to a framework. The record is a sorted set of their ids by the time at which they were accepted,
    bounded to ``limit``. Raises besides what it says what Redis's client and the framework raise."""

    def __init__(self, framework: str, queue: JobQueue, client: redis.Redis, limit: int = MOST_JOBS) -> None:
        self._key = f"jobs-{framework}"
        self._queue = queue
        self._redis = client
        self._limit = limit

    def submit(self, job_id: str, duration_s: float) -> Job:
        """Put a job on record and into the queue. Raises TooManyJobsError."""
        job = Job(job_id, time.time())
        with self._redis.pipeline() as pipeline:
            pipeline.zadd(self._key, {job_id: job.submitted_at})
            pipeline.zcard(self._key)
            _, count = pipeline.execute()
        try:
            require_room(count - 1, self._limit)
            self._queue.submit(job_id, duration_s)
        except Exception:
            self._redis.zrem(self._key, job_id)
            raise
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of this id, if it is on record."""
        submitted_at = self._redis.zscore(self._key, job_id)
        if submitted_at is None:
            return None
        return Job(job_id, submitted_at, self._queue.progress([job_id])[0])

    def all(self) -> list[Job]:
        """All that are on record, the oldest first."""
        recorded = cast(list[tuple[str, float]], self._redis.zrange(self._key, 0, -1, withscores=True))
        progress = self._queue.progress([job_id for job_id, _ in recorded])
        return [Job(job_id, submitted_at, p) for (job_id, submitted_at), p in zip(recorded, progress, strict=True)]

    def clear(self) -> int:
        """Forget all records and results, and say how many there were. What waits or runs goes on."""
        job_ids = cast(list[str], self._redis.zrange(self._key, 0, -1))
        if job_ids:
            self._queue.forget(job_ids)
            self._redis.zrem(self._key, *job_ids)
        return len(job_ids)
