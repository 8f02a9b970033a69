"""Made-up histories of tasks for tests of folding: records as a segment of the event log holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from benchmarks.record.task_table import Ints
from benchmarks.soak.task_events import TaskEvents
from infrastructure.event_log import EVENT_DTYPE, Events
from tasks.events import Kind, Outcome

S = 1_000_000_000
MS = 1_000_000
RUN, PHASE = 7, 2
CLASSES = 3
FIRST_NS = 1_700_000_000 * S


def class_of(sequences: Ints) -> Ints:
    return sequences % CLASSES


@dataclass(frozen=True)
class Task:
    """What happens to one task; times are in milliseconds from the begin of the soak."""

    due: int
    late: int = 0
    send: int = 1
    acknowledged: bool = True
    executions: tuple[tuple[int, int, int, int], ...] = ()
    """Wait until it begins, how long it takes, attempt, outcome (0: it never ends)."""


def records(sequence: int, task: Task) -> list[tuple[int, ...]]:
    """Its records, with times on the time line of the soak."""
    due_ns = FIRST_NS + task.due * MS
    sent_ns = due_ns + task.late * MS
    outcome = Outcome.OK if task.acknowledged else Outcome.FAILED
    head = (PHASE,)
    made: list[tuple[int, ...]] = [
        (Kind.ENQUEUED, outcome, 0, *head, 0, sequence % CLASSES, RUN, sequence, 1, 0, due_ns, sent_ns, sent_ns + task.send * MS)
    ]
    at_ns = sent_ns
    for wait, service, attempt, result in task.executions:
        at_ns += wait * MS
        if result != Outcome.SKIPPED:
            made.append((Kind.STARTED, 0, 0, *head, attempt, 0, RUN, sequence, 9, 9, at_ns, due_ns, 0))
        at_ns += service * MS
        if result:
            made.append((Kind.FINISHED, result, 0, *head, attempt, 0, RUN, sequence, 9, 0, at_ns, due_ns, 0))
    return made


def log_of(tasks: Sequence[Task]) -> Events:
    return np.array([row for sequence, task in enumerate(tasks) for row in records(sequence, task)], EVENT_DTYPE)


def folded(events: Events) -> TaskEvents:
    return TaskEvents.of(events, RUN, PHASE, class_of)


def happened_ns(events: Events) -> Ints:
    """When each record was made."""
    at_ns: Ints = np.where(events["kind"] == Kind.ENQUEUED, events["second_ns"], events["first_ns"])
    return at_ns


_executions = st.tuples(
    st.integers(1, 4_000),
    st.integers(0, 3_000),
    st.integers(1, 3),
    st.sampled_from([0, Outcome.OK, Outcome.OK, Outcome.OK, Outcome.FAILED, Outcome.RETRIED, Outcome.SKIPPED]),
)
TASKS = st.builds(
    Task,
    due=st.integers(0, 12_000),
    late=st.integers(0, 50),
    send=st.integers(1, 20),
    acknowledged=st.booleans(),
    executions=st.lists(_executions, max_size=3).map(tuple),
)
