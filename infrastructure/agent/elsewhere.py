"""Where the processes of a node are connected to that is not the lab's: nowhere, if all is well. Linux only.

What counts is every TCP connection that one of them holds at the moment of the look, however far its handshake is. The kernel's
table of connections names a socket by its inode (proc_pid_net(5)), and so does a process's descriptor.
"""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING = "0A"
_WORD_BYTES = 4
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What is left of a process that has just ended denies access, before it is gone."""

Address = tuple[str, int]
"""An IP address, of version 4 where it can be, and a port."""


def foreign_connections(processes: Iterable[int], servers: Collection[Address]) -> list[str]:
    """The remote ends, ``ip:port`` each, of these processes' connections to anything but ``servers`` and each other; sorted."""
    inodes = {inode for process in processes for inode in _sockets_of(process)}
    rows = [row for row in _table() if row[3] in inodes]
    own_ports = {local[1] for state, local, _, _ in rows if state == _LISTENING}
    # Both ends are theirs, though nobody listens any more: so libraries make pairs of sockets where they find no better way.
    ends = {(local, remote) for _, local, remote, _ in rows}
    return sorted(
        {
            f"{remote[0]}:{remote[1]}"
            for state, local, remote, _ in rows
            if state != _LISTENING
            and remote not in servers
            and not own_ports & {local[1], remote[1]}
            and (remote, local) not in ends
        }
    )


def addresses_of(url: str) -> set[Address]:
    """Where a server of the lab can be reached; nothing where its name stands for no address, as that of one that is not up."""
    parts = urlsplit(url)
    with contextlib.suppress(socket.gaierror):
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        return {(_plain(str(address[0])), int(address[1])) for *_, address in found}
    return set()


def _sockets_of(process: int) -> Iterator[int]:
    with contextlib.suppress(*_GONE), os.scandir(f"/proc/{process}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(*_GONE):
                target = os.readlink(descriptor.path)  # noqa: PTH115 - a pathlib.Path costs several times as much
                if target.startswith("socket:["):
                    yield int(target[len("socket:[") : -1])


def _table() -> Iterator[tuple[str, Address, Address, int]]:
    """State, local and remote address, and inode of every socket of TCP."""
    for table in _TABLES:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text().splitlines()[1:]:
                columns = line.split()
                yield columns[3], _address(columns[1]), _address(columns[2]), int(columns[9])


def _address(text: str) -> Address:
    """The table has an address as words in the machine's byte order, in hexadecimal digits."""
    digits, _, port = text.partition(":")
    raw = bytes.fromhex(digits)
    words = (raw[start : start + _WORD_BYTES][::-1] for start in range(0, len(raw), _WORD_BYTES))
    return _plain(str(ipaddress.ip_address(b"".join(words)))), int(port, 16)


def _plain(address: str) -> str:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
