"""Payments that failed and were tried again: whether as often, and as late, as they were to be. Pure arithmetic."""

from collections.abc import Mapping

from benchmarks.record.percentiles import FIGURE_WORDS, figures
from benchmarks.record.run_data import Measures
from benchmarks.record.shop.phase import CHARGE, OrderPhase

DELAY_FIGURES = ("p50", "p95", "p99", "max")
DELAY_COLUMNS: Mapping[str, str] = {
    f"retry_delay_{figure}_ms": f"{words} of the time from a failed answer to the next request for the same payment"
    for figure, words in FIGURE_WORDS.items()
    if figure in DELAY_FIGURES
}
RETRY_COLUMNS: Mapping[str, str] = {
    "failures_due": "attempts that were to fail, from the ids of the orders whose payment came to an end",
    "failures_injected": "requests for payment that the mock API answered with an error",
    "failures_seen": "attempts that raised, over all stages",
    "charge_attempts_due": "attempts at payment that these failures make necessary",
    "charge_attempts": "attempts at payment that were started",
    **DELAY_COLUMNS,
    "retry_delay_asked_ms": "what that time was asked to be",
}


def retry_measures(orders: OrderPhase) -> Measures:
    """The measures of :data:`RETRY_COLUMNS`; those of the mock API's log only where it was read."""
    counted = {
        "failures_due": int(orders.failures_due.sum()),
        "failures_seen": int(orders.orders.failed_attempts.sum()),
        "charge_attempts_due": orders.charge_attempts_due(),
        "charge_attempts": int(orders.orders.starts[:, CHARGE].sum()),
        "retry_delay_asked_ms": 1000 * orders.chain.backoff_s,
    }
    if (injected := orders.injected()) is None:
        return counted
    failures, delays_ns = injected
    return {**counted, "failures_injected": failures, **figures("retry_delay", delays_ns, DELAY_FIGURES)}
