"""Windows are stored and read as they are, however their writer ended."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.soak import windows
from benchmarks.soak.latency_histogram import LatencyHistogram
from benchmarks.soak.windows import COUNTERS, GAUGES, SCHEMA, Gauge, Window, append_to, cut_off, read, read_parquet, write_parquet


def window(index: int) -> Window:
    histogram = LatencyHistogram(3, np.array([1, 0, index]), 5.5 + index, 7 + index)
    return Window(
        index=index,
        begin_ns=index * 10,
        end_ns=index * 10 + 10,
        sent=1,
        acknowledged=2,
        started=3,
        completed=4,
        failed=5,
        retried=6,
        skipped=7,
        generation=index or None,
        latencies={(0, "service"): histogram, (2, "end_to_end"): histogram},
        gauges={name: Gauge(index + 0.5, index + 1.0) for name in list(GAUGES)[:3]},
        counters=dict.fromkeys(list(COUNTERS)[:2], index + 0.25),
    )


def assert_same(found: list[Window], expected: list[Window]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        for name in ("index", "begin_ns", "end_ns", "sent", "ended", "retried", "skipped", "generation", "gauges", "counters"):
            assert getattr(a, name) == getattr(b, name)
        assert a.latencies.keys() == b.latencies.keys()
        for key, one in a.latencies.items():
            other = b.latencies[key]
            assert (one.first_bin, one.counts.tolist()) == (other.first_bin, other.counts.tolist())
            assert (one.total_ns, one.greatest_ns) == (other.total_ns, other.greatest_ns)


def test_a_journal_has_all_windows_in_order(tmp_path: Path) -> None:
    journal = tmp_path / "windows.journal"
    append_to(journal, [window(0), window(1)])
    append_to(journal, [])
    append_to(journal, [window(2)])
    assert_same(read(journal), [window(n) for n in range(3)])


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_what_was_half_written_is_left_out_and_makes_place(tmp_path: Path, kept: float) -> None:
    journal = tmp_path / "windows.journal"
    append_to(journal, [window(0)])
    whole = journal.stat().st_size
    append_to(journal, [window(1)])
    content = journal.read_bytes()
    journal.write_bytes(content[: whole + round(kept * (len(content) - whole))])
    assert_same(read(journal), [window(0)])
    append_to(journal, [window(2)])
    assert_same(read(journal), [window(0), window(2)])


@pytest.mark.parametrize("first", range(6))
def test_windows_are_taken_off_a_journal_wherever_it_was_cut(tmp_path: Path, first: int) -> None:
    journal = tmp_path / "windows.journal"
    append_to(journal, [window(0), window(1)])
    append_to(journal, [window(2), window(3), window(4)])
    cut_off(journal, first)
    append_to(journal, [window(9)])
    assert_same(read(journal), [*(window(n) for n in range(min(first, 5))), window(9)])


def test_a_parquet_file_has_them_by_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOWS_A_ROW_GROUP", 2)
    journal, target = tmp_path / "windows.journal", tmp_path / "windows.parquet"
    for index in range(5):
        append_to(journal, [window(index)])
    write_parquet(journal, target)
    assert pq.ParquetFile(target).num_row_groups == 3
    assert pq.read_schema(target).names == SCHEMA.names
    assert_same(read_parquet(target), [window(n) for n in range(5)])


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == []
    write_parquet(tmp_path / "none", tmp_path / "windows.parquet")
    assert read_parquet(tmp_path / "windows.parquet") == []
