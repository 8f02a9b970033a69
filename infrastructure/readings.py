"""What a node agent reads of the processes that it supervises, as the runner gets it. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TreeSample:
    """A worker's whole process tree at one moment. ``cpu_s`` includes children that have ended. The cgroup's figures are None
    where the node has no cgroup of its own.

    ``sharers`` are processes that the node sees outside the tree and that run a program of the tree's: they may have mapped the
    same files, and then a page of these counts less in the tree's PSS and not at all in its USS. None in a result of a version
    that did not look."""

    at_ns: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int
    cpu_s: float
    processes: int
    threads: int
    fds: int
    voluntary_switches: int
    involuntary_switches: int
    cgroup_memory_bytes: int | None
    cgroup_memory_peak_bytes: int | None
    cgroup_cpu_s: float | None
    cgroup_throttled_s: float | None
    sharers: int | None = None


@dataclass(frozen=True, slots=True)
class StartTimes:
    """How a worker started, as its node saw it (``infrastructure.agent.starting``)."""

    spawned_ns: int
    """Just before its first process was spawned."""
    up_ns: int
    """When the last of the processes that it had when connected was there."""
    first_connected_ns: int
    """When the first of its commands had a connection to Redis."""
    connected_ns: int
    """When each of them had one."""
    processes: int
    """How many it had then."""
    read_bytes: int
    """What these had had fetched from storage by then, rather than from the page cache."""
    log_bytes: tuple[int, ...]
    """How long the log of each command was when that was connected."""


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """What came of one question to a web application whether it is well, monotonic times: when it was due, when it was asked, and
    when it was answered or given up. ``outcome`` is ``answered``, ``refused`` (no connection, or another answer than 200) or
    ``late`` (no answer within the limit)."""

    due_ns: int
    asked_ns: int
    ended_ns: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a worker's whole process tree occupies at one moment, by figures that cost so little that they can be taken many times
    a second: none of them is to be held against those of a :class:`TreeSample`.

    ``vm_rss_bytes`` is the kernel's own count of resident pages (VmRSS), summed over the processes, which counts a page that
    several share once for each. ``vm_hwm_bytes`` is the sum of what this count had reached at most in each process since the
    series began (``high_water_is_of_series``), or since the process did: of several processes, which need not have been at their
    highest together, an upper bound of the tree's. ``cost_s`` is the CPU time that the series has taken up to and with this
    one. The cgroup's figures are None where the node has no cgroup of its own; its peak counts since its begin."""

    at_ns: int
    vm_rss_bytes: int
    vm_hwm_bytes: int
    high_water_is_of_series: bool
    processes: int
    cost_s: float
    cgroup_memory_bytes: int | None
    cgroup_memory_peak_bytes: int | None
