"""How the parts of tasks went, and how they would go at best. Pure arithmetic."""

from dataclasses import dataclass

import numpy as np

from benchmarks.chart import Floats
from benchmarks.record.concurrency import most_at_once
from benchmarks.record.run_data import PhaseData
from tasks.loads import NS_PER_S

SUBTASKS = "subtasks"
"""What the reading of :mod:`benchmarks.run.devices.subtasks` is called."""


@dataclass(frozen=True, slots=True)
class Course:
    """The parts of a phase that have ended with the right checksum: from the begin of the first to the end of the last, how many,
    how many at the same time at most, and in how many processes and threads of the operating system."""

    began_ns: int
    ended_ns: int
    count: int
    in_flight_max: int
    processes: int
    threads: int

    @property
    def took_s(self) -> float:
        """From the first begin to the last end."""
        return (self.ended_ns - self.began_ns) / NS_PER_S

    @classmethod
    def of(cls, phase: PhaseData) -> "Course | None":
        """None where no part ended, or none was looked at."""
        frame = phase.readings.get(SUBTASKS)
        if frame is None or frame.empty:
            return None
        began_ns, ended_ns = np.sort(frame["began_ns"].to_numpy(np.int64)), frame["ended_ns"].to_numpy(np.int64)
        return cls(
            began_ns=int(began_ns[0]),
            ended_ns=int(ended_ns.max()),
            count=len(frame),
            in_flight_max=most_at_once(began_ns, ended_ns),
            processes=int(frame["process"].nunique()),
            threads=len(frame[["process", "thread"]].drop_duplicates()),
        )


def ideal_s(count: int, at_once: int, time_s: float) -> float:
    """What ``count`` parts of ``time_s`` take, ``at_once`` at the same time, where nothing but their time is lost."""
    return -(-count // at_once) * time_s


def ideal_steps(count: int, at_once: int, time_s: float, size_mb: float) -> tuple[Floats, Floats]:
    """What their data occupy then, as a line with steps: times (s) and MB, from 0 up and down to 0 again."""
    waves = -(-count // at_once)
    heights = [size_mb * min(at_once, count - wave * at_once) for wave in range(waves)]
    times = np.repeat(np.arange(waves + 1, dtype=np.float64) * time_s, 2)
    return times, np.concatenate([[0.0], np.repeat(np.array(heights, np.float64), 2), [0.0]])
