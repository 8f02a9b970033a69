"""What a soak stores is read again, and what it keeps of raw records is bounded."""

from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.results import soak_folder
from benchmarks.results.documents import ResultSetError
from benchmarks.results.soak_folder import SoakFolder, soaks_in
from benchmarks.soak import windows
from benchmarks.soak.summary import SoakEvent
from benchmarks.soak.windows import Window
from tests.unit.soak.test_summary import SUMMARY


def window(index: int) -> Window:
    return Window(index, index, index + 1, sent=1, acknowledged=1, started=1, completed=1, failed=0, retried=0, skipped=0)


def test_it_is_read_again_while_it_goes_on_and_afterwards(tmp_path: Path) -> None:
    folder = SoakFolder.create(tmp_path, "v")
    events = [SoakEvent(5, "worker-died", "killed by SIGKILL"), SoakEvent(6, "worker-started", 'with a "quote"\nand a line')]
    for event in events:
        folder.note(event)
    folder.append([window(0), window(1)])
    folder.store(SUMMARY)
    [found] = soaks_in(tmp_path)
    assert (found.events(), found.summary()) == (events, SUMMARY)
    assert [w.index for w in found.windows()] == [0, 1]
    folder.append([window(2)])
    folder.finish()
    assert [w.index for w in windows.read_parquet(folder.path / "windows.parquet")] == [0, 1, 2]
    assert folder.bytes() == sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())


def test_one_without_windows_ends_all_the_same(tmp_path: Path) -> None:
    folder = SoakFolder.create(tmp_path, "v")
    folder.finish()
    assert folder.windows() == []
    assert list(soaks_in(tmp_path)) == []


def test_a_segment_holds_the_records_and_all_of_them_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_folder, "MOST_SEGMENTS_BYTES", 100)
    folder = SoakFolder.create(tmp_path, "v")
    records = bytes(range(48))
    for index in range(5):
        folder.keep_segment(index, records)
    folder.keep_segment(9, b"")
    kept = sorted((folder.path / "segments").iterdir())
    assert kept
    assert sum(file.stat().st_size for file in kept) <= 100
    _, _, size, _ = kept[0].name.split(".")
    assert pa.decompress(kept[0].read_bytes(), int(size), codec="zstd", asbytes=True) == records


def test_the_logs_of_workers_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_folder, "MOST_LOGS", 2)
    monkeypatch.setattr(soak_folder, "MOST_LOG_CHARACTERS", 4)
    folder = SoakFolder.create(tmp_path, "v")
    for generation in (1, 2, 3):
        folder.keep_worker_log(generation, "the end")
    assert [file.read_text() for file in sorted((folder.path / "workers").iterdir())] == [" end", " end"]


def test_a_summary_that_is_broken_is_named(tmp_path: Path) -> None:
    folder = SoakFolder.create(tmp_path, "v")
    (folder.path / "summary.json").write_text("{}")
    with pytest.raises(ResultSetError, match=r"summary\.json"):
        folder.summary()
