"""How a worker's start goes, seen from outside: since when its processes exist, and when it is connected to Redis. Linux only.

The agent looks every 2 ms, or less often where looks are dear: whoever looks takes time from a start on few cores. A look walks
down the tree of each command (``/proc/PID/task/TID/children``) and lists the sockets of those that are not connected yet. The
table of all connections of the host (``/proc/net/tcp``), which costs milliseconds to read, is only read when there is a TCP
socket that is not known, and again for the same sockets after 20 ms.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from infrastructure.agent.errors import SupervisionError
from infrastructure.readings import StartTimes

CONNECT_LIMIT_S = 60.0
_LOOK_AT_MOST_EVERY_S, _LOOK_AT_LEAST_EVERY_S = 0.002, 0.02
_SHARE_OF_A_CORE = 0.05
_ENDS_EVERY_S = 0.1
_TABLE_AGAIN_AFTER_S = 0.02
_ESTABLISHED = "01"
_TCP = b"TCP"
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What is left of a process that has just ended denies access, before it is gone."""


def watch_start(roots: Sequence[int], logs: Sequence[Path], spawned_ns: int, redis_port: int) -> StartTimes:
    """Watch from now on until every root has a connection to Redis in its tree. Raises SupervisionError when one of them ends
    before, or :data:`CONNECT_LIMIT_S` is over."""
    sockets = RedisSockets(redis_port)
    seen_ns: dict[int, int] = {}
    connected_ns: dict[int, int] = {}
    log_bytes = dict.fromkeys(roots, 0)
    cost_s, ends_looked_at_s = _LOOK_AT_LEAST_EVERY_S, 0.0
    while True:
        now_ns, cpu_s = time.monotonic_ns(), time.thread_time()
        # Before its sockets are looked at, so that nothing printed after it was connected counts.
        log_bytes |= {root: log.stat().st_size for root, log in zip(roots, logs, strict=True) if root not in connected_ns}
        trees = {root: tree_of(root) for root in roots}
        for process in (process for tree in trees.values() for process in tree):
            seen_ns.setdefault(process, now_ns)
        for root in roots:
            if root not in connected_ns and sockets.any_in(trees[root]):
                connected_ns[root] = now_ns
        # The cheapest look counts: now and then one includes the table of connections.
        cost_s = min(cost_s, time.thread_time() - cpu_s)
        if len(connected_ns) == len(roots):
            processes = [process for tree in trees.values() for process in tree if is_running(process)]
            return StartTimes(
                spawned_ns=spawned_ns,
                up_ns=max((seen_ns[process] for process in processes), default=now_ns),
                first_connected_ns=min(connected_ns.values()),
                connected_ns=max(connected_ns.values()),
                processes=len(processes),
                read_bytes=sum(map(read_bytes_of, processes)),
                log_bytes=tuple(log_bytes[root] for root in roots),
            )
        missing = [root for root in roots if root not in connected_ns]
        if time.monotonic() - ends_looked_at_s > _ENDS_EVERY_S:
            ends_looked_at_s = time.monotonic()
            if ended := [root for root in missing if not is_running(root)]:
                raise SupervisionError(f"worker processes {ended} ended before they were connected to Redis")
        if now_ns - spawned_ns > CONNECT_LIMIT_S * 1e9:
            raise SupervisionError(f"worker processes {missing} had no connection to Redis after {CONNECT_LIMIT_S:.0f} s")
        time.sleep(min(_LOOK_AT_LEAST_EVERY_S, max(_LOOK_AT_MOST_EVERY_S, cost_s / _SHARE_OF_A_CORE)))


def tree_of(root: int) -> list[int]:
    """A process and all its living descendants that its threads have started, parents before children."""
    tree = [root]
    for process in tree:
        with contextlib.suppress(*_GONE), os.scandir(f"/proc/{process}/task") as threads:
            for thread in threads:
                with contextlib.suppress(*_GONE):
                    tree += map(int, _read(f"{thread.path}/children").split())
    return tree


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended."""
    with contextlib.suppress(*_GONE):
        return _read(f"/proc/{process}/stat").rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return False


def read_bytes_of(process: int) -> int:
    """What a process has had fetched from storage, not from the page cache; 0 for one that is gone."""
    with contextlib.suppress(*_GONE):
        lines = _read(f"/proc/{process}/io").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(b"read_bytes:"))
    return 0


class RedisSockets:
    """Tells which processes have a connection to a port of any host. Remembers the sockets that are none."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._others: set[int] = set()
        self._asked_for: set[int] = set()
        self._asked_s = 0.0

    def any_in(self, processes: Iterable[int]) -> bool:
        """Whether one of these processes has such a connection."""
        candidates = {inode for process in processes for inode in self._candidates(process)}
        asked_lately = time.monotonic() - self._asked_s < _TABLE_AGAIN_AFTER_S
        if not candidates or (asked_lately and candidates <= self._asked_for):
            return False
        ports = _remote_ports()
        self._asked_for, self._asked_s = candidates, time.monotonic()
        self._others |= {inode for inode in candidates if ports.get(inode, self._port) != self._port}
        return any(ports.get(inode) == self._port for inode in candidates)

    def _candidates(self, process: int) -> Iterator[int]:
        with contextlib.suppress(*_GONE), os.scandir(f"/proc/{process}/fd") as descriptors:
            for descriptor in descriptors:
                with contextlib.suppress(*_GONE):
                    status = descriptor.stat()
                    if not stat.S_ISSOCK(status.st_mode) or status.st_ino in self._others:
                        continue
                    if _may_be_tcp(descriptor.path):
                        yield status.st_ino
                    else:
                        self._others.add(status.st_ino)


def _may_be_tcp(descriptor: str) -> bool:
    """Whether a socket may be one of TCP: sockets name their protocol (``sockfs_xattr_get`` of the kernel's net/socket.c)."""
    try:
        return os.getxattr(descriptor, "system.sockprotoname").startswith(_TCP)
    except _GONE:
        return False
    except OSError:
        return True


def _remote_ports() -> dict[int, int]:
    """The remote port of every established connection, by its socket's inode."""
    ports = {}
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _ESTABLISHED:
                    ports[int(columns[9])] = int(columns[2].rpartition(":")[2], 16)
    return ports


def _read(path: str) -> bytes:
    """A small file of /proc; ``Path.read_bytes`` costs several times as much."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def evict(folders: Iterable[Path]) -> None:
    """Have the files below these folders read from storage when they are needed next.

    posix_fadvise(2) with POSIX_FADV_DONTNEED takes a file's pages out of the page cache. It needs no privilege and touches no
    other files, unlike /proc/sys/vm/drop_caches; what running processes have mapped stays where it is, and so does what has not
    been written back yet.
    """
    for folder in folders:
        for parent, _, names in folder.walk():
            for name in names:
                with contextlib.suppress(OSError):
                    descriptor = os.open(parent / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    finally:
                        os.close(descriptor)
