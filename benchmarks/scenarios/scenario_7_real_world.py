"""Scenario 7: an order's way through a shop, as a chain of five tasks, with payments that fail."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.arithmetic import ratio
from benchmarks.plan.failures import failures_seed
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.better import Direction
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import FIGURE_WORDS, figures, summarise
from benchmarks.record.resources import drain_cpu_s, phase_cpu_percent, redis_commands, redis_network_bytes
from benchmarks.record.run_data import Measures, RunContext, RunData
from benchmarks.record.shared import LATENCY_COLUMNS, MEMORY_OF_ONE_WORKER, MEMORY_SUMMARY, Values, drained_s, latency_measures
from benchmarks.record.shop.books import BOOK_COLUMNS, BOOKS, book_measures
from benchmarks.record.shop.phase import ANALYSE, CHARGE, CONFIRM, VALIDATE, OrderPhase
from benchmarks.record.shop.retries import DELAY_COLUMNS, RETRY_COLUMNS, retry_measures
from benchmarks.record.soundness import Phases
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.ledger import Ledger
from benchmarks.run.devices.mock_api import MockApiLog
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.contract import Variant
from tasks.loads import Chain, Mix, Paced, Prefilled, TaskClass
from tasks.order_work import STAGES

CAPACITY, ORDERS = "capacity", "orders"
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

_FIGURES = ("p50", "p95", "p99", "max")
_KINDS = {"clean": ("", "no payment failed"), "retried": ("once", "a payment failed once")}
"""Orders by how their payment was to fail."""

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks of the prefilled orders: five for each",
    "total_time": "s from letting the workers go on the prefilled orders to the last end of a task",
    "throughput": "prefilled orders completed over total_time, 1/s",
    "throughput_share_of_control": "throughput over the control's in the same round",
    "mean_latency": "mean time from when an order was due to the end of its last stage, orders completed at the paced rate, ms",
    "max_ms": "greatest of the same",
    "memory_mb": MEMORY_OF_ONE_WORKER,
    "cpu_percent": "CPU of the worker's tree at the paced rate and until all had ended, 100 = one core",
    "orders_offered_per_s": "orders sent a second at the paced rate",
    "orders_offered": "orders sent at the paced rate",
    "orders_completed": "orders of these whose last stage ended well",
    "orders_failed": "orders of these of which a stage failed for good",
    "orders_stuck": "orders of these that neither were completed nor failed",
    **{
        f"{kind}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the latency of orders of which {words}"
        for kind, (_, words) in _KINDS.items()
        for figure in _FIGURES
    },
    **{
        f"{stage}_{part}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the time {words}"
        for stage in NAMES
        for part, words in {
            "wait": f"from the end of the stage before (the first: from when the order was due) to the start of {stage}",
            "service": f"from the first start of {stage} to its good end, retries and their waits included",
        }.items()
        for figure in _FIGURES
    },
    **RETRY_COLUMNS,
    **BOOK_COLUMNS,
    "worker_cpu_s_per_1000_orders": "CPU seconds of the worker's tree for 1,000 of the prefilled orders",
    "redis_commands_per_order": "commands of Redis for a prefilled order, enqueued and done, the shop's own eight included",
    "redis_bytes_per_order": "network bytes into and out of Redis for a prefilled order, likewise",
}

_LOWER = (
    *("max_ms", "orders_stuck", *DELAY_COLUMNS, *BOOK_COLUMNS),
    *(name for name in _COLUMNS if name.startswith(("clean_", "retried_", *(f"{stage}_wait_" for stage in NAMES)))),
    *(f"{stage}_service_{figure}_ms" for stage in NAMES for figure in _FIGURES),
    *("worker_cpu_s_per_1000_orders", "redis_commands_per_order", "redis_bytes_per_order"),
)


def _sizes(capacity_orders: int, paced_s: float) -> dict[str, float | int]:
    return {
        "capacity_orders": capacity_orders,
        "orders_per_s": 10,
        "paced_s": paced_s,
        "charge_ms": 20,
        "confirm_ms": 10,
        "fail_once_share": 0.05,
        "fail_always_share": 0.01,
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
    least: Mapping[str, float] = {"charge_ms": 0, "confirm_ms": 0, "fail_once_share": 0, "fail_always_share": 0, "attempts": 2}
    """Payments are to fail, hence two attempts."""
    own_columns = _COLUMNS
    own_better: Mapping[str, Direction | None] = {
        **directions(higher=("throughput_share_of_control", "orders_completed"), lower=_LOWER),
        # Payments are to fail.
        "failed": None,
    }
    summary: Mapping[str, str] = {
        "throughput": "orders/s",
        "p50": "p50 ms",
        "p99": "p99 ms",
        "retry_delay_p50_ms": "retry after ms",
        "orders_completed": "completed",
        "orders_failed": "failed",
        "discrepancies": "off books",
        **MEMORY_SUMMARY,
    }
    shares: Mapping[str, str] = {"throughput_share_of_control": "throughput"}
    expected: Mapping[str, str] = {"retry_delay_p50_ms": "retry_delay_asked_ms"}
    own_flags: Sequence[FlagKind] = (
        BOOKS_UNBALANCED,
        CHAIN_OUT_OF_ORDER,
        RETRY_GIVEN_OUT_TWICE,
        PIPELINE_OVERLOADED,
        FAILURES_NOT_AS_INJECTED,
    )

    @property
    def columns(self) -> Mapping[str, str]:
        """The greatest latency stands beside the shared ones."""
        columns = super().columns
        names = [name for name in columns if name != "max_ms"]
        names.insert(names.index("p99") + 1, "max_ms")
        return {name: columns[name] for name in names}

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        super().check(sizes)
        if not sizes["fail_once_share"] + sizes["fail_always_share"] <= 1:
            raise ValueError(f"sizes fail_once_share and fail_always_share of {self.name} must not be above 1 together")

    def unsupported(self, variant: Variant) -> str | None:
        """Variants without chains and retries."""
        return variant.lacks.get("chains")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The two phases."""
        sizes = context.sizes
        orders = int(sizes["orders_per_s"] * sizes["paced_s"] + 1e-9)
        once, always = float(sizes["fail_once_share"]), float(sizes["fail_always_share"])
        failing = {**sizes, "failures_seed": failures_seed(context.seed, orders, once, always)}
        sound = {**failing, "fail_once_share": 0, "fail_always_share": 0}
        worker = WorkerWish(warm=_warm_up(sound))
        burst = Prefilled(whole(sizes["capacity_orders"]))
        yield PhasePlan(CAPACITY, _chain(sound), burst, worker, (Ledger(burst.count), MockApiLog()))
        paced = Paced(sizes["orders_per_s"], sizes["paced_s"])
        devices = (Ledger(orders), MockApiLog())
        yield PhasePlan(ORDERS, _chain(failing), paced, worker, devices, failures_expected=True)

    def own_measures(self, data: RunData) -> Measures:
        """How many orders are done, how long one takes and where, its retries, and the books of both phases."""
        phases = _order_phases(data)
        values: Values = dict(book_measures(list(phases.values())))
        if capacity := phases.get(CAPACITY):
            values |= _capacity_measures(capacity)
        if orders := phases.get(ORDERS):
            values |= _order_measures(orders) | dict(retry_measures(orders))
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The books are of both phases."""
        of_capacity = ("task_count", "total_time", "throughput", "worker_cpu_s_per_1000_orders", "redis_*")
        of_stages = (f"{stage}_*" for stage in NAMES)
        of_orders = (*LATENCY_COLUMNS, "max_ms", "cpu_percent", "orders_*", *(f"{kind}_*" for kind in _KINDS), *RETRY_COLUMNS)
        return {**dict.fromkeys(of_capacity, (CAPACITY,)), **dict.fromkeys((*of_orders, *of_stages), (ORDERS,))}

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Books that do not balance, chains out of order, failures that nobody has ordered, and more orders than can be done."""
        phases = _order_phases(data)
        return [*(flag for one in phases.values() for flag in _phase_flags(one)), *_overload_flags(phases)]


def _order_phases(data: RunData) -> dict[str, OrderPhase]:
    return {name: OrderPhase.of(data.phases[name]) for name in (CAPACITY, ORDERS) if name in data.phases}


def _phase_flags(one: OrderPhase) -> Iterator[Flag]:
    name, orders, discrepancies = one.phase.record.name, one.orders, one.discrepancies()
    off = {book: d.unexplained for book, d in discrepancies.items() if d.unexplained}
    if off:
        yield BOOKS_UNBALANCED.flag(phase=name, what=", ".join(f"{BOOKS[book]} ({count})" for book, count in off.items()))
    if count := orders.out_of_order():
        yield CHAIN_OUT_OF_ORDER.flag(phase=name, count=count)
    if count := int(orders.retried_twice.sum()):
        charges = discrepancies["charges"].extra if discrepancies else "an unknown number of"
        yield RETRY_GIVEN_OUT_TWICE.flag(phase=name, count=count, charges=charges)
    seen, due = int(orders.failed_attempts.sum()), int(one.failures_due.sum())
    if seen != due:
        yield FAILURES_NOT_AS_INJECTED.flag(phase=name, seen=seen, due=due)


def _overload_flags(phases: Mapping[str, OrderPhase]) -> Iterator[Flag]:
    """A warning where orders came faster than the same worker did prefilled ones: their latency is that of a queue that grows."""
    if CAPACITY in phases and ORDERS in phases:
        load, most_per_s = phases[ORDERS].phase.record.load, _completed_per_s(phases[CAPACITY])
        if isinstance(load, Paced) and most_per_s is not None and load.rate_per_s > most_per_s:
            yield PIPELINE_OVERLOADED.flag(phase=ORDERS, rate=load.rate_per_s, capacity=most_per_s)


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


def _completed_per_s(capacity: OrderPhase) -> float | None:
    return ratio(int(capacity.orders.completed.sum()), drained_s(capacity.phase))


def _capacity_measures(capacity: OrderPhase) -> Values:
    phase, completed = capacity.phase, int(capacity.orders.completed.sum())
    return {
        "task_count": phase.account.planned,
        "total_time": drained_s(phase),
        "throughput": _completed_per_s(capacity),
        "worker_cpu_s_per_1000_orders": ratio(1000 * drain_cpu_s(phase), completed),
        "redis_commands_per_order": ratio(redis_commands(phase), completed),
        "redis_bytes_per_order": ratio(redis_network_bytes(phase), completed),
    }


def _order_measures(paced: OrderPhase) -> Values:
    phase, orders, sent = paced.phase, paced.orders, paced.sent
    values: Values = {
        **latency_measures(paced.latency_ns()),
        "max_ms": summarise(paced.latency_ns()).max_ms,
        "cpu_percent": phase_cpu_percent(phase),
        "orders_offered_per_s": phase.tasks.of_label(VALIDATE).offered_rate_per_s(),
        "orders_offered": int(sent.sum()),
        "orders_completed": int(orders.completed.sum()),
        "orders_failed": int(orders.failed.sum()),
        "orders_stuck": int((sent & orders.stuck).sum()),
    }
    for kind, (failure, _) in _KINDS.items():
        values |= figures(kind, paced.latency_ns(failure), _FIGURES)
    for stage, name in enumerate(NAMES):
        values |= figures(f"{name}_wait", orders.wait_ns(stage), _FIGURES)
        values |= figures(f"{name}_service", orders.service_ns(stage), _FIGURES)
    return values


SCENARIO = RealWorld()
