"""What became of orders, each a chain of tasks, and whether the shop's books agree with it. Pure arithmetic on the task table and
on the readings of ``benchmarks.run.devices.ledger`` and ``benchmarks.run.devices.mock_api``.

Matrices have a row for each order and a column for each stage. Times are CLOCK_MONOTONIC nanoseconds, -1 where there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.task_table import MISSING, Bools, Ints, TaskTable
from tasks.events import Outcome

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """The orders of a phase. An order whose first task was never sent has a row in which nothing happened."""

    due_ns: Ints
    """When each order was due: one figure for an order."""
    started_ns: Ints
    finished_ns: Ints
    outcome: npt.NDArray[np.uint8]
    starts: Counts
    failed_attempts: Counts
    """Attempts that raised, whether they were to be tried again or not."""
    unaccounted: Bools
    """Executed more often than retries explain, or cut off."""
    retried_twice: Bools
    """Tried again, and then executed more often than that explains."""

    @classmethod
    def of(cls, tasks: TaskTable, orders: int, stages: int) -> "Orders":
        """The first ``orders`` orders of a table, of ``stages`` stages each; stage ``i`` of order ``u`` has the sequence number
        ``u * stages + i``."""
        known = tasks.sequence < orders * stages
        at = tasks.sequence[known]

        def matrix(values: npt.NDArray[np.generic], missing: int) -> Ints:
            flat = np.full(orders * stages, missing, np.int64)
            flat[at] = values[known]
            return flat.reshape(orders, stages)

        finishes = tasks.finishes_ok + tasks.finishes_failed + tasks.finishes_retried
        return cls(
            due_ns=matrix(tasks.due_ns, MISSING)[:, 0],
            started_ns=matrix(tasks.started_ns, MISSING),
            finished_ns=matrix(tasks.finished_ns, MISSING),
            outcome=matrix(tasks.outcome, Outcome.NONE).astype(np.uint8),
            starts=matrix(tasks.starts, 0),
            failed_attempts=matrix(tasks.finishes_failed + tasks.finishes_retried, 0),
            unaccounted=matrix((tasks.extra_finishes > 0) | (tasks.starts > finishes), 0) > 0,
            retried_twice=matrix((tasks.extra_finishes > 0) & (tasks.finishes_retried > 0), 0) > 0,
        )

    @property
    def ended_well(self) -> Bools:
        """Which stages of which orders ended well."""
        ended_well: Bools = self.outcome == Outcome.OK
        return ended_well

    @property
    def completed(self) -> Bools:
        """Orders whose last stage ended well."""
        return self.ended_well[:, -1]

    @property
    def failed(self) -> Bools:
        """Orders of which a stage failed for good, and that were not completed."""
        failed: Bools = (self.outcome == Outcome.FAILED).any(axis=1) & ~self.completed
        return failed

    @property
    def stuck(self) -> Bools:
        """Orders that neither were completed nor failed."""
        return ~(self.completed | self.failed)

    def latency_ns(self, chosen: Bools) -> Ints:
        """From when an order was due to the end of its last stage, of those chosen that were completed."""
        done = self.completed & chosen
        latency_ns: Ints = self.finished_ns[done, -1] - self.due_ns[done]
        return latency_ns

    def wait_ns(self, stage: int) -> Ints:
        """From the end of the stage before (for the first: from when the order was due) to the first start of this one."""
        begun = self.started_ns[:, stage] != MISSING
        if stage > 0:
            begun &= self.ended_well[:, stage - 1]
        before_ns = self.finished_ns[:, stage - 1] if stage > 0 else self.due_ns
        wait_ns: Ints = self.started_ns[begun, stage] - before_ns[begun]
        return wait_ns

    def service_ns(self, stage: int) -> Ints:
        """From the first start of a stage to its good end: retries, and the waits before them, are in it."""
        done = self.ended_well[:, stage] & (self.started_ns[:, stage] != MISSING)
        service_ns: Ints = self.finished_ns[done, stage] - self.started_ns[done, stage]
        return service_ns

    def out_of_order(self) -> int:
        """Stages that started though the one before had not ended well by then."""
        later = self.started_ns[:, 1:] != MISSING
        in_time = self.ended_well[:, :-1] & (self.finished_ns[:, :-1] <= self.started_ns[:, 1:])
        return int((later & ~in_time).sum())


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What a book lacks and what it has too much, in entries (pieces, for the stock); ``unexplained`` is what of both no task
    that was executed twice, cut off, or raised when it was not to, explains."""

    missing: int
    extra: int
    unexplained: int

    def __add__(self, other: "Discrepancy") -> "Discrepancy":
        return Discrepancy(self.missing + other.missing, self.extra + other.extra, self.unexplained + other.unexplained)


NO_DISCREPANCY = Discrepancy(0, 0, 0)


def failures_due(orders: Orders, stage: int, failing: Ints) -> Ints:
    """How often each order's tasks of a stage were to raise: ``failing`` for those that came to an end there, else 0."""
    ended = np.isin(orders.outcome[:, stage], (Outcome.OK, Outcome.FAILED))
    return np.where(ended, failing, 0)


def compare(orders: Orders, stage: int, entries: Counts, failing: Ints) -> Discrepancy:
    """Hold a book's entries, counted by order, against the stage that makes them: one for each order whose stage ended well, none
    for any other. ``failing`` says how often the stage was to raise, by order."""
    size = len(orders.due_ns)
    off = entries[:size] - orders.ended_well[:, stage]
    explained = orders.unaccounted[:, stage] | (orders.failed_attempts[:, stage] > failing)
    # What a task said to be done and a book lacks is explained by nothing; nor is an order that there never was.
    unexplained = np.where(off < 0, -off, np.where(explained, 0, off))
    unknown = int(entries[size:].sum())
    return Discrepancy(
        missing=int(-off[off < 0].sum()),
        extra=int(off[off > 0].sum()) + unknown,
        unexplained=int(unexplained.sum()) + unknown,
    )


def compare_stock(ledger: pd.DataFrame, taken: Counts) -> Discrepancy:
    """Hold what is left in stock against what was there less what the reservations have ``taken``, by item."""
    before, after = (entries_of(ledger, book, len(taken)) for book in ("stock_before", "stock_after"))
    off = after - (before - taken)
    missing, extra = int(-off[off < 0].sum()), int(off[off > 0].sum())
    return Discrepancy(missing, extra, unexplained=missing + extra)


def entries_of(ledger: pd.DataFrame, book: str, least: int) -> Counts:
    """The quantities of a book by the number of their entry, 0 where there is none: ``least`` numbers, or more where the book has
    more."""
    rows = ledger[ledger["book"] == book]
    entry, quantity = rows["entry"].to_numpy(np.int64), rows["quantity"].to_numpy(np.int64)
    counts = np.zeros(max(least, int(entry.max(initial=-1)) + 1), np.int64)
    np.add.at(counts, entry, quantity)
    return counts


def requests_of(log: pd.DataFrame, stage: str) -> pd.DataFrame:
    """The log's rows of one stage's requests, with the number of the ``order`` as a column more. Names are those of
    ``tasks.order_work.request_name``."""
    rows = log[log["id"].str.startswith(f"{stage}-")]
    return rows.assign(order=rows["id"].str.rsplit("-", n=1).str[-1].astype("int64"))


def answered_well(requests: pd.DataFrame, least: int) -> Counts:
    """How often each order's request was answered with success, for ``least`` orders or more."""
    order = requests.loc[requests["status"] < 300, "order"].to_numpy(np.int64)
    return np.bincount(order, minlength=least).astype(np.int64)


def retry_delays_ns(requests: pd.DataFrame) -> Ints:
    """From the answer that failed to the arrival of the same order's next request, for all of them."""
    ordered = requests.sort_values(["order", "arrived_ns"], kind="stable")
    order, arrived_ns = ordered["order"].to_numpy(np.int64), ordered["arrived_ns"].to_numpy(np.int64)
    answered_ns = arrived_ns + np.rint(ordered["latency_ms"].to_numpy(np.float64) * NS_PER_MS).astype(np.int64)
    again = (order[1:] == order[:-1]) & (ordered["status"].to_numpy(np.int64)[:-1] >= 300)
    delays_ns: Ints = (arrived_ns[1:] - answered_ns[:-1])[again]
    return delays_ns


def total(discrepancies: Mapping[str, Discrepancy]) -> Discrepancy:
    """All of them together."""
    return sum(discrepancies.values(), NO_DISCREPANCY)
