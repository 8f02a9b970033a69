"""The folder of one variant's soak in a result set: its windows, what happened, what became of its workers, raw records of a few
windows, and what it came to. Whole at every moment, however its writer ends."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.results.documents import ResultSetError, to_json
from benchmarks.results.files import taken_by_disk, write_text
from benchmarks.soak import windows
from benchmarks.soak.summary import SoakEvent, SoakSummary
from benchmarks.soak.windows import Window
from tasks.causes import cause

SOAK = "soak"
"""The folder of a result set that they are in, one below for each variant; and the setting that says a set holds soaks."""
MOST_LOG_CHARACTERS = 200_000
MOST_LOGS = 50
MOST_SEGMENTS_BYTES = 1_000_000_000


class SoakFolder:
    """What a soak writes, and is read from afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._segments_bytes = 0

    @classmethod
    def create(cls, result_set: Path, name: str) -> "SoakFolder":
        """A new one in a result set. Raises ResultsDiskError."""
        path = result_set / SOAK / name
        with taken_by_disk(result_set):
            for folder in (path / "segments", path / "workers"):
                folder.mkdir(parents=True)
        return cls(path)

    def append(self, closed: Sequence[Window]) -> None:
        """Add windows that can change no more."""
        windows.append_to(self._journal, closed)

    def note(self, event: SoakEvent) -> None:
        """Add something that happened."""
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at_ns": event.at_ns, "kind": event.kind, "text": event.text}) + "\n")

    def keep_worker_log(self, generation: int, text: str) -> None:
        """The end of what a worker that died had printed; of the first few of them."""
        if generation <= MOST_LOGS:
            write_text(self.path / "workers" / f"{generation:03d}.log", text[-MOST_LOG_CHARACTERS:])

    def keep_segment(self, index: int, records: bytes) -> None:
        """The raw records that came while a window was open (``tasks.events``, compressed by zstd); none more once all that are
        kept take :data:`MOST_SEGMENTS_BYTES`."""
        content = pa.compress(records, codec="zstd", asbytes=True) if records else b""
        if not content or self._segments_bytes + len(content) > MOST_SEGMENTS_BYTES:
            return
        self._segments_bytes += len(content)
        name = f"{index:06d}.events.{len(records)}.zst"
        (self.path / "segments" / name).write_bytes(content)

    def store(self, summary: SoakSummary) -> None:
        """What it has come to so far, or at all."""
        write_text(self.path / "summary.json", to_json(summary.as_json()))

    def finish(self) -> None:
        """Write the windows as a table."""
        if self._journal.exists():
            windows.write_parquet(self._journal, self.path / "windows.parquet")

    def windows(self) -> list[Window]:
        """All windows."""
        return windows.read(self._journal) if self._journal.exists() else []

    def events(self) -> list[SoakEvent]:
        """What happened, ascending in time."""
        file = self.path / "events.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [SoakEvent(**json.loads(line)) for line in lines]

    def summary(self) -> SoakSummary:
        """What it has come to. Raises ResultSetError where that cannot be read."""
        file = self.path / "summary.json"
        try:
            return SoakSummary.from_json(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error

    def bytes(self) -> int:
        """What it takes of its disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def _journal(self) -> Path:
        return self.path / "windows.journal"


def soaks_in(result_set: Path) -> Iterator[SoakFolder]:
    """The soaks of a result set that have come to anything, by name."""
    for summary in sorted((result_set / SOAK).glob("*/summary.json")):
        yield SoakFolder(summary.parent)
