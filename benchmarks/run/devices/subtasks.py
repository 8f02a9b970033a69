"""When and where the parts of tasks were done (``tasks.subtask_work``)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.record.subtasks.course import SUBTASKS
from benchmarks.run.contract import Places
from infrastructure.event_log import Events
from tasks.events import Kind


@dataclass(frozen=True, slots=True)
class Subtasks:
    """Its reading has a row for each part that has ended with the right checksum: ``number``, ``task`` (the sequence number),
    ``process``, ``thread`` (native ids), ``began_ns``, ``ended_ns``."""

    @property
    def name(self) -> str:
        """What its reading is called."""
        return SUBTASKS

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """There is nothing to begin: the worker's event log has them."""
        yield lambda: parts_of(places.worker.events(), run, phase)


def parts_of(events: Events, run: int, phase: int) -> pd.DataFrame:
    """The parts of a phase's tasks, as :class:`Subtasks` has them, from the worker's event log."""
    found = events[(events["kind"] == Kind.SUBTASK) & (events["run"] == run) & (events["phase"] == phase)]
    columns = {
        "number": "label",
        "task": "sequence",
        "process": "process",
        "thread": "thread",
        "began_ns": "first_ns",
        "ended_ns": "second_ns",
    }
    return pd.DataFrame({name: found[field].astype(np.int64) for name, field in columns.items()})
