"""What it costs to read the machine at a mark of a phase."""

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.harness.figures import Figure, shown
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.machine.speed import read_speed
from benchmarks.run.machine.watch import MachineWatch

MARKS = 11


def observation_cost(lab: LocalLab) -> Iterator[Figure]:
    """Both readings of a mark: of CPU time and limits, while tasks may run, and of the speed, while none does."""
    watch = MachineWatch(lab.owns, lab.cpu_quotas)
    watch.begin()
    for name, read in (("CPU time and limits", watch.mark), ("the machine's speed", read_speed)):
        times_ms = [_ms(read) for _ in range(MARKS)]
        detail = f"{MARKS} marks, at most {max(times_ms):.1f} ms"
        yield shown(f"reading {name} at a mark, median", statistics.median(times_ms), "ms", detail)


def _ms(read: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    read()
    return (time.perf_counter() - began_s) * 1000
