"""Scenario 10: what a framework's own task events cost, how late they arrive, and how many are lost."""

from collections.abc import Generator, Iterator, Mapping, Sequence

from benchmarks.arithmetic import difference, ratio
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.event_stream import EMISSIONS, Emission, EventStream
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import FIGURE_WORDS, US_PER_MS, figures
from benchmarks.record.resources import cpu_ms_per_task, cpu_per_1000, redis_cost
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import MEMORY_OF_ONE_WORKER, Values
from benchmarks.record.soundness import Phases
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.subscribers import Emissions, Subscribers
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.contract import Variant
from tasks.loads import Paced, Prefilled, only

OFF, ON_0, ON_1, ON_5, ON_SLOW, PACED = "off", "on_0", "on_1", "on_5", "on_slow", "paced"
FEW, MANY = 1, 5
"""How many subscribers there are in the phases with some."""
TASKS = only("noop")
EMITTING = WorkerWish(events=True)

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
_DRAINED = {
    "drain_per_s": "tasks ended a second between 10 % and 90 % of the drain",
    "worker_cpu_s_per_1000": "CPU seconds of the worker's tree for 1,000 tasks drained",
    "redis_cpu_s_per_1000": "CPU seconds of Redis for 1,000 tasks, enqueued and drained",
    "redis_commands_per_task": "commands that Redis executed for a task, enqueued and drained",
    "redis_bytes_per_task": "network bytes into and out of Redis for a task, subscribers included",
}
_PERCENTILES = ("p50", "p99")
_TIMES = {
    "delivery": "from the recorded end of a task to the receipt",
    "start_delivery": "from a task's recorded start to its receipt",
    "transit": "from the event's own time to its receipt",
}
_RECEIVED = {
    "events_owed": "start and end of each task executed, for each subscriber",
    "events_received": "of those, how many were received",
    "events_lost": "of those, how many were not received when the subscribers were ended",
    "events_duplicated": "receipts of an event that the subscriber had had already",
    "connections_broken": "times that a subscriber had to subscribe anew",
    **{f"{time}_{p}_ms": f"{FIGURE_WORDS[p]} {words}" for time, words in _TIMES.items() for p in _PERCENTILES},
}

_SHARES = {f"{drain}_share_of_control": f"{drain}_drain_per_s" for drain in (OFF, ON_1)}
_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks of each drain",
    "total_time": "s from letting the workers go to the last end of a task, with events on and one subscriber",
    "mean_latency": "mean end to end latency at the paced rate, events on, one subscriber, ms, from the intended send time",
    "memory_mb": MEMORY_OF_ONE_WORKER,
    "cpu_percent": "CPU of the worker's tree over the drain with events on and one subscriber, 100 = one core",
    **{f"{drain}_{measure}": f"{words}, {_DRAINS[drain]}" for measure, words in _DRAINED.items() for drain in _DRAINS},
    **{f"{drain}_drain_share": f"drain_per_s {_DRAINS[drain]} over that with events off" for drain in _EMITTING_DRAINS},
    **{share: f"{measure} over the control's in the same round" for share, measure in _SHARES.items()},
    "emission_cpu_us_per_task": "CPU of the worker's tree for a task, events on without a subscriber less events off, µs",
    "emission_events_per_task": "events handed to Redis for a task, without a subscriber",
    "emission_calls_per_task": "calls in which they were handed over",
    "emission_p50_us": "median duration of such a call, µs",
    "emission_p99_us": "99th percentile of the same, µs",
    **{f"{phase}_{measure}": f"{words}, {_STREAMED[phase]}" for measure, words in _RECEIVED.items() for phase in _STREAMED},
}


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
    drained = ON_1
    paced = PACED
    own_columns = _COLUMNS
    own_better = directions(
        higher=(name for name in _COLUMNS if name.endswith(("_drain_per_s", "_drain_share", "_share_of_control"))),
        lower=(
            *("emission_cpu_us_per_task", "emission_p50_us", "emission_p99_us"),
            *(name for name in _COLUMNS if name.endswith(("_per_1000", "_ms", "_events_lost", "_events_duplicated"))),
            *(name for name in _COLUMNS if name.endswith(("_redis_commands_per_task", "_redis_bytes_per_task"))),
        ),
    )
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
    shares: Mapping[str, str] = _SHARES
    own_flags: Sequence[FlagKind] = (NO_EVENTS, EVENT_LOST, EVENT_UNKNOWN, SLOW_SUBSCRIBER_BEHIND)

    def unsupported(self, variant: Variant) -> str | None:
        """A framework may have no events of its own."""
        return variant.lacks.get("events")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The drains in an order that the run draws, then the open loop; events are turned on or off by another worker."""
        sizes = context.sizes
        drain, settle_s = Prefilled(whole(sizes["tasks"])), sizes["settle_s"]
        few, many = Subscribers(FEW, settle_s), Subscribers(MANY, settle_s)
        slow = Subscribers(FEW, settle_s, sizes["slow_delay_ms"] / 1000)
        drains = (
            PhasePlan(OFF, TASKS, drain),
            PhasePlan(ON_0, TASKS, drain, EMITTING, (Emissions(),)),
            PhasePlan(ON_1, TASKS, drain, EMITTING, (few, Emissions())),
            PhasePlan(ON_5, TASKS, drain, EMITTING, (many, Emissions())),
            PhasePlan(ON_SLOW, TASKS, drain, EMITTING, (slow, Emissions())),
        )
        yield from in_drawn_order(context.seed, drains)
        yield PhasePlan(PACED, TASKS, Paced(sizes["rate_per_s"], sizes["paced_s"]), EMITTING, (few, Emissions()))

    def own_measures(self, data: RunData) -> Measures:
        """What each drain costs, what emission adds to that, and what subscribers received of it."""
        drains = {name: phase for name in _DRAINS if (phase := data.phases.get(name))}
        values: Values = {}
        for phase in drains.values():
            values |= _drain_measures(phase)
        off_per_s = values.get(f"{OFF}_drain_per_s")
        values |= {f"{name}_drain_share": ratio(values.get(f"{name}_drain_per_s"), off_per_s) for name in _EMITTING_DRAINS}
        values |= _emission_measures(drains.get(OFF), drains.get(ON_0))
        for name in _STREAMED:
            if (phase := data.phases.get(name)) and (stream := EventStream.of(phase)):
                values |= _stream_measures(name, stream)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """What events cost is of the drains with them and without."""
        return {
            **{f"{name}_drain_share": (OFF, name) for name in _EMITTING_DRAINS},
            "emission_cpu_us_per_task": (OFF, ON_0),
            "emission_*": (ON_0,),
            **{f"{name}_*": (name,) for name in (*_DRAINS, PACED)},
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Events that were not emitted, lost, or of unknown tasks; and a slow subscriber that did not keep up."""
        return [flag for phase in data.phases.values() for flag in _phase_flags(phase)]


def _phase_flags(phase: PhaseData) -> Iterator[Flag]:
    name, emitted, stream = phase.record.name, phase.readings.get(EMISSIONS), EventStream.of(phase)
    if emitted is not None and emitted.empty and phase.account.ended:
        yield NO_EVENTS.flag(phase=name)
    if stream is None:
        return
    if stream.unknown:
        yield EVENT_UNKNOWN.flag(phase=name, count=stream.unknown)
    lost, owed, broken = stream.lost, stream.owed, stream.broken
    if lost and name == ON_SLOW:
        yield SLOW_SUBSCRIBER_BEHIND.flag(phase=name, missing=lost, owed=owed, broken=broken)
    elif lost:
        yield EVENT_LOST.flag(phase=name, lost=lost, owed=owed, subscribers=stream.subscribers, broken=broken)


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


def _emission_measures(off: PhaseData | None, on: PhaseData | None) -> Values:
    """What the worker does to emit, by the drain without a subscriber, and what that costs against the one with events off."""
    if on is None:
        return {}
    values: Values = {}
    added_ms = None if off is None else difference(cpu_ms_per_task(on), cpu_ms_per_task(off))
    if added_ms is not None:
        values["emission_cpu_us_per_task"] = added_ms * US_PER_MS
    if (emission := Emission.of(on)) and (ended := on.account.ended):
        values |= {
            "emission_events_per_task": emission.events / ended,
            "emission_calls_per_task": emission.calls / ended,
            "emission_p50_us": emission.p50_us,
            "emission_p99_us": emission.p99_us,
        }
    return values


def _stream_measures(name: str, stream: EventStream) -> Values:
    return {
        f"{name}_events_owed": stream.owed,
        f"{name}_events_received": stream.received,
        f"{name}_events_lost": stream.lost,
        f"{name}_events_duplicated": stream.duplicated,
        f"{name}_connections_broken": stream.broken,
        **figures(f"{name}_delivery", stream.delivery_ns, _PERCENTILES),
        **figures(f"{name}_start_delivery", stream.start_delivery_ns, _PERCENTILES),
        **figures(f"{name}_transit", stream.transit_ns, _PERCENTILES),
    }


SCENARIO = EventStreaming()
