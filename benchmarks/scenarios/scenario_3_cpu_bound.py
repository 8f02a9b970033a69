"""Scenario 3: what a queue makes of the cores when its tasks compute."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.arithmetic import difference, ratio, speedups
from benchmarks.plan.scaling import COUNTS_OF_PROCESSES, counts_of_processes, in_words
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.concurrency import overlapped_share
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import figures, summarise
from benchmarks.record.resources import cpu_ms_per_task, cpu_percent, drain_cpu_s
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import DRAIN_COLUMNS, LATENCY_COLUMNS, MEMORY_SUMMARY, Values, latency_measures
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import busy_rate_per_s, busy_s
from benchmarks.record.task_table import TaskTable
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.contract import Execution
from tasks.loads import Mix, Paced, Prefilled, TaskClass, only

NATIVE, PYTHON = "pbkdf2", "pbkdf2_python"
NATIVE_FACT, PYTHON_FACT = "pbkdf2_iterations_per_ms", "pbkdf2_python_iterations_per_ms"
WARM = Mix((TaskClass(NATIVE, 1), TaskClass(PYTHON, 1)), evenly=True)
"""Has every process import what the tasks need."""

HEAVY = "heavy"
POOL_NATIVE, POOL_PYTHON, POOL_HEAVY = "pool_native", "pool_python", "pool_heavy"
ALONE, BESIDE = "light_alone", "light_beside"
LIGHT_LABEL, HEAVY_LABEL = 0, 1

SHARING: frozenset[Execution] = frozenset({"thread", "greenlet", "coroutine"})
"""Executions of which one process runs several tasks at once."""
TOLERANCE = 0.25
"""By how much of its calibrated length a task that runs alone may be off before the run says so."""
MOST_SLOWED = 1.5
"""How many times its calibrated length a task may take that has a core of its own."""
OVERLAP_SHARE = 0.1
"""How many of the heavy tasks may overlap before it does."""

CPU_TASK_OFF = FlagKind(
    "cpu-task-off",
    Severity.WARNING,
    "{phase}: the CPU-bound task took {median:.1f} ms alone where it was calibrated to {wanted:.0f} ms",
    "The machine's speed has changed since the calibration (clock frequency, other programs): quiet it and begin a new set.",
)

CPU_TASK_SLOWED = FlagKind(
    "cpu-task-slowed",
    Severity.INVALID,
    "{phase}: the CPU-bound task took {median:.1f} ms where it takes {wanted:.0f} ms alone, and each had a core of its own",
    "Something else took the cores, or they are slower than when the task was calibrated: quiet the machine and run again.",
)

HEAVY_TASKS_OVERLAP = FlagKind(
    "heavy-tasks-overlap",
    Severity.WARNING,
    "{phase}: {share:.0%} of the heavy tasks were due before the one before them had ended",
    "What light tasks suffer here is also for want of free slots: quiet the machine, or raise size heavy_each.",
)

_COLUMNS: Mapping[str, str] = {
    "task_count": "short CPU-bound tasks (OpenSSL's PBKDF2) prefilled for the drain by one process with one slot on every core",
    "total_time": "s from the first start of one of them to the last end",
    "throughput": "task_count over total_time, 1/s",
    "mean_latency": "mean end to end latency of light tasks beside heavy ones in the same worker, ms, from when they were due",
    "cpu_percent": "CPU of the worker's tree over total_time, 100 = one core",
    "throughput_share_of_control": "throughput over the control's in the same round",
    "processes": "processes of that worker, one slot each",
    "utilisation_share": "its CPU over total_time times processes: 1 = every process computed all the time",
    "ideal_share": "throughput over that of as many processes which did nothing but the tasks, as long as they were calibrated",
    "worker_cpu_ms_per_task": "its CPU for one task, the task's own included, ms",
    **{
        f"throughput_{in_words(n)}_per_s": f"the same drain by {in_words(n).replace('_', ' ')}, tasks/s"
        for n in COUNTS_OF_PROCESSES
    },
    "speedup": "throughput over that of one process",
    **{f"speedup_{in_words(n)}": f"the same of {n} processes" for n in COUNTS_OF_PROCESSES[1:]},
    "speedup_per_added_process": "speedup less 1, over the processes added to the first: 1 = each brings as much as the first",
    "task_service_p50_ms": "median time that a short task took in the drain by one process, ms; calibrated to size task_ms",
    "loaded_service_p50_ms": "the same in the drain on all cores",
    "heavy_throughput_per_s": "long CPU-bound tasks (OpenSSL's PBKDF2) drained a second by one process on every core",
    "pool_processes": "processes that started tasks in the pool: one worker with a slot for every core, in one process where the "
    "variant's tasks can share one",
    "pool_native_per_s": "short tasks that release the GIL (OpenSSL's PBKDF2), drained a second by the pool",
    "pool_python_per_s": "short tasks that hold the GIL (PBKDF2 in Python), drained a second by the pool",
    "pool_heavy_python_per_s": "long tasks that hold the GIL, drained a second by the pool",
    "pool_python_share_of_control": "pool_python_per_s over the control's in the same round, whose pool is of processes",
    "gil_cost_ratio": "pool_native_per_s over pool_python_per_s: both are equally long alone, so what is above 1 is the GIL's",
    "slots_speedup_native": "pool_native_per_s over the throughput of one process with one slot",
    "slots_speedup_python": "pool_python_per_s over the same",
    "light_alone_p50_ms": "median end to end latency of light tasks in the pool alone, ms",
    "light_alone_p99_ms": "99th percentile of the same, ms",
    "light_alone_max_ms": "greatest of the same, ms",
    "light_beside_max_ms": "greatest end to end latency of light tasks beside one heavy task after another, ms",
    "light_p50_added_ms": "what the heavy tasks added to the median of the light ones, ms",
    "light_p99_added_ms": "what they added to the 99th percentile, ms",
    "light_p99_ratio": "the light tasks' 99th percentile beside heavy tasks over that alone",
    "light_rate_offered_per_s": "tasks sent a second in the phase with heavy tasks",
    "heavy_beside_service_p50_ms": "median time that a heavy task took beside the light ones, ms",
    "heavy_overlap_share": "share of the heavy tasks that were due before the one before them had ended: 0 as it is meant",
}

_HIGHER = (
    *("utilisation_share", "ideal_share", "speedup", "pool_python_share_of_control"),
    *(name for name in _COLUMNS if name.startswith(("throughput_", "speedup_", "slots_speedup_")) or name.endswith("_per_s")),
)
_LOWER = (
    *("worker_cpu_ms_per_task", "gil_cost_ratio", "loaded_service_p50_ms", "heavy_beside_service_p50_ms", "heavy_overlap_share"),
    *(name for name in _COLUMNS if name.startswith("light_") and not name.endswith("_per_s")),
)


def _sizes(tasks: int, heavy_tasks: int, pool_tasks: int, pool_heavy_tasks: int, light_s: float) -> dict[str, float | int]:
    return {
        "task_ms": 20,
        "heavy_ms": 200,
        "tasks_per_process": tasks,
        "heavy_tasks_per_process": heavy_tasks,
        "pool_tasks": pool_tasks,
        "pool_heavy_tasks": pool_heavy_tasks,
        "light_rate_per_s": 50,
        "heavy_each": 20,
        "light_s": light_s,
    }


class CpuBound(ScenarioDefaults):
    """Workers of 1, 2, 4, ... processes with one slot each drain short tasks, the one on all cores also long ones. Then the
    *pool*, one worker with a slot for each core in as few processes as the variant's tasks can share, drains tasks that release
    the GIL and tasks that hold it; and light tasks go through it on a schedule, first alone, then with every ``heavy_each``-th a
    long one, of which no two overlap."""

    number = 3
    name = "scenario_3_cpu_bound"
    title = "CPU-bound"
    question = "What does it make of the cores when tasks compute, and what do light tasks suffer beside them?"
    headline = "throughput"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(tasks=12, heavy_tasks=1, pool_tasks=16, pool_heavy_tasks=2, light_s=1),
        "standard": _sizes(tasks=150, heavy_tasks=10, pool_tasks=150, pool_heavy_tasks=20, light_s=10),
        "full": _sizes(tasks=500, heavy_tasks=50, pool_tasks=500, pool_heavy_tasks=50, light_s=30),
    }
    least: Mapping[str, float] = {"heavy_each": 2}
    own_columns = _COLUMNS
    own_better = directions(higher=(name for name in _HIGHER if name != "light_rate_offered_per_s"), lower=_LOWER)
    summary: Mapping[str, str] = {
        "throughput": "tasks/s",
        "speedup": "speed-up",
        "utilisation_share": "CPU used",
        "gil_cost_ratio": "GIL cost",
        "pool_python_per_s": "pool tasks/s",
        "light_alone_p99_ms": "light p99 ms",
        "p99": "beside heavy",
        **MEMORY_SUMMARY,
    }
    shares: Mapping[str, str] = {
        "throughput_share_of_control": "throughput",
        "pool_python_share_of_control": "pool_python_per_s",
    }
    facts: Sequence[str] = (NATIVE_FACT, PYTHON_FACT)
    own_flags: Sequence[FlagKind] = (CPU_TASK_OFF, CPU_TASK_SLOWED, HEAVY_TASKS_OVERLAP)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that is not positive or lets heavy tasks overlap, and KeyError for one that is missing."""
        super().check(sizes)
        apart_ms = 1000 * sizes["heavy_each"] / sizes["light_rate_per_s"]
        if apart_ms <= sizes["heavy_ms"]:
            raise ValueError(
                f"heavy tasks of {sizes['heavy_ms']} ms would overlap, as they come {apart_ms:.0f} ms apart: "
                f"raise size heavy_each of {self.name}, or lower its light_rate_per_s"
            )

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The drains by 1, 2, 4, ... processes, the pool's drains, its open loops: each in an order that the run draws."""
        work, most = _Work.of(context), context.processes
        sizes, seed = context.sizes, context.seed
        each = whole(sizes["tasks_per_process"])
        drains = (PhasePlan(_drain(n), work.native, Prefilled(each * n), _each_its_own(n)) for n in counts_of_processes(most))
        yield from in_drawn_order(seed, drains)
        heavy_count = whole(sizes["heavy_tasks_per_process"]) * most
        yield PhasePlan(HEAVY, work.heavy_native, Prefilled(heavy_count), _each_its_own(most))
        yield from self._pool_phases(context, work)

    def _pool_phases(self, context: RunContext, work: "_Work") -> Generator[PhasePlan, Look, None]:
        sizes, most, seed = context.sizes, context.processes, context.seed
        is_shared = context.variant.execution in SHARING
        pool = WorkerWish(processes=1, concurrency=most, long_tasks=True, warm=WARM) if is_shared else _each_its_own(most)
        count, heavy_count = (max(most, whole(sizes[name])) for name in ("pool_tasks", "pool_heavy_tasks"))
        drains = [
            PhasePlan(POOL_PYTHON, work.python, Prefilled(count), pool),
            PhasePlan(POOL_HEAVY, work.heavy_python, Prefilled(heavy_count), pool),
        ]
        if is_shared:
            drains.append(PhasePlan(POOL_NATIVE, work.native, Prefilled(count), pool))
        yield from in_drawn_order(seed, drains)
        rate_per_s, seconds, each = sizes["light_rate_per_s"], sizes["light_s"], sizes["heavy_each"]
        alone = PhasePlan(ALONE, only("noop"), Paced(rate_per_s * (1 - 1 / each), seconds), pool)
        beside = PhasePlan(BESIDE, work.light_and_heavy(each), Paced(rate_per_s, seconds), pool)
        yield from in_drawn_order(seed, (alone, beside))

    def own_measures(self, data: RunData) -> Measures:
        """The drains by each number of processes, the pool's, and what light tasks suffer beside heavy ones."""
        phases, most = data.phases, data.context.processes
        rates = {n: busy_rate_per_s(phases.get(_drain(n))) for n in counts_of_processes(most)}
        gains = speedups(rates)
        speedup = gains[most]
        values: Values = {
            **{f"throughput_{in_words(n)}_per_s": rates.get(n) for n in COUNTS_OF_PROCESSES},
            "speedup": speedup,
            **{f"speedup_{in_words(n)}": gains.get(n) for n in COUNTS_OF_PROCESSES[1:]},
            "speedup_per_added_process": (speedup - 1) / (most - 1) if speedup is not None and most > 1 else None,
            "task_service_p50_ms": _service_p50_ms(phases.get(_drain(1))),
            "heavy_throughput_per_s": busy_rate_per_s(phases.get(HEAVY)),
            **_pool_measures(data, rates.get(1)),
            **_light_measures(phases.get(ALONE), phases.get(BESIDE)),
        }
        if drain := phases.get(_drain(most)):
            values |= _drain_measures(drain, most, data.context.sizes["task_ms"])
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """A speed-up is of both drains; what heavy tasks add is of the light ones alone and beside them."""
        single, drain = (_drain(1),), (_drain(context.processes),)
        native = (POOL_NATIVE,) if context.variant.execution in SHARING else drain
        of_drain = ("processes", "utilisation_share", "ideal_share", "worker_cpu_ms_per_task", "loaded_service_p50_ms")
        return {
            **dict.fromkeys((*DRAIN_COLUMNS, *of_drain), drain),
            **{f"throughput_{in_words(n)}_per_s": (_drain(n),) for n in COUNTS_OF_PROCESSES},
            **{f"speedup_{in_words(n)}": (*single, _drain(n)) for n in COUNTS_OF_PROCESSES[1:]},
            **dict.fromkeys(("speedup", "speedup_per_added_process"), (*single, *drain)),
            "task_service_p50_ms": single,
            "heavy_throughput_per_s": (HEAVY,),
            **dict.fromkeys(("pool_processes", "pool_python_per_s"), (POOL_PYTHON,)),
            "pool_native_per_s": native,
            "pool_heavy_python_per_s": (POOL_HEAVY,),
            "gil_cost_ratio": (*native, POOL_PYTHON),
            "slots_speedup_native": (*native, *single),
            "slots_speedup_python": (POOL_PYTHON, *single),
            "light_alone_*": (ALONE,),
            **dict.fromkeys(("light_p50_added_ms", "light_p99_added_ms", "light_p99_ratio"), (ALONE, BESIDE)),
            **dict.fromkeys((*LATENCY_COLUMNS, "light_*", "heavy_*"), (BESIDE,)),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Where a task that had a core of its own was not as long as it was calibrated, and where heavy tasks overlapped."""
        flags: list[Flag] = [*_slowed(data)]
        wanted_ms, median_ms = data.context.sizes["task_ms"], _service_p50_ms(data.phases.get(_drain(1)))
        if median_ms is not None and abs(median_ms / wanted_ms - 1) > TOLERANCE:
            flags.append(CPU_TASK_OFF.flag(phase=_drain(1), median=median_ms, wanted=wanted_ms))
        overlap = overlapped_share(_of_label(data.phases.get(BESIDE), HEAVY_LABEL))
        if overlap is not None and overlap > OVERLAP_SHARE:
            flags.append(HEAVY_TASKS_OVERLAP.flag(phase=BESIDE, share=overlap))
        return flags


def _slowed(data: RunData) -> Iterator[Flag]:
    """Phases in which every task had a process and a core of its own, and took much longer than alone."""
    sizes = data.context.sizes
    wanted = {_drain(n): sizes["task_ms"] for n in counts_of_processes(data.context.processes)} | {HEAVY: sizes["heavy_ms"]}
    for name, wanted_ms in wanted.items():
        phase = data.phases.get(name)
        median_ms = _service_p50_ms(phase)
        if phase is None or median_ms is None or phase.record.worker.slots > data.context.cores:
            continue
        if median_ms > MOST_SLOWED * wanted_ms:
            yield CPU_TASK_SLOWED.flag(phase=name, median=median_ms, wanted=wanted_ms)


@dataclass(frozen=True, slots=True)
class _Work:
    """The tasks, as long as the sizes say on the machine that the facts are of."""

    native: Mix
    python: Mix
    heavy_native: Mix
    heavy_python: Mix

    @classmethod
    def of(cls, context: RunContext) -> "_Work":
        short_ms, long_ms = context.sizes["task_ms"], context.sizes["heavy_ms"]
        native_per_ms, python_per_ms = context.facts[NATIVE_FACT], context.facts[PYTHON_FACT]
        return cls(
            native=only(NATIVE, whole(native_per_ms * short_ms)),
            python=only(PYTHON, whole(python_per_ms * short_ms)),
            heavy_native=only(NATIVE, whole(native_per_ms * long_ms)),
            heavy_python=only(PYTHON, whole(python_per_ms * long_ms)),
        )

    def light_and_heavy(self, each: float) -> Mix:
        """Light tasks, with a heavy one at every ``each``-th place."""
        (heavy,) = self.heavy_python.classes
        light = TaskClass("noop", label=LIGHT_LABEL, weight=each - 1)
        return Mix((light, TaskClass(heavy.workload, heavy.argument, label=HEAVY_LABEL)), evenly=True)


def _drain(processes: int) -> str:
    return f"processes_{processes}"


def _each_its_own(processes: int) -> WorkerWish:
    return WorkerWish(processes=processes, concurrency=1, long_tasks=True, warm=WARM)


def _service_p50_ms(phase: PhaseData | None) -> float | None:
    return None if phase is None else summarise(phase.tasks.service_ns()).p50_ms


def _drain_measures(phase: PhaseData, processes: int, task_ms: float) -> Values:
    total_s, rate = busy_s(phase.tasks), busy_rate_per_s(phase)
    percent = cpu_percent(drain_cpu_s(phase), total_s)
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": rate,
        "cpu_percent": percent,
        "processes": phase.record.worker.processes,
        "utilisation_share": None if percent is None else percent / 100 / processes,
        "ideal_share": ratio(rate, processes * 1000 / task_ms),
        "worker_cpu_ms_per_task": cpu_ms_per_task(phase),
        "loaded_service_p50_ms": _service_p50_ms(phase),
    }


def _pool_measures(data: RunData, single: float | None) -> Values:
    """A variant whose tasks share no process has no phase ``pool_native``: its pool is the worker on all cores."""
    phases, shares = data.phases, data.context.variant.execution in SHARING
    native = busy_rate_per_s(phases.get(POOL_NATIVE if shares else _drain(data.context.processes)))
    python = busy_rate_per_s(phases.get(POOL_PYTHON))
    worked = phases[POOL_PYTHON].tasks.working_processes() if POOL_PYTHON in phases else None
    return {
        "pool_processes": worked,
        "pool_native_per_s": native,
        "pool_python_per_s": python,
        "pool_heavy_python_per_s": busy_rate_per_s(phases.get(POOL_HEAVY)),
        "gil_cost_ratio": ratio(native, python),
        "slots_speedup_native": ratio(native, single),
        "slots_speedup_python": ratio(python, single),
    }


def _light_measures(alone: PhaseData | None, beside: PhaseData | None) -> Values:
    alone_ns, beside_ns = (_of_label(phase, LIGHT_LABEL).end_to_end_ns() for phase in (alone, beside))
    without, with_heavy = summarise(alone_ns), summarise(beside_ns)
    heavy = _of_label(beside, HEAVY_LABEL)
    return {
        **latency_measures(beside_ns),
        **figures("light_alone", alone_ns, ("p50", "p99", "max")),
        "light_beside_max_ms": with_heavy.max_ms,
        "light_p50_added_ms": difference(with_heavy.p50_ms, without.p50_ms),
        "light_p99_added_ms": difference(with_heavy.p99_ms, without.p99_ms),
        "light_p99_ratio": ratio(with_heavy.p99_ms, without.p99_ms),
        "light_rate_offered_per_s": None if beside is None else beside.tasks.offered_rate_per_s(),
        "heavy_beside_service_p50_ms": summarise(heavy.service_ns()).p50_ms,
        "heavy_overlap_share": overlapped_share(heavy),
    }


def _of_label(phase: PhaseData | None, label: int) -> TaskTable:
    return TaskTable.empty() if phase is None else phase.tasks.of_label(label)


SCENARIO = CpuBound()
