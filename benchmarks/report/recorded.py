"""What the charts need of a run's raw data, reduced while it is read.

A run's tasks are read in batches, only the columns that are needed, and boiled down to percentiles at fixed levels and to
time-weighted means in a fixed number of bins. What is kept of a run does not grow with its number of tasks; while it is read, one
latency for each of its tasks is held.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.arithmetic import carried
from benchmarks.chart import Floats
from benchmarks.record.percentiles import NS_PER_MS, TAIL, quantile
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.task_table import MISSING
from benchmarks.results.documents import ResultSetError
from benchmarks.results.stored_run import StoredRun
from tasks.causes import cause
from tasks.events import Outcome
from tasks.loads import NS_PER_S

_Ints = npt.NDArray[np.int64]

TIMELINE_BINS = 400
RAMP_BINS = 40
BATCH_ROWS = 1 << 18
LEVELS: Floats = np.concatenate([np.linspace(0, 0.5, 26), 1 - np.logspace(-0.35, -6, 114)])
"""The shares of tasks at which latencies are kept: evenly up to the median, then evenly on a logarithmic tail up to 99.9999 %."""

_COLUMNS = ("phase", "due_ns", "sent_ns", "started_ns", "finished_ns", "outcome")
_SAMPLE_COLUMNS = ("at_ns", "pss_bytes", "cpu_s")


@dataclass(frozen=True, slots=True)
class RampCurve:
    """A ramp in bins of equal duration: tasks due a second, tasks ended a second, and the 99th percentile of the end to end
    latency (ms; NaN where too few tasks of the bin ended to carry it)."""

    offered_per_s: Floats
    ended_per_s: Floats
    p99_ms: Floats


@dataclass(frozen=True, slots=True)
class PhaseCurve:
    """One phase of a run. ``latency_ms`` is the end to end latency at :data:`LEVELS`, from the intended send time to the end of
    the task's body; NaN beyond what the number of tasks supports."""

    name: str
    load: str
    ended: int
    latency_ms: Floats
    offered_per_s: float | None
    ramp: RampCurve | None


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """When a phase took place, in seconds of the timeline."""

    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run over time, in seconds from the begin of its first measured phase. ``queued`` (sent and not yet started) and
    ``in_flight`` (started and not yet finished) are the mean number of tasks in each bin around ``time_s``; the worker's memory
    (PSS of its tree) and CPU (100 = one core) have times of their own."""

    time_s: Floats
    queued: Floats
    in_flight: Floats
    memory_time_s: Floats
    memory_mb: Floats
    cpu_time_s: Floats
    cpu_percent: Floats
    phases: tuple[PhaseSpan, ...]


@dataclass(frozen=True, slots=True)
class RunCurves:
    """A run, reduced. ``timeline`` is None where no phase was recorded."""

    variant: str
    run: int
    phases: tuple[PhaseCurve, ...]
    timeline: Timeline | None


def reduce_run(stored: StoredRun) -> RunCurves:
    """Read a run's raw data and keep what the charts need of its valid phases. Raises ResultSetError, naming the file, where it
    cannot be read."""
    records = [record for record in stored.record.get("phases") or [] if record["number"] > 0]
    if not records:
        return RunCurves(stored.result.group, stored.result.run, (), None)
    begin_ns = min(int(record["began_ns"]) for record in records)
    end_ns = max(int(record["drained_ns"]) for record in records)
    edges_s: Floats = np.linspace(0, max(end_ns - begin_ns, 1) / NS_PER_S, TIMELINE_BINS + 1)
    queued, in_flight = _Occupancy(edges_s), _Occupancy(edges_s)
    phases = {int(record["number"]): _PhaseReader(record) for record in records}
    for batch in _batches(stored.folder / "tasks.parquet"):
        queued.enter(_seconds(batch["sent_ns"], begin_ns))
        queued.leave(_seconds(batch["started_ns"], begin_ns))
        in_flight.enter(_seconds(batch["started_ns"], begin_ns))
        in_flight.leave(_seconds(batch["finished_ns"], begin_ns))
        for number in np.unique(batch["phase"]):
            if (reader := phases.get(int(number))) is not None:
                reader.read(batch, batch["phase"] == number)
    samples = _columns(stored.folder / "samples.parquet", _SAMPLE_COLUMNS)
    curves = [reader.curve() for _, reader in sorted(phases.items())]
    return RunCurves(
        variant=stored.result.group,
        run=stored.result.run,
        phases=tuple(curve for curve in curves if curve.name not in stored.result.invalid_phases),
        timeline=_timeline(records, samples, begin_ns, edges_s, queued, in_flight),
    )


class _Occupancy:
    """The mean number of tasks inside something, per bin of time, from when each entered and left it.

    Up to time t, tasks have spent the sum of (t - entered) over those that entered less the sum of (t - left) over those that
    left; the difference of that between the edges of a bin, over its width, is the mean number inside. Only the count and the
    sum of the times in each bin are kept.
    """

    def __init__(self, edges_s: Floats) -> None:
        self._edges_s = edges_s
        self._count = np.zeros(len(edges_s))
        self._sum_s = np.zeros(len(edges_s))

    def enter(self, times_s: Floats) -> None:
        self._add(times_s, 1)

    def leave(self, times_s: Floats) -> None:
        self._add(times_s, -1)

    def _add(self, times_s: Floats, sign: int) -> None:
        """Bin i holds what happened before edge i and not before edge i - 1; what was before the first edge counts there."""
        inside = times_s[times_s < self._edges_s[-1]]
        bins = np.searchsorted(self._edges_s, inside, side="right")
        self._count += sign * np.bincount(bins, minlength=len(self._edges_s))[: len(self._edges_s)]
        self._sum_s += sign * np.bincount(bins, weights=inside, minlength=len(self._edges_s))[: len(self._edges_s)]

    def mean(self) -> Floats:
        spent_s = np.cumsum(self._count) * self._edges_s - np.cumsum(self._sum_s)
        mean: Floats = np.maximum(np.diff(spent_s) / np.diff(self._edges_s), 0)
        # Rounding of sums of thousands of seconds leaves dust where nothing was inside.
        return np.where(mean < 1e-9, 0, mean)


@dataclass
class _PhaseReader:
    """Gathers one phase's latencies from the batches."""

    record: Mapping[str, Any]
    _latencies_ns: list[_Ints] = field(default_factory=list)
    _due_ns: list[_Ints] = field(default_factory=list)
    _finished_ns: list[_Ints] = field(default_factory=list)
    _sent: int = 0
    _first_sent_ns: int | None = None
    _last_sent_ns: int = 0

    @property
    def load(self) -> str:
        return str(self.record["load"]["kind"])

    def read(self, batch: Mapping[str, npt.NDArray[Any]], mine: npt.NDArray[np.bool_]) -> None:
        sent_ns = batch["sent_ns"][mine]
        self._sent += len(sent_ns)
        first = int(sent_ns.min())
        self._first_sent_ns = first if self._first_sent_ns is None else min(first, self._first_sent_ns)
        self._last_sent_ns = max(self._last_sent_ns, int(sent_ns.max()))
        ended = mine & np.isin(batch["outcome"], (Outcome.OK, Outcome.FAILED))
        due_ns, finished_ns = batch["due_ns"][ended], batch["finished_ns"][ended]
        self._latencies_ns.append(finished_ns - due_ns)
        if self.load == "ramp":
            self._due_ns.append(due_ns)
            self._finished_ns.append(finished_ns)

    def curve(self) -> PhaseCurve:
        latencies_ns = np.concatenate(self._latencies_ns) if self._latencies_ns else np.zeros(0, np.int64)
        ramp = self._ramp() if self.load == "ramp" and len(latencies_ns) else None
        self._latencies_ns.clear()
        span_ns = 0 if self._first_sent_ns is None else self._last_sent_ns - self._first_sent_ns
        return PhaseCurve(
            name=str(self.record["name"]),
            load=self.load,
            ended=len(latencies_ns),
            latency_ms=_levels_ms(latencies_ns),
            offered_per_s=(self._sent - 1) * NS_PER_S / span_ns if span_ns else None,
            ramp=ramp,
        )

    def _ramp(self) -> RampCurve:
        due_ns, finished_ns = np.concatenate(self._due_ns), np.concatenate(self._finished_ns)
        latencies_ms = (finished_ns - due_ns) / NS_PER_MS
        edges_ns = np.linspace(due_ns.min(), due_ns.max(), RAMP_BINS + 1)
        width_s = (edges_ns[1] - edges_ns[0]) / NS_PER_S
        bins = np.clip(np.searchsorted(edges_ns, due_ns, side="right") - 1, 0, RAMP_BINS - 1)
        p99_ms = [quantile(latencies_ms[bins == i], TAIL) for i in range(RAMP_BINS)]
        return RampCurve(
            offered_per_s=np.bincount(bins, minlength=RAMP_BINS) / width_s,
            ended_per_s=np.histogram(finished_ns, edges_ns)[0] / width_s,
            p99_ms=np.array(p99_ms, np.float64),
        )


def _levels_ms(latencies_ns: _Ints) -> Floats:
    """Interpolated linearly as :func:`benchmarks.record.percentiles.summarise` does, as far as the number of tasks carries it."""
    supported = np.array([carried(len(latencies_ns), level) for level in LEVELS])
    values: Floats = np.full(len(LEVELS), np.nan)
    if supported.any():
        values[supported] = np.quantile(latencies_ns, LEVELS[supported], overwrite_input=True) / NS_PER_MS
    return values


def _timeline(
    records: Sequence[Mapping[str, Any]],
    samples: Mapping[str, npt.NDArray[Any]],
    begin_ns: int,
    edges_s: Floats,
    queued: _Occupancy,
    in_flight: _Occupancy,
) -> Timeline:
    at_s = _seconds(samples["at_ns"], begin_ns)
    inside = (at_s >= 0) & (at_s <= edges_s[-1])
    at_s, memory_mb, cpu_s = at_s[inside], samples["pss_bytes"][inside] / BYTES_PER_MB, samples["cpu_s"][inside]
    step = max(1, -(-len(at_s) // TIMELINE_BINS))
    starts = np.arange(0, len(at_s), step)
    cpu_at_s, cpu_s = at_s[::step], cpu_s[::step]
    elapsed_s, used_s = np.diff(cpu_at_s), np.diff(cpu_s)
    # Between two workers of a run the CPU time begins anew.
    measurable = (elapsed_s > 0) & (used_s >= 0)
    return Timeline(
        time_s=(edges_s[1:] + edges_s[:-1]) / 2,
        queued=queued.mean(),
        in_flight=in_flight.mean(),
        memory_time_s=at_s[starts],
        # The highest of each bin, so that no peak is lost.
        memory_mb=np.maximum.reduceat(memory_mb, starts) if len(starts) else memory_mb,
        cpu_time_s=((cpu_at_s[1:] + cpu_at_s[:-1]) / 2)[measurable],
        cpu_percent=100 * used_s[measurable] / elapsed_s[measurable],
        phases=tuple(
            PhaseSpan(
                str(record["name"]),
                (int(record["began_ns"]) - begin_ns) / NS_PER_S,
                (int(record["drained_ns"]) - begin_ns) / NS_PER_S,
            )
            for record in records
        ),
    )


def _seconds(times_ns: npt.NDArray[Any], begin_ns: int) -> Floats:
    """Those that are there, in seconds from ``begin_ns``."""
    known: Floats = (times_ns[times_ns != MISSING] - begin_ns) / NS_PER_S
    return known


def _batches(file: Path) -> Iterator[dict[str, npt.NDArray[Any]]]:
    try:
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(_COLUMNS)):
                yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in _COLUMNS}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error


def _columns(file: Path, columns: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        table = pq.read_table(file, columns=list(columns))
        return {name: table.column(name).to_numpy() for name in columns}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error
