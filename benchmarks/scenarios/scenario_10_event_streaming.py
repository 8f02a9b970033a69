"""Scenario 10: what a framework's own task events cost, how late they arrive, and how many are lost."""

from collections.abc import Generator, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import summarise
from benchmarks.record.resources import cpu_per_1000, cpu_percent, drain_cpu_s, redis_cost, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import MISSING, Ints, TaskTable
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.subscribers import UNKNOWN, Emissions, Subscribers
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import Variant
from tasks.events import Streamed
from tasks.loads import NS_PER_S, Paced, Prefilled, only

OFF, ON_0, ON_1, ON_5, ON_SLOW, PACED = "off", "on_0", "on_1", "on_5", "on_slow", "paced"
FEW, MANY = 1, 5
"""How many subscribers there are in the phases with some."""
TASKS = only("noop")
EMITTING = WorkerWish(events=True)
RECEIPTS, EMISSIONS = "receipts", "emissions"
NS_PER_US = 1000

NO_EVENTS = FlagKind(
    "no-events",
    Severity.INVALID,
    "{phase}: events were on, and the worker has handed none over",
    "See in the worker's settings and log whether its events were turned on.",
)

EVENT_LOST = FlagKind(
    "event-lost",
    Severity.WARNING,
    "{phase}: {lost} of {owed} events owed to {subscribers} subscribers did not arrive; connections broken: {broken}",
    "See in the worker's log whether it could publish them; Redis cuts off who exceeds its client-output-buffer-limit.",
)

EVENT_UNKNOWN = FlagKind(
    "event-unknown",
    Severity.WARNING,
    "{phase}: {count} events that arrived tell of tasks that were not run in it",
    "See that nothing else publishes to this Redis; a task whose start was not recorded looks the same.",
)

SLOW_SUBSCRIBER_BEHIND = FlagKind(
    "slow-subscriber-behind",
    Severity.NOTE,
    "{phase}: {missing} of {owed} events had not reached the slow subscriber when it was ended; connections broken: {broken}",
    "With no connection broken they lay in Redis's buffer for it; raise settle_s or lower slow_delay_ms to see them arrive.",
)

_DRAINS = {
    OFF: "with events off",
    ON_0: "with events on and no subscriber",
    ON_1: "with events on and one subscriber",
    ON_5: f"with events on and {MANY} subscribers",
    ON_SLOW: "with events on and one slow subscriber",
}
_EMITTING_DRAINS = tuple(name for name in _DRAINS if name != OFF)
_STREAMED = {**{name: _DRAINS[name] for name in (ON_1, ON_5, ON_SLOW)}, PACED: "at the paced rate, to one subscriber"}
_PERCENTILES = {"p50": "median", "p99": "99th percentile"}

_COLUMNS: dict[str, str] = {
    "task_count": "tasks of each drain",
    "total_time": "s from letting the workers go to the last end of a task, with events on and one subscriber",
    "throughput": "tasks ended over total_time, 1/s",
    "mean_latency": "mean end to end latency at the paced rate, events on, one subscriber, ms, from the intended send time",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
    "memory_mb": "highest PSS of the worker's whole process tree, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the drain with events on and one subscriber, 100 = one core",
    **{
        f"{drain}_{measure}": f"{words}, {when}"
        for measure, words in {
            "drain_per_s": "tasks ended a second between 10 % and 90 % of the drain",
            "worker_cpu_s_per_1000": "CPU seconds of the worker's tree for 1,000 tasks drained",
            "redis_cpu_s_per_1000": "CPU seconds of Redis for 1,000 tasks, enqueued and drained",
            "redis_commands_per_task": "commands that Redis executed for a task, enqueued and drained",
            "redis_bytes_per_task": "network bytes into and out of Redis for a task, subscribers included",
        }.items()
        for drain, when in _DRAINS.items()
    },
    **{f"{drain}_drain_share": f"drain_per_s {_DRAINS[drain]} over that with events off" for drain in _EMITTING_DRAINS},
    "emission_cpu_us_per_task": "CPU of the worker's tree for a task, events on without a subscriber less events off, µs",
    "emission_events_per_task": "events handed to Redis for a task, without a subscriber",
    "emission_calls_per_task": "calls in which they were handed over",
    "emission_p50_us": "median duration of such a call, µs",
    "emission_p99_us": "99th percentile of the same, µs",
    **{
        f"{phase}_{measure}": f"{words}, {when}"
        for measure, words in {
            "events_owed": "start and end of each task executed, for each subscriber",
            "events_received": "of those, how many were received",
            "events_lost": "of those, how many were not received when the subscribers were ended",
            "events_duplicated": "receipts of an event that the subscriber had had already",
            "connections_broken": "times that a subscriber had to subscribe anew",
            **{f"delivery_{p}_ms": f"{name} from the recorded end of a task to the receipt" for p, name in _PERCENTILES.items()},
            **{
                f"start_delivery_{p}_ms": f"{name} from a task's recorded start to its receipt"
                for p, name in _PERCENTILES.items()
            },
            **{f"transit_{p}_ms": f"{name} from the event's own time to its receipt" for p, name in _PERCENTILES.items()},
        }.items()
        for phase, when in _STREAMED.items()
    },
    **TOTAL_COLUMNS,
}

_HIGHER = ("throughput", *(name for name in _COLUMNS if name.endswith(("_drain_per_s", "_drain_share"))))
_LOWER = (
    *("total_time", "mean_latency", "p50", "p95", "p99", "memory_mb", "emission_cpu_us_per_task"),
    *("emission_p50_us", "emission_p99_us", "failed", "lost", "duplicated"),
    *(name for name in _COLUMNS if name.endswith(("_per_1000", "_ms", "_events_lost", "_events_duplicated"))),
    *(name for name in _COLUMNS if name.endswith(("_redis_commands_per_task", "_redis_bytes_per_task"))),
)
_BETTER: dict[str, Direction] = {**dict.fromkeys(_HIGHER, "higher"), **dict.fromkeys(_LOWER, "lower")}


def _sizes(tasks: int, paced_s: float, settle_s: float) -> dict[str, float | int]:
    return {"tasks": tasks, "rate_per_s": 100, "paced_s": paced_s, "slow_delay_ms": 2, "settle_s": settle_s}


class EventStreaming(ScenarioDefaults):
    """Six phases. Prefilled drains with events off; on; on with one subscriber, with five, with a slow one. And an open loop at a
    low fixed rate with one subscriber, where delivery is not behind a busy worker."""

    number = 10
    name = "scenario_10_event_streaming"
    title = "Event streaming"
    question = "What do the framework's own task events cost, how late do they arrive, and how many are lost?"
    headline = "on_1_drain_per_s"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(tasks=200, paced_s=0.5, settle_s=2),
        "standard": _sizes(tasks=3_000, paced_s=5, settle_s=15),
        "full": _sizes(tasks=20_000, paced_s=30, settle_s=60),
    }
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "off_drain_per_s": "off, drain/s",
        "on_1_drain_per_s": "on, drain/s",
        "on_1_drain_share": "on of off",
        "emission_cpu_us_per_task": "CPU µs/task",
        "paced_delivery_p50_ms": "event p50 ms",
        "paced_delivery_p99_ms": "event p99 ms",
        "on_5_events_lost": "lost of 5",
        "on_slow_events_lost": "lost slow",
    }
    better: Mapping[str, Direction] = _BETTER
    own_flags: Sequence[FlagKind] = (NO_EVENTS, EVENT_LOST, EVENT_UNKNOWN, SLOW_SUBSCRIBER_BEHIND)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that is not positive, and KeyError for one that is missing."""
        for name in self.sizes["quick"]:
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")

    def unsupported(self, variant: Variant) -> str | None:
        """A framework may have no events of its own."""
        return variant.lacks.get("events")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The six phases; the worker is replaced once, when events are turned on."""
        sizes = context.sizes
        drain, settle_s = Prefilled(max(1, int(sizes["tasks"]))), sizes["settle_s"]
        few, many = Subscribers(FEW, settle_s), Subscribers(MANY, settle_s)
        slow = Subscribers(FEW, settle_s, sizes["slow_delay_ms"] / 1000)
        yield PhasePlan(OFF, TASKS, drain)
        yield PhasePlan(ON_0, TASKS, drain, EMITTING, (Emissions(),))
        yield PhasePlan(ON_1, TASKS, drain, EMITTING, (few, Emissions()))
        yield PhasePlan(ON_5, TASKS, drain, EMITTING, (many, Emissions()))
        yield PhasePlan(ON_SLOW, TASKS, drain, EMITTING, (slow, Emissions()))
        yield PhasePlan(PACED, TASKS, Paced(sizes["rate_per_s"], sizes["paced_s"]), EMITTING, (few, Emissions()))

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        for name in _DRAINS:
            if phase := data.phases.get(name):
                values |= _drain_measures(phase)
        values |= _against_off(values)
        if one := data.phases.get(ON_1):
            values |= _leading_measures(one)
        if none := data.phases.get(ON_0):
            values |= _emission_measures(none)
        for name in _STREAMED:
            if phase := data.phases.get(name):
                values |= _stream_measures(phase)
        if paced := data.phases.get(PACED):
            latency = summarise(paced.tasks.end_to_end_ns())
            values |= {"mean_latency": latency.mean_ms, "p50": latency.p50_ms, "p95": latency.p95_ms, "p99": latency.p99_ms}
        values["memory_mb"] = worker_memory(data).peak.pss_mb
        return {**values, **totals(data)}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Events that were not emitted, lost, or of unknown tasks; and a slow subscriber that did not keep up."""
        flags: list[Flag] = []
        for name, phase in data.phases.items():
            emitted = phase.readings.get(EMISSIONS)
            if emitted is not None and emitted.empty and phase.account.ended:
                flags.append(NO_EVENTS.flag(phase=name))
            if RECEIPTS not in phase.readings:
                continue
            stream = _Stream(phase)
            if stream.unknown:
                flags.append(EVENT_UNKNOWN.flag(phase=name, count=stream.unknown))
            if stream.lost and name == ON_SLOW:
                late = SLOW_SUBSCRIBER_BEHIND
                flags.append(late.flag(phase=name, missing=stream.lost, owed=stream.owed, broken=stream.broken))
            elif stream.lost:
                flags.append(
                    EVENT_LOST.flag(
                        phase=name, lost=stream.lost, owed=stream.owed, subscribers=stream.subscribers, broken=stream.broken
                    )
                )
        return flags


class _Stream:
    """What the subscribers of a phase have received, against what they were owed."""

    def __init__(self, phase: PhaseData) -> None:
        table, frame = phase.tasks, phase.readings[RECEIPTS]
        events = frame[frame.what != Streamed.NOTHING]
        known = events[events.sequence != UNKNOWN]
        self.subscribers = int(frame.loc[frame.what == Streamed.NOTHING, "subscriber"].nunique())
        self.broken = int((frame.what == Streamed.NOTHING).sum()) - self.subscribers
        self.owed = self.subscribers * int((table.starts > 0).sum() + table.ended.sum())
        first = known.sort_values("received_ns").drop_duplicates(["subscriber", "what", "sequence"])
        self.received = len(first)
        self.lost = self.owed - self.received
        self.duplicated = len(known) - self.received
        self.unknown = len(events) - len(known)
        self.start_delivery_ns = _since(table, table.started_ns, first[first.what == Streamed.STARTED])
        self.delivery_ns = _since(table, table.finished_ns, first[first.what == Streamed.FINISHED])
        self.transit_ns: Ints = (first.received_ns - first.occurred_ns).to_numpy()


def _since(table: TaskTable, recorded_ns: Ints, receipts: pd.DataFrame) -> Ints:
    """From a recorded time of each task to the receipts that tell of it."""
    rows = np.searchsorted(table.sequence, receipts.sequence.to_numpy())
    times_ns = recorded_ns[rows]
    since_ns: Ints = (receipts.received_ns.to_numpy() - times_ns)[times_ns != MISSING]
    return since_ns


def _drain_measures(phase: PhaseData) -> Values:
    cpu, cost = cpu_per_1000(phase), redis_cost(phase)
    name = phase.record.name
    return {
        f"{name}_drain_per_s": phase.tasks.drain_rate_per_s(),
        f"{name}_worker_cpu_s_per_1000": cpu.worker_s,
        f"{name}_redis_cpu_s_per_1000": cpu.redis_s,
        f"{name}_redis_commands_per_task": cost.commands_per_task,
        f"{name}_redis_bytes_per_task": cost.bytes_per_task,
    }


def _against_off(values: Measures) -> Values:
    """What emission costs, against the drain with events off."""
    found: Values = {}
    off_per_s = values[f"{OFF}_drain_per_s"]
    for name in _EMITTING_DRAINS:
        on_per_s = values[f"{name}_drain_per_s"]
        found[f"{name}_drain_share"] = on_per_s / off_per_s if on_per_s is not None and off_per_s else None
    off_s, on_s = values[f"{OFF}_worker_cpu_s_per_1000"], values[f"{ON_0}_worker_cpu_s_per_1000"]
    if off_s is not None and on_s is not None:
        found["emission_cpu_us_per_task"] = (on_s - off_s) * NS_PER_US
    return found


def _leading_measures(phase: PhaseData) -> Values:
    last_end_ns = phase.tasks.last_end_ns()
    total_s = None if last_end_ns is None else (last_end_ns - phase.record.resumed_ns) / NS_PER_S
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": phase.account.ended / total_s if total_s else None,
        "cpu_percent": cpu_percent(drain_cpu_s(phase), total_s),
    }


def _emission_measures(phase: PhaseData) -> Values:
    frame, ended = phase.readings.get(EMISSIONS), phase.account.ended
    if frame is None or frame.empty or not ended:
        return {}
    p50, p99 = (float(p) for p in np.percentile(frame.took_ns.to_numpy(), (50, 99)) / NS_PER_US)
    return {
        "emission_events_per_task": int(frame.events.sum()) / ended,
        "emission_calls_per_task": len(frame) / ended,
        "emission_p50_us": p50,
        "emission_p99_us": p99,
    }


def _stream_measures(phase: PhaseData) -> Values:
    if RECEIPTS not in phase.readings:
        return {}
    stream, name = _Stream(phase), phase.record.name
    values: Values = {
        f"{name}_events_owed": stream.owed,
        f"{name}_events_received": stream.received,
        f"{name}_events_lost": stream.lost,
        f"{name}_events_duplicated": stream.duplicated,
        f"{name}_connections_broken": stream.broken,
    }
    for what, latencies_ns in {
        "delivery": stream.delivery_ns,
        "start_delivery": stream.start_delivery_ns,
        "transit": stream.transit_ns,
    }.items():
        summary = summarise(latencies_ns)
        values |= {f"{name}_{what}_p50_ms": summary.p50_ms, f"{name}_{what}_p99_ms": summary.p99_ms}
    return values


SCENARIO = EventStreaming()
