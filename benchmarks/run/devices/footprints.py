"""What a worker's tree occupies, many times a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields

import pandas as pd

from benchmarks.record.subtasks.memory import FOOTPRINTS
from benchmarks.run.contract import Places
from infrastructure.readings import Footprint


@dataclass(frozen=True, slots=True)
class Footprints:
    """Its reading has a row for each :class:`infrastructure.readings.Footprint` of the phase, from before its load until after
    its last mark, ``interval_s`` apart, or further where they would cost more than they may."""

    interval_s: float

    @property
    def name(self) -> str:
        """What its reading is called."""
        return FOOTPRINTS

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Begin the series. Raises NodeError where it ended early."""
        worker = places.worker
        worker.begin_footprints(self.interval_s)
        try:

            def read() -> pd.DataFrame:
                worker.end_footprints()
                rows = [asdict(row) for row in worker.footprints()]
                return pd.DataFrame(rows, columns=[field.name for field in fields(Footprint)])

            yield read
        finally:
            worker.end_footprints()
