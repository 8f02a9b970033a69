"""How long Python alone takes to start."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from benchmarks.run.contract import Places


@dataclass(frozen=True, slots=True)
class BareStarts:
    """Starts the framework's interpreter with nothing to do, ``count`` times before the load. Its reading has as ``took_s`` the
    seconds that each start took, end included."""

    count: int
    name: str = "bare_starts"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Make the starts."""
        took_s = [places.worker.start_interpreter() for _ in range(self.count)]
        yield lambda: pd.DataFrame({"took_s": took_s})
