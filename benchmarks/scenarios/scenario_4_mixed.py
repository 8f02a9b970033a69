"""Scenario 4: what becomes of each kind of task where one worker has tasks that wait, tasks that compute a little, and tasks that
compute long."""

from collections.abc import Generator, Mapping, Sequence

import pandas as pd

from benchmarks.arithmetic import ratio
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.backlog import not_started_by
from benchmarks.record.ideal_queue import OF_THE_DRAW, wait_columns, wait_measures
from benchmarks.record.mock_api_books import CAPACITY_FACT, MOCK_API_COLUMNS, added_ns, asked_by_sequence_ms
from benchmarks.record.percentiles import figures
from benchmarks.record.resources import cpu_ms_per_task, cpu_percent, worker_memory
from benchmarks.record.rules.rates import limits_per_s
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import LATENCY_COLUMNS, MEMORY_OF_ONE_WORKER, MEMORY_SUMMARY, Values
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import due_to_end_s
from benchmarks.record.stages import stage_columns, stage_measures
from benchmarks.record.task_table import TaskTable
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.mock_api import MOCK_API_LOG
from benchmarks.scenarios.defaults import directions
from benchmarks.scenarios.mock_api import CallsMockApi, shape_for_waiting
from tasks.http_work import request_id
from tasks.loads import NS_PER_S, Mix, Paced, Prefilled, TaskClass

HTTP, CPU = "http_get", "pbkdf2"
CPU_FACT = "pbkdf2_iterations_per_ms"
CAPACITY, PACED = "capacity", "paced"
IO, LIGHT, HEAVY = 0, 1, 2
CLASSES = {"io": IO, "light": LIGHT, "heavy": HEAVY}
WEIGHTS = {IO: 0.6, LIGHT: 0.3, HEAVY: 0.1}
WAITS = ("io_short_ms", "io_usual_ms", "io_long_ms")
"""Sizes that tell the latencies of I/O tasks; each is that of a third of them."""

_CLASS_WORDS = {
    "io": "tasks that call the mock API",
    "light": "tasks that compute for size light_ms",
    "heavy": "tasks that compute for size heavy_ms",
}
_CLASS_COLUMNS = {
    "count": "{tasks}, sent in the paced phase",
    "per_s": "{tasks}: ended a second, from when the first task was due to the last end",
    "p50_ms": "{tasks}: median end to end latency, ms, from when it was due",
    "p95_ms": "{tasks}: 95th percentile of the same, ms",
    "p99_ms": "{tasks}: 99th percentile of the same, ms",
    "max_ms": "{tasks}: greatest of the same, ms",
    "ack_to_start_p50_ms": "{tasks}: median time from the end of the enqueue call to its start, ms",
    "ack_to_start_p99_ms": "{tasks}: 99th percentile of the same, ms",
    "service_p50_ms": "{tasks}: median time from its start to its end, ms",
    "service_p99_ms": "{tasks}: 99th percentile of the same, ms",
}

_OFFERED = "over all tasks of the paced phase"
_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks of the mix prefilled for the capacity drain",
    "throughput": "capacity: tasks of the mix ended a second between 10 % and 90 % of that drain",
    "mean_latency": "mean end to end latency of all tasks in the paced phase, ms, from the intended send time to its end",
    "memory_mb": MEMORY_OF_ONE_WORKER,
    "cpu_percent": "CPU of the worker's tree over the capacity drain, 100 = one core",
    "throughput_share_of_control": "throughput over the control's in the same round",
    "processes": "processes of the worker",
    "slots": "slots of the worker; fewer than size slots where its processes cannot have so many",
    "memory_idle_mb": "PSS of its tree, warm, before the first load, MB of 10^6 bytes",
    "memory_idle_uss_mb": "USS of the same, MB of 10^6 bytes",
    "worker_cpu_ms_per_task": "CPU of its tree for one task of the capacity drain, ms, the task's own included",
    "paced_rate_offered_per_s": "tasks sent a second in the paced phase: size utilisation times the capacity, Poisson arrivals",
    "paced_cpu_percent": "CPU of the worker's tree over the paced phase, 100 = one core",
    "waiting_at_last_send": "tasks that were sent and not yet started when the last one was sent: what the worker was behind",
    **{
        f"{name}_{column}": words.format(tasks=_CLASS_WORDS[name]) for name in CLASSES for column, words in _CLASS_COLUMNS.items()
    },
    **stage_columns(PACED, _OFFERED, ("mean",)),
    **wait_columns(PACED, _OFFERED),
    "light_p99_ratio": "head-of-line blocking: light_p99_ms over size light_ms, the time that such a task takes alone",
    "heavy_slowdown_ratio": "heavy_service_p50_ms over size heavy_ms, the time that such a task takes alone",
    "io_added_p50_ms": "median of what was added to the latency that an I/O task asked for, end to end, ms",
    "io_added_p99_ms": "99th percentile of the same, ms",
    **MOCK_API_COLUMNS,
}


def _sizes(tasks: int, paced_s: float) -> dict[str, float | int]:
    return {
        "tasks": tasks,
        "paced_s": paced_s,
        "utilisation": 0.7,
        "slots": 20,
        "processes_per_core": 4,
        **dict(zip(WAITS, (20, 50, 100), strict=True)),
        "light_ms": 2,
        "heavy_ms": 40,
    }


class Mixed(CallsMockApi):
    """Two phases of one mix, whose sequence is drawn by the run and the same for all variants: ``capacity`` (prefilled, drained)
    and ``paced`` (an open loop with Poisson arrivals at ``utilisation`` of the capacity just measured).

    The worker has ``slots`` over the suite's processes, as waiting tasks need more slots than there are cores; where every slot
    is a process of its own, ``processes_per_core`` of them at most.
    """

    number = 4
    name = "scenario_4_mixed"
    title = "Mixed workload"
    question = "Where tasks that wait and tasks that compute share a worker, what does each kind suffer from the others?"
    headline = "throughput"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(tasks=200, paced_s=2),
        "standard": _sizes(tasks=2_000, paced_s=20),
        "full": _sizes(tasks=10_000, paced_s=60),
    }
    least: Mapping[str, float] = {"slots": 1, "processes_per_core": 1}
    drained = CAPACITY
    paced = PACED
    own_columns = _COLUMNS
    own_better = directions(
        higher=("throughput_share_of_control",),
        lower=(
            *("memory_idle_mb", "memory_idle_uss_mb", "worker_cpu_ms_per_task", "light_p99_ratio", "heavy_slowdown_ratio"),
            *("io_added_p50_ms", "io_added_p99_ms"),
            *(n for n in _COLUMNS if n.startswith("paced_") and n.endswith("_ms") and not n.endswith(OF_THE_DRAW)),
            *(f"{name}_{column}" for name in CLASSES for column in _CLASS_COLUMNS if column.endswith("_ms")),
        ),
    )
    summary: Mapping[str, str] = {
        "throughput": "tasks/s",
        "throughput_share_of_control": "of control",
        "slots": "slots",
        "io_p99_ms": "I/O p99 ms",
        "light_p50_ms": "light p50 ms",
        "light_p99_ms": "light p99 ms",
        "heavy_p99_ms": "heavy p99 ms",
        "light_p99_ratio": "blocking",
        **MEMORY_SUMMARY,
    }
    shares: Mapping[str, str] = {"throughput_share_of_control": "throughput"}
    facts: Sequence[str] = (CAPACITY_FACT, CPU_FACT)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        super().check(sizes)
        if not sizes["utilisation"] <= 1:
            raise ValueError(f"size utilisation of {self.name} must be above 0 and at most 1, not {sizes['utilisation']}")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The two phases; the second only where the first ended tasks."""
        sizes = context.sizes
        mix, shape = mixed_tasks(context), shape_for_waiting(context, int(sizes["slots"]))
        worker = WorkerWish(shape.processes, shape.concurrency, warm=warm_tasks(sizes))
        capacity = yield PhasePlan(CAPACITY, mix, Prefilled(whole(sizes["tasks"])), worker, (MOCK_API_LOG,))
        rates = [rate for rate in limits_per_s(capacity()) if rate is not None]
        if len(rates) == 2:
            load = Paced(sizes["utilisation"] * min(rates), sizes["paced_s"], "poisson", seed_of(context.seed, "arrivals"))
            yield PhasePlan(PACED, mix, load, worker, (MOCK_API_LOG,))

    def own_measures(self, data: RunData) -> Measures:
        """What the worker is and bears, and what each kind of task suffers at the paced rate."""
        idle = worker_memory(data).idle
        values = {**self.mock_api_measures(data), "memory_idle_mb": idle.pss_mb, "memory_idle_uss_mb": idle.uss_mb}
        if capacity := data.phases.get(CAPACITY):
            values |= _capacity_measures(capacity)
        if paced := data.phases.get(PACED):
            values |= _paced_measures(paced, data.context.sizes)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The capacity sets the rate of ``paced``."""
        of_paced = (*LATENCY_COLUMNS, "paced_*", "waiting_at_last_send", "io_*", "light_*", "heavy_*")
        return {
            **dict.fromkeys(("processes", "slots", "worker_cpu_ms_per_task"), (CAPACITY,)),
            **dict.fromkeys(of_paced, (CAPACITY, PACED)),
        }

    def asked_ms(self, phase: PhaseData, log: pd.DataFrame, data: RunData) -> pd.Series:
        """By the sequence that the mix was drawn in; no task is tried more often than once."""
        number = phase.record.number
        by_sequence = asked_by_sequence_ms(phase, IO)
        asked_ms = {request_id((data.run, number, sequence, 1)): ms for sequence, ms in by_sequence.items()}
        return log["id"].map(asked_ms).astype("float64")

    def callers(self, tasks: TaskTable) -> TaskTable:
        """Only the I/O tasks."""
        return tasks.of_label(IO)


def mixed_tasks(context: RunContext) -> Mix:
    """The mix, as the run draws it."""
    sizes, per_ms = context.sizes, context.facts[CPU_FACT]
    waiting = tuple(TaskClass(HTTP, {"ms": sizes[name]}, IO, WEIGHTS[IO] / len(WAITS)) for name in WAITS)
    computing = tuple(
        TaskClass(CPU, max(1, round(sizes[name] * per_ms)), label, WEIGHTS[label])
        for name, label in (("light_ms", LIGHT), ("heavy_ms", HEAVY))
    )
    return Mix((*waiting, *computing), seed_of(context.seed, "mix"))


def warm_tasks(sizes: Sizes) -> Mix:
    """Has every process connect and import what the tasks need."""
    return Mix((TaskClass(HTTP, {"ms": sizes[WAITS[0]]}), TaskClass(CPU, 1)), evenly=True)


def _capacity_measures(phase: PhaseData) -> Values:
    return {
        "throughput": phase.tasks.drain_rate_per_s(),
        "worker_cpu_ms_per_task": cpu_ms_per_task(phase),
        "processes": phase.record.worker.processes,
        "slots": phase.record.worker.slots,
    }


def _paced_measures(phase: PhaseData, sizes: Sizes) -> Values:
    table, begin, end = phase.tasks, phase.record.before.worker, phase.record.after.worker
    values: Values = {
        "paced_rate_offered_per_s": table.offered_rate_per_s(),
        "paced_cpu_percent": cpu_percent(end.cpu_s - begin.cpu_s, (end.at_ns - begin.at_ns) / NS_PER_S),
        "waiting_at_last_send": not_started_by(table, int(table.sent_ns.max())) if len(table) else None,
    }
    values |= {**stage_measures(phase, ("mean",)), **wait_measures(phase)}
    elapsed_s = due_to_end_s(table)
    for name, label in CLASSES.items():
        values |= _class_measures(name, table.of_label(label), elapsed_s)
    return values | {
        "light_p99_ratio": ratio(values["light_p99_ms"], sizes["light_ms"]),
        "heavy_slowdown_ratio": ratio(values["heavy_service_p50_ms"], sizes["heavy_ms"]),
        **figures("io_added", added_ns(phase, IO), ("p50", "p99")),
    }


def _class_measures(name: str, table: TaskTable, elapsed_s: float | None) -> Values:
    return {
        f"{name}_count": len(table),
        f"{name}_per_s": ratio(int(table.ended.sum()), elapsed_s),
        **figures(name, table.end_to_end_ns(), ("p50", "p95", "p99", "max")),
        **figures(f"{name}_ack_to_start", table.ack_to_start_ns(), ("p50", "p99")),
        **figures(f"{name}_service", table.service_ns(), ("p50", "p99")),
    }


SCENARIO = Mixed()
