"""Whether a node's monotonic clock is the runner's, and by how much it differs where it is not."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClockProbe:
    """One round trip to a node: the runner's clock before and after, and the node's in between."""

    before_ns: int
    node_ns: int
    after_ns: int


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """A node's clock minus the runner's, known to within ``uncertainty_ns`` either way."""

    offset_ns: int
    uncertainty_ns: int


def estimate_offset(probes: Sequence[ClockProbe]) -> ClockOffset:
    """The offset from the probe with the least delay, as NTP's clock filter takes it (RFC 5905, section 10): the node's time
    is compared with the middle of the round trip, and half the round trip bounds the error."""
    best = min(probes, key=lambda probe: probe.after_ns - probe.before_ns)
    middle_ns = (best.before_ns + best.after_ns) // 2
    return ClockOffset(offset_ns=best.node_ns - middle_ns, uncertainty_ns=(best.after_ns - best.before_ns + 1) // 2)


def own_boot_id() -> str:
    """The kernel's boot id: equal on one host, in and out of its containers."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def own_time_namespace() -> str:
    """The time namespace of this process (time_namespaces(7)): in another, the monotonic clock may be shifted."""
    return str(Path("/proc/self/ns/time").readlink())


def shares_clock(boot_id: str, time_namespace: str) -> bool:
    """Whether a node with this boot id and time namespace reads the same monotonic clock as this process."""
    return boot_id == own_boot_id() and time_namespace == own_time_namespace()


def now_ns() -> int:
    """The runner's monotonic clock."""
    return time.monotonic_ns()
