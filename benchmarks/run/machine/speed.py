"""The speed of the machine: a fixed piece of C work, timed on every core that this process may use.

Never call it while tasks are measured, for it takes every core.
"""

import hashlib
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.record.machine import SpeedReading
from benchmarks.results.stored_run import FIRST_SPEED

ITERATIONS = 12_000
"""Of SHA-256 by PBKDF2, which OpenSSL does without the interpreter's lock: about 4 ms on a core of 2023."""
GOES = 5
"""On each core, about 20 ms. The median counts: a hiccup lengthens one, a core that is shared or slower all of them."""
GOES_IN_TURN = 12
"""On all cores, one after another, at most, but one on each."""
FIRST_READINGS = 3


def read_speed() -> SpeedReading:
    """The time of one go on each core, alone and on all at once. Takes 60 ms on 2 or 4 cores, and on more 4 ms for each."""
    cores = sorted(os.sched_getaffinity(0))
    goes = max(1, min(GOES, GOES_IN_TURN // len(cores)))
    at_ns = time.monotonic_ns()
    with ThreadPoolExecutor(1) as one:
        alone_s = tuple(one.map(lambda core: _median_s(core, goes), cores))
    with ThreadPoolExecutor(len(cores)) as one_each:
        together_s = tuple(one_each.map(lambda core: _median_s(core, goes), cores))
    return SpeedReading(at_ns, alone_s, together_s)


def first_speeds() -> dict[str, float]:
    """The speed before anything is measured, as facts of a result set, pieces of work a second and core: in all, alone on a core,
    and on all cores at once; each the median of a few readings."""
    readings = [read_speed() for _ in range(FIRST_READINGS)]
    return {
        FIRST_SPEED: statistics.median(r.per_s for r in readings),
        "machine_speed_alone_per_s": statistics.median(1 / statistics.mean(r.alone_s) for r in readings),
        "machine_speed_together_per_s": statistics.median(1 / statistics.mean(r.together_s) for r in readings),
    }


def _median_s(core: int, goes: int) -> float:
    """Pins the thread that it runs in, which ends afterwards, and no other."""
    os.sched_setaffinity(0, {core})
    return statistics.median_low(_timed_s() for _ in range(goes))


def _timed_s() -> float:
    began_s = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"queuelab", b"speed", ITERATIONS)
    return time.perf_counter() - began_s
