"""Scenario 7: an order's way through a shop, as a chain of five tasks, with payments that fail."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.orders import (
    Discrepancy,
    Orders,
    answered_well,
    compare,
    compare_stock,
    entries_of,
    failures_due,
    requests_of,
    retry_delays_ns,
    total,
)
from benchmarks.record.percentiles import LatencySummary, summarise
from benchmarks.record.resources import cpu_percent, drain_cpu_s, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import Ints
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.ledger import Ledger
from benchmarks.run.devices.mock_api import MockApiLog
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import Variant
from tasks.events import Outcome
from tasks.loads import NS_PER_S, Chain, Mix, Paced, Prefilled, TaskClass
from tasks.order_work import ITEMS, STAGES, failure_of, order_of

CAPACITY, ORDERS = "capacity", "orders"
VALIDATE, CHARGE, RESERVE, CONFIRM, ANALYSE = range(len(STAGES))
NAMES = tuple(stage.removeprefix("order_") for stage in STAGES)

BOOKS_UNBALANCED = FlagKind(
    "books-unbalanced",
    Severity.INVALID,
    "{phase}: the shop's books do not balance, and no task explains it: {what}",
    "A step was done twice, or said to be done and was not: look for what else uses this Redis and mock API, then in the "
    "worker's log.",
)

CHAIN_OUT_OF_ORDER = FlagKind(
    "chain-out-of-order",
    Severity.INVALID,
    "{phase}: {count} stages started though the one before them had not ended well",
    "The framework's chain does not hold: see how its module links the stages.",
)

RETRY_GIVEN_OUT_TWICE = FlagKind(
    "retry-given-out-twice",
    Severity.WARNING,
    "{phase}: {count} tasks were given out twice after the wait for their retry, and {charges} payments were made twice",
    "Two processes of the worker moved a task that was due at the same time: make what a task does safe to repeat, or have "
    "one process.",
)

PIPELINE_OVERLOADED = FlagKind(
    "pipeline-overloaded",
    Severity.WARNING,
    "{phase}: {rate:.1f} orders/s were offered where prefilled ones were done at {capacity:.1f}/s",
    "Lower orders_per_s or give the worker more slots: these latencies are those of a queue that grows.",
)

FAILURES_NOT_AS_INJECTED = FlagKind(
    "failures-not-as-injected",
    Severity.WARNING,
    "{phase}: {seen} attempts raised where {due} were to",
    "See in the worker's log what else was raised; a time limit of the client is the usual cause.",
)

_FIGURES = {"p50": "median", "p95": "95th percentile", "p99": "99th percentile", "max": "greatest"}
_KINDS = {"clean": "no payment failed", "retried": "a payment failed once"}
_BOOKS = {
    "charges": "payments in the mock API's log",
    "reservations": "reservations in the shop's book",
    "confirmations": "e-mails in the mock API's log",
    "analyses": "entries in the shop's analytics",
    "stock": "pieces in stock",
}

_COLUMNS: dict[str, str] = {
    "task_count": "tasks of the prefilled orders: five for each",
    "total_time": "s from letting the workers go on the prefilled orders to the last end of a task",
    "throughput": "prefilled orders completed over total_time, 1/s",
    "mean_latency": "mean time from when an order was due to the end of its last stage, orders completed at the paced rate, ms",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
    "max_ms": "greatest of the same",
    "memory_mb": "highest PSS of the worker's whole process tree, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree at the paced rate and until all had ended, 100 = one core",
    "orders_offered_per_s": "orders sent a second at the paced rate",
    "orders_offered": "orders sent at the paced rate",
    "orders_completed": "orders of these whose last stage ended well",
    "orders_failed": "orders of these of which a stage failed for good",
    "orders_stuck": "orders of these that neither were completed nor failed",
    **{
        f"{kind}_{figure}_ms": f"{figure_words} of the latency of orders of which {words}"
        for kind, words in _KINDS.items()
        for figure, figure_words in _FIGURES.items()
    },
    **{
        f"{stage}_{part}_{figure}_ms": f"{figure_words} of the time {words}"
        for stage in NAMES
        for part, words in {
            "wait": f"from the end of the stage before (the first: from when the order was due) to the start of {stage}",
            "service": f"from the first start of {stage} to its good end, retries and their waits included",
        }.items()
        for figure, figure_words in _FIGURES.items()
    },
    "failures_due": "attempts that were to fail, from the ids of the orders whose payment came to an end",
    "failures_injected": "requests for payment that the mock API answered with an error",
    "failures_seen": "attempts that raised, over all stages",
    "charge_attempts_due": "attempts at payment that these failures make necessary",
    "charge_attempts": "attempts at payment that were started",
    **{
        f"retry_delay_{figure}_ms": f"{words} of the time from a failed answer to the next request for the same payment"
        for figure, words in _FIGURES.items()
    },
    "retry_delay_asked_ms": "what that time was asked to be",
    "discrepancies": "entries that the books lack or have too much, of both phases and all books, and stages out of order",
    "unexplained_discrepancies": "discrepancies that no task executed twice, cut off or raising unasked explains",
    "out_of_order": "stages that started though the one before had not ended well",
    **{
        f"{book}_{side}": f"{words} {side_words}, both phases"
        for book, words in _BOOKS.items()
        for side, side_words in {"missing": "fewer than tasks say were made", "extra": "more than tasks say were made"}.items()
    },
    "worker_cpu_s_per_1000_orders": "CPU seconds of the worker's tree for 1,000 of the prefilled orders",
    "redis_commands_per_order": "commands of Redis for a prefilled order, enqueued and done, the shop's own eight included",
    "redis_bytes_per_order": "network bytes into and out of Redis for a prefilled order, likewise",
    **TOTAL_COLUMNS,
}

_LOWER = (
    *("total_time", "mean_latency", "p50", "p95", "p99", "max_ms", "memory_mb", "orders_stuck"),
    *(name for name in _COLUMNS if name.startswith(("clean_", "retried_", *(f"{stage}_wait_" for stage in NAMES)))),
    *(f"{stage}_service_{figure}_ms" for stage in NAMES for figure in _FIGURES),
    *(f"retry_delay_{figure}_ms" for figure in _FIGURES),
    *("discrepancies", "unexplained_discrepancies", "out_of_order"),
    *(f"{book}_{side}" for book in _BOOKS for side in ("missing", "extra")),
    *("worker_cpu_s_per_1000_orders", "redis_commands_per_order", "redis_bytes_per_order", "lost", "duplicated"),
)
_BETTER: dict[str, Direction] = {"throughput": "higher", "orders_completed": "higher", **dict.fromkeys(_LOWER, "lower")}


def _sizes(capacity_orders: int, paced_s: float) -> dict[str, float | int]:
    return {
        "capacity_orders": capacity_orders,
        "orders_per_s": 10,
        "paced_s": paced_s,
        "charge_ms": 20,
        "confirm_ms": 10,
        "fail_once_share": 0.05,
        "fail_always_share": 0.01,
        # Picked: the few orders of the quick preset hold failures of both kinds, and early, as a run waits for its retries.
        "failures_seed": 5992,
        "attempts": 3,
        "backoff_s": 1,
    }


class RealWorld(ScenarioDefaults):
    """Two phases on one worker: ``capacity`` (prefilled orders whose payments all succeed) and ``orders`` (an open loop, in which
    payments fail)."""

    number = 7
    name = "scenario_7_real_world"
    title = "Real-world order pipeline"
    question = "How long does an order of five chained tasks take, do its retries come as asked, and do the books balance?"
    headline = "p50"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(capacity_orders=30, paced_s=2.5),
        "standard": _sizes(capacity_orders=200, paced_s=30),
        "full": _sizes(capacity_orders=1_000, paced_s=120),
    }
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "throughput": "orders/s",
        "p50": "p50 ms",
        "p99": "p99 ms",
        "retry_delay_p50_ms": "retry after ms",
        "orders_completed": "completed",
        "orders_failed": "failed",
        "discrepancies": "off books",
        "memory_mb": "PSS MB",
    }
    better: Mapping[str, Direction] = _BETTER
    expected: Mapping[str, str] = {"retry_delay_p50_ms": "retry_delay_asked_ms"}
    own_flags: Sequence[FlagKind] = (
        BOOKS_UNBALANCED,
        CHAIN_OUT_OF_ORDER,
        RETRY_GIVEN_OUT_TWICE,
        PIPELINE_OVERLOADED,
        FAILURES_NOT_AS_INJECTED,
    )

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        for name in ("capacity_orders", "orders_per_s", "paced_s", "backoff_s"):
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")
        for name in ("charge_ms", "confirm_ms", "fail_once_share", "fail_always_share"):
            if not sizes[name] >= 0:
                raise ValueError(f"size {name} of {self.name} must not be negative, not {sizes[name]}")
        if not sizes["fail_once_share"] + sizes["fail_always_share"] <= 1:
            raise ValueError(f"sizes fail_once_share and fail_always_share of {self.name} must not be above 1 together")
        if not sizes["attempts"] >= 2:
            raise ValueError(f"size attempts of {self.name} must be at least 2, as payments are to fail, not {sizes['attempts']}")

    def unsupported(self, variant: Variant) -> str | None:
        """Variants without chains and retries."""
        return variant.lacks.get("chains")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The two phases."""
        sizes = context.sizes
        sound, failing = ({**sizes, "fail_once_share": 0, "fail_always_share": 0}, sizes)
        worker = WorkerWish(warm=_warm_up(sound))
        burst = Prefilled(max(1, int(sizes["capacity_orders"])))
        yield PhasePlan(CAPACITY, _chain(sound), burst, worker, (Ledger(burst.count), MockApiLog()))
        paced = Paced(sizes["orders_per_s"], sizes["paced_s"])
        orders = int(sizes["orders_per_s"] * sizes["paced_s"] + 1e-9)
        devices = (Ledger(orders), MockApiLog())
        yield PhasePlan(ORDERS, _chain(failing), paced, worker, devices, failures_expected=True)

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        values["memory_mb"] = worker_memory(data).peak.pss_mb
        if capacity := data.phases.get(CAPACITY):
            values |= _capacity_measures(capacity)
        if orders := data.phases.get(ORDERS):
            values |= _order_measures(orders) | _retry_measures(orders)
        return {**values, **_book_measures(data), **totals(data)}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Books that do not balance, chains out of order, failures that nobody has ordered, and more orders than can be done."""
        flags: list[Flag] = []
        for name, phase in data.phases.items():
            if name not in (CAPACITY, ORDERS):
                continue
            orders = _orders_of(phase)
            discrepancies = _discrepancies(phase)
            off = {book: d.unexplained for book, d in discrepancies.items() if d.unexplained}
            if off:
                what = ", ".join(f"{_BOOKS[book]} ({count})" for book, count in off.items())
                flags.append(BOOKS_UNBALANCED.flag(phase=name, what=what))
            if count := orders.out_of_order():
                flags.append(CHAIN_OUT_OF_ORDER.flag(phase=name, count=count))
            if count := int(orders.retried_twice.sum()):
                charges = discrepancies["charges"].extra if discrepancies else "an unknown number of"
                flags.append(RETRY_GIVEN_OUT_TWICE.flag(phase=name, count=count, charges=charges))
            seen, due = int(orders.failed_attempts.sum()), int(failures_due(orders, CHARGE, _failing(phase)).sum())
            if seen != due:
                flags.append(FAILURES_NOT_AS_INJECTED.flag(phase=name, seen=seen, due=due))
        return [*flags, *_overload_flags(data)]


def _overload_flags(data: RunData) -> Sequence[Flag]:
    """A warning where orders came faster than the same worker did prefilled ones: their latency is that of a queue that grows."""
    capacity, orders = data.phases.get(CAPACITY), data.phases.get(ORDERS)
    if capacity is None or orders is None or not isinstance(orders.record.load, Paced):
        return ()
    rate, most = orders.record.load.rate_per_s, _capacity_measures(capacity)["throughput"]
    if most is None or rate <= most:
        return ()
    return (PIPELINE_OVERLOADED.flag(phase=ORDERS, rate=rate, capacity=most),)


def _arguments(sizes: Sizes) -> dict[str, Any]:
    failures = {name: sizes[name] for name in ("fail_once_share", "fail_always_share", "failures_seed")}
    return {STAGES[CHARGE]: {"ms": sizes["charge_ms"], **failures}, STAGES[CONFIRM]: {"ms": sizes["confirm_ms"]}}


def _chain(sizes: Sizes) -> Chain:
    arguments = _arguments(sizes)
    stages = tuple(TaskClass(stage, arguments.get(stage), label) for label, stage in enumerate(STAGES))
    return Chain(stages, int(sizes["attempts"]), sizes["backoff_s"])


def _warm_up(sizes: Sizes) -> Mix:
    """Stages that need no order to be there: they open the connections that all use."""
    arguments = _arguments(sizes)
    return Mix(tuple(TaskClass(STAGES[stage], arguments.get(STAGES[stage])) for stage in (CHARGE, CONFIRM, ANALYSE)))


def _orders_of(phase: PhaseData) -> Orders:
    return Orders.of(phase.tasks, phase.record.planned // len(STAGES), len(STAGES))


def _failures(phase: PhaseData) -> list[str]:
    """How the payment of each order was to fail."""
    argument = cast(Chain, phase.record.tasks).stages[CHARGE].argument
    once, always, seed = argument["fail_once_share"], argument["fail_always_share"], int(argument["failures_seed"])
    return [failure_of(unit, once, always, seed) for unit in range(phase.record.planned // len(STAGES))]


def _failing(phase: PhaseData) -> Ints:
    """How many attempts at each order's payment were to fail."""
    attempts = cast(Chain, phase.record.tasks).attempts
    return np.array([{"": 0, "once": 1, "always": attempts}[failure] for failure in _failures(phase)], np.int64)


def _capacity_measures(phase: PhaseData) -> Values:
    orders, record = _orders_of(phase), phase.record
    completed = int(orders.completed.sum())
    last_end_ns = phase.tasks.last_end_ns()
    total_s = None if last_end_ns is None else (last_end_ns - record.resumed_ns) / NS_PER_S
    before, after = record.before.redis, record.after.redis
    moved_bytes = after.input_bytes - before.input_bytes + after.output_bytes - before.output_bytes
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": completed / total_s if total_s else None,
        "worker_cpu_s_per_1000_orders": 1000 * drain_cpu_s(phase) / completed if completed else None,
        "redis_commands_per_order": (after.commands - before.commands) / completed if completed else None,
        "redis_bytes_per_order": moved_bytes / completed if completed else None,
    }


def _order_measures(phase: PhaseData) -> Values:
    orders, record = _orders_of(phase), phase.record
    failures = np.array(_failures(phase))
    overall = summarise(orders.latency_ns(np.ones(len(failures), np.bool_)))
    sent = orders.due_ns >= 0
    values: Values = {
        "mean_latency": overall.mean_ms,
        "p50": overall.p50_ms,
        "p95": overall.p95_ms,
        "p99": overall.p99_ms,
        "max_ms": overall.max_ms,
        "cpu_percent": cpu_percent(
            record.after.worker.cpu_s - record.before.worker.cpu_s, (record.drained_ns - record.began_ns) / NS_PER_S
        ),
        "orders_offered_per_s": phase.tasks.of_label(VALIDATE).offered_rate_per_s(),
        "orders_offered": int(sent.sum()),
        "orders_completed": int(orders.completed.sum()),
        "orders_failed": int(orders.failed.sum()),
        "orders_stuck": int((sent & orders.stuck).sum()),
        **_figures("clean", summarise(orders.latency_ns(failures == ""))),
        **_figures("retried", summarise(orders.latency_ns(failures == "once"))),
    }
    for stage, name in enumerate(NAMES):
        values |= _figures(f"{name}_wait", summarise(orders.wait_ns(stage)))
        values |= _figures(f"{name}_service", summarise(orders.service_ns(stage)))
    return values


def _figures(name: str, summary: LatencySummary) -> Values:
    return {
        f"{name}_p50_ms": summary.p50_ms,
        f"{name}_p95_ms": summary.p95_ms,
        f"{name}_p99_ms": summary.p99_ms,
        f"{name}_max_ms": summary.max_ms,
    }


def _retry_measures(phase: PhaseData) -> Values:
    orders, chain = _orders_of(phase), cast(Chain, phase.record.tasks)
    failing = _failing(phase)
    due = failures_due(orders, CHARGE, failing)
    ended = np.isin(orders.outcome[:, CHARGE], (Outcome.OK, Outcome.FAILED))
    values: Values = {
        "failures_due": int(due.sum()),
        "failures_seen": int(orders.failed_attempts.sum()),
        "charge_attempts_due": int(np.minimum(due + 1, chain.attempts)[ended].sum()),
        "charge_attempts": int(orders.starts[:, CHARGE].sum()),
        "retry_delay_asked_ms": 1000 * chain.backoff_s,
    }
    if (log := phase.readings.get("mock_api")) is not None:
        requests = requests_of(log, STAGES[CHARGE])
        values["failures_injected"] = int((requests["status"] >= 300).sum())
        values |= _figures("retry_delay", summarise(retry_delays_ns(requests)))
    return values


def _discrepancies(phase: PhaseData) -> dict[str, Discrepancy]:
    """What each book is off by; nothing where the books were not read."""
    ledger, log = phase.readings.get("ledger"), phase.readings.get("mock_api")
    if ledger is None or log is None:
        return {}
    orders, failing = _orders_of(phase), _failing(phase)
    size, none = len(failing), np.zeros(len(failing), np.int64)
    reserved = entries_of(ledger, "reserved", size)
    ordered = [order_of(unit) for unit in range(len(reserved))]
    taken = np.zeros(ITEMS, np.int64)
    for (item, quantity), times in zip(ordered, reserved.tolist(), strict=True):
        taken[item] += quantity * times
    return {
        "charges": compare(orders, CHARGE, answered_well(requests_of(log, STAGES[CHARGE]), size), failing),
        "reservations": compare(orders, RESERVE, reserved, none),
        "confirmations": compare(orders, CONFIRM, answered_well(requests_of(log, STAGES[CONFIRM]), size), none),
        "analyses": compare(orders, ANALYSE, entries_of(ledger, "analysed", size), none),
        "stock": compare_stock(ledger, taken),
    }


def _book_measures(data: RunData) -> Values:
    """The discrepancies of both phases; none at all where the books of one were not read."""
    phases = [data.phases[name] for name in (CAPACITY, ORDERS) if name in data.phases]
    found = [_discrepancies(phase) for phase in phases]
    if not found or not all(found):
        return {}
    out_of_order = sum(_orders_of(phase).out_of_order() for phase in phases)
    books = {book: sum((one[book] for one in found[1:]), found[0][book]) for book in _BOOKS}
    overall = total(books)
    return {
        "discrepancies": overall.missing + overall.extra + out_of_order,
        "unexplained_discrepancies": overall.unexplained + out_of_order,
        "out_of_order": out_of_order,
        **{f"{book}_missing": d.missing for book, d in books.items()},
        **{f"{book}_extra": d.extra for book, d in books.items()},
    }


SCENARIO = RealWorld()
