"""Scenario 2: what a queue makes of its slots when tasks wait for an HTTP service."""

from collections.abc import Generator, Mapping

import pandas as pd

from benchmarks.arithmetic import ratio
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.better import Direction
from benchmarks.record.concurrency import executing
from benchmarks.record.mock_api_books import MOCK_API_COLUMNS, asked_latencies_ms
from benchmarks.record.percentiles import figures
from benchmarks.record.resources import cpu_ms_per_task, cpu_percent, drain_cpu_s, phase_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import DRAIN_COLUMNS, LATENCY_COLUMNS, MEMORY_SUMMARY, Values
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import busy_s
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.mock_api import MOCK_API_LOG
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import directions
from benchmarks.scenarios.mock_api import CallsMockApi, shape_for_waiting
from tasks.http_work import Parameters
from tasks.loads import Prefilled, only

WORKLOAD = "http_get"
SLOTS = (10, 50, 100, 200)
LOGNORMAL = "lognormal"
SEQUENCE_AND_ATTEMPT = 2
"""The last parts of a request's id: by these alone its latency is drawn, so that it is the same for every variant."""

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
    "memory_uss_mb": "highest USS of the same tree, MB of 10^6 bytes",
    "memory_uss_per_slot_mb": "that over its slots",
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

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks of the drain with the best throughput",
    "total_time": "s from the first start of one of them to the last end",
    "throughput": "highest of slots_N_per_s: tasks ended a second while others were waiting, 1/s",
    "cpu_percent": "CPU of the worker's tree over the drain with the best throughput, 100 = one core",
    "throughput_share_of_control": "throughput over the control's in the same round",
    "ideal_share": "throughput over slots / latency of that drain",
    **{f"slots_{slots}_{name}": words.format(slots=slots) for slots in SLOTS for name, words in _POINT_COLUMNS.items()},
    **{
        f"lognormal_{name}": f"log-normal latencies of the same mean, largest worker: {_POINT_COLUMNS[name].format(slots='most')}"
        for name in _LOGNORMAL_COLUMNS
    },
    **MOCK_API_COLUMNS,
}

_POINT_BETTER = directions(
    higher=("per_s", "ideal_share", "in_flight_mean"),
    lower=(
        *("memory_mb", "memory_per_slot_mb", "memory_uss_mb", "memory_uss_per_slot_mb"),
        *("worker_cpu_ms_per_task", "service_p50_ms", "service_p99_ms"),
    ),
)
_BETTER: Mapping[str, Direction | None] = {
    **directions(higher=("throughput_share_of_control", "ideal_share")),
    # Of the best drain, which has as many tasks as its worker has slots.
    "total_time": None,
    **{
        f"{point}_{name}": direction
        for point in (*(f"slots_{slots}" for slots in SLOTS), LOGNORMAL)
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


class IoBound(CallsMockApi):
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
    least: Mapping[str, float] = {
        **{"latency_ms": 1, "processes_per_core": 1, "lognormal_sigma": 0, "waves_lognormal": 0},
        **{f"waves_{slots}": 0 for slots in SLOTS},
    }
    lacking = LATENCY_COLUMNS
    own_columns = _COLUMNS
    own_better = _BETTER
    summary: Mapping[str, str] = {
        "throughput": "best tasks/s",
        "throughput_share_of_control": "of control",
        "ideal_share": "of ideal",
        "slots_10_per_s": "10 slots/s",
        "slots_50_reached": "slots of 50",
        "slots_50_per_s": "50 slots/s",
        "slots_200_per_s": "200 slots/s",
        "slots_50_worker_cpu_ms_per_task": "CPU ms/task",
        "slots_50_memory_per_slot_mb": "PSS MB/slot",
        "slots_50_memory_uss_per_slot_mb": "USS MB/slot",
        "memory_sharers": MEMORY_SUMMARY["memory_sharers"],
    }
    shares: Mapping[str, str] = {"throughput_share_of_control": "throughput"}

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        super().check(sizes)
        if not sizes["lognormal_sigma"] <= 2:
            raise ValueError(f"size lognormal_sigma of {self.name} must be from 0 to 2, not {sizes['lognormal_sigma']}")
        waves = {name: sizes[name] for name in (*(f"waves_{slots}" for slots in SLOTS), "waves_lognormal")}
        for name, value in waves.items():
            if value != 0 and value < 2:
                raise ValueError(f"size {name} of {self.name} must be 0, or at least 2 tasks a slot, not {value}")
        if not any(waves[f"waves_{slots}"] for slots in SLOTS):
            raise ValueError(f"{self.name} needs at least one of the sizes {', '.join(f'waves_{s}' for s in SLOTS)} above 0")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """A drain for every number of slots in reach, and one with log-normal latencies, in an order that the run draws."""
        sizes = context.sizes
        fixed = _parameters(context, lognormal=False)
        drains: list[PhasePlan] = []
        reached = 0
        for asked in SLOTS:
            waves, shape = int(sizes[f"waves_{asked}"]), shape_for_waiting(context, asked)
            if waves and shape.slots > reached:
                reached = shape.slots
                worker = WorkerWish(shape.processes, shape.concurrency, warm=only(WORKLOAD, fixed))
                load = Prefilled(waves * reached)
                drains.append(PhasePlan(_phase_of(asked), only(WORKLOAD, fixed), load, worker, (MOCK_API_LOG,)))
        if waves := int(sizes["waves_lognormal"]):
            drawn = only(WORKLOAD, _parameters(context, lognormal=True))
            drains.append(PhasePlan(LOGNORMAL, drawn, Prefilled(waves * reached), worker, (MOCK_API_LOG,)))
        yield from in_drawn_order(context.seed, drains)

    def own_measures(self, data: RunData) -> Measures:
        """The figures of every drain, and those of the one with the best throughput."""
        values = dict(self.mock_api_measures(data))
        points = {asked: phase for asked in SLOTS if (phase := _standing_for(asked, data)) is not None}
        found = {asked: self._point(phase, data) for asked, phase in points.items()}
        for asked, point in found.items():
            values |= {f"slots_{asked}_{name}": value for name, value in point.items()}
        if drawn := data.phases.get(LOGNORMAL):
            point = self._point(drawn, data)
            values |= {f"{LOGNORMAL}_{name}": point[name] for name in _LOGNORMAL_COLUMNS}
        rates = {asked: rate for asked, point in found.items() if (rate := point["per_s"]) is not None}
        if rates:
            best = max(rates, key=lambda asked: rates[asked])
            values |= _best(points[best], found[best])
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The best throughput is of all drains that it was picked from."""
        return {
            **{f"slots_{asked}_*": (_phase_of(tried),) for asked in SLOTS if (tried := _tried_for(asked, context)) is not None},
            f"{LOGNORMAL}_*": (LOGNORMAL,),
            **dict.fromkeys((*DRAIN_COLUMNS, "ideal_share"), ("slots_*",)),
        }

    def asked_ms(self, phase: PhaseData, log: pd.DataFrame, data: RunData) -> pd.Series:
        """All of a phase have the same parameters."""
        return asked_latencies_ms(log, _parameters(data.context, lognormal=phase.record.name == LOGNORMAL))

    def _point(self, phase: PhaseData, data: RunData) -> Values:
        """The figures of one drain."""
        worker, ran = phase.record.worker, executing(phase.tasks)
        log = phase.readings.get(MOCK_API_LOG.name)
        latency_ms = None if log is None else self.served(phase, log, data).asked_mean_ms
        memory = phase_memory(phase, data)
        return {
            "reached": worker.slots,
            "processes": worker.processes,
            "per_s": ran.tasks_per_s,
            "ideal_share": None if latency_ms is None else ratio(ran.tasks_per_s, worker.slots * 1000 / latency_ms),
            "in_flight_mean": ran.in_flight_mean,
            "in_flight_max": ran.in_flight_max,
            "memory_mb": memory.pss_mb,
            "memory_per_slot_mb": ratio(memory.pss_mb, worker.slots),
            "memory_uss_mb": memory.uss_mb,
            "memory_uss_per_slot_mb": ratio(memory.uss_mb, worker.slots),
            "worker_cpu_ms_per_task": cpu_ms_per_task(phase),
            **figures("service", phase.tasks.service_ns(), ("p50", "p99")),
        }


def _phase_of(asked: int) -> str:
    return f"slots_{asked}"


def _parameters(context: RunContext, *, lognormal: bool) -> Parameters:
    sizes = context.sizes
    fixed: dict[str, str | int | float] = {"ms": sizes["latency_ms"]}
    if not lognormal:
        return fixed
    drawn = {"seed": seed_of(context.seed, "latencies"), "id_parts": SEQUENCE_AND_ATTEMPT}
    return fixed | {"distribution": "lognormal", "sigma": sizes["lognormal_sigma"], **drawn}


def _tried_for(asked: int, context: RunContext) -> int | None:
    """With how many slots asked for the drain was made that stands for so many: where the variant has no more than it was tried
    with already, with those. None where so many are not to be tried."""
    tried = [slots for slots in SLOTS if context.sizes[f"waves_{slots}"]]
    if asked not in tried:
        return None
    return next(slots for slots in tried if shape_for_waiting(context, slots) == shape_for_waiting(context, asked))


def _standing_for(asked: int, data: RunData) -> PhaseData | None:
    """The drain that stands for so many slots."""
    tried = _tried_for(asked, data.context)
    return None if tried is None else data.phases.get(_phase_of(tried))


def _best(phase: PhaseData, point: Mapping[str, float | int | None]) -> Values:
    total_s = busy_s(phase.tasks)
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": point["per_s"],
        "ideal_share": point["ideal_share"],
        "cpu_percent": cpu_percent(drain_cpu_s(phase), total_s),
    }


SCENARIO = IoBound()
