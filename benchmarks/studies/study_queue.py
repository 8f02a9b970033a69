"""Study: the job-queue suite: throughput, latency and memory of a queue and its workers, against the suite's own targets."""

from collections.abc import Generator, Mapping, Sequence

from benchmarks.arithmetic import difference, median, ratio
from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Factor, Point
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.percentiles import FIGURE_WORDS, figures
from benchmarks.record.resources import BYTES_PER_MB, phase_memory, redis_cost
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.soundness import Phases
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.bare_imports import BareImports
from benchmarks.scenarios.defaults import directions
from benchmarks.studies.queue_answers import FEW, MANY, queue_conclusions
from benchmarks.studies.queue_document import queue_documents
from benchmarks.studies.study import Levels, Needs, Place, Study
from tasks.loads import Paced, Prefilled, only

MEMORY, LATENCY, THROUGHPUT = "memory", "latency", "throughput"
ALL = "all"
WORKERS = Factor("workers", "integer", "worker processes", "workers")
ONLY = Factor("only", "text", "the part of the suite that is run", known=(ALL, THROUGHPUT, LATENCY, MEMORY), compared=False)
TASKS = only("noop")
MOST_WORKERS = 64
BYTES_PER_KB = 1_000

ENQUEUE_PER_S, DRAIN_PER_S = 2_000.0, 500.0
"""What a run is planned with: slow frameworks enqueue and drain so many empty tasks a second."""
WORKER_MB = 90.0
"""What a worker process is expected to take."""

_FIGURES = ("mean", "p50", "p95", "p99")
_STAGES = {
    "enqueue_to_start": "from a task's intended send time to the start of its body",
    "start_to_complete": "from the start of its body to its end",
}
_KINDS = ("pss", "uss", "rss")
_SHORT: Mapping[str, str] = {"pss": "", "uss": "_uss", "rss": "_rss"}
_WHEN: Mapping[str, str] = {
    "baseline": "of one interpreter that has imported the framework and does nothing",
    "idle": "of the worker's whole tree, warm, before the first load, over its workers",
    "processing": "of the same tree, the highest while tasks are enqueued and executed, over its workers",
}


def _sizes(tasks: int, memory_tasks: int, latency_s: float) -> Sizes:
    same = {"concurrency": 1, "imports": 3}
    return {"tasks": tasks, "memory_tasks": memory_tasks, "latency_s": latency_s, "rate_per_s": 100.0, **same}


class Queue(Study):
    """A run has the parts of the suite that its point names, as phases: ``memory`` (a prefilled queue of a worker that has done
    nothing yet but its warm-up, drained), ``latency`` (an open loop) and ``throughput`` (prefilled, drained)."""

    name = "study_queue"
    title = "The job-queue suite"
    question = "How many tasks a second, at what latency and for how much memory, with one worker and with ten?"
    headline = "throughput"
    factors = (WORKERS, ONLY)
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(tasks=500, memory_tasks=300, latency_s=1.0),
        "standard": _sizes(tasks=5_000, memory_tasks=1_000, latency_s=10.0),
        "full": _sizes(tasks=20_000, memory_tasks=5_000, latency_s=30.0),
    }
    least: Mapping[str, float] = {
        "tasks": 100,
        "memory_tasks": 100,
        "latency_s": 0.2,
        "rate_per_s": 1,
        "concurrency": 1,
        "imports": 1,
    }
    most: Mapping[str, float] = {
        "tasks": 1_000_000,
        "memory_tasks": 1_000_000,
        "latency_s": 3600,
        "rate_per_s": 10_000,
        "concurrency": 1000,
        "imports": 100,
    }
    options: Mapping[str, str] = {
        "tasks": "tasks of the throughput part",
        "memory_tasks": "tasks of the memory part",
        "latency_s": "how long the latency part offers tasks, s",
        "rate_per_s": "tasks a second of it",
        "concurrency": "tasks at once within each worker process",
        "imports": "interpreters that the baseline of memory is the median of",
    }
    drained = THROUGHPUT
    paced = LATENCY
    own_columns: Mapping[str, str] = {
        "task_count": "tasks of the throughput part",
        "submit_per_s": "of these enqueued one by one, a second, by one producer with the workers paused",
        "submit_s": "s that this took",
        "drain_per_s": "tasks ended a second between 10 % and 90 % of the drain",
        **{
            f"{stage}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the time {words}, ms"
            for stage, words in _STAGES.items()
            for figure in _FIGURES
        },
        **{
            f"worker_{when}{_SHORT[kind]}_mb": f"{kind.upper()} {words}, MB of 10^6 bytes"
            for when, words in _WHEN.items()
            for kind in _KINDS
        },
        "worker_overhead_mb": "worker_processing_mb less worker_baseline_mb: what a worker takes beyond the framework's import",
        "redis_kb_per_task": "memory that Redis takes for a waiting task, KB of 1000 bytes: what its memory has grown by when "
        "all are enqueued, over their number",
    }
    own_better = directions(
        higher=("submit_per_s", "drain_per_s"),
        lower=("submit_s", "redis_kb_per_task", *(n for n in own_columns if n.startswith("worker_") or n.endswith("_ms"))),
    )
    summary: Mapping[str, str] = {
        "submit_per_s": "submit/s",
        "throughput": "process/s",
        "enqueue_to_start_p95_ms": "to start p95 ms",
        "start_to_complete_p95_ms": "to end p95 ms",
        "worker_processing_mb": "PSS MB/worker",
        "worker_overhead_mb": "overhead MB",
        "redis_kb_per_task": "Redis KB/task",
    }

    def levels(self, place: Place) -> Levels:
        """One worker and ten, with all parts; with the preset quick ten only of those whose tasks have a process each."""
        one_alone = place.preset == "quick" and place.variant.execution != "child-process"
        return {"workers": (FEW,) if one_alone else (FEW, MANY), "only": (ALL,)}

    def objection(self, place: Place, point: Point) -> str | None:
        """More workers than a machine is to start, more tasks at once than a process of the variant takes."""
        limit, asked = place.variant.concurrency_limit, int(place.sizes["concurrency"])
        if int(point["workers"]) > MOST_WORKERS:
            return f"--workers {point['workers']} is too many: the nearest that works is {MOST_WORKERS}"
        if limit is not None and asked > limit:
            return f"a process of it takes {limit} at once and no more: the nearest that works is --concurrency {limit}"
        return None

    def needs(self, place: Place, point: Point) -> Needs:
        """From the number of tasks, as slow frameworks take them, and of processes."""
        sizes, parts = place.sizes, _parts(point)
        each_s = 1 / ENQUEUE_PER_S + 1 / DRAIN_PER_S
        seconds = {
            MEMORY: sizes["memory_tasks"] * each_s,
            LATENCY: sizes["latency_s"],
            THROUGHPUT: sizes["tasks"] * each_s,
        }
        return Needs(sum(seconds[part] for part in parts), BYTES_PER_MB * WORKER_MB * (int(point["workers"]) + 1))

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The parts, that of memory first: the worker's memory is to be that of its own tasks."""
        sizes, parts = context.sizes, _parts(context.point)
        wish = WorkerWish(int(context.point["workers"]), whole(sizes["concurrency"]))
        if MEMORY in parts:
            baseline = BareImports(whole(sizes["imports"]))
            yield PhasePlan(MEMORY, TASKS, Prefilled(whole(sizes["memory_tasks"])), wish, devices=(baseline,))
        if LATENCY in parts:
            yield PhasePlan(LATENCY, TASKS, Paced(sizes["rate_per_s"], sizes["latency_s"]), wish)
        if THROUGHPUT in parts:
            yield PhasePlan(THROUGHPUT, TASKS, Prefilled(whole(sizes["tasks"])), wish)

    def own_measures(self, data: RunData) -> Measures:
        """Of each part that was run."""
        values: dict[str, float | int | None] = {}
        if throughput := data.phases.get(THROUGHPUT):
            values |= _throughput_measures(throughput)
        if (latency := data.phases.get(LATENCY)) and latency.account.ended:
            values |= figures("enqueue_to_start", latency.tasks.queue_wait_ns(), _FIGURES)
            values |= figures("start_to_complete", latency.tasks.service_ns(), _FIGURES)
        if memory := data.phases.get(MEMORY):
            values |= _memory_measures(memory, data)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """Each of its own part."""
        return {
            **dict.fromkeys(("submit_*", "drain_per_s"), (THROUGHPUT,)),
            **dict.fromkeys((f"{stage}_*" for stage in _STAGES), (LATENCY,)),
            **dict.fromkeys(("worker_*", "redis_kb_per_task"), (MEMORY,)),
        }

    def conclusions(self, data: ChartData) -> Sequence[Conclusion]:
        """All variants side by side, and each target met or missed."""
        return queue_conclusions(data)

    def documents(self, data: ChartData, created_utc: str) -> Mapping[str, str]:
        """``benchmark_results_YYYYMMDD_HHMMSS.json``, as the suite writes it."""
        return queue_documents(data, created_utc)


def _parts(point: Point) -> tuple[str, ...]:
    asked = str(point["only"])
    return (MEMORY, LATENCY, THROUGHPUT) if asked == ALL else (asked,)


def _throughput_measures(phase: PhaseData) -> Measures:
    tasks = phase.tasks
    rate_per_s = tasks.enqueue_rate_per_s()
    return {
        "submit_per_s": rate_per_s,
        "submit_s": ratio(int(tasks.acknowledged.sum()), rate_per_s),
        "drain_per_s": tasks.drain_rate_per_s(),
    }


def _memory_measures(phase: PhaseData, data: RunData) -> Measures:
    workers = int(data.context.point["workers"])
    read = phase.readings.get("bare_imports")
    idle, processing = phase.record.worker.idle, phase_memory(phase, data)
    values: dict[str, float | int | None] = {}
    for kind in _KINDS:
        baseline_bytes = None if read is None else median(read[f"{kind}_bytes"])
        values |= {
            f"worker_baseline{_SHORT[kind]}_mb": ratio(baseline_bytes, BYTES_PER_MB),
            f"worker_idle{_SHORT[kind]}_mb": getattr(idle, f"{kind}_bytes") / BYTES_PER_MB / workers,
            f"worker_processing{_SHORT[kind]}_mb": getattr(processing, f"{kind}_mb") / workers,
        }
    return {
        **values,
        "worker_overhead_mb": difference(values["worker_processing_mb"], values["worker_baseline_mb"]),
        "redis_kb_per_task": ratio(redis_cost(phase).memory_bytes_per_queued_task, BYTES_PER_KB),
    }


STUDY = Queue()
