"""Study: which pool, and how many tasks at once in it, for each kind of task."""

from collections.abc import Generator, Mapping, Sequence

from benchmarks.arithmetic import ratio
from benchmarks.chart import Chart
from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Factor, Point
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.percentiles import NS_PER_MS, figures
from benchmarks.record.resources import BYTES_PER_MB, cpu_ms_per_task, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import MEMORY_OF_ONE_WORKER, MEMORY_SUMMARY
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import busy_rate_per_s
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.scenarios.defaults import directions
from benchmarks.studies.pool_choice import CHARTED, WITHIN, pool_charts, pool_conclusions
from benchmarks.studies.study import Levels, Needs, Place, Study
from tasks.contract import Variant
from tasks.loads import Mix, Paced, Prefilled, TaskClass, only

WAITS, IN_C, IN_PYTHON, HALF = "waits", "computes-c", "computes-python", "half"
TASK = Factor("task", "text", "what a task does with its time", known=(WAITS, IN_C, IN_PYTHON, HALF), compared=False)
CONCURRENCY = Factor("concurrency", "integer", "tasks at once that the worker is asked for", "tasks")

DRAIN, OFFERED = "drain", "offered"
C_FACT, PYTHON_FACT = "pbkdf2_iterations_per_ms", "pbkdf2_python_iterations_per_ms"
WARM = Mix(
    (
        TaskClass("pbkdf2", 1),
        TaskClass("pbkdf2_python", 1),
        TaskClass("wait_and_compute", {"wait_s": 0, "iterations": 1}),
    ),
    evenly=True,
)
"""Has every process import what the tasks need."""

MOST_SHARED, MOST_PER_CORE = 500, 4
"""Tasks at once: of threads, greenlets and coroutines; of processes, a core."""
QUICK_SHARED = (16,)
QUICK_TASKS = (WAITS, IN_PYTHON)
FASTEST_PER_S = 1_500.0
"""What a drain is planned for at most: about what a framework makes of empty tasks on two cores. A faster one ends sooner."""
FIRST_MB, PROCESS_MB, SHARED_MB = 90.0, 45.0, 0.5
"""What a worker is expected to take, and each further process, or slot within one."""


def _sizes(drain_s: float, offered_s: float) -> Sizes:
    same = {"task_ms": 20.0, "workers": 1, "utilisation": 0.7, "service_level_ms": 500.0}
    return {**same, "drain_s": drain_s, "offered_s": offered_s}


class Pools(Study):
    """At each point one worker, asked for so many tasks at once, drains a prefilled queue of one kind of task; then tasks of the
    kind arrive at a share of that rate, and how many of them end within the service level is its latency figure.

    Processes are as many as tasks at once where every task has one of its own. The others run in ``workers`` processes, one
    unless the user says more: what one command of the framework starts.
    """

    name = "study_pools"
    title = "Which pool, how many"
    question = "Which pool, and how many tasks at once in it, suits each kind of task on this machine, and what does it cost?"
    headline = "throughput"
    factors = (TASK, CONCURRENCY)
    facts = (C_FACT, PYTHON_FACT)
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(drain_s=0.6, offered_s=1.0),
        "standard": _sizes(drain_s=5.0, offered_s=5.0),
        "full": _sizes(drain_s=15.0, offered_s=15.0),
    }
    least: Mapping[str, float] = {
        "task_ms": 1,
        "workers": 1,
        "drain_s": 0.1,
        "offered_s": 0.1,
        "utilisation": 0.1,
        "service_level_ms": 1,
    }
    most: Mapping[str, float] = {"task_ms": 60_000, "workers": 64, "drain_s": 3600, "offered_s": 3600, "utilisation": 0.95}
    options: Mapping[str, str] = {
        "task_ms": "what one task takes alone, ms",
        "workers": "processes of a pool whose tasks share them",
        "drain_s": "how long a drain is planned to last, s",
        "offered_s": "how long tasks arrive at a share of the rate, s",
        "utilisation": "that share",
        "service_level_ms": "from a task's due time to its end, ms; 99 % of the tasks must keep to it",
    }
    drained = DRAIN
    paced = OFFERED
    own_columns: Mapping[str, str] = {
        "task_count": "tasks prefilled for the drain",
        "throughput": "tasks ended a second, from the first start of the drain to the last end, 1/s",
        "memory_mb": MEMORY_OF_ONE_WORKER,
        "slots_count": "tasks at once that the worker can execute",
        "ideal_share": "throughput over slots a task's own time: 1 = every slot was busy, and with nothing but its task",
        "offered_per_s": "tasks sent a second at the share of the rate",
        WITHIN: "share of these that ended within the service level",
        "offered_service_p50_ms": "median time that one of these took from its start to its end, ms",
        "idle_mb": "PSS of the worker's whole process tree, warm, before the first load, MB of 10^6 bytes",
        "mb_per_slot": "memory_mb over its slots",
        "worker_cpu_ms_per_task": "CPU of its tree for one task of the drain, ms",
    }
    own_better = directions(higher=("ideal_share", WITHIN), lower=("idle_mb", "mb_per_slot", "worker_cpu_ms_per_task"))
    summary: Mapping[str, str] = {
        "throughput": "tasks/s",
        "ideal_share": "of ideal",
        WITHIN: "within level",
        "p50": "p50 ms",
        "p99": "p99 ms",
        "cpu_percent": "CPU %",
        **MEMORY_SUMMARY,
        "mb_per_slot": "MB/slot",
    }

    def levels(self, place: Place) -> Levels:
        """Powers of two up to what the pool can have; a handful with the preset quick."""
        quick = place.preset == "quick"
        return {"task": QUICK_TASKS if quick else TASK.known, "concurrency": _concurrencies(place, quick)}

    def objection(self, place: Place, point: Point) -> str | None:
        """A pool that takes one task at a time, or no more than so many."""
        limit, asked = _limit(place.variant, int(place.sizes["workers"])), int(point["concurrency"])
        if limit is not None and asked > limit:
            return f"a worker of it takes {limit} at once and no more: the nearest that works is {limit}"
        return None

    def needs(self, place: Place, point: Point) -> Needs:
        """From the task's own time and what processes and slots take."""
        slots, sizes = int(point["concurrency"]), place.sizes
        rate_per_s = _expected_per_s(place.variant, str(point["task"]), slots, sizes["task_ms"], place.cores)
        drain_s = _tasks(rate_per_s, slots, sizes["drain_s"]) / rate_per_s
        each_mb = PROCESS_MB if _has_processes(place.variant) else SHARED_MB
        return Needs(drain_s + sizes["offered_s"], BYTES_PER_MB * (FIRST_MB + each_mb * slots))

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The drain, then arrivals at a share of what it gave."""
        sizes, slots, kind = context.sizes, int(context.point["concurrency"]), str(context.point["task"])
        own = _has_processes(context.variant)
        workers = whole(sizes["workers"])
        wish = WorkerWish(slots if own else workers, 1 if own else -(-slots // workers), warm=WARM)
        tasks = _work(kind, context)
        rate_per_s = _expected_per_s(context.variant, kind, slots, sizes["task_ms"], context.cores)
        look = yield PhasePlan(DRAIN, tasks, Prefilled(_tasks(rate_per_s, slots, sizes["drain_s"])), wish)
        offered_per_s = sizes["utilisation"] * (busy_rate_per_s(look()) or rate_per_s)
        arrivals = Paced(offered_per_s, sizes["offered_s"], "poisson", seed_of(context.seed, "arrivals"))
        yield PhasePlan(OFFERED, tasks, arrivals, wish)

    def own_measures(self, data: RunData) -> Measures:
        """Rates, the service level, memory and CPU."""
        sizes, values = data.context.sizes, dict[str, float | int | None]()
        memory = worker_memory(data)
        values["idle_mb"] = memory.idle.pss_mb
        values["mb_per_slot"] = memory.peak.pss_mb / data.worker.slots
        if drain := data.phases.get(DRAIN):
            slots, rate = drain.record.worker.slots, busy_rate_per_s(drain)
            values |= {
                "throughput": rate,
                "slots_count": slots,
                "ideal_share": ratio(rate, slots * 1000 / sizes["task_ms"]),
                "worker_cpu_ms_per_task": cpu_ms_per_task(drain),
            }
        if offered := data.phases.get(OFFERED):
            values |= {
                "offered_per_s": offered.tasks.offered_rate_per_s(),
                WITHIN: _within(offered, sizes["service_level_ms"]),
                **figures("offered_service", offered.tasks.service_ns(), ("p50",)),
            }
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The drain sets the rate at which tasks are offered."""
        of_drain = ("slots_count", "ideal_share", "worker_cpu_ms_per_task")
        both = ("offered_*", WITHIN, "mean_latency", "p50", "p95", "p99")
        return {**dict.fromkeys(of_drain, (DRAIN,)), **dict.fromkeys(both, (DRAIN, OFFERED))}

    def conclusions(self, data: ChartData) -> Sequence[Conclusion]:
        """For each kind of task the best pool and its concurrency; for each pool where more stops helping, and what it costs."""
        return pool_conclusions(data, TASK.known)

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """Throughput and memory over concurrency, a panel for each kind of task."""
        return tuple(pool_charts(data, TASK.known, CHARTED))


def _has_processes(variant: Variant) -> bool:
    """Whether every task at once has a process of its own, which one command starts."""
    return variant.execution == "child-process"


def _limit(variant: Variant, workers: int) -> int | None:
    """The most tasks at once that it can have; None where there is none."""
    if _has_processes(variant) or variant.concurrency_limit is None:
        return None
    return variant.concurrency_limit * workers


def _concurrencies(place: Place, quick: bool) -> tuple[int, ...]:
    most = MOST_PER_CORE * place.cores if _has_processes(place.variant) else MOST_SHARED
    limit = _limit(place.variant, int(place.sizes["workers"]))
    most = most if limit is None else min(most, limit)
    if quick:
        wanted: Sequence[int] = (1, place.cores) if _has_processes(place.variant) else QUICK_SHARED
        return tuple(sorted({min(n, most) for n in wanted}))
    return tuple(sorted({*(2**n for n in range(most.bit_length()) if 2**n <= most), most}))


def _expected_per_s(variant: Variant, kind: str, slots: int, task_ms: float, cores: int) -> float:
    """What is planned for: every slot busy, as far as cores, the interpreter's lock and the framework allow."""
    computing = {WAITS: 0.0, HALF: 0.5}.get(kind, 1.0)
    bears = cores if _has_processes(variant) or (kind == IN_C and variant.execution == "thread") else 1
    most = min(slots, bears / computing) if computing else slots
    return min(FASTEST_PER_S, most * 1000 / task_ms)


def _tasks(rate_per_s: float, slots: int, seconds: float) -> int:
    """Enough for so long, and for every slot to have some."""
    return max(2 * slots, whole(rate_per_s * seconds))


def _work(kind: str, context: RunContext) -> Mix:
    ms, facts = context.sizes["task_ms"], context.facts
    if kind == WAITS:
        return only("sleep", ms / 1000)
    if kind == IN_C:
        return only("pbkdf2", whole(facts[C_FACT] * ms))
    if kind == IN_PYTHON:
        return only("pbkdf2_python", whole(facts[PYTHON_FACT] * ms))
    return only("wait_and_compute", {"wait_s": ms / 2000, "iterations": whole(facts[PYTHON_FACT] * ms / 2)})


def _within(phase: PhaseData, level_ms: float) -> float | None:
    """The share of all tasks sent that ended within the service level: one that never ended did not."""
    sent = phase.account.acknowledged
    return ratio(int((phase.tasks.end_to_end_ns() <= level_ms * NS_PER_MS).sum()), sent) if sent else None


STUDY = Pools()
