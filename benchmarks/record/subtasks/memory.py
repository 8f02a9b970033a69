"""What a worker's tree occupied while its tasks did their parts, from a dense series of footprints. Pure arithmetic.

All figures are of the kernel's count of resident pages (VmRSS) or of the control group, in MB of 10^6 bytes; none is PSS, USS or
the RSS of smaps, which count otherwise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.arithmetic import difference, ratio
from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.run_data import PhaseData
from benchmarks.record.subtasks.course import Course
from tasks.loads import NS_PER_S

FOOTPRINTS = "footprints"
"""What the reading of :mod:`benchmarks.run.devices.footprints` is called."""
NEAR_PEAK = 0.95
"""From this share of its rise on, memory is at its peak."""

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """Before the load, at the highest sample since, and at the last one, MB; None where it was not read."""

    baseline_mb: float | None
    peak_mb: float | None
    after_mb: float | None

    @property
    def added_mb(self) -> float | None:
        """From the baseline to the peak."""
        return difference(self.peak_mb, self.baseline_mb)

    @property
    def retained_mb(self) -> float | None:
        """What is left of that at the end."""
        return difference(self.after_mb, self.baseline_mb)


@dataclass(frozen=True, slots=True)
class Occupied:
    """``high_water_mb`` is the sum of the processes' highest VmRSS by the kernel's own books, ``cgroup_high_water_mb`` the
    highest of the control group; None where these may be of a time before the load. ``peak_lasted_s`` is how long it was near
    its peak; None where it still was at the end. ``rate_per_s`` and ``longest_gap_ms`` are of the samples while parts
    were done; ``cpu_percent`` is what the series took, 100 = one core."""

    vm_rss: Level
    cgroup: Level
    high_water_mb: float | None
    cgroup_high_water_mb: float | None
    peak_lasted_s: float | None
    rate_per_s: float | None
    longest_gap_ms: float | None
    cpu_percent: float | None

    @property
    def between_samples_mb(self) -> float | None:
        """How much higher than any sample the kernel has seen it; of several processes at most so much."""
        higher = difference(self.high_water_mb, self.vm_rss.peak_mb)
        # The kernel's books lag behind its count by some pages.
        return None if higher is None else max(0.0, higher)

    @classmethod
    def of(cls, phase: PhaseData, course: Course) -> "Occupied | None":
        """None where nothing was read."""
        frame = phase.readings.get(FOOTPRINTS)
        if frame is None or frame.empty:
            return None
        at_ns = frame["at_ns"].to_numpy(np.int64)
        inside = frame[(at_ns >= course.began_ns) & (at_ns <= course.ended_ns)]
        since = frame[at_ns >= phase.record.resumed_ns]
        gaps_ns = np.diff(np.concatenate([[course.began_ns], inside["at_ns"], [course.ended_ns]]))
        last = frame.iloc[-1]
        return cls(
            vm_rss=_level(frame, phase.record.resumed_ns, "vm_rss_bytes"),
            cgroup=_level(frame, phase.record.resumed_ns, "cgroup_memory_bytes"),
            high_water_mb=float(last["vm_hwm_bytes"]) / BYTES_PER_MB if last["high_water_is_of_series"] else None,
            cgroup_high_water_mb=_grown(frame, "cgroup_memory_peak_bytes"),
            peak_lasted_s=_lasted(since["at_ns"].to_numpy(np.int64), since["vm_rss_bytes"].to_numpy(np.int64)),
            rate_per_s=ratio(len(inside), course.took_s),
            longest_gap_ms=float(gaps_ns.max()) / NS_PER_MS,
            cpu_percent=_cpu_percent(frame),
        )


def _level(frame: pd.DataFrame, resumed_ns: int, column: str) -> Level:
    """The baseline is the last sample before the workers were let go, or the first of all where none is before."""
    sizes = frame[["at_ns", column]].dropna()
    if sizes.empty:
        return Level(None, None, None)
    values = sizes[column].to_numpy(np.float64) / BYTES_PER_MB
    first = max(0, int((sizes["at_ns"] < resumed_ns).sum()) - 1)
    return Level(float(values[first]), float(values[first:].max()), float(values[-1]))


def _grown(frame: pd.DataFrame, column: str) -> float | None:
    """A high-water mark that has risen within the series; one that has not is of a time before it."""
    sizes = frame[column].dropna()
    if sizes.empty or not sizes.iloc[-1] > sizes.iloc[0]:
        return None
    return float(sizes.iloc[-1]) / BYTES_PER_MB


def _lasted(at_ns: _Ints, sizes: _Ints) -> float | None:
    """From each sample near the peak to the next."""
    if len(at_ns) == 0:
        return None
    near = sizes >= sizes[0] + NEAR_PEAK * (sizes.max() - sizes[0])
    return None if near[-1] else float(np.diff(at_ns)[near[:-1]].sum()) / NS_PER_S


def _cpu_percent(frame: pd.DataFrame) -> float | None:
    took_s = (int(frame["at_ns"].iloc[-1]) - int(frame["at_ns"].iloc[0])) / NS_PER_S
    share = ratio(float(frame["cost_s"].iloc[-1] - frame["cost_s"].iloc[0]), took_s)
    return None if share is None else 100 * share
