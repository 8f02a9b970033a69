"""Study: when a web application needs a queue for its long jobs, and when its own background tasks do."""

import math
from collections.abc import Generator, Mapping, Sequence

from benchmarks.chart import Chart
from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Factor, Point
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import KillWish, WorkerWish
from benchmarks.record.concurrency import executing
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.run_data import Measures, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.soundness import Phases
from benchmarks.record.web.jobs import (
    HEALTH_COLUMNS,
    TIME_COLUMNS,
    TREE_COLUMNS,
    fate_columns,
    fate_measures,
    health_measures,
    job_span_ns,
    time_measures,
    tree_measures,
)
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.web import WebHealth, WebSamples
from benchmarks.scenarios.defaults import directions
from benchmarks.studies.job_answers import HEALTH_LIMIT, QUEUE, QUEUE_LIMIT, job_charts, job_conclusions
from benchmarks.studies.job_documents import job_documents
from benchmarks.studies.study import Levels, Needs, Place, Study
from tasks.contract import Variant
from tasks.loads import JOB_ENDPOINT, NS_PER_S, Burst, Mix, TaskClass

THREAD, AWAITING, BLOCKING = "thread", "awaiting", "blocking"
ENDPOINTS: Mapping[str, str] = {
    QUEUE: JOB_ENDPOINT,
    THREAD: "/background",
    AWAITING: "/background-awaiting",
    BLOCKING: "/background-blocking",
}
JOBS = Factor("jobs", "integer", "jobs that are submitted at once")
WAY = Factor("way", "text", "where a job runs: in a queue's worker, or as a background task of a kind", known=tuple(ENDPOINTS))

SUBMITTED, SERVER_KILLED, WORKER_KILLED = "submitted", "server_killed", "worker_killed"
POOL_THREADS = 40
"""Background tasks that FastAPI's thread pool runs at once (AnyIO's default limiter)."""
HEALTH_INTERVAL_S = 0.05
MOST_JOBS, MOST_RUN_S = 1_000, 10_800.0
FEW_JOBS = 10
"""So many at most where one job runs after another, unless the user asks for more."""
RESTART_S, QUIET_S = 3.0, 4.0
"""What starting a killed part again is expected to take, and how long is waited for jobs that do not come."""
APPLICATION_MB, PROCESS_MB = 90.0, 60.0


def _sizes(duration: float, queue_limit_s: float) -> Sizes:
    same = {"concurrency": 4, "kill_jobs": 10, "health_limit_ms": 200.0, "health_timeout_s": 2.0}
    return {"duration": duration, "queue_limit_s": queue_limit_s, **same}


class FastApiJobs(Study):
    """``jobs`` jobs, each of which sleeps for ``duration`` seconds, are submitted at once to a web application, which has the
    worker of a queue run them (``way`` queue) or runs them itself; while they run it is asked whether it is well. With few jobs
    (``kill_jobs``) the same is done again, and the application is killed half-way; and once more, and the worker is.

    Background tasks need no queue: they are measured in the application of the control, whose worker has no part in it.
    """

    name = "study_fastapi"
    title = "When a web application needs a queue"
    question = "From how many long jobs on do background tasks of a FastAPI application no longer do, and does a queue?"
    headline = "total_mean_s"
    factors = (JOBS, WAY)
    runs: Mapping[str, int] = {"quick": 1, "standard": 1, "full": 4}
    run_timeout_s: Mapping[str, float] = {"standard": MOST_RUN_S, "full": MOST_RUN_S}
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(duration=1.0, queue_limit_s=0.5),
        "standard": _sizes(duration=30.0, queue_limit_s=5.0),
        "full": _sizes(duration=30.0, queue_limit_s=5.0),
    }
    least: Mapping[str, float] = {
        "duration": 0.1,
        "concurrency": 1,
        "kill_jobs": 0,
        "queue_limit_s": 0.01,
        "health_limit_ms": 1,
        "health_timeout_s": 0.1,
    }
    most: Mapping[str, float] = {"duration": 3_600, "concurrency": 64, "health_timeout_s": 60, "queue_limit_s": 3_600}
    options: Mapping[str, str] = {
        "duration": "what one job takes, s",
        "concurrency": "jobs at once in the queue's worker",
        "kill_jobs": "application and worker are killed in runs of so many jobs at most; 0: in none",
        "queue_limit_s": "how long a job may wait for its start, s",
        "health_limit_ms": "how soon the application must say that it is well, 99 times in 100, ms",
        "health_timeout_s": "after how long an answer to that is given up, s",
    }
    paced = SUBMITTED
    lacking = ("throughput", "cpu_percent")
    own_columns: Mapping[str, str] = {
        "task_count": "jobs submitted, all at once",
        "total_time": "s from the first request to the last end of a job",
        "jobs_completed_count": "jobs that were completed, of those submitted without a kill",
        "jobs_failed_count": "of these, jobs that ended by raising",
        "jobs_lost_count": "of these, jobs that were accepted and never ended",
        "jobs_refused_count": "of these, jobs that were not accepted within the 60 s that a client waits, and never ended",
        "jobs_at_once_count": "most jobs that ran at one moment",
        **TIME_COLUMNS,
        **HEALTH_COLUMNS,
        **TREE_COLUMNS,
        **fate_columns("server", "the application was killed (SIGKILL)"),
        **fate_columns("worker", "the queue's worker was killed (SIGKILL)"),
        "job_duration_s": "what one job takes, as asked for",
        QUEUE_LIMIT: "how long a job may wait for its start, as asked for",
        HEALTH_LIMIT: "how soon the application must say that it is well, as asked for",
    }
    own_better = directions(
        higher=("health_within_share",),
        lower=(
            *TIME_COLUMNS,
            *TREE_COLUMNS,
            *("health_p99_ms", "jobs_lost_count", "jobs_refused_count", "server_kill_gone_count", "worker_kill_gone_count"),
        ),
    )
    summary: Mapping[str, str] = {
        "accept_mean_s": "accept s",
        "queue_mean_s": "queue s",
        "total_mean_s": "total s",
        "health_within_share": "health in time",
        "health_p99_ms": "health p99 ms",
        "server_kill_gone_count": "gone: server",
        "worker_kill_gone_count": "gone: worker",
    }

    def enters(self, variant: Variant) -> bool:
        """Workers of processes, which run a job as it is written; and the control, whose application has the background tasks."""
        return variant.control or variant.execution == "child-process"

    def unsupported(self, variant: Variant) -> str | None:
        """Variants whose tasks cannot be dispatched from a web application."""
        return variant.lacks.get("web")

    def levels(self, place: Place) -> Levels:
        """The jobs of the document; with the preset quick no hundred."""
        ways = (THREAD, AWAITING, BLOCKING) if place.variant.control else (QUEUE,)
        return {"jobs": (10, 50) if place.preset == "quick" else (10, 50, 100), "way": ways}

    def skips(self, place: Place, point: Point, asked: Levels) -> bool:
        """Jobs that run one after another, as long as they are not asked for: few tell all about it."""
        return point["way"] == BLOCKING and int(point["jobs"]) > FEW_JOBS and "way" not in asked

    def objection(self, place: Place, point: Point) -> str | None:
        """Too many jobs; those that take too long; background tasks of another application than the control's."""
        jobs, way, most = int(point["jobs"]), str(point["way"]), MOST_JOBS
        if way != QUEUE and not place.variant.control:
            return "background tasks need no queue: they are run with the control alone, and there --way works"
        if jobs > most:
            return f"--jobs {jobs} is too many: the nearest that works is {most}"
        if (needed_s := self.needs(place, point).time_s) > MOST_RUN_S:
            at_once = _at_once(place.variant, place.sizes, way)
            works = int(MOST_RUN_S / place.sizes["duration"]) * min(at_once, most)
            return f"{jobs} jobs of it take about {needed_s:,.0f} s: the nearest that works is --jobs {min(works, most)}"
        return None

    def needs(self, place: Place, point: Point) -> Needs:
        """From how many jobs run at once."""
        sizes, way, jobs = place.sizes, str(point["way"]), int(point["jobs"])
        makespan_s, duration_s = _makespan_s(place.variant, sizes, way, jobs), sizes["duration"]
        time_s = makespan_s
        if jobs <= sizes["kill_jobs"]:
            time_s += makespan_s + RESTART_S + QUIET_S + duration_s
            time_s += makespan_s + RESTART_S + QUIET_S + duration_s if way == QUEUE else 0
        processes = _worker(place.variant, sizes, way).processes or 1
        return Needs(time_s, BYTES_PER_MB * (APPLICATION_MB + PROCESS_MB * (processes + 1)))

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """See the class."""
        sizes, way, jobs = context.sizes, str(context.point["way"]), int(context.point["jobs"])
        tasks = Mix((TaskClass("sleep", float(sizes["duration"]), endpoint=ENDPOINTS[way]),))
        worker, load = _worker(context.variant, sizes, way), Burst(jobs)
        health = WebHealth(HEALTH_INTERVAL_S, sizes["health_timeout_s"])
        yield PhasePlan(SUBMITTED, tasks, load, worker, (WebSamples(), health), losses_counted=True)
        if jobs <= sizes["kill_jobs"]:
            half_way_s = _makespan_s(context.variant, sizes, way, jobs) / 2
            yield PhasePlan(SERVER_KILLED, tasks, load, worker, kill=KillWish("web", half_way_s))
            if way == QUEUE:
                yield PhasePlan(WORKER_KILLED, tasks, load, worker, kill=KillWish("worker", half_way_s))

    def own_measures(self, data: RunData) -> Measures:
        """Of each phase that there is."""
        sizes = data.context.sizes
        values: Values = {
            "job_duration_s": sizes["duration"],
            QUEUE_LIMIT: sizes["queue_limit_s"],
            HEALTH_LIMIT: sizes["health_limit_ms"],
        }
        if phase := data.phases.get(SUBMITTED):
            account, span_ns = phase.account, job_span_ns(phase)
            values |= {
                "task_count": account.planned,
                "total_time": (span_ns[1] - span_ns[0]) / NS_PER_S if account.ended else None,
                "jobs_completed_count": account.completed,
                "jobs_failed_count": account.failed,
                "jobs_lost_count": account.lost,
                "jobs_refused_count": account.send_failed,
                "jobs_at_once_count": executing(phase.tasks).in_flight_max,
                **time_measures(phase.tasks),
                **health_measures(phase, sizes["health_limit_ms"]),
                **tree_measures(phase, data, with_worker=data.context.point["way"] == QUEUE),
            }
        for what, name in (("server", SERVER_KILLED), ("worker", WORKER_KILLED)):
            if killed := data.phases.get(name):
                values |= fate_measures(what, killed)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """What became of jobs is of the phase of its kill, all else of the first."""
        of_first = ("task_count", "total_time", "jobs_*", *TIME_COLUMNS, "health_*", *TREE_COLUMNS)
        return {
            "server_kill_*": (SERVER_KILLED,),
            "worker_kill_*": (WORKER_KILLED,),
            **dict.fromkeys((*of_first, "job_duration_s", QUEUE_LIMIT), (SUBMITTED,)),
        }

    def conclusions(self, data: ChartData) -> Sequence[Conclusion]:
        """From how many jobs on which limit is missed, what a kill costs, and all figures side by side."""
        return job_conclusions(data)

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """Times and responsiveness over jobs."""
        return tuple(job_charts(data))

    def documents(self, data: ChartData, created_utc: str) -> Mapping[str, str]:
        """The comparison, and a report for each implementation and number of jobs; a JSON document beside each."""
        return job_documents(data, created_utc)


def _has_processes(variant: Variant) -> bool:
    return variant.execution == "child-process"


def _worker(variant: Variant, sizes: Sizes, way: str) -> WorkerWish:
    """That of a queue has as many processes as jobs at once where each has one, else one; beside background tasks it is idle."""
    if way != QUEUE:
        return WorkerWish(1, 1)
    slots = whole(sizes["concurrency"])
    return WorkerWish(slots, 1, long_jobs=True) if _has_processes(variant) else WorkerWish(1, slots, long_jobs=True)


def _at_once(variant: Variant, sizes: Sizes, way: str) -> int:
    """Jobs that run at once at most."""
    if way == QUEUE:
        slots = whole(sizes["concurrency"])
        return slots if _has_processes(variant) else variant.shape(1, slots).slots
    return {THREAD: POOL_THREADS, AWAITING: MOST_JOBS, BLOCKING: 1}[way]


def _makespan_s(variant: Variant, sizes: Sizes, way: str, jobs: int) -> float:
    """How long so many jobs take where nothing else does."""
    return math.ceil(jobs / _at_once(variant, sizes, way)) * float(sizes["duration"])


STUDY = FastApiJobs()
