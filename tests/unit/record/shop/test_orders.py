"""Orders and retries, from made-up events."""

import pandas as pd

from benchmarks.record.shop.orders import Orders, retry_delays_ns
from benchmarks.record.shop.phase import CHARGE
from tasks.order_work import STAGES
from tests.unit.made_up import MS, S, sent, table_of

SIZE = len(STAGES)


def test_a_retry_delay_counts_from_the_failed_answer() -> None:
    log = pd.DataFrame(
        [(1, 5 * S, 200, 20.0), (0, S, 503, 100.0), (0, 3 * S, 503, 50.0), (0, 4 * S, 200, 10.0), (1, 9 * S, 200, 20.0)],
        columns=["order", "arrived_ns", "status", "latency_ms"],
    )
    assert retry_delays_ns(log).tolist() == [1_900 * MS, 950 * MS]
    assert retry_delays_ns(log.iloc[:0]).tolist() == []


def test_a_phase_of_which_nothing_was_recorded_has_orders_in_which_nothing_happened() -> None:
    orders = Orders.of(table_of([sent(0)]), 2, SIZE)
    assert orders.stuck.tolist() == [True, True]
    assert (len(orders.wait_ns(0)), len(orders.service_ns(CHARGE)), orders.out_of_order()) == (0, 0, 0)
    assert orders.due_ns.tolist() == [0, -1]
