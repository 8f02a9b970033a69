"""What the mock API's log says of a phase whose tasks called it: whether the books balance, and whether it was the limit. Pure
arithmetic on the reading of ``benchmarks.run.devices.mock_api`` and the task table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.run_data import Measures, PhaseData, RunData
from benchmarks.record.task_table import Ints, TaskTable
from infrastructure.mock_api.behaviour import latency_ms, parse_behaviour
from tasks.events import Outcome
from tasks.http_work import Parameters, request_id
from tasks.loads import NS_PER_S, Mix

MOCK_API_LIMIT = FlagKind(
    "mock-api-limit",
    Severity.INVALID,
    "{phase}: the mock API was the limit: {reason}",
    "Give the mock API a core of its own, or have fewer slots: these are the figures of the service, not of the worker.",
)

REQUESTS_UNBALANCED = FlagKind(
    "requests-unbalanced",
    Severity.INVALID,
    "{phase}: of {completed} tasks that say they were answered, {missing} are not in the mock API's log; it answered "
    "{unclaimed} requests that no such task made, and {repeated} more than once",
    "See that nothing else calls this mock API, and that each task's process sends the id of its own task.",
)

FLAGS = (MOCK_API_LIMIT, REQUESTS_UNBALANCED)

MOCK_API_READING = "mock_api"
"""What the reading of the mock API's log is called."""
MOST_USED_SHARE = 0.8
"""Of what the mock API could serve; above it, requests wait for one another there."""
MOST_LATE_SHARE = 0.1
"""Of the latency asked for, on average; beyond it, the ideal that a worker is held against is not what it was offered."""
CAPACITY_FACT = "mock_api_requests_per_s"
MOCK_API_COLUMNS: Mapping[str, str] = {
    "mock_api_used_share": "highest share of what the mock API can serve on a core that a phase asked of it",
    "mock_api_late_ms": "by how much later than asked for the mock API answered, mean of the phase where that was most, ms",
}


@dataclass(frozen=True, slots=True)
class Balance:
    """Requests answered with success against the tasks that ended well, by id."""

    completed: int
    missing: int
    """Tasks that ended well, and whose request was not answered."""
    unclaimed: int
    """Ids that were answered, and of which no task ended well."""
    repeated: int
    """Ids that were answered with success more than once."""

    @property
    def balanced(self) -> bool:
        """Whether each was answered exactly once."""
        return not (self.missing or self.unclaimed or self.repeated)


@dataclass(frozen=True, slots=True)
class Served:
    """How the mock API served a phase."""

    requests_per_s: float | None
    """From the first arrival to the last."""
    used_share: float | None
    """Of its capacity."""
    asked_mean_ms: float | None
    """Mean of the latencies that were asked for."""
    late_mean_ms: float | None
    """By how much later than asked for it answered, on average."""


def phases_with_log(data: RunData) -> Iterator[tuple[PhaseData, pd.DataFrame]]:
    """The phases of a run of which the mock API's log was read, each with it."""
    for phase in data.phases.values():
        if (log := phase.readings.get(MOCK_API_READING)) is not None:
            yield phase, log


def mock_api_measures(found: Sequence[Served]) -> Measures:
    """The measures of :data:`MOCK_API_COLUMNS`, from all phases."""
    return {
        "mock_api_used_share": max((s.used_share for s in found if s.used_share is not None), default=None),
        "mock_api_late_ms": max((s.late_mean_ms for s in found if s.late_mean_ms is not None), default=None),
    }


def balance(log: pd.DataFrame, tasks: TaskTable, run: int, phase: int) -> Balance:
    """Hold the log of a phase against its tasks (those that call the mock API)."""
    well = tasks.outcome == Outcome.OK
    made = {
        request_id((run, phase, sequence, attempt))
        for sequence, attempt in zip(tasks.sequence[well].tolist(), tasks.attempt[well].tolist(), strict=True)
    }
    answered = log["id"][log["status"] < 300]
    answered_once = set(answered)
    return Balance(
        completed=len(made),
        missing=len(made - answered_once),
        unclaimed=len(answered_once - made),
        repeated=int(answered[answered.duplicated()].nunique()),
    )


def asked_latencies_ms(log: pd.DataFrame, parameters: Parameters) -> pd.Series:
    """The latency that each request of the log asked for, where all had these parameters (with ``ms``, and ``seed`` where it is
    drawn)."""
    behaviour = parse_behaviour({name: str(value) for name, value in parameters.items()}, 0.0, 0)
    return pd.Series([latency_ms(behaviour, name.encode()) for name in log["id"]], log.index, "float64")


def asked_by_sequence_ms(phase: PhaseData, label: int) -> dict[int, float]:
    """The latency (``ms`` of its argument) that each task of one class of a mix asks for, by its sequence number."""
    record = phase.record
    if not isinstance(record.tasks, Mix):
        return {}
    classes = record.tasks.classes
    drawn = enumerate(record.tasks.draw(record.planned))
    return {sequence: classes[pick].argument["ms"] for sequence, pick in drawn if classes[pick].label == label}


def added_ns(phase: PhaseData, label: int) -> Ints:
    """End to end latency of every task of that class that ended, less the latency that it asked for."""
    asked_ms, table = asked_by_sequence_ms(phase, label), phase.tasks.of_label(label)
    asked_ns = np.array([asked_ms[int(sequence)] for sequence in table.sequence[table.ended]]) * NS_PER_MS
    return table.end_to_end_ns() - asked_ns.astype(np.int64)


def served(log: pd.DataFrame, asked_ms: pd.Series, capacity_per_s: float | None) -> Served:
    """How requests that asked for these latencies (NaN where that is not known) were served by a mock API that can serve so many
    a second."""
    span_ns = int(np.ptp(log["arrived_ns"])) if len(log) else 0
    rate_per_s = (len(log) - 1) * NS_PER_S / span_ns if span_ns else None
    late_ms = (log["latency_ms"] - asked_ms).mean()
    return Served(
        requests_per_s=rate_per_s,
        used_share=rate_per_s / capacity_per_s if rate_per_s is not None and capacity_per_s else None,
        asked_mean_ms=None if np.isnan(late_ms) else float(asked_ms.mean()),
        late_mean_ms=None if np.isnan(late_ms) else float(late_ms),
    )


def books_flags(phase: str, books: Balance) -> Iterator[Flag]:
    """What must be said of a phase whose books do not balance."""
    if not books.balanced:
        yield REQUESTS_UNBALANCED.flag(
            phase=phase, completed=books.completed, missing=books.missing, unclaimed=books.unclaimed, repeated=books.repeated
        )


def limit_flags(phase: str, found: Served) -> Iterator[Flag]:
    """What must be said of a phase whose limit was the mock API."""
    if found.used_share is not None and found.used_share > MOST_USED_SHARE:
        reason = f"it served {found.requests_per_s:.0f} requests/s, {found.used_share:.0%} of what a core lets it serve"
        yield MOCK_API_LIMIT.flag(phase=phase, reason=reason)
    if found.late_mean_ms is not None and found.asked_mean_ms and found.late_mean_ms > MOST_LATE_SHARE * found.asked_mean_ms:
        reason = f"it answered {found.late_mean_ms:.1f} ms late on average where {found.asked_mean_ms:.0f} ms were asked for"
        yield MOCK_API_LIMIT.flag(phase=phase, reason=reason)
