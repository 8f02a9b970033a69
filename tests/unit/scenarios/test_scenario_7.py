"""Scenario 7 on made-up orders, with the books that go with them."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from benchmarks.plan.failures import failures_seed
from benchmarks.record.flags import TASK_DOUBLED, Severity
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import Scenario
from benchmarks.run.devices.mock_api import frame_of
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_7_real_world import (
    BOOKS_UNBALANCED,
    CAPACITY,
    CHAIN_OUT_OF_ORDER,
    FAILURES_NOT_AS_INJECTED,
    ORDERS,
    PIPELINE_OVERLOADED,
    RETRY_GIVEN_OUT_TWICE,
    SCENARIO,
)
from tasks.contract import Variant
from tasks.events import Outcome
from tasks.loads import Chain, Load, Paced, Prefilled
from tasks.order_work import ITEMS, MOST_OF_ONE, STAGES, failure_of, order_of, request_name
from tests.unit.made_up import MS, RUN, Row, S, context, finished, missing, phase_data, sample, sent, started, worker

QUICK = SCENARIO.sizes["quick"]
SIZE = len(STAGES)
CHARGE, RESERVE, CONFIRM, ANALYSE = 1, 2, 3, 4
WAIT_NS, SERVICE_NS, BACKOFF_NS = 2 * MS, 10 * MS, S
COUNT = 25
SEED = 4
"""Of a run in which two of its orders fail once and one always: the 1st, the 12th, and the 5th."""
CAPACITY_COUNT = 30


def failures(count: int, *, failing: bool) -> list[str]:
    if not failing:
        return [""] * count
    once, always = QUICK["fail_once_share"], QUICK["fail_always_share"]
    seed = failures_seed(SEED, COUNT, once, always)
    return [failure_of(unit, once, always, seed) for unit in range(count)]


class Shop:
    """Events, books and log of orders that go as they should."""

    def __init__(self, phase: int, count: int, *, failing: bool, gap_ns: int = 100 * MS, began_ns: int = 0) -> None:
        self.phase, self.count = phase, count
        self.rows: list[Row] = []
        self.log: list[tuple[str, int, int, float]] = []
        self.reserved: dict[int, int] = {}
        self.analysed: dict[int, int] = {}
        self.stock = dict.fromkeys(range(ITEMS), MOST_OF_ONE * count)
        for unit, failure in enumerate(failures(count, failing=failing)):
            self._go(unit, failure, began_ns + unit * gap_ns)

    def _go(self, unit: int, failure: str, due_ns: int) -> None:
        phase, first = self.phase, unit * SIZE
        self.rows += [sent(first + stage, due_ns, phase=phase, label=stage) for stage in range(SIZE)]
        now_ns = due_ns
        for stage in range(SIZE):
            raising = {"": 0, "once": 1, "always": 3}[failure] if stage == CHARGE else 0
            for attempt in range(1, 4):
                now_ns += WAIT_NS if attempt == 1 else BACKOFF_NS
                begun_ns, now_ns = now_ns, now_ns + SERVICE_NS
                raises = attempt <= raising
                outcome = (Outcome.RETRIED if attempt < 3 else Outcome.FAILED) if raises else Outcome.OK
                self.rows.append(started(first + stage, begun_ns, attempt=attempt, phase=phase))
                self.rows.append(finished(first + stage, now_ns, outcome, attempt=attempt, phase=phase))
                if stage in (CHARGE, CONFIRM):
                    self.answer(stage, unit, begun_ns, 503 if raises else 200)
                if not raises:
                    break
            if outcome == Outcome.FAILED:
                later = range(first + stage + 1, first + SIZE)
                self.rows += [finished(s, now_ns, Outcome.SKIPPED, phase=phase) for s in later]
                return
            if stage == RESERVE:
                self.reserve(unit)
            if stage == ANALYSE:
                self.analysed[unit] = self.analysed.get(unit, 0) + 1

    def answer(self, stage: int, unit: int, arrived_ns: int, status: int) -> None:
        self.log.append((request_name(STAGES[stage], RUN, self.phase, unit), arrived_ns, status, SERVICE_NS / MS))

    def reserve(self, unit: int) -> None:
        item, quantity = order_of(unit)
        self.reserved[unit] = self.reserved.get(unit, 0) + 1
        self.stock[item] -= quantity

    def replace_rows(self, change: Callable[[Row], Row | None]) -> None:
        self.rows = [row for row in map(change, self.rows) if row is not None]

    def data(self, name: str, load: Load) -> PhaseData:
        plan = {p.name: p for p in SCENARIO.phases(context(QUICK, seed=SEED))}[name]
        phase = phase_data(self.phase, name, load, self.rows, self.count * SIZE, tasks=plan.tasks, failures_expected=True)
        books = {
            "stock_before": dict.fromkeys(range(ITEMS), MOST_OF_ONE * self.count),
            "stock_after": self.stock,
            "reserved": self.reserved,
            "analysed": self.analysed,
        }
        entries = [(book, entry, quantity) for book, found in books.items() for entry, quantity in found.items()]
        readings = {
            "ledger": pd.DataFrame(entries, columns=["book", "entry", "quantity"]),
            "mock_api": frame_of([list(entry) for entry in self.log]),
        }
        return replace(phase, readings=readings)


def prefilled() -> Shop:
    """Orders done one after another from when the worker was let go."""
    return Shop(1, CAPACITY_COUNT, failing=False, gap_ns=S // 50, began_ns=S)


@pytest.fixture
def shop() -> Shop:
    return Shop(2, COUNT, failing=True)


def run_with(shop: Shop, capacity: Shop | None = None) -> RunData:
    capacity = capacity or prefilled()
    own = worker()
    return RunData(
        scenario=SCENARIO.name,
        variant="some-variant",
        run=RUN,
        context=context(QUICK, seed=SEED),
        worker=own,
        phases={
            CAPACITY: capacity.data(CAPACITY, Prefilled(CAPACITY_COUNT)),
            ORDERS: shop.data(ORDERS, Paced(10, 2.5)),
        },
        samples=[sample(5 * S, memory_mb=60), sample(6 * S, memory_mb=90)],
    )


def codes(data: RunData) -> list[str]:
    return [flag.code for flag in SCENARIO.flags(data)]


def test_it_is_found_by_its_file_and_names_only_columns_that_it_has() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()["scenario_7_real_world"] is SCENARIO
    assert {scenario.headline, *scenario.summary, *scenario.better} <= set(scenario.columns)
    assert set(scenario.sizes) == {"quick", "standard", "full"}
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)


def test_the_shares_of_failures_are_those_asked_for() -> None:
    drawn = [failure_of(unit, 0.05, 0.01, 1) for unit in range(20_000)]
    assert drawn.count("once") / 20_000 == pytest.approx(0.05, abs=0.006)
    assert drawn.count("always") / 20_000 == pytest.approx(0.01, abs=0.003)
    assert {failure_of(unit, 0, 0, 1) for unit in range(1000)} == {""}


def test_a_good_run_gives_every_measure_in_order(shop: Shop) -> None:
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    assert missing(measures) == [*SCENARIO.shares]
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    assert SCENARIO.flags(data) == []


def test_figures_are_those_of_the_events(shop: Shop) -> None:
    measures = SCENARIO.measures(run_with(shop))
    clean_ms = SIZE * 12
    expected = {
        "task_count": CAPACITY_COUNT * SIZE,
        "orders_offered": COUNT,
        "orders_completed": COUNT - 1,
        "orders_failed": 1,
        "orders_stuck": 0,
        "orders_offered_per_s": 10,
        "p50": clean_ms,
        "max_ms": clean_ms + 1010,
        "mean_latency": clean_ms + 2 * 1010 / (COUNT - 1),
        "clean_max_ms": clean_ms,
        "retried_p50_ms": clean_ms + 1010,
        "validate_wait_p50_ms": 2,
        "reserve_wait_max_ms": 2,
        "charge_service_p50_ms": 10,
        "charge_service_max_ms": 1020,
        "analyse_service_p50_ms": 10,
        "failures_due": 2 + 3,
        "failures_injected": 5,
        "failures_seen": 5,
        "charge_attempts_due": COUNT + 2 + 2,
        "charge_attempts": COUNT + 2 + 2,
        "retry_delay_p50_ms": 1000,
        "retry_delay_max_ms": 1000,
        "retry_delay_asked_ms": 1000,
        "discrepancies": 0,
        "unexplained_discrepancies": 0,
        "memory_mb": 90,
        "worker_cpu_s_per_1000_orders": 1000 * 2 / CAPACITY_COUNT,
        "redis_commands_per_order": 3 * SIZE,
        "attempted": (CAPACITY_COUNT + COUNT) * SIZE,
        "failed": 1,
        "lost": 0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_an_order_that_is_left_lying_is_stuck_and_not_failed(shop: Shop) -> None:
    lying = 12 * SIZE + RESERVE
    shop.replace_rows(lambda row: row if row[0] == 1 or not lying <= row[7] < 13 * SIZE else None)
    del shop.analysed[12]
    shop.log = [entry for entry in shop.log if entry[0] != request_name(STAGES[CONFIRM], RUN, 2, 12)]
    item, quantity = order_of(12)
    del shop.reserved[12]
    shop.stock[item] += quantity
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert (measures["orders_completed"], measures["orders_failed"], measures["orders_stuck"]) == (COUNT - 2, 1, 1)
    assert (measures["lost"], measures["discrepancies"]) == (3, 0)


def lose_a_reservation(shop: Shop) -> None:
    item, quantity = order_of(7)
    del shop.reserved[7]
    shop.stock[item] += quantity


def charge_twice(shop: Shop) -> None:
    shop.answer(CHARGE, 7, 10 * S, 200)


def charge_who_failed(shop: Shop) -> None:
    failed = failures(COUNT, failing=True).index("always")
    shop.answer(CHARGE, failed, 10 * S, 200)


def confirm_an_order_that_there_is_not(shop: Shop) -> None:
    shop.answer(CONFIRM, COUNT + 3, 10 * S, 200)


def lose_a_payment(shop: Shop) -> None:
    shop.log = [entry for entry in shop.log if entry[0] != request_name(STAGES[CHARGE], RUN, 2, 7)]


def analyse_twice(shop: Shop) -> None:
    shop.analysed[7] = 2


def lose_stock(shop: Shop) -> None:
    shop.stock[3] -= 1


@pytest.mark.parametrize(
    ("change", "column", "count"),
    [
        (lose_a_reservation, "reservations_missing", 1),
        (charge_twice, "charges_extra", 1),
        (charge_who_failed, "charges_extra", 1),
        (confirm_an_order_that_there_is_not, "confirmations_extra", 1),
        (lose_a_payment, "charges_missing", 1),
        (analyse_twice, "analyses_extra", 1),
        (lose_stock, "stock_missing", 1),
    ],
)
def test_books_that_do_not_balance_are_counted_and_make_the_run_invalid(
    shop: Shop, change: Callable[[Shop], None], column: str, count: int
) -> None:
    change(shop)
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert {name: value for name, value in measures.items() if name.endswith(("_missing", "_extra")) and value} == {column: count}
    assert (measures["discrepancies"], measures["unexplained_discrepancies"]) == (count, count)
    (flag,) = SCENARIO.flags(data)
    assert flag.code == BOOKS_UNBALANCED.code
    assert flag.severity is Severity.INVALID
    assert flag.detail.startswith("orders: ")


def test_the_books_of_the_prefilled_orders_count_as_well(shop: Shop) -> None:
    capacity = prefilled()
    charge_twice(capacity)
    data = run_with(shop, capacity)
    assert SCENARIO.measures(data)["charges_extra"] == 1
    assert codes(data) == [BOOKS_UNBALANCED.code]


def test_a_payment_made_twice_by_a_task_that_raised_unasked_is_counted_and_explained(shop: Shop) -> None:
    at = 7 * SIZE + CHARGE

    def attempt_again(row: Row) -> Row:
        return (*row[:4], 2, *row[5:]) if row[0] in (2, 3) and row[7] == at else row

    shop.replace_rows(attempt_again)
    begun_ns = 7 * 100 * MS + 14 * MS
    shop.rows += [started(at, begun_ns - MS, phase=2), finished(at, begun_ns - MS + 1, Outcome.RETRIED, phase=2)]
    shop.answer(CHARGE, 7, begun_ns - MS, 200)
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert (measures["charges_extra"], measures["discrepancies"], measures["unexplained_discrepancies"]) == (1, 1, 0)
    (flag,) = SCENARIO.flags(data)
    assert flag.code == FAILURES_NOT_AS_INJECTED.code
    assert "6 attempts raised where 5 were to" in flag.detail


def test_a_retry_that_was_injected_does_not_explain_a_second_payment(shop: Shop) -> None:
    retried = failures(COUNT, failing=True).index("once")
    shop.answer(CHARGE, retried, 10 * S, 200)
    assert codes(run_with(shop)) == [BOOKS_UNBALANCED.code]


def test_a_retry_that_is_given_out_twice_is_said_and_what_it_did_to_the_books_counts(shop: Shop) -> None:
    unit = failures(COUNT, failing=True).index("once")
    again = [row for row in shop.rows if row[0] in (2, 3) and row[7] // SIZE == unit and (row[7] % SIZE != CHARGE or row[4] == 2)]
    shop.rows += [(*row[:10], row[10] + 5 * S, *row[11:]) for row in again if row[7] % SIZE >= CHARGE]
    for stage in (CHARGE, CONFIRM):
        shop.answer(stage, unit, 20 * S, 200)
    shop.reserve(unit)
    shop.analysed[unit] += 1
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert (measures["duplicated"], measures["charges_extra"], measures["discrepancies"]) == (4, 1, 4)
    assert (measures["unexplained_discrepancies"], measures["stock_extra"], measures["stock_missing"]) == (0, 0, 0)
    (flag,) = SCENARIO.flags(data)
    assert flag.code == RETRY_GIVEN_OUT_TWICE.code
    assert flag.detail == "orders: 1 tasks were given out twice after the wait for their retry, and 1 payments were made twice"
    assert TASK_DOUBLED.code in [f.code for f in run_flags(data)], "the run is invalid all the same"


def test_a_stage_that_starts_before_the_one_before_it_has_ended_is_out_of_order(shop: Shop) -> None:
    at = 7 * SIZE + CONFIRM
    shop.replace_rows(lambda row: (*row[:10], row[10] - 5 * MS, *row[11:]) if row[0] == 2 and row[7] == at else row)
    data = run_with(shop)
    measures = SCENARIO.measures(data)
    assert (measures["out_of_order"], measures["discrepancies"]) == (1, 1)
    assert codes(data) == [CHAIN_OUT_OF_ORDER.code]


def test_a_stage_that_follows_a_failure_is_out_of_order(shop: Shop) -> None:
    unit = failures(COUNT, failing=True).index("always")
    shop.rows += [started(unit * SIZE + RESERVE, 20 * S, phase=2), finished(unit * SIZE + RESERVE, 21 * S, phase=2)]
    shop.reserve(unit)
    data = run_with(shop)
    assert SCENARIO.measures(data)["out_of_order"] == 1
    assert codes(data) == [CHAIN_OUT_OF_ORDER.code]


def test_orders_that_come_faster_than_they_can_be_done_are_warned_of(shop: Shop) -> None:
    slow = Shop(1, CAPACITY_COUNT, failing=False, gap_ns=S, began_ns=S)
    assert codes(run_with(shop, slow)) == [PIPELINE_OVERLOADED.code]


def test_nothing_executed_reports_no_latency() -> None:
    shop = Shop(2, COUNT, failing=True)
    shop.replace_rows(lambda row: row if row[0] == 1 else None)
    shop.log, shop.reserved, shop.analysed = [], {}, {}
    shop.stock = dict.fromkeys(range(ITEMS), MOST_OF_ONE * COUNT)
    measures = SCENARIO.measures(run_with(shop))
    latencies = [
        name for name in SCENARIO.columns if re.match(r"(mean_latency|p\d+$|max_ms|clean_|retried_|\w+_wait_|\w+_service_)", name)
    ]
    assert {measures[name] for name in latencies} == {None}
    assert (measures["orders_completed"], measures["orders_stuck"], measures["discrepancies"]) == (0, COUNT, 0)


def test_a_run_that_ended_early_gives_what_it_has(shop: Shop) -> None:
    whole = run_with(shop)
    data = replace(whole, phases={}, samples=[])
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    assert (measures["throughput"], measures["discrepancies"], measures["memory_mb"]) == (None, None, 40)
    assert SCENARIO.flags(data) == []
    unread = replace(whole, phases={name: replace(phase, readings={}) for name, phase in whole.phases.items()})
    assert SCENARIO.measures(unread)["discrepancies"] is None
    assert SCENARIO.measures(unread)["failures_injected"] is None


def test_phases_follow_the_sizes() -> None:
    capacity, orders = SCENARIO.phases(context(QUICK, seed=SEED))
    assert (capacity.name, capacity.load, capacity.failures_expected) == (CAPACITY, Prefilled(30), False)
    assert (orders.name, orders.load, orders.failures_expected) == (ORDERS, Paced(10, 2.5), True)
    assert capacity.worker == orders.worker
    assert isinstance(orders.tasks, Chain)
    assert isinstance(capacity.tasks, Chain)
    assert [stage.workload for stage in orders.tasks.stages] == list(STAGES)
    assert (orders.tasks.attempts, orders.tasks.backoff_s) == (3, 1)
    assert capacity.tasks.stages[CHARGE].argument["fail_once_share"] == 0
    assert orders.tasks.stages[CHARGE].argument["fail_once_share"] == 0.05
    assert {c.workload for c in orders.worker.warm.classes} == {STAGES[CHARGE], STAGES[CONFIRM], STAGES[ANALYSE]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"capacity_orders": 0}, "size capacity_orders"),
        ({"orders_per_s": 0}, "size orders_per_s"),
        ({"paced_s": -1}, "size paced_s"),
        ({"backoff_s": 0}, "size backoff_s"),
        ({"charge_ms": -1}, "size charge_ms"),
        ({"fail_once_share": 0.9, "fail_always_share": 0.2}, "must not be above 1"),
        ({"attempts": 1}, "size attempts"),
    ],
)
def test_a_size_that_makes_no_sense_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        SCENARIO.check({**QUICK, **changes})


def test_a_variant_without_chains_is_not_asked() -> None:
    able = Variant("some-variant", "main-thread", "made up")
    assert SCENARIO.unsupported(able) is None
    assert SCENARIO.unsupported(replace(able, lacks={"chains": "no retries"})) == "no retries"
