"""Scenario 5: what a payload costs on its way, by serializer, kind and size; and what handing over a model of a database does."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from benchmarks.arithmetic import difference, median
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import summarise
from benchmarks.record.resources import cpu_percent, redis_cost, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData, measured_phases
from benchmarks.record.shared import Values
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.messages import Message, Messages
from benchmarks.run.devices.orders_seen import OrdersSeen
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import Variant
from tasks.loads import NS_PER_S, Mix, Paced, Prefilled, TaskClass, only

NS_PER_US = 1_000
US_PER_S = 1_000_000
SIZES: Mapping[int, str] = {100: "100b", 1_000: "1kb", 10_000: "10kb", 100_000: "100kb", 1_000_000: "1mb"}
KINDS: Mapping[str, str] = {"nested": "nested data", "text": "text", "bytes": "bytes"}
OTHERS = ("pickle", "msgpack", "yaml")
"""Serializers that have columns of their own where they are not a variant's default."""
SHOWN_SIZES = (1_000, 100_000)
"""Those that every preset has, and the columns of all but the default serializer's nested data."""
WAYS: Mapping[str, str] = {"model": "as the model itself", "dict": "as a dictionary made by hand", "id": "as its id"}
ORDER_LABELS: Mapping[str, int] = {"model": 101, "dict": 102, "id": 103}
CHANGE_LABEL = 104
NOTHING = "nothing"
FILLED_BYTES = 20_000_000
"""The most payload that one phase puts into Redis."""
FEWEST_TASKS = 3
"""With fewer a phase is left out."""
LARGE_BYTES = 100_000
"""From this size on payloads are offered in a paced phase of their own, for the others would wait behind them."""
SPACING = 2
"""A paced phase leaves a message this many times as long as the slowest one takes to be sent and read: each is alone."""
PACED_MOST_S = 0.1
"""A message that takes longer than this is not offered at a rate."""

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


@dataclass(frozen=True, slots=True)
class Payload:
    """One kind of payload of one size."""

    kind: str
    size_bytes: int

    @property
    def name(self) -> str:
        """As in the names of columns and phases."""
        return f"{self.kind}_{SIZES[self.size_bytes]}"

    @property
    def label(self) -> int:
        """Its number in the event log."""
        return 1 + len(SIZES) * list(KINDS).index(self.kind) + list(SIZES).index(self.size_bytes)

    def task(self, sizes: Sizes) -> TaskClass:
        """A task with it."""
        argument = {"kind": self.kind, "size_bytes": self.size_bytes, "seed": int(sizes["payload_seed"])}
        return TaskClass("payload", argument, self.label)


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


_COLUMNS: dict[str, str] = {
    "task_count": "tasks sent in the paced phase of the default serializer, with payloads below 100,000 bytes and orders",
    "mean_latency": "mean end to end latency of these payloads, ms, from the intended send time to the recorded finish",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
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
    **TOTAL_COLUMNS,
}

_LOWER = (
    *("mean_latency", "p50", "p95", "p99", "memory_mb"),
    *(name for name in _COLUMNS if name.endswith(("_bytes", "_us", "_ms", "_stale_share"))),
    *("failed", "lost", "duplicated"),
)
_BETTER: dict[str, Direction] = {
    **dict.fromkeys((name for name in _COLUMNS if name.endswith("_reduction_share")), "higher"),
    **dict.fromkeys(_LOWER, "lower"),
}


def _sizes(**sizes: float | int) -> dict[str, float | int]:
    payloads = {"smallest_bytes": 100, "largest_bytes": 1_000_000, "size_step": 10, "payload_seed": 1}
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
    columns: Mapping[str, str] = _COLUMNS
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
    better: Mapping[str, Direction] = _BETTER
    own_flags: Sequence[FlagKind] = (PAYLOAD_DAMAGED, ORDER_UNCHANGED, PAYLOADS_LEFT_OUT)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that is not positive or not of a column, and KeyError for one that is missing."""
        for name in sorted(self.sizes["quick"].keys() - {"others", "payload_seed"}):
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")
        if not sizes["size_step"] > 1:
            raise ValueError(f"size size_step of {self.name} must be above 1, not {sizes['size_step']}")
        steps = _steps(sizes)
        if not steps or not set(steps) <= set(SIZES):
            known = ", ".join(map(str, SIZES))
            raise ValueError(f"smallest_bytes, largest_bytes and size_step of {self.name} make {steps}; there are {known}")

    def unsupported(self, variant: Variant) -> str | None:
        """A variant whose framework declares no serializer cannot."""
        if not variant.serializers:
            return variant.lacks.get("serializers", "its module declares no serializers")
        return None

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """Those of the default serializer first: the messages that are read there tell how long each payload takes."""
        variant, sizes = context.variant, context.sizes
        default, *others = variant.serializers
        messages = Messages(variant.name, _messages(variant, sizes), int(sizes["samples"]), sizes["message_s"])
        stale = yield _stale(default, _ways(variant, default), sizes, messages)
        seconds = _seconds(stale())
        yield from _paced(default, _payloads(sizes), _ways(variant, default), seconds, sizes)
        yield from _filled(default, _payloads(sizes), seconds, sizes)
        for serializer in others:
            ways = _ways(variant, serializer)
            if ways:
                yield _stale(serializer, ways, sizes)
            if sizes["others"]:
                yield from _paced(serializer, _nested(sizes), ways, seconds, sizes)
                yield from _filled(serializer, _nested(sizes), seconds, sizes)

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        default = _default(data.context.variant)
        if paced := data.phases.get(_paced_name(default)):
            values |= _headline(paced)
        messages = _messages_of(data)
        for slot, payload, figure in _cells():
            serializer = default if slot == "default" else slot
            values[f"{slot}_{payload.name}_{figure}"] = _figure(data, messages, serializer, payload, figure)
        values["memory_mb"] = worker_memory(data).peak.pss_mb
        return {**values, **_order_measures(data, messages), **totals(data)}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What arrived damaged, orders that were not changed in time, and what was left out."""
        return (*_damage(data), *_unchanged(data), *_left_out(data))


def _steps(sizes: Sizes) -> list[int]:
    """The sizes of payloads, ascending."""
    steps: list[int] = []
    size = sizes["smallest_bytes"]
    while size <= sizes["largest_bytes"]:
        steps.append(int(size))
        size *= sizes["size_step"]
    return steps


def _payloads(sizes: Sizes) -> list[Payload]:
    return [Payload(kind, size) for kind, size in product(KINDS, _steps(sizes))]


def _nested(sizes: Sizes) -> list[Payload]:
    return [p for p in _payloads(sizes) if p.kind == "nested"]


def _default(variant: Variant) -> str:
    return next(iter(variant.serializers), "")


def _ways(variant: Variant, serializer: str) -> list[str]:
    """How an order is handed over in a serializer: a model where that can carry one, the others in the default one."""
    by_hand = ["dict", "id"] if serializer == _default(variant) else []
    return [*(["model"] if serializer == variant.model_serializer else []), *by_hand]


def _order(way: str, sizes: Sizes) -> dict[str, str | int]:
    return {"way": way, "lines": int(sizes["order_lines"]), "seed": int(sizes["payload_seed"])}


def _messages(variant: Variant, sizes: Sizes) -> tuple[Message, ...]:
    """All messages whose bytes and decoding are to be known."""
    messages: list[Message] = []
    for serializer in variant.serializers:
        tasks = [(p, p.task(sizes)) for p in _payloads(sizes)]
        messages += [Message(serializer, p.kind, p.size_bytes, task.workload, task.argument) for p, task in tasks]
        ways = _ways(variant, serializer)
        messages += [Message(serializer, way, 0, "model", _order(way, sizes)) for way in ways]
        messages.append(Message(serializer, NOTHING, 0, "noop"))
    return tuple(messages)


def _worker(serializer: str, sizes: Sizes) -> WorkerWish:
    """One process with one slot: a message is on its own, and tasks are executed in the order in which they were sent. Its
    warm-up makes the database anew."""
    reset = only("model_reset", {"lines": int(sizes["order_lines"]), "seed": int(sizes["payload_seed"])})
    return WorkerWish(processes=1, slots=1, serializer=serializer, optional_packages=True, warm=reset)


def _paced_name(serializer: str) -> str:
    return f"paced_{serializer}"


def _paced_large_name(serializer: str) -> str:
    return f"paced_large_{serializer}"


def _filled_name(serializer: str, payload: Payload) -> str:
    return f"filled_{serializer}_{payload.name}"


def _stale_name(serializer: str) -> str:
    return f"stale_{serializer}"


def _paced(
    serializer: str,
    payloads: Sequence[Payload],
    ways: Sequence[str],
    seconds: Mapping[tuple[str, Payload], float],
    sizes: Sizes,
) -> Iterator[PhasePlan]:
    """The small payloads with the orders, then the large ones; without those that take too long to be offered at a rate."""
    bearable = {p: s for p in payloads if (s := seconds.get((serializer, p), np.inf)) <= PACED_MOST_S}
    large = {p: s for p, s in bearable.items() if p.size_bytes >= LARGE_BYTES}
    small = {p: s for p, s in bearable.items() if p not in large}
    orders = [TaskClass("model", _order(way, sizes), ORDER_LABELS[way]) for way in ways]
    yield from _at_a_rate(_paced_name(serializer), serializer, small, orders, int(sizes["each"]), sizes)
    yield from _at_a_rate(_paced_large_name(serializer), serializer, large, [], int(sizes["each_large"]), sizes)


def _at_a_rate(
    name: str,
    serializer: str,
    payloads: Mapping[Payload, float],
    orders: Sequence[TaskClass],
    each: int,
    sizes: Sizes,
) -> Iterator[PhasePlan]:
    """``each`` tasks of every class, if there is any."""
    classes = (*(p.task(sizes) for p in payloads), *orders)
    if classes:
        rate_per_s = min([sizes["rate_per_s"], *(1 / (SPACING * seconds) for seconds in payloads.values())])
        load = Paced(rate_per_s, each * len(classes) / rate_per_s)
        yield PhasePlan(name, Mix(classes, evenly=True), load, _worker(serializer, sizes))


def _filled(
    serializer: str,
    payloads: Sequence[Payload],
    seconds: Mapping[tuple[str, Payload], float],
    sizes: Sizes,
) -> Iterator[PhasePlan]:
    for payload in payloads:
        count = _tasks_of(payload, seconds.get((serializer, payload)), sizes)
        if count:
            tasks = Mix((payload.task(sizes),))
            yield PhasePlan(_filled_name(serializer, payload), tasks, Prefilled(count), _worker(serializer, sizes))


def _tasks_of(payload: Payload, seconds: float | None, sizes: Sizes) -> int:
    """How many tasks a phase of this payload has, when one takes so long; 0 where it is left out."""
    if seconds is None:
        return 0
    most = min(int(sizes["tasks"]), FILLED_BYTES // payload.size_bytes, int(sizes["phase_s"] / seconds))
    return most if most >= FEWEST_TASKS else 0


def _stale(serializer: str, ways: Sequence[str], sizes: Sizes, *devices: Messages) -> PhasePlan:
    """A change first, then each way in turn, and again: all is sent before the worker is let go, so that every task but the
    changes is executed after a change that was made after it had been sent."""
    seen = [TaskClass("model_seen", _order(way, sizes), ORDER_LABELS[way]) for way in ways]
    tasks = Mix((TaskClass("model_change", None, CHANGE_LABEL), *seen), evenly=True)
    count = int(sizes["seen"]) * len(tasks.classes)
    return PhasePlan(_stale_name(serializer), tasks, Prefilled(count), _worker(serializer, sizes), (OrdersSeen(), *devices))


def _seconds(stale: PhaseData) -> dict[tuple[str, Payload], float]:
    """How long one message takes to send and to read, by the samples that were taken."""
    frame = stale.readings["messages"]
    sized = frame[frame["size_bytes"] > 0]
    took_us = (sized["send_us"] + sized["decode_us"]).groupby([sized["serializer"], sized["kind"], sized["size_bytes"]]).median()
    rows = took_us.reset_index(name="took_us").itertuples(index=False, name=None)
    return {(serializer, Payload(kind, size)): us / US_PER_S for serializer, kind, size, us in rows}


def _messages_of(data: RunData) -> pd.DataFrame | None:
    stale = data.phases.get(_stale_name(_default(data.context.variant)))
    return None if stale is None else stale.readings.get("messages")


def _read(messages: pd.DataFrame | None, serializer: str, kind: str, size_bytes: int, figure: str) -> float | None:
    """The median over a message's samples."""
    if messages is None:
        return None
    chosen = (messages["serializer"] == serializer) & (messages["kind"] == kind) & (messages["size_bytes"] == size_bytes)
    return median(messages.loc[chosen, figure].to_numpy(float))


def _figure(data: RunData, messages: pd.DataFrame | None, serializer: str, payload: Payload, figure: str) -> float | None:
    if figure in ("message_bytes", "decode_us"):
        return _read(messages, serializer, payload.kind, payload.size_bytes, figure)
    if figure == "end_to_end_ms":
        return _end_to_end_ms(data, serializer, payload.label)
    filled = data.phases.get(_filled_name(serializer, payload))
    if filled is None:
        return None
    cost = redis_cost(filled)
    if figure == "enqueue_us":
        return median(filled.tasks.send_ns() / NS_PER_US)
    return cost.bytes_per_task if figure == "wire_bytes" else cost.memory_bytes_per_queued_task


def _end_to_end_ms(data: RunData, serializer: str, label: int) -> float | None:
    phases = [data.phases.get(name) for name in (_paced_name(serializer), _paced_large_name(serializer))]
    tables = [phase.tasks.of_label(label) for phase in phases if phase is not None]
    return next((summarise(table.end_to_end_ns()).p50_ms for table in tables if len(table)), None)


def _headline(paced: PhaseData) -> Values:
    table, record = paced.tasks, paced.record
    is_payload = table.ended & (table.label < min(ORDER_LABELS.values()))
    latency = summarise(table.finished_ns[is_payload] - table.due_ns[is_payload])
    cpu_s = record.after.worker.cpu_s - record.before.worker.cpu_s
    return {
        "task_count": paced.account.planned,
        "mean_latency": latency.mean_ms,
        "p50": latency.p50_ms,
        "p95": latency.p95_ms,
        "p99": latency.p99_ms,
        "cpu_percent": cpu_percent(cpu_s, (record.drained_ns - record.began_ns) / NS_PER_S),
    }


def _order_measures(data: RunData, messages: pd.DataFrame | None) -> Values:
    variant = data.context.variant
    values: Values = {}
    whole: dict[str, float | None] = {}
    added: dict[str, float | None] = {}
    seen = [p.readings["orders_seen"] for p in _stale_phases(data)]
    for way in WAYS:
        serializer = variant.model_serializer if way == "model" else _default(variant)
        whole[way] = _read(messages, serializer, way, 0, "message_bytes")
        added[way] = difference(whole[way], _read(messages, serializer, NOTHING, 0, "message_bytes"))
        values[f"orm_{way}_message_bytes"] = whole[way]
        values[f"orm_{way}_decode_us"] = _read(messages, serializer, way, 0, "decode_us")
        values[f"orm_{way}_end_to_end_ms"] = _end_to_end_ms(data, serializer, ORDER_LABELS[way])
        values[f"orm_{way}_stale_share"] = _stale_share(seen, way)
    return values | {
        "orm_payload_reduction_share": _reduction(added["model"], added["dict"]),
        "orm_id_payload_reduction_share": _reduction(added["id"], added["dict"]),
        "orm_message_reduction_share": _reduction(whole["model"], whole["dict"]),
        "orm_changed_count": sum(len(_changed(frame)) for frame in seen) if seen else None,
    }


def _reduction(value: float | None, against: float | None) -> float | None:
    return None if value is None or not against else 1 - value / against


def _stale_phases(data: RunData) -> list[PhaseData]:
    return [p for p in measured_phases(data) if "orders_seen" in p.readings]


def _changed(seen: pd.DataFrame) -> pd.DataFrame:
    """Of the tasks that looked at their order those whose order was changed after they had been sent."""
    return seen[seen["row_version"] > seen["sent_version"]]


def _stale_share(frames: Sequence[pd.DataFrame], way: str) -> float | None:
    changed = [frame[frame["way"] == way] for frame in map(_changed, frames)]
    count = sum(map(len, changed))
    stale = sum(int((frame["seen_version"] != frame["row_version"]).sum()) for frame in changed)
    return stale / count if count else None


def _damage(data: RunData) -> Iterator[Flag]:
    for phase in measured_phases(data):
        if phase.account.failed:
            yield PAYLOAD_DAMAGED.flag(phase=phase.record.name, count=phase.account.failed, attempted=phase.account.attempted)


def _unchanged(data: RunData) -> Iterator[Flag]:
    for phase in _stale_phases(data):
        planned = phase.account.attempted - len(phase.tasks.of_label(CHANGE_LABEL))
        changed = len(_changed(phase.readings["orders_seen"]))
        if changed < planned:
            yield ORDER_UNCHANGED.flag(phase=phase.record.name, changed=changed, planned=planned)


def _left_out(data: RunData) -> Iterator[Flag]:
    """What the sizes ask for and would have taken longer than they allow."""
    messages, sizes, variant = _messages_of(data), data.context.sizes, data.context.variant
    if messages is None:
        return
    default, *others = variant.serializers
    read = set(zip(messages["serializer"], messages["kind"], messages["size_bytes"], strict=True))
    missing = {
        f"{serializer} {payload.name}"
        for serializer, payload in product(variant.serializers, _payloads(sizes))
        if (serializer, payload.kind, payload.size_bytes) not in read
    }
    through_workers = [*product([default], _payloads(sizes)), *product(others if sizes["others"] else (), _nested(sizes))]
    for serializer, payload in through_workers:
        if _filled_name(serializer, payload) not in data.phases:
            missing.add(f"{serializer} {payload.name} in a queue of its own")
        if _end_to_end_ms(data, serializer, payload.label) is None:
            missing.add(f"{serializer} {payload.name} at a rate")
    if missing:
        yield PAYLOADS_LEFT_OUT.flag(payloads=", ".join(sorted(missing)))


SCENARIO = Serialization()
