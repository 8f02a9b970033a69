"""Whether all that a producer sent went to the lab's own Redis.

Redis itself counts how often the commands that put messages into queues were called, scripts and transactions included. Where no
worker took from the queues while they were filled, it is as often as sends were acknowledged. A worker calls them too, for tasks
that follow others or are tried again: beside one that works only too few calls tell. Many messages that are sent at once may come
by one call: then what lies in the queues is counted, which is what was acknowledged, but for one message for each client that had
been waiting for one when its process was made to stand still, and may have it in hand.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.record.flags import MESSAGES_ELSEWHERE, Flag
from benchmarks.record.run_data import PhaseData, PhaseRecord
from tasks.loads import Prefilled, classes_of, goes_through_broker, goes_through_web, tasks_in_a_unit


def whereabouts_flags(phase: PhaseData, elsewhere: Sequence[str]) -> Iterator[Flag]:
    """Messages that were acknowledged, but not by the lab's Redis, or that came to it from somebody else; ``elsewhere`` are the
    addresses of other servers that something of the run was connected to."""
    acknowledged = _acknowledged(phase)
    seen, least, most = _seen(phase.record, acknowledged)
    if seen is not None and not least <= seen <= most:
        whereto = (
            f"there were connections to {', '.join(elsewhere)}"
            if elsewhere
            else "no connection to another server stood when it was looked for"
        )
        yield MESSAGES_ELSEWHERE.flag(phase=phase.record.name, seen=seen, acknowledged=acknowledged, whereto=whereto)


def _acknowledged(phase: PhaseData) -> int:
    """Messages that the producer was told had been taken by the broker: one for each chain, and none for a task that a web
    application runs itself."""
    record = phase.record
    if not goes_through_web(record.tasks):
        return record.produced.acknowledged // tasks_in_a_unit(record.tasks)
    brokered = {c.label for c in classes_of(record.tasks) if goes_through_broker(c)}
    brokered -= {c.label for c in classes_of(record.tasks) if not goes_through_broker(c)}
    return int((phase.tasks.acknowledged & np.isin(phase.tasks.label, list(brokered))).sum())


def _seen(record: PhaseRecord, acknowledged: int) -> tuple[int | None, int, float]:
    """How many messages Redis had, None where that was not read; and how many it must have had at least and at most."""
    before, filled, after = record.before.redis, record.filled.redis, record.after.redis
    raised = record.produced.failed // tasks_in_a_unit(record.tasks)
    if isinstance(record.load, Prefilled) and record.load.many:
        return record.queued, acknowledged - before.blocked_clients, acknowledged + raised
    if before.puts is None or filled.puts is None or after.puts is None:
        return None, 0, math.inf
    if record.filled_beforehand:
        return filled.puts - before.puts, acknowledged, acknowledged + raised
    return after.puts - before.puts, acknowledged, math.inf
