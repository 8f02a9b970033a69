"""The phases of scenario 5: how many tasks with which payloads are offered, how fast, and what was left out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from benchmarks.plan.payloads import (
    CHANGE_LABEL,
    DATA_SEED,
    ORDER_LABELS,
    Payload,
    default_serializer,
    nested,
    order,
    payloads,
    ways_of,
)
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.payloads.message_samples import MESSAGES, NOTHING, Seconds
from benchmarks.record.percentiles import summarise
from benchmarks.record.run_data import RunData
from benchmarks.run.contract import PhasePlan
from benchmarks.run.devices.messages import Message, Messages
from benchmarks.run.devices.orders_seen import OrdersSeen
from tasks.contract import Variant
from tasks.loads import Mix, Paced, Prefilled, TaskClass, only

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


def paced_name(serializer: str) -> str:
    """Of the phase with its small payloads, and orders."""
    return f"paced_{serializer}"


def paced_large_name(serializer: str) -> str:
    """Of the phase with its large payloads."""
    return f"paced_large_{serializer}"


def filled_name(serializer: str, payload: Payload) -> str:
    """Of the phase with this payload alone."""
    return f"filled_{serializer}_{payload.name}"


def stale_name(serializer: str) -> str:
    """Of the phase in which orders are changed."""
    return f"stale_{serializer}"


def messages_read(variant: Variant, sizes: Sizes) -> Messages:
    """All messages whose bytes and decoding are to be known."""
    messages: list[Message] = []
    for serializer in variant.serializers:
        tasks = [(p, p.task()) for p in payloads(sizes)]
        messages += [Message(serializer, p.kind, p.size_bytes, task.workload, task.argument) for p, task in tasks]
        ways = ways_of(variant, serializer)
        messages += [Message(serializer, way, 0, "model", order(way, sizes)) for way in ways]
        messages.append(Message(serializer, NOTHING, 0, "noop"))
    return Messages(variant.name, tuple(messages), int(sizes["samples"]), sizes["message_s"])


def stale_phase(serializer: str, ways: Sequence[str], sizes: Sizes, *devices: Messages) -> PhasePlan:
    """A change first, then each way in turn, and again: all is sent before the worker is let go, so that every task but the
    changes is executed after a change that was made after it had been sent."""
    seen = [TaskClass("model_seen", order(way, sizes), ORDER_LABELS[way]) for way in ways]
    tasks = Mix((TaskClass("model_change", None, CHANGE_LABEL), *seen), evenly=True)
    count = int(sizes["seen"]) * len(tasks.classes)
    return PhasePlan(stale_name(serializer), tasks, Prefilled(count), _worker(serializer, sizes), (OrdersSeen(), *devices))


def paced_phases(
    serializer: str, offered: Sequence[Payload], ways: Sequence[str], seconds: Seconds, sizes: Sizes
) -> Iterator[PhasePlan]:
    """The small payloads with the orders, then the large ones; without those that take too long to be offered at a rate."""
    bearable = {p: s for p in offered if (s := seconds.get((serializer, p), np.inf)) <= PACED_MOST_S}
    large = {p: s for p, s in bearable.items() if p.size_bytes >= LARGE_BYTES}
    small = {p: s for p, s in bearable.items() if p not in large}
    orders = [TaskClass("model", order(way, sizes), ORDER_LABELS[way]) for way in ways]
    yield from _at_a_rate(paced_name(serializer), serializer, small, orders, int(sizes["each"]), sizes)
    yield from _at_a_rate(paced_large_name(serializer), serializer, large, [], int(sizes["each_large"]), sizes)


def _at_a_rate(
    name: str,
    serializer: str,
    offered: Mapping[Payload, float],
    orders: Sequence[TaskClass],
    each: int,
    sizes: Sizes,
) -> Iterator[PhasePlan]:
    """``each`` tasks of every class, if there is any."""
    classes = (*(p.task() for p in offered), *orders)
    if classes:
        rate_per_s = min([sizes["rate_per_s"], *(1 / (SPACING * seconds) for seconds in offered.values())])
        load = Paced(rate_per_s, each * len(classes) / rate_per_s)
        yield PhasePlan(name, Mix(classes, evenly=True), load, _worker(serializer, sizes), warms_itself=True)


def filled_phases(serializer: str, offered: Sequence[Payload], seconds: Seconds, sizes: Sizes) -> Iterator[PhasePlan]:
    """One for each payload, without those of which one alone takes too long."""
    for payload in offered:
        count = _tasks_of(payload, seconds.get((serializer, payload)), sizes)
        if count:
            tasks = Mix((payload.task(),))
            yield PhasePlan(filled_name(serializer, payload), tasks, Prefilled(count), _worker(serializer, sizes))


def _tasks_of(payload: Payload, seconds: float | None, sizes: Sizes) -> int:
    """How many tasks a phase of this payload has, when one takes so long; 0 where it is left out."""
    if seconds is None:
        return 0
    most = min(int(sizes["tasks"]), FILLED_BYTES // payload.size_bytes, int(sizes["phase_s"] / seconds))
    return most if most >= FEWEST_TASKS else 0


def _worker(serializer: str, sizes: Sizes) -> WorkerWish:
    """One process with one slot: a message is on its own, and tasks are executed in the order in which they were sent. Its
    warm-up makes the database anew."""
    reset = only("model_reset", {"lines": int(sizes["order_lines"]), "seed": DATA_SEED})
    return WorkerWish(processes=1, concurrency=1, serializer=serializer, optional_packages=True, warm=reset)


def messages_of(data: RunData) -> pd.DataFrame | None:
    """What was read of the messages; None where a run did not come so far."""
    stale = data.phases.get(stale_name(default_serializer(data.context.variant)))
    return None if stale is None else stale.readings.get(MESSAGES)


def end_to_end_ms(data: RunData, serializer: str, label: int) -> float | None:
    """Median end to end latency of the tasks of a label at the paced rate, large or small."""
    phases = [data.phases.get(name) for name in (paced_name(serializer), paced_large_name(serializer))]
    tables = [phase.tasks.of_label(label) for phase in phases if phase is not None]
    return next((summarise(table.end_to_end_ns()).p50_ms for table in tables if len(table)), None)


def left_out(data: RunData) -> set[str]:
    """What the sizes ask for and would have taken longer than they allow."""
    messages, sizes, variant = messages_of(data), data.context.sizes, data.context.variant
    if messages is None:
        return set()
    default, *others = variant.serializers
    read = set(zip(messages["serializer"], messages["kind"], messages["size_bytes"], strict=True))
    missing = {
        f"{serializer} {payload.name}"
        for serializer, payload in product(variant.serializers, payloads(sizes))
        if (serializer, payload.kind, payload.size_bytes) not in read
    }
    through_workers = [*product([default], payloads(sizes)), *product(others if sizes["others"] else (), nested(sizes))]
    for serializer, payload in through_workers:
        if filled_name(serializer, payload) not in data.phases:
            missing.add(f"{serializer} {payload.name} in a queue of its own")
        if end_to_end_ms(data, serializer, payload.label) is None:
            missing.add(f"{serializer} {payload.name} at a rate")
    return missing
