"""What became of every task: the books of a phase, balanced per task.

Words and arithmetic are those of Jepsen's ``total-queue`` checker (jepsen.checker/total-queue): what goes in must come out,
exactly once. *Acknowledged* tasks must end; a task whose send raised may or may not.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.record.task_table import Ints, TaskTable
from tasks.events import Outcome

LISTED_IDS = 1000
"""At most so many sequence numbers of each kind are listed; the counts are always exact."""


@dataclass(frozen=True, slots=True)
class Account:
    """The books of one phase; every figure counts tasks unless it says otherwise. For any events whatever:

    - ``attempted == completed + failed + skipped + lost + send_failed``
    - ``attempted == acknowledged + send_failed + recovered``
    - ``cut_off <= lost + send_failed``
    """

    planned: int
    attempted: int
    """Sent, whether the send was acknowledged or raised."""
    acknowledged: int
    """Sent, and acknowledged by the broker."""
    send_failed: int
    """The send raised, and the task never ended: as it should be."""
    recovered: int
    """The send raised, and the task ended all the same."""
    completed: int
    """Ended well at least once."""
    failed: int
    """Ended, and never well."""
    skipped: int
    """Never to run, as the task before it in its chain failed for good."""
    lost: int
    """Acknowledged, and never ended nor skipped: cut off, given back for a retry that never came, or never started."""
    cut_off: int
    """Never ended, with a start that has no finish. Contained in ``lost`` and ``send_failed``."""
    duplicated: int
    """Executed more often than its retries explain: an attempt that finished twice, or two executions that both ended well."""
    extra_executions: int
    """How many executions those tasks had too many, over all of them."""
    unexpected: int
    """Sequence numbers that were executed though never sent."""
    never_sent: int
    """Planned (0 to ``planned - 1``), and never sent."""
    lost_ids: tuple[int, ...]
    duplicated_ids: tuple[int, ...]
    unexpected_ids: tuple[int, ...]

    @property
    def ended(self) -> int:
        """Tasks that came to an end, well or not."""
        return self.completed + self.failed

    @property
    def sends_raised(self) -> int:
        """Tasks whose send raised."""
        return self.attempted - self.acknowledged


def account(table: TaskTable, planned: int) -> Account:
    """Balance the books of a phase for which ``planned`` tasks were meant to be sent."""
    ended, skipped = table.ended, table.outcome == Outcome.SKIPPED
    settled = ended | skipped
    lost = ~settled & table.acknowledged
    duplicated = table.extra_finishes > 0
    finishes = table.finishes_ok + table.finishes_failed + table.finishes_retried
    return Account(
        planned=planned,
        attempted=len(table),
        acknowledged=int(table.acknowledged.sum()),
        send_failed=int((~settled & ~table.acknowledged).sum()),
        recovered=int((settled & ~table.acknowledged).sum()),
        completed=int((table.finishes_ok > 0).sum()),
        failed=int((ended & (table.finishes_ok == 0)).sum()),
        skipped=int(skipped.sum()),
        lost=int(lost.sum()),
        cut_off=int((~settled & (table.starts > finishes)).sum()),
        duplicated=int(duplicated.sum()),
        extra_executions=int(table.extra_finishes.sum()),
        unexpected=len(table.unexpected),
        never_sent=planned - int(np.searchsorted(table.sequence, planned)),
        lost_ids=_listed(table.sequence[lost]),
        duplicated_ids=_listed(table.sequence[duplicated]),
        unexpected_ids=_listed(table.unexpected),
    )


def _listed(sequences: Ints) -> tuple[int, ...]:
    return tuple(int(sequence) for sequence in sequences[:LISTED_IDS])
