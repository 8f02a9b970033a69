"""The only place that waits for a task's due time: sleeps most of the way, then spins the last stretch where a core is free."""

import asyncio
import ctypes
import os
import sys
import time

SPIN_SHARE_OF_GAP = 0.1
SPIN_AT_MOST_NS = 500_000
_PR_SET_TIMERSLACK = 29

monotonic_ns = time.monotonic_ns


def sharpen_timers() -> None:
    """Ask the kernel to wake this thread within 1 µs of a timer instead of its usual 50 µs (prctl(2), PR_SET_TIMERSLACK)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)


def spin_stretch_ns(mean_gap_ns: float) -> int:
    """How long before the due time to stop sleeping and spin: at most a tenth of the mean gap, so that pacing costs at most a
    tenth of a core, and not at all where there is only one core."""
    if len(os.sched_getaffinity(0)) < 2:
        return 0
    return int(min(SPIN_AT_MOST_NS, SPIN_SHARE_OF_GAP * mean_gap_ns))


def wait_until(due_ns: int, spin_ns: int) -> None:
    """Block until ``due_ns`` on the monotonic clock; return at once if it has passed."""
    ahead_ns = due_ns - monotonic_ns()
    if ahead_ns > spin_ns:
        time.sleep((ahead_ns - spin_ns) / 1e9)
    while monotonic_ns() < due_ns:
        pass


class AsyncTimer:
    """As :func:`wait_until` on an event loop, whose own timers have a granularity of 1 ms: a timerfd where there is one
    (Python 3.13), the loop's timers otherwise."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._descriptor = -1
        if sys.version_info >= (3, 13):
            self._descriptor = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
            self._loop.add_reader(self._descriptor, self._expired)

    def _expired(self) -> None:
        os.read(self._descriptor, 8)
        self._woken.set()

    async def wait_until(self, due_ns: int, spin_ns: int) -> None:
        """Let the loop run until ``due_ns``; return at once if it has passed."""
        ahead_ns = due_ns - monotonic_ns() - spin_ns
        if ahead_ns > 0:
            if sys.version_info >= (3, 13):
                self._woken.clear()
                os.timerfd_settime_ns(self._descriptor, initial=ahead_ns)
                await self._woken.wait()
            else:
                await asyncio.sleep(ahead_ns / 1e9)
        while monotonic_ns() < due_ns:
            pass

    def close(self) -> None:
        """Give the timer back."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
