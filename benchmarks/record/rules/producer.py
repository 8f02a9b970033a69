"""Whether a latency is that of the producer rather than of the system that it sends to."""

from collections.abc import Iterator

import numpy as np

from benchmarks.record.flags import PRODUCER_BOUND, Flag
from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.run_data import PhaseData
from benchmarks.record.task_table import MISSING
from tasks.loads import Mix, Paced, Ramp, goes_through_web

PRODUCERS_SHARE = 1 / 3
"""Of the mean time from due to start, from where on it is said."""


def producer_flags(phase: PhaseData) -> Iterator[Flag]:
    """A note where much of the wait in an open loop was at the producer: in its own queue, before it came to send, and in its
    calls. Nothing is said of a search for what can be offered at all, of chains, whose later stages nobody sends, or of requests
    to a web application, which are answered when the task has long begun."""
    record, tasks = phase.record, phase.tasks
    known = tasks.acknowledged & (tasks.started_ns != MISSING)
    is_open = isinstance(record.load, Paced | Ramp) and isinstance(record.tasks, Mix) and not record.rate_may_be_missed
    if not is_open or goes_through_web(record.tasks) or not known.any():
        return
    due_ns, sent_ns, started_ns = tasks.due_ns[known], tasks.sent_ns[known], tasks.started_ns[known]
    late_ms = float((sent_ns - due_ns).mean()) / NS_PER_MS
    # A call that returns after the task has begun has kept nobody waiting since.
    send_ms = float((np.minimum(tasks.acknowledged_ns[known], started_ns) - sent_ns).mean()) / NS_PER_MS
    wait_ms = float((started_ns - due_ns).mean()) / NS_PER_MS
    if wait_ms > 0 and late_ms + send_ms > PRODUCERS_SHARE * wait_ms:
        share = (late_ms + send_ms) / wait_ms
        yield PRODUCER_BOUND.flag(phase=record.name, share=share, wait=wait_ms, late=late_ms, send=send_ms)
