"""How long a worker's imports took, by its own account."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from benchmarks.run.contract import Places

_LINE = re.compile(rb"import time:\s+(?P<self_us>\d+) \|\s+\d+ \| +(?P<module>\S+)\s*")
COLUMNS = ("command", "position", "module", "self_us", "connected")


@dataclass(frozen=True, slots=True)
class Imports:
    """Reads the log of a worker that was started with ``profile_imports``: a row for every import, as ``python -X importtime``
    tells of it (https://docs.python.org/3/using/cmdline.html#cmdoption-X).

    ``command`` and ``position`` number the worker's commands and the lines of each from 0; ``self_us`` is the time of the import
    in microseconds without those nested in it; ``connected`` says whether the worker was connected to Redis already.
    """

    name: str = "imports"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """There is nothing to begin: the worker logs by itself."""

        def read() -> pd.DataFrame:
            return read_imports(places.worker.worker_logs(), places.worker.start_times().log_bytes)

        yield read


def read_imports(logs: Sequence[str], bytes_when_connected: Sequence[int]) -> pd.DataFrame:
    """The imports in the logs of a worker's commands. A line that a process was interrupted in is left out."""
    rows: list[tuple[int, int, str, int, bool]] = []
    for command, (log, connected_at) in enumerate(zip(logs, bytes_when_connected, strict=True)):
        at, position = 0, 0
        for line in log.encode().splitlines(keepends=True):
            at += len(line)
            if match := _LINE.fullmatch(line):
                rows.append((command, position, match["module"].decode(), int(match["self_us"]), at > connected_at))
                position += 1
    return pd.DataFrame(rows, columns=list(COLUMNS))
