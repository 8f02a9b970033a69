"""A phase of orders: what became of them, what their payments were to do, what the shop's books are off by. Pure arithmetic."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from benchmarks.record.run_data import PhaseData
from benchmarks.record.shop.orders import (
    Discrepancy,
    Orders,
    answered_well,
    compare,
    compare_stock,
    entries_of,
    failures_due,
    requests_of,
    retry_delays_ns,
)
from benchmarks.record.task_table import Bools, Ints
from tasks.events import Outcome
from tasks.loads import Chain
from tasks.order_work import ITEMS, STAGES, failure_of, order_of

VALIDATE, CHARGE, RESERVE, CONFIRM, ANALYSE = range(len(STAGES))


@dataclass(frozen=True, slots=True, eq=False)
class OrderPhase:
    """The orders of a phase whose tasks are chains of :data:`tasks.order_work.STAGES`."""

    phase: PhaseData
    chain: Chain
    orders: Orders
    failures: npt.NDArray[np.str_]
    """How the payment of each order was to fail (:func:`tasks.order_work.failure_of`)."""

    @classmethod
    def of(cls, phase: PhaseData) -> "OrderPhase":
        """The orders that were planned; how they were to fail stands in the argument of their payment's task."""
        chain, count = cast(Chain, phase.record.tasks), phase.record.planned // len(STAGES)
        argument = chain.stages[CHARGE].argument
        once, always, seed = argument["fail_once_share"], argument["fail_always_share"], int(argument["failures_seed"])
        failures = np.array([failure_of(unit, once, always, seed) for unit in range(count)], np.str_)
        return cls(phase, chain, Orders.of(phase.tasks, count, len(STAGES)), failures)

    @property
    def sent(self) -> Bools:
        """Which orders were sent."""
        return self.orders.due_ns >= 0

    @property
    def failing(self) -> Ints:
        """How many attempts at each order's payment were to fail."""
        return np.array([{"": 0, "once": 1, "always": self.chain.attempts}[failure] for failure in self.failures], np.int64)

    @property
    def failures_due(self) -> Ints:
        """How many did as far as it came to that: of the payments that came to an end."""
        return failures_due(self.orders, CHARGE, self.failing)

    def latency_ns(self, failure: str | None = None) -> Ints:
        """From when an order was due to the end of its last stage, of those completed: all, or those to fail in one way."""
        chosen = np.ones(len(self.failures), np.bool_) if failure is None else self.failures == failure
        return self.orders.latency_ns(chosen)

    def charge_attempts_due(self) -> int:
        """Attempts at payment that the failures make necessary, of the payments that came to an end."""
        ended = np.isin(self.orders.outcome[:, CHARGE], (Outcome.OK, Outcome.FAILED))
        return int(np.minimum(self.failures_due + 1, self.chain.attempts)[ended].sum())

    def injected(self) -> tuple[int, Ints] | None:
        """How many requests for payment the mock API answered with an error, and how long after each the next request for the
        same payment came, ns; None where its log was not read."""
        if (log := self.phase.readings.get("mock_api")) is None:
            return None
        requests = requests_of(log, STAGES[CHARGE])
        return int((requests["status"] >= 300).sum()), retry_delays_ns(requests)

    def discrepancies(self) -> dict[str, Discrepancy]:
        """What each book is off by; nothing where the books were not read."""
        ledger, log = self.phase.readings.get("ledger"), self.phase.readings.get("mock_api")
        if ledger is None or log is None:
            return {}
        orders, failing = self.orders, self.failing
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
