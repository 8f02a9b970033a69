"""Why tasks of an open loop waited: chance of the draw, hand-over between tasks, and delivery. Pure arithmetic.

Random arrivals come in clusters, and in a cluster tasks wait however good the worker is. How long, an ideal worker tells that is
given the very arrivals: as many slots, each of which takes as long over a task as it took in fact and is free again at once,
first come, first served. A real slot is not: between a task's end and the next start lies the hand-over, which keeps waiting
those behind it as well. What is left is waiting while a slot was free: how tasks are delivered, by polling or prefetching, say.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.record.concurrency import most_at_once
from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.run_data import Measures, PhaseData

Floats = npt.NDArray[np.float64]

WAIT_COLUMNS = {
    "ideal_wait_mean_ms": "mean time that these very arrivals (acknowledged sends) wait for an ideal worker of as many slots, as "
    "long over each task and free at once: what chance of the draw makes anyone wait",
    "hand_over_wait_mean_ms": "mean time that tasks waited for a slot beyond that: for hand-overs, and behind others that did",
    "delivery_wait_mean_ms": "mean time from acknowledged to started less these two, with a slot free: polling, prefetching; "
    "negative where tasks began before the enqueue call had returned",
    "hand_over_mean_ms": "mean time from when a slot was free to the next start, of those for which a task waited then",
}
"""By what follows the phase's name. The first three add up to ``ack_to_start_mean_ms``."""
OF_THE_DRAW = "_ideal_wait_mean_ms"
"""The one of which nothing is better or worse: it is no merit of the worker's."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The mean wait of a phase's tasks in its parts, and the mean hand-over (None where no task ever waited for a slot), ns."""

    ideal_ns: float
    hand_over_wait_ns: float
    delivery_ns: float
    hand_over_ns: float | None


def ideal_waits(arrivals: Floats, services: Floats, slots: int) -> Floats:
    """How long each customer waits for one of ``slots`` servers, first come, first served, in the unit of the arguments: each
    takes the server that is free first (Kiefer and Wolfowitz, "On the theory of queues with many servers", 1955; Lindley's
    recursion for one server). ``arrivals`` ascend."""
    free = [float(arrivals.min(initial=np.inf))] * slots
    waits = np.zeros(len(arrivals))
    for n, (arrival, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        begin = max(arrival, free[0])
        waits[n] = begin - arrival
        heapq.heapreplace(free, begin + service)
    return waits


def freed(ends: Floats, slots: int) -> Floats:
    """When there was a slot for the 1st, 2nd, 3rd, ... start: however tasks are given out, the n-th needs the (n - slots)-th end.
    So slots need not be told apart. The first ``slots`` starts need none."""
    return np.concatenate([np.full(slots, -np.inf), np.sort(ends)])[: len(ends)]


def waits_of(phase: PhaseData) -> Waits | None:
    """Of the tasks that were acknowledged and executed; None where there are none, or more were executed at once than the worker
    has slots."""
    tasks, slots = phase.tasks, phase.record.worker.slots
    known = tasks.acknowledged & tasks.executed
    if not known.any() or most_at_once(tasks.started_ns[known], tasks.finished_ns[known]) > slots:
        return None
    order = np.argsort(tasks.acknowledged_ns[known], kind="stable")
    # From the first on, as counts of nanoseconds since the boot would soon be too long for a float.
    times_ns = (column[known][order] for column in (tasks.acknowledged_ns, tasks.started_ns, tasks.finished_ns))
    arrivals, starts, ends = ((column - tasks.due_ns.min()).astype(np.float64) for column in times_ns)
    ideal_ns = float(ideal_waits(arrivals, ends - starts, slots).mean())
    # Whom a start is for changes no sum: the n-th arrival is held against the n-th start.
    starts, free = np.sort(starts), freed(ends, slots)
    waited = free > arrivals
    waited_for_slot = np.where(waited, starts - arrivals, 0)
    return Waits(
        ideal_ns=ideal_ns,
        hand_over_wait_ns=float(waited_for_slot.mean()) - ideal_ns,
        delivery_ns=float((starts - arrivals - waited_for_slot).mean()),
        hand_over_ns=float((starts - free)[waited].mean()) if waited.any() else None,
    )


def wait_columns(name: str, offered: str) -> dict[str, str]:
    """The columns of a phase."""
    return {f"{name}_{column}": f"{words}, {offered}" for column, words in WAIT_COLUMNS.items()}


def wait_measures(phase: PhaseData) -> Measures:
    """Them; none where it cannot be said."""
    found = waits_of(phase)
    if found is None:
        return {}
    parts = (found.ideal_ns, found.hand_over_wait_ns, found.delivery_ns, found.hand_over_ns)
    names = (f"{phase.record.name}_{column}" for column in WAIT_COLUMNS)
    return {name: None if part is None else part / NS_PER_MS for name, part in zip(names, parts, strict=True)}
