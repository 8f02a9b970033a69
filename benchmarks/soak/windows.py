"""A window of a soak: what happened between two moments, as a row of ``windows.parquet``.

While a soak lasts its windows are appended to a journal: complete Arrow streams, each behind its length, so that whatever was
written is read again however the writer ended. (A Parquet file cannot be read before its end is written.)
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.soak.latency_histogram import LatencyHistogram, merged

STAGES: Mapping[str, str] = {
    "lateness": "from the intended send time to the begin of the enqueue call, of tasks sent in the window",
    "send": "in the enqueue call, of tasks acknowledged in the window",
    "queue_wait": "from the intended send time to the start of the first attempt, of those started in the window",
    "service": "from the start of an execution to its end, of those ended in the window",
    "end_to_end": "from the intended send time to the end that was final, of tasks ended in the window",
}
"""The latencies of a window: each counts in the window in which it ends, so that a window is complete as soon as all that
happened in it is known."""
GAUGES: Mapping[str, str] = {
    "worker_pss_bytes": "PSS of the worker's process tree",
    "worker_uss_bytes": "USS of the worker's process tree",
    "worker_rss_bytes": "RSS of the worker's process tree",
    "worker_fds": "open file descriptors of the worker's process tree",
    "worker_threads": "threads of the worker's process tree",
    "worker_processes": "processes of the worker",
    "queue_depth": "tasks waiting in the queue",
    "redis_memory_bytes": "memory that Redis has in use",
    "redis_clients": "connections to Redis",
    "lab_memory_bytes": "PSS of the runner and the agents",
    "lab_disk_bytes": "what the soak takes of the disk",
}
"""Read at a moment; of a window the mean and the greatest are kept."""
COUNTERS: Mapping[str, str] = {
    "worker_cpu_s": "CPU time of the worker's process tree",
    "worker_voluntary_switches": "voluntary context switches of the worker's process tree",
    "worker_involuntary_switches": "involuntary context switches of the worker's process tree",
    "redis_cpu_s": "CPU time of Redis",
    "producer_cpu_s": "CPU time of the producer",
    "steal_s": "CPU time that the host gave to others",
}
"""Only ever rise, but for a restart; of a window its rise is kept."""
WINDOWS_A_ROW_GROUP = 240
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Gauge:
    """What was read in a window."""

    mean: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Window:
    """What happened from ``begin_ns`` to before ``end_ns``, on the time line of the soak."""

    index: int
    begin_ns: int
    end_ns: int
    sent: int
    acknowledged: int
    started: int
    completed: int
    """Executions that ended well; the next three as well count executions."""
    failed: int
    retried: int
    skipped: int
    generation: int | None = None
    """The number of the worker's life at the end; None where there was no sample."""
    latencies: Mapping[tuple[int, str], LatencyHistogram] = field(default_factory=dict)
    """By class code and stage (:data:`STAGES`); those that are empty are left out."""
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)
    """A counter that was not read is missing here; its next rise holds what it rose meanwhile."""

    @property
    def ended(self) -> int:
        """Executions that were the task's end."""
        return self.completed + self.failed

    def latency(self, stage: str) -> LatencyHistogram:
        """That of all classes."""
        return merged(histogram for (_, name), histogram in self.latencies.items() if name == stage)


_COUNTS = ("index", "begin_ns", "end_ns", "sent", "acknowledged", "started", "completed", "failed", "retried", "skipped")
_LATENCY = pa.struct(
    [
        ("class_code", pa.int32()),
        ("stage", pa.string()),
        ("first_bin", pa.int32()),
        ("counts", pa.list_(pa.int64())),
        ("total_ns", pa.float64()),
        ("greatest_ns", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
        pa.field("generation", pa.int64()),
        *(pa.field(f"{name}_{what}", pa.float64()) for name in GAUGES for what in ("mean", "greatest")),
        *(pa.field(name, pa.float64()) for name in COUNTERS),
        pa.field("latencies", pa.list_(_LATENCY), nullable=False),
    ]
)


def table_of(windows: Sequence[Window]) -> pa.Table:
    """One row a window."""
    return pa.Table.from_pylist([_row(window) for window in windows], schema=SCHEMA)


def windows_of(table: pa.Table) -> list[Window]:
    """The windows of such a table; columns that a later version adds are left out, and missing ones are empty."""
    return [_window(row) for row in table.to_pylist()]


def append_to(journal: Path, windows: Sequence[Window]) -> None:
    """Append them to a journal, which is created if missing, and have them on the disk when this returns. What a writer that was
    killed has left half-written is cut off first."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table_of(windows))
    content = sink.getvalue().to_pybytes()
    with journal.open("ab") as file:
        file.truncate(sum(_LENGTH.size + length for _, length in _streams(journal)))
        file.write(_LENGTH.pack(len(content)) + content)
        file.flush()
        os.fsync(file.fileno())


def cut_off(journal: Path, first: int) -> None:
    """Take the windows from number ``first`` on off a journal: those that a fold, restored from an earlier state, will give out
    again (:attr:`benchmarks.soak.folding.Fold.next_window`)."""
    for at, length in _streams(journal):
        with journal.open("r+b") as file:
            file.seek(at)
            found = windows_of(pa.ipc.open_stream(file.read(length)).read_all())
            if not found or found[-1].index < first:
                continue
            file.truncate(at - _LENGTH.size)
        append_to(journal, [window for window in found if window.index < first])
        return


def read(journal: Path) -> list[Window]:
    """All windows of a journal; what was not written to its end is left out."""
    return [window for table in _tables(journal) for window in windows_of(table)]


def write_parquet(journal: Path, target: Path) -> None:
    """The windows of a journal as a Parquet file, some at a time."""
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for table in _tables(journal):
            waiting.append(table)
            if sum(map(len, waiting)) >= WINDOWS_A_ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def read_parquet(path: Path) -> list[Window]:
    """The windows of a Parquet file."""
    return windows_of(pq.read_table(path))


def _streams(journal: Path) -> Iterator[tuple[int, int]]:
    """Where each whole stream of a journal begins, and how long it is."""
    size, at = journal.stat().st_size if journal.exists() else 0, 0
    while at + _LENGTH.size <= size:
        with journal.open("rb") as file:
            file.seek(at)
            [length] = _LENGTH.unpack(file.read(_LENGTH.size))
        at += _LENGTH.size
        if at + length > size:
            return
        yield at, length
        at += length


def _tables(journal: Path) -> Iterator[pa.Table]:
    for at, length in _streams(journal):
        with journal.open("rb") as file:
            file.seek(at)
            yield pa.ipc.open_stream(file.read(length)).read_all()


def _row(window: Window) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(window, name) for name in (*_COUNTS, "generation")}
    for name, gauge in window.gauges.items():
        row |= {f"{name}_mean": gauge.mean, f"{name}_greatest": gauge.greatest}
    row |= window.counters
    row["latencies"] = [
        {
            "class_code": class_code,
            "stage": stage,
            "first_bin": histogram.first_bin,
            "counts": histogram.counts,
            "total_ns": histogram.total_ns,
            "greatest_ns": histogram.greatest_ns,
        }
        for (class_code, stage), histogram in window.latencies.items()
    ]
    return row


def _window(row: Mapping[str, Any]) -> Window:
    return Window(
        **{name: row[name] for name in _COUNTS},
        generation=row.get("generation"),
        latencies={
            (item["class_code"], item["stage"]): LatencyHistogram(
                item["first_bin"], np.array(item["counts"], np.int64), item["total_ns"], item["greatest_ns"]
            )
            for item in row["latencies"]
        },
        gauges={
            name: Gauge(row[f"{name}_mean"], row[f"{name}_greatest"]) for name in GAUGES if row.get(f"{name}_mean") is not None
        },
        counters={name: row[name] for name in COUNTERS if row.get(name) is not None},
    )
