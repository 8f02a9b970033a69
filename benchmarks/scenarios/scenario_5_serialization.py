"""Scenario 5: what a payload costs on its way, by serializer, kind and size; and what handing over a model of a database does."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import product

import pandas as pd

from benchmarks.arithmetic import difference, median, ratio
from benchmarks.plan.order import order_of_alternatives
from benchmarks.plan.payloads import (
    CHANGE_LABEL,
    KINDS,
    ORDER_LABELS,
    SIZES,
    WAYS,
    Payload,
    default_serializer,
    nested,
    payloads,
    steps_bytes,
    ways_of,
)
from benchmarks.plan.sizes import Sizes, require_above
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.payloads.message_samples import MESSAGES, NOTHING, message_median, message_seconds
from benchmarks.record.payloads.stale_orders import ORDERS_SEEN, changed, stale_phases, stale_share
from benchmarks.record.percentiles import NS_PER_US
from benchmarks.record.resources import phase_cpu_percent, redis_cost
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData, measured_phases
from benchmarks.record.shared import LATENCY_COLUMNS, Values, latency_measures
from benchmarks.record.soundness import Phases
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from benchmarks.scenarios.payload_phases import (
    end_to_end_ms,
    filled_name,
    filled_phases,
    left_out,
    messages_of,
    messages_read,
    paced_large_name,
    paced_name,
    paced_phases,
    stale_name,
    stale_phase,
)
from tasks.contract import Variant

OTHERS = ("pickle", "msgpack", "yaml")
"""Serializers that have columns of their own where they are not a variant's default."""
SHOWN_SIZES = (1_000, 100_000)
"""Those that every preset has, and the columns of all but the default serializer's nested data."""

PAYLOAD_DAMAGED = FlagKind(
    "payload-damaged",
    Severity.INVALID,
    "{phase}: {count} of {attempted} tasks did not find what they were sent",
    "See in the worker's log what arrived: a serializer must give back what it was given.",
)

ORDER_UNCHANGED = FlagKind(
    "order-unchanged",
    Severity.INVALID,
    "{phase}: only {changed} of {planned} tasks found that their order had been changed since they were sent",
    "See in the worker's log whether the change failed, and in its database whether it was made.",
)

PAYLOADS_LEFT_OUT = FlagKind(
    "payloads-left-out",
    Severity.NOTE,
    "not measured, as one of them alone takes too long: {payloads}",
    "Raise message_s and phase_s to have them measured all the same.",
)


_FIGURES = {
    "message_bytes": "bytes that Redis holds for a task with {what}: the whole message",
    "wire_bytes": "network bytes into and out of Redis for such a task, from its send to its end",
    "memory_bytes": "memory that Redis takes for such a task while it waits",
    "enqueue_us": "median duration of the enqueue call of such a task, µs, nothing else being at work",
    "decode_us": "median time that a worker's own functions take from such a message to the call in it, µs",
    "end_to_end_ms": "median end to end latency of such a task at the paced rate, ms",
}


def _cells() -> Iterator[tuple[str, Payload, str]]:
    """Serializer (as in a column), payload and figure of every column of the table."""
    without_memory = [figure for figure in _FIGURES if figure != "memory_bytes"]
    for size, figure in product(SIZES, _FIGURES):
        yield "default", Payload("nested", size), figure
    for kind, size, figure in product(("text", "bytes"), SHOWN_SIZES, without_memory):
        yield "default", Payload(kind, size), figure
    for serializer, size, figure in product(OTHERS, SHOWN_SIZES, without_memory):
        yield serializer, Payload("nested", size), figure


def _in_words(slot: str, payload: Payload, figure: str) -> str:
    serializer = "the variant's default serializer" if slot == "default" else slot
    what = f"{KINDS[payload.kind]} of {payload.size_bytes:,} bytes in {serializer}"
    return _FIGURES[figure].format(what=what)


_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks sent in the paced phase of the default serializer, with payloads below 100,000 bytes and orders",
    "mean_latency": "mean end to end latency of these payloads, ms, from the intended send time to the recorded finish",
    "memory_mb": "highest PSS of the whole process tree of any of the run's workers, SQLAlchemy included, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over that phase, 100 = one core",
    **{f"{slot}_{payload.name}_{figure}": _in_words(slot, payload, figure) for slot, payload, figure in _cells()},
    "orm_payload_reduction_share": "1 - payload of an order handed over as a model / as a dictionary; a payload is what it adds "
    "to the message of a task without argument",
    "orm_id_payload_reduction_share": "the same of an order handed over as its id",
    "orm_message_reduction_share": "1 - whole message of an order handed over as a model / as a dictionary",
    **{f"orm_{way}_message_bytes": f"bytes that Redis holds for a task with an order {words}" for way, words in WAYS.items()},
    **{
        f"orm_{way}_decode_us": f"median time from the message of an order {words} to the call in it, µs; what the framework "
        "fetches by itself is in it, what the task fetches is not"
        for way, words in WAYS.items()
    },
    **{
        f"orm_{way}_end_to_end_ms": f"median end to end latency at the paced rate of a task with an order {words}, ms"
        for way, words in WAYS.items()
    },
    **{
        f"orm_{way}_stale_share": f"share of the tasks with an order {words} that saw another version than the database held, "
        "of those whose order was changed after they had been sent"
        for way, words in WAYS.items()
    },
    "orm_changed_count": "tasks, over all ways, whose order was changed after they had been sent",
}


def _sizes(**sizes: float | int) -> dict[str, float | int]:
    payloads = {"smallest_bytes": 100, "largest_bytes": 1_000_000, "size_step": 10}
    return {**sizes, **payloads, "rate_per_s": 60, "order_lines": 20}


class Serialization(ScenarioDefaults):
    """For the default serializer one worker of one process with one slot, and four kinds of phases: ``stale`` (prefilled: a
    change of the order, then a task for each way to be handed it, and so on; after it the messages of all serializers are sent
    and read one by one beside the worker), ``paced`` (an open loop with all small payloads and ways to hand over an order in
    turn), ``paced_large`` (the same of large payloads) and ``filled`` (one for each payload: prefilled, drained). With ``others``
    every further serializer has a worker and such phases as well, of nested data only; without, only the serializer that can
    carry a model has one, and only the phase ``stale``."""

    number = 5
    name = "scenario_5_serialization"
    title = "Serialization"
    question = "What does a payload cost in bytes and time, by serializer, kind and size, and who works on stale data?"
    headline = "default_nested_100kb_decode_us"
    sizes: Mapping[str, Sizes] = {
        "quick": {
            **_sizes(tasks=40, phase_s=0.5, samples=3, message_s=1, each=8, each_large=5, seen=8, others=0),
            **{"smallest_bytes": 1_000, "largest_bytes": 100_000, "size_step": 100},
        },
        "standard": _sizes(tasks=150, phase_s=2, samples=10, message_s=2, each=25, each_large=8, seen=40, others=1),
        "full": _sizes(tasks=1000, phase_s=10, samples=100, message_s=10, each=150, each_large=40, seen=200, others=1),
    }
    least: Mapping[str, float] = {"others": 0}
    lacking = ("total_time", "throughput")
    own_columns = _COLUMNS
    own_better = directions(
        higher=(name for name in _COLUMNS if name.endswith("_reduction_share")),
        lower=(name for name in _COLUMNS if name.endswith(("_bytes", "_us", "_ms", "_stale_share"))),
    )
    summary: Mapping[str, str] = {
        "default_nested_1kb_message_bytes": "1 KB: bytes",
        "default_nested_1kb_enqueue_us": "send µs",
        "default_nested_1kb_decode_us": "decode µs",
        "default_nested_100kb_message_bytes": "100 KB: bytes",
        "default_nested_100kb_decode_us": "decode µs",
        "orm_payload_reduction_share": "ORM reduction",
        "orm_model_stale_share": "model stale",
        "orm_dict_stale_share": "dict stale",
    }
    own_flags: Sequence[FlagKind] = (PAYLOAD_DAMAGED, ORDER_UNCHANGED, PAYLOADS_LEFT_OUT)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that is not positive or not of a column, and KeyError for one that is missing."""
        super().check(sizes)
        require_above(self.name, sizes, {"size_step": 1})
        steps = steps_bytes(sizes)
        if not steps or not set(steps) <= set(SIZES):
            known = ", ".join(map(str, SIZES))
            raise ValueError(f"smallest_bytes, largest_bytes and size_step of {self.name} make {steps}; there are {known}")

    def unsupported(self, variant: Variant) -> str | None:
        """A variant whose framework declares no serializer cannot."""
        if not variant.serializers:
            return variant.lacks.get("serializers", "its module declares no serializers")
        return None

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The orders of the default serializer first: the messages that are read there tell how long each payload takes. Then
        the serializers, and what is offered in each, in an order that the run draws."""
        variant, sizes = context.variant, context.sizes
        default = default_serializer(variant)
        stale = yield stale_phase(default, ways_of(variant, default), sizes, messages_read(variant, sizes))
        seconds = message_seconds(stale().readings[MESSAGES])
        for serializer in order_of_alternatives(variant.serializers, context.seed):
            ways = ways_of(variant, serializer)
            if ways and serializer != default:
                yield stale_phase(serializer, ways, sizes)
            if sizes["others"] or serializer == default:
                offered = payloads(sizes) if serializer == default else nested(sizes)
                yield from in_drawn_order(context.seed, paced_phases(serializer, offered, ways, seconds, sizes))
                yield from in_drawn_order(context.seed, filled_phases(serializer, offered, seconds, sizes))

    def own_measures(self, data: RunData) -> Measures:
        """The figures of every payload in every serializer, and of every way to hand over an order."""
        default, messages = default_serializer(data.context.variant), messages_of(data)
        values = _order_measures(data, messages)
        if paced := data.phases.get(paced_name(default)):
            values |= _small_payload_measures(paced)
        for slot, payload, figure in _cells():
            serializer = default if slot == "default" else slot
            values[f"{slot}_{payload.name}_{figure}"] = _figure(data, messages, serializer, payload, figure)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """Messages are read in the first phase, and how long they take sets the rate of the paced ones."""
        default = default_serializer(context.variant)
        read = (stale_name(default),)
        paced = (*read, paced_name(default))
        cells = {
            f"{slot}_{payload.name}_{figure}": _phases_of(default if slot == "default" else slot, payload, figure, read)
            for slot, payload, figure in _cells()
        }
        ways = {
            f"orm_{way}_end_to_end_ms": (*read, paced_name(context.variant.model_serializer if way == "model" else default))
            for way in WAYS
        }
        return {
            **dict.fromkeys(("task_count", "cpu_percent", *LATENCY_COLUMNS), paced),
            **cells,
            **ways,
            **dict.fromkeys(("orm_*_stale_share", "orm_changed_count"), (stale_name("*"),)),
            "orm_*": read,
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What arrived damaged, orders that were not changed in time, and what was left out."""
        missing = left_out(data)
        note = (PAYLOADS_LEFT_OUT.flag(payloads=", ".join(sorted(missing))),) if missing else ()
        return (*_damage(data), *_unchanged(data), *note)


def _phases_of(serializer: str, payload: Payload, figure: str, read: Phases) -> Phases:
    """Those that :func:`_figure` is taken from, and where it has a rate the one that sets it."""
    if figure in ("message_bytes", "decode_us"):
        return read
    if figure == "end_to_end_ms":
        return (*read, paced_name(serializer), paced_large_name(serializer))
    return (filled_name(serializer, payload),)


def _figure(data: RunData, messages: pd.DataFrame | None, serializer: str, payload: Payload, figure: str) -> float | None:
    if figure in ("message_bytes", "decode_us"):
        return message_median(messages, serializer, payload.kind, payload.size_bytes, figure)
    if figure == "end_to_end_ms":
        return end_to_end_ms(data, serializer, payload.label)
    filled = data.phases.get(filled_name(serializer, payload))
    if filled is None:
        return None
    cost = redis_cost(filled)
    if figure == "enqueue_us":
        return median(filled.tasks.send_ns() / NS_PER_US)
    return cost.bytes_per_task if figure == "wire_bytes" else cost.memory_bytes_per_queued_task


def _small_payload_measures(paced: PhaseData) -> Values:
    """The shared columns: orders are in the phase, and not in its latencies."""
    table = paced.tasks
    is_payload = table.ended & (table.label < min(ORDER_LABELS.values()))
    return {
        "task_count": paced.account.planned,
        **latency_measures(table.finished_ns[is_payload] - table.due_ns[is_payload]),
        "cpu_percent": phase_cpu_percent(paced),
    }


def _order_measures(data: RunData, messages: pd.DataFrame | None) -> Values:
    variant = data.context.variant
    values: Values = {}
    whole: dict[str, float | None] = {}
    added: dict[str, float | None] = {}
    seen = [p.readings[ORDERS_SEEN] for p in stale_phases(data)]
    for way in WAYS:
        serializer = variant.model_serializer if way == "model" else default_serializer(variant)
        whole[way] = message_median(messages, serializer, way, 0, "message_bytes")
        added[way] = difference(whole[way], message_median(messages, serializer, NOTHING, 0, "message_bytes"))
        values[f"orm_{way}_message_bytes"] = whole[way]
        values[f"orm_{way}_decode_us"] = message_median(messages, serializer, way, 0, "decode_us")
        values[f"orm_{way}_end_to_end_ms"] = end_to_end_ms(data, serializer, ORDER_LABELS[way])
        values[f"orm_{way}_stale_share"] = stale_share(seen, way)
    return values | {
        "orm_payload_reduction_share": _reduction(added["model"], added["dict"]),
        "orm_id_payload_reduction_share": _reduction(added["id"], added["dict"]),
        "orm_message_reduction_share": _reduction(whole["model"], whole["dict"]),
        "orm_changed_count": sum(len(changed(frame)) for frame in seen) if seen else None,
    }


def _reduction(value: float | None, against: float | None) -> float | None:
    return difference(1, ratio(value, against))


def _damage(data: RunData) -> Iterator[Flag]:
    for phase in measured_phases(data):
        if phase.account.failed:
            yield PAYLOAD_DAMAGED.flag(phase=phase.record.name, count=phase.account.failed, attempted=phase.account.attempted)


def _unchanged(data: RunData) -> Iterator[Flag]:
    for phase in stale_phases(data):
        planned = phase.account.attempted - len(phase.tasks.of_label(CHANGE_LABEL))
        count = len(changed(phase.readings[ORDERS_SEEN]))
        if count < planned:
            yield ORDER_UNCHANGED.flag(phase=phase.record.name, changed=count, planned=planned)


SCENARIO = Serialization()
