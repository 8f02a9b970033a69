"""Scenario 2: what a queue makes of its slots when tasks wait for an HTTP service."""

from collections.abc import Generator, Iterator, Mapping, Sequence

import pandas as pd

from benchmarks.arithmetic import ratio
from benchmarks.plan.scaling import slots_in_reach
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.concurrency import executing
from benchmarks.record.flags import Flag
from benchmarks.record.mock_api_books import (
    CAPACITY_FACT,
    MOCK_API_COLUMNS,
    Served,
    asked_latencies_ms,
    balance,
    books_flags,
    limit_flags,
    mock_api_measures,
    phases_with_log,
    served,
)
from benchmarks.record.percentiles import summarise
from benchmarks.record.resources import BYTES_PER_MB, cpu_percent, drain_cpu_s, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import MISSING
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.mock_api import MOCK_API_LOG
from benchmarks.scenarios.defaults import ScenarioDefaults
from infrastructure.readings import TreeSample
from tasks.http_work import Parameters
from tasks.loads import NS_PER_S, Prefilled, only

WORKLOAD = "http_get"
SLOTS = (10, 50, 100, 200)
LOGNORMAL = "lognormal"
LATENCY_SEED = 0

_POINT_COLUMNS = {
    "reached": "slots of the worker where {slots} were asked for, over the suite's processes; fewer where a process of the "
    "variant cannot have so many, or where every slot is a process and the cores bear no more of them",
    "processes": "processes of that worker",
    "per_s": "tasks that it ended a second while others were waiting, from the first start to the last",
    "ideal_share": "that over slots / latency: 1 = every slot waited for the mock API all the time, and for nothing else",
    "in_flight_mean": "tasks in execution at once, mean over the same time",
    "in_flight_max": "the most tasks in execution at once",
    "memory_mb": "highest PSS of its whole process tree during the drain, MB of 10^6 bytes",
    "memory_per_slot_mb": "that over its slots",
    "worker_cpu_ms_per_task": "CPU of its tree for one task, ms, that of the HTTP client included",
    "service_p50_ms": "median time that a task took, ms: the latency asked for, and what client and worker add",
    "service_p99_ms": "99th percentile of the same, ms",
}
_LOGNORMAL_COLUMNS = (
    "reached",
    "per_s",
    "ideal_share",
    "in_flight_mean",
    "worker_cpu_ms_per_task",
    "service_p50_ms",
    "service_p99_ms",
)

_COLUMNS: dict[str, str] = {
    "task_count": "tasks of the drain with the best throughput",
    "total_time": "s from the first start of one of them to the last end",
    "throughput": "highest of slots_N_per_s: tasks ended a second while others were waiting, 1/s",
    "memory_mb": "highest PSS of the whole process tree of any of the run's workers, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the drain with the best throughput, 100 = one core",
    "throughput_share_of_control": "throughput over the mean of the control's valid runs",
    "ideal_share": "throughput over slots / latency of that drain",
    **{f"slots_{slots}_{name}": words.format(slots=slots) for slots in SLOTS for name, words in _POINT_COLUMNS.items()},
    **{
        f"lognormal_{name}": f"log-normal latencies of the same mean, largest worker: {_POINT_COLUMNS[name].format(slots='most')}"
        for name in _LOGNORMAL_COLUMNS
    },
    **MOCK_API_COLUMNS,
    **TOTAL_COLUMNS,
}

_HIGHER = ("throughput", "throughput_share_of_control", "ideal_share")
_LOWER = ("memory_mb", "failed", "lost", "duplicated")
_POINT_BETTER: dict[str, Direction] = {
    **dict.fromkeys(("per_s", "ideal_share", "in_flight_mean"), "higher"),
    **dict.fromkeys(("memory_mb", "memory_per_slot_mb", "worker_cpu_ms_per_task", "service_p50_ms", "service_p99_ms"), "lower"),
}
_BETTER: dict[str, Direction] = {
    **dict.fromkeys(_HIGHER, "higher"),
    **dict.fromkeys(_LOWER, "lower"),
    **{
        f"{point}_{name}": direction
        for point in (*(f"slots_{slots}" for slots in SLOTS), "lognormal")
        for name, direction in _POINT_BETTER.items()
        if f"{point}_{name}" in _COLUMNS
    },
}


def _sizes(waves: Mapping[int, int], lognormal_waves: int) -> dict[str, float | int]:
    return {
        "latency_ms": 100,
        "lognormal_sigma": 0.5,
        "processes_per_core": 4,
        **{f"waves_{slots}": waves.get(slots, 0) for slots in SLOTS},
        "waves_lognormal": lognormal_waves,
    }


class IoBound(ScenarioDefaults):
    """For each number of slots a worker that drains ``waves`` tasks a slot (0: none), which call the mock API with a fixed
    latency; the last and largest worker then drains tasks whose latencies are log-normal.

    A variant in which every slot is a process of its own is asked for ``processes_per_core`` of them at most. A process that
    waits takes next to no CPU, but it takes memory and its start takes CPU, so the cores bear a few each and not a hundred. A
    worker that would be no larger than the one before is not tried again: what that one did is its figure.
    """

    number = 2
    name = "scenario_2_io_bound"
    title = "I/O-bound"
    question = "How many tasks that wait for an HTTP service does it keep going at once, and what does a slot cost?"
    headline = "throughput"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes({10: 8, 50: 8}, lognormal_waves=0),
        "standard": _sizes(dict.fromkeys(SLOTS, 30), lognormal_waves=20),
        "full": _sizes(dict.fromkeys(SLOTS, 100), lognormal_waves=100),
    }
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "throughput": "best tasks/s",
        "throughput_share_of_control": "of control",
        "ideal_share": "of ideal",
        "slots_10_per_s": "10 slots/s",
        "slots_50_reached": "slots of 50",
        "slots_50_per_s": "50 slots/s",
        "slots_200_per_s": "200 slots/s",
        "slots_50_worker_cpu_ms_per_task": "CPU ms/task",
        "slots_50_memory_per_slot_mb": "MB/slot",
    }
    shares: Mapping[str, str] = {"throughput_share_of_control": "throughput"}
    better: Mapping[str, Direction] = _BETTER
    facts: Sequence[str] = (CAPACITY_FACT,)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        for name in ("latency_ms", "processes_per_core"):
            if not sizes[name] >= 1:
                raise ValueError(f"size {name} of {self.name} must be at least 1, not {sizes[name]}")
        if not 0 <= sizes["lognormal_sigma"] <= 2:
            raise ValueError(f"size lognormal_sigma of {self.name} must be from 0 to 2, not {sizes['lognormal_sigma']}")
        waves = {name: sizes[name] for name in (*(f"waves_{slots}" for slots in SLOTS), "waves_lognormal")}
        for name, value in waves.items():
            if value != 0 and value < 2:
                raise ValueError(f"size {name} of {self.name} must be 0, or at least 2 tasks a slot, not {value}")
        if not any(waves[f"waves_{slots}"] for slots in SLOTS):
            raise ValueError(f"{self.name} needs at least one of the sizes {', '.join(f'waves_{s}' for s in SLOTS)} above 0")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """A drain for every number of slots in reach, and one with log-normal latencies."""
        sizes = context.sizes
        fixed = _parameters(sizes, lognormal=False)
        reached = 0
        for asked in SLOTS:
            waves, slots = int(sizes[f"waves_{asked}"]), _reach(context, asked)
            if waves and slots > reached:
                reached = slots
                worker = WorkerWish(slots=slots, warm=only(WORKLOAD, fixed))
                yield PhasePlan(_phase_of(asked), only(WORKLOAD, fixed), Prefilled(waves * slots), worker, (MOCK_API_LOG,))
        if waves := int(sizes["waves_lognormal"]):
            drawn = only(WORKLOAD, _parameters(sizes, lognormal=True))
            yield PhasePlan(LOGNORMAL, drawn, Prefilled(waves * reached), worker, (MOCK_API_LOG,))

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        points = {asked: phase for asked in SLOTS if (phase := _standing_for(asked, data)) is not None}
        figures = {asked: _point(phase, data) for asked, phase in points.items()}
        for asked, figure in figures.items():
            values |= {f"slots_{asked}_{name}": value for name, value in figure.items()}
        if drawn := data.phases.get(LOGNORMAL):
            figure = _point(drawn, data)
            values |= {f"lognormal_{name}": figure[name] for name in _LOGNORMAL_COLUMNS}
        rates = {asked: rate for asked, figure in figures.items() if (rate := figure["per_s"]) is not None}
        if rates:
            best = max(rates, key=lambda asked: rates[asked])
            values |= _best(points[best], figures[best])
        return {
            **values,
            **mock_api_measures([_served(phase, log, data) for phase, log in phases_with_log(data)]),
            "memory_mb": worker_memory(data).peak.pss_mb,
            **totals(data),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What makes a run invalid: requests and tasks that do not match, or a mock API that was the limit."""
        return tuple(flag for phase, log in phases_with_log(data) for flag in _phase_flags(phase, log, data))


def _phase_of(asked: int) -> str:
    return f"slots_{asked}"


def _parameters(sizes: Sizes, *, lognormal: bool) -> Parameters:
    fixed: dict[str, str | int | float] = {"ms": sizes["latency_ms"]}
    if not lognormal:
        return fixed
    return fixed | {"distribution": "lognormal", "sigma": sizes["lognormal_sigma"], "seed": LATENCY_SEED}


def _reach(context: RunContext, asked: int) -> int:
    most_processes = int(context.sizes["processes_per_core"]) * context.cores
    return slots_in_reach(context.variant, asked, context.processes, most_processes)


def _standing_for(asked: int, data: RunData) -> PhaseData | None:
    """The drain with so many slots; where the variant has no more than it was tried with already, that one."""
    context = data.context
    tried = [slots for slots in SLOTS if context.sizes[f"waves_{slots}"]]
    if asked not in tried:
        return None
    first = next(slots for slots in tried if _reach(context, slots) == _reach(context, asked))
    return data.phases.get(_phase_of(first))


def _asked_of(phase: PhaseData, data: RunData) -> Parameters:
    return _parameters(data.context.sizes, lognormal=phase.record.name == LOGNORMAL)


def _served(phase: PhaseData, log: pd.DataFrame, data: RunData) -> Served:
    return served(log, asked_latencies_ms(log, _asked_of(phase, data)), data.context.facts.get(CAPACITY_FACT))


def _point(phase: PhaseData, data: RunData) -> Values:
    """The figures of one drain."""
    worker = phase.record.worker
    ran, service = executing(phase.tasks), summarise(phase.tasks.service_ns())
    log = phase.readings.get(MOCK_API_LOG.name)
    latency_ms = None if log is None else _served(phase, log, data).asked_mean_ms
    memory_mb = max(sample.pss_bytes for sample in _samples(phase, data)) / BYTES_PER_MB
    cpu_s = drain_cpu_s(phase)
    return {
        "reached": worker.slots,
        "processes": worker.processes,
        "per_s": ran.tasks_per_s,
        "ideal_share": None if latency_ms is None else ratio(ran.tasks_per_s, worker.slots * 1000 / latency_ms),
        "in_flight_mean": ran.in_flight_mean,
        "in_flight_max": ran.in_flight_max,
        "memory_mb": memory_mb,
        "memory_per_slot_mb": ratio(memory_mb, worker.slots),
        "worker_cpu_ms_per_task": ratio(1000 * cpu_s, phase.account.ended),
        "service_p50_ms": service.p50_ms,
        "service_p99_ms": service.p99_ms,
    }


def _samples(phase: PhaseData, data: RunData) -> Iterator[TreeSample]:
    record = phase.record
    yield from (mark.worker for mark in (record.before, record.filled, record.after))
    yield from (sample for sample in data.samples if record.began_ns <= sample.at_ns <= record.drained_ns)


def _best(phase: PhaseData, figure: Mapping[str, float | int | None]) -> Values:
    tasks = phase.tasks
    first_ns, last_ns = int(tasks.started_ns[tasks.started_ns != MISSING].min()), tasks.last_end_ns()
    total_s = None if last_ns is None else (last_ns - first_ns) / NS_PER_S
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": figure["per_s"],
        "ideal_share": figure["ideal_share"],
        "cpu_percent": cpu_percent(drain_cpu_s(phase), total_s),
    }


def _phase_flags(phase: PhaseData, log: pd.DataFrame, data: RunData) -> Iterator[Flag]:
    record = phase.record
    yield from books_flags(record.name, balance(log, phase.tasks, data.run, record.number))
    yield from limit_flags(record.name, _served(phase, log, data))


SCENARIO = IoBound()
