"""What memory Python takes that has imported the framework and does nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import pandas as pd

from benchmarks.run.contract import Places


@dataclass(frozen=True, slots=True)
class BareImports:
    """Has an interpreter of the worker's node import the framework and end, ``count`` times before the load. Its reading has a
    row for each: ``rss_bytes``, ``pss_bytes``, ``uss_bytes``. The worker is there meanwhile, and shares with it the pages of the
    files that both have mapped."""

    count: int
    name: str = "bare_imports"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Make the imports."""
        found = [asdict(places.worker.import_framework()) for _ in range(self.count)]
        yield lambda: pd.DataFrame(found)
