"""The time line of a soak: the monotonic clock, with the times cut out at which the host was suspended known."""

import time
from dataclasses import dataclass, field

NS_PER_S = 1_000_000_000
LEAST_GAP_NS = NS_PER_S
"""The two clocks are read one after the other: what is shorter is that."""


def _suspended_ns() -> int:
    """How long the host has been suspended since it was started: CLOCK_MONOTONIC stands still then, CLOCK_BOOTTIME does not."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass(slots=True)
class Timeline:
    """``shift_ns`` is added to a monotonic time to have it on the time line, which begins at ``began_unix_ns``: set once by the
    wall clock, which may step afterwards as it likes."""

    began_unix_ns: int = field(default_factory=time.time_ns)
    shift_ns: int = field(init=False)
    gaps_ns: int = 0
    """All suspensions together."""
    _suspended_ns: int = field(default_factory=_suspended_ns)

    def __post_init__(self) -> None:
        self.shift_ns = self.began_unix_ns - time.monotonic_ns()

    def now_ns(self) -> int:
        """Now."""
        return time.monotonic_ns() + self.shift_ns

    def elapsed_s(self) -> float:
        """Since the begin, suspensions included."""
        return (self.now_ns() - self.began_unix_ns) / NS_PER_S

    def gap_ns(self) -> int:
        """How long the host was suspended since this was last asked; 0 where it was not. The time line then goes on behind the
        gap."""
        suspended_ns = _suspended_ns()
        gap_ns = suspended_ns - self._suspended_ns
        if gap_ns < LEAST_GAP_NS:
            return 0
        self._suspended_ns = suspended_ns
        self.shift_ns += gap_ns
        self.gaps_ns += gap_ns
        return gap_ns
