"""Scenario 4: what becomes of each kind of task where one worker has tasks that wait, tasks that compute a little, and tasks that
compute long."""

from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.arithmetic import ratio
from benchmarks.plan.scaling import slots_in_reach
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import Flag
from benchmarks.record.mock_api_books import (
    CAPACITY_FACT,
    MOCK_API_COLUMNS,
    Served,
    balance,
    books_flags,
    limit_flags,
    mock_api_measures,
    phases_with_log,
    served,
)
from benchmarks.record.percentiles import summarise
from benchmarks.record.resources import cpu_percent, drain_cpu_s, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import MISSING, Ints, TaskTable
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.mock_api import MOCK_API_LOG
from benchmarks.scenarios.defaults import ScenarioDefaults
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
    "queue_wait_p50_ms": "{tasks}: median time from when it was due to its start, ms",
    "queue_wait_p99_ms": "{tasks}: 99th percentile of the same, ms",
    "service_p50_ms": "{tasks}: median time from its start to its end, ms",
    "service_p99_ms": "{tasks}: 99th percentile of the same, ms",
}

_COLUMNS: dict[str, str] = {
    "task_count": "tasks of the mix prefilled for the capacity drain",
    "total_time": "s from letting the workers go on the full queue to the last end of a task",
    "throughput": "capacity: tasks of the mix ended a second between 10 % and 90 % of that drain",
    "mean_latency": "mean end to end latency of all tasks in the paced phase, ms, from the intended send time to its end",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
    "memory_mb": "highest PSS of the worker's whole process tree, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the capacity drain, 100 = one core",
    "throughput_share_of_control": "throughput over the mean of the control's valid runs",
    "processes": "processes of the worker",
    "slots": "slots of the worker; fewer than size slots where its processes cannot have so many",
    "memory_idle_mb": "PSS of its tree, warm, before the first load, MB of 10^6 bytes",
    "worker_cpu_ms_per_task": "CPU of its tree for one task of the capacity drain, ms, the task's own included",
    "paced_rate_offered_per_s": "tasks sent a second in the paced phase: size utilisation times the capacity, Poisson arrivals",
    "paced_cpu_percent": "CPU of the worker's tree over the paced phase, 100 = one core",
    "waiting_at_last_send": "tasks that were sent and not yet started when the last one was sent: what the worker was behind",
    **{
        f"{name}_{column}": words.format(tasks=_CLASS_WORDS[name]) for name in CLASSES for column, words in _CLASS_COLUMNS.items()
    },
    "light_p99_ratio": "head-of-line blocking: light_p99_ms over size light_ms, the time that such a task takes alone",
    "heavy_slowdown_ratio": "heavy_service_p50_ms over size heavy_ms, the time that such a task takes alone",
    "io_added_p50_ms": "median of what was added to the latency that an I/O task asked for, end to end, ms",
    "io_added_p99_ms": "99th percentile of the same, ms",
    **MOCK_API_COLUMNS,
    **TOTAL_COLUMNS,
}

_LOWER = (
    *("total_time", "mean_latency", "p50", "p95", "p99", "memory_mb", "memory_idle_mb", "worker_cpu_ms_per_task"),
    *(f"{name}_{column}" for name in CLASSES for column in _CLASS_COLUMNS if column.endswith("_ms")),
    *("light_p99_ratio", "heavy_slowdown_ratio", "io_added_p50_ms", "io_added_p99_ms", "failed", "lost", "duplicated"),
)
_BETTER: dict[str, Direction] = {
    **dict.fromkeys(("throughput", "throughput_share_of_control"), "higher"),
    **dict.fromkeys(_LOWER, "lower"),
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
        "mix_seed": 4,
        "arrivals_seed": 1,
    }


class Mixed(ScenarioDefaults):
    """Two phases of one mix, whose sequence is drawn from ``mix_seed`` and the same for all: ``capacity`` (prefilled, drained)
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
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "throughput": "tasks/s",
        "throughput_share_of_control": "of control",
        "slots": "slots",
        "io_p99_ms": "I/O p99 ms",
        "light_p50_ms": "light p50 ms",
        "light_p99_ms": "light p99 ms",
        "heavy_p99_ms": "heavy p99 ms",
        "light_p99_ratio": "blocking",
        "memory_mb": "PSS MB",
    }
    shares: Mapping[str, str] = {"throughput_share_of_control": "throughput"}
    better: Mapping[str, Direction] = _BETTER
    facts: Sequence[str] = (CAPACITY_FACT, CPU_FACT)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        for name in ("tasks", "paced_s", *WAITS, "light_ms", "heavy_ms"):
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")
        for name in ("slots", "processes_per_core"):
            if not sizes[name] >= 1:
                raise ValueError(f"size {name} of {self.name} must be at least 1, not {sizes[name]}")
        if not 0 < sizes["utilisation"] <= 1:
            raise ValueError(f"size utilisation of {self.name} must be above 0 and at most 1, not {sizes['utilisation']}")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The two phases; the second only where the first ended tasks."""
        sizes = context.sizes
        most_processes = int(sizes["processes_per_core"]) * context.cores
        slots = slots_in_reach(context.variant, int(sizes["slots"]), context.processes, most_processes)
        mix, worker = _mix(context), WorkerWish(slots=slots, warm=_warm(sizes))
        capacity = yield PhasePlan(CAPACITY, mix, Prefilled(max(1, int(sizes["tasks"]))), worker, (MOCK_API_LOG,))
        table = capacity().tasks
        rates = [rate for rate in (table.drain_rate_per_s(), table.enqueue_rate_per_s()) if rate is not None]
        if len(rates) == 2:
            load = Paced(sizes["utilisation"] * min(rates), sizes["paced_s"], "poisson", int(sizes["arrivals_seed"]))
            yield PhasePlan(PACED, mix, load, worker, (MOCK_API_LOG,))

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        if capacity := data.phases.get(CAPACITY):
            values |= _capacity_measures(capacity)
        if paced := data.phases.get(PACED):
            values |= _paced_measures(paced, data)
        memory = worker_memory(data)
        return {
            **values,
            "memory_mb": memory.peak.pss_mb,
            "memory_idle_mb": memory.idle.pss_mb,
            **mock_api_measures([_served(phase, log, data) for phase, log in phases_with_log(data)]),
            **totals(data),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What makes a run invalid: requests and tasks that do not match, or a mock API that was the limit."""
        return tuple(flag for phase, log in phases_with_log(data) for flag in _phase_flags(phase, log, data))


def _mix(context: RunContext) -> Mix:
    sizes, per_ms = context.sizes, context.facts[CPU_FACT]
    waiting = tuple(TaskClass(HTTP, {"ms": sizes[name]}, IO, WEIGHTS[IO] / len(WAITS)) for name in WAITS)
    computing = tuple(
        TaskClass(CPU, max(1, round(sizes[name] * per_ms)), label, WEIGHTS[label])
        for name, label in (("light_ms", LIGHT), ("heavy_ms", HEAVY))
    )
    return Mix((*waiting, *computing), int(sizes["mix_seed"]))


def _warm(sizes: Sizes) -> Mix:
    """Has every process connect and import what the tasks need."""
    return Mix((TaskClass(HTTP, {"ms": sizes[WAITS[0]]}), TaskClass(CPU, 1)), evenly=True)


def _capacity_measures(phase: PhaseData) -> Values:
    last_end_ns, cpu_s = phase.tasks.last_end_ns(), drain_cpu_s(phase)
    total_s = None if last_end_ns is None else (last_end_ns - phase.record.resumed_ns) / NS_PER_S
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": phase.tasks.drain_rate_per_s(),
        "cpu_percent": cpu_percent(cpu_s, total_s),
        "worker_cpu_ms_per_task": ratio(1000 * cpu_s, phase.account.ended),
        "processes": phase.record.worker.processes,
        "slots": phase.record.worker.slots,
    }


def _paced_measures(phase: PhaseData, data: RunData) -> Values:
    record, table, sizes = phase.record, phase.tasks, data.context.sizes
    whole = summarise(table.end_to_end_ns())
    begin, end = record.before.worker, record.after.worker
    values: Values = {
        "mean_latency": whole.mean_ms,
        "p50": whole.p50_ms,
        "p95": whole.p95_ms,
        "p99": whole.p99_ms,
        "paced_rate_offered_per_s": table.offered_rate_per_s(),
        "paced_cpu_percent": cpu_percent(end.cpu_s - begin.cpu_s, (end.at_ns - begin.at_ns) / NS_PER_S),
        "waiting_at_last_send": _waiting_at_last_send(table),
    }
    last_end_ns = table.last_end_ns()
    elapsed_s = None if last_end_ns is None else (last_end_ns - int(table.due_ns.min())) / NS_PER_S
    for name, label in CLASSES.items():
        values |= {f"{name}_{column}": value for column, value in _class_measures(table.of_label(label), elapsed_s).items()}
    added = summarise(_added_ns(phase))
    return values | {
        "light_p99_ratio": ratio(values["light_p99_ms"], sizes["light_ms"]),
        "heavy_slowdown_ratio": ratio(values["heavy_service_p50_ms"], sizes["heavy_ms"]),
        "io_added_p50_ms": added.p50_ms,
        "io_added_p99_ms": added.p99_ms,
    }


def _class_measures(table: TaskTable, elapsed_s: float | None) -> Values:
    latency, wait, service = (summarise(ns) for ns in (table.end_to_end_ns(), table.queue_wait_ns(), table.service_ns()))
    return {
        "count": len(table),
        "per_s": ratio(int(table.ended.sum()), elapsed_s),
        "p50_ms": latency.p50_ms,
        "p95_ms": latency.p95_ms,
        "p99_ms": latency.p99_ms,
        "max_ms": latency.max_ms,
        "queue_wait_p50_ms": wait.p50_ms,
        "queue_wait_p99_ms": wait.p99_ms,
        "service_p50_ms": service.p50_ms,
        "service_p99_ms": service.p99_ms,
    }


def _waiting_at_last_send(table: TaskTable) -> int | None:
    if not len(table):
        return None
    last_ns = int(table.sent_ns.max())
    return int(((table.started_ns == MISSING) | (table.started_ns > last_ns)).sum())


def _asked_ms_by_sequence(phase: PhaseData) -> dict[int, float]:
    """The latency that each I/O task asks for, by its sequence number."""
    record = phase.record
    if not isinstance(record.tasks, Mix):
        return {}
    classes = record.tasks.classes
    drawn = enumerate(record.tasks.draw(record.planned))
    return {sequence: classes[pick].argument["ms"] for sequence, pick in drawn if classes[pick].label == IO}


def _added_ns(phase: PhaseData) -> Ints:
    """End to end latency of every I/O task that ended, less the latency that it asked for."""
    asked_ms, table = _asked_ms_by_sequence(phase), phase.tasks.of_label(IO)
    asked_ns = np.array([asked_ms[int(sequence)] for sequence in table.sequence[table.ended]]) * 1_000_000
    return table.end_to_end_ns() - asked_ns.astype(np.int64)


def _served(phase: PhaseData, log: pd.DataFrame, data: RunData) -> Served:
    number = phase.record.number
    asked = {request_id((data.run, number, sequence, 1)): ms for sequence, ms in _asked_ms_by_sequence(phase).items()}
    return served(log, log["id"].map(asked).astype("float64"), data.context.facts.get(CAPACITY_FACT))


def _phase_flags(phase: PhaseData, log: pd.DataFrame, data: RunData) -> Iterator[Flag]:
    record = phase.record
    yield from books_flags(record.name, balance(log, phase.tasks.of_label(IO), data.run, record.number))
    yield from limit_flags(record.name, _served(phase, log, data))


SCENARIO = Mixed()
