"""Figures of the agent's own container: its cgroup, version 1 or 2, and its network."""

from dataclasses import dataclass
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC_CGROUP = Path("/proc/self/cgroup")
PROC_NETWORK = Path("/proc/net/dev")


@dataclass(frozen=True, slots=True)
class CgroupReading:
    """Memory (page cache included), its peak, CPU time and the time it was throttled for; None for what the kernel does not
    offer. The peak of version 1 counts from the cgroup's start and cannot be reset from inside."""

    memory_bytes: int | None
    memory_peak_bytes: int | None
    cpu_s: float | None
    throttled_s: float | None


@dataclass(frozen=True, slots=True)
class NetworkReading:
    """Bytes over all interfaces but the loopback one, since the container's start."""

    received_bytes: int
    sent_bytes: int


def read_network(source: Path = PROC_NETWORK) -> NetworkReading:
    """The totals of /proc/net/dev (proc_pid_net(5)): the first column of an interface is bytes received, the ninth bytes sent."""
    rows = [line.partition(":") for line in source.read_text().splitlines() if ":" in line]
    counts = [columns.split() for name, _, columns in rows if name.strip() != "lo"]
    return NetworkReading(sum(int(row[0]) for row in counts), sum(int(row[8]) for row in counts))


NO_CGROUP = CgroupReading(None, None, None, None)


def read_cgroup_memory(memberships: str, root: Path = CGROUP_ROOT) -> tuple[int | None, int | None]:
    """Memory and its peak of :func:`read_cgroup`, at less cost."""
    paths = _paths(memberships)
    unified = _folder(root, paths.get("", "/"))
    if (unified / "memory.current").exists():
        return _number(unified / "memory.current"), _number(unified / "memory.peak")
    memory = _folder(root / "memory", paths.get("memory", "/"))
    return _number(memory / "memory.usage_in_bytes"), _number(memory / "memory.max_usage_in_bytes")


def read_cgroup(memberships: str, root: Path = CGROUP_ROOT) -> CgroupReading:
    """The figures of the cgroup that ``memberships`` (the text of /proc/self/cgroup) names under ``root``.

    Kernel documentation: admin-guide/cgroup-v2 and admin-guide/cgroup-v1. A container may see its host's paths there while its
    own cgroup is mounted at the top; a path that does not exist therefore means the top.
    """
    paths = _paths(memberships)
    memory_bytes, memory_peak_bytes = read_cgroup_memory(memberships, root)
    unified = _folder(root, paths.get("", "/"))
    if (unified / "memory.current").exists():
        return CgroupReading(
            memory_bytes=memory_bytes,
            memory_peak_bytes=memory_peak_bytes,
            cpu_s=_scaled(_field(unified / "cpu.stat", "usage_usec"), 1e-6),
            throttled_s=_scaled(_field(unified / "cpu.stat", "throttled_usec"), 1e-6),
        )
    accounting = _folder(root / "cpuacct", paths.get("cpuacct", "/"))
    cpu = _folder(root / "cpu", paths.get("cpu", "/"))
    return CgroupReading(
        memory_bytes=memory_bytes,
        memory_peak_bytes=memory_peak_bytes,
        cpu_s=_scaled(_number(accounting / "cpuacct.usage"), 1e-9),
        throttled_s=_scaled(_field(cpu / "cpu.stat", "throttled_time"), 1e-9),
    )


def _paths(memberships: str) -> dict[str, str]:
    """The cgroup of each controller; of version 2 under an empty name."""
    paths: dict[str, str] = {}
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _folder(mount: Path, path: str) -> Path:
    inner = mount / path.lstrip("/")
    return inner if inner.is_dir() else mount


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return None


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), None)


def _scaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value * factor
