"""What the lab itself asks of Redis, counted where it leaves and enters the process, to be taken from what Redis counts.

Redis counts for all clients together. Its own figures for each of them (CLIENT LIST) are too new to rely on, and are gone with a
connection that was closed.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

OWN_ORDERS = ("purge", "depth")
"""What a bridge (``tasks.bridge``) is asked to do with Redis for the lab's own sake."""
_UNKNOWN = ("ERR unknown command", "ERR unknown subcommand")
"""How Redis begins its answer to a command that it does not execute, and so does not count either."""
_NOTHING_YET = object()


@dataclass(frozen=True, slots=True)
class RedisTraffic:
    """Commands that Redis executed, and bytes into and out of it (INFO's words: ``input``, ``output``)."""

    commands: int = 0
    input_bytes: int = 0
    output_bytes: int = 0

    def __add__(self, other: "RedisTraffic") -> "RedisTraffic":
        return RedisTraffic(
            self.commands + other.commands, self.input_bytes + other.input_bytes, self.output_bytes + other.output_bytes
        )

    def __sub__(self, other: "RedisTraffic") -> "RedisTraffic":
        return RedisTraffic(
            self.commands - other.commands, self.input_bytes - other.input_bytes, self.output_bytes - other.output_bytes
        )


NO_TRAFFIC = RedisTraffic()


class Meter:
    """Counts what passes through sockets that are connected to Redis."""

    def __init__(self) -> None:
        self._commands = self._input_bytes = self._output_bytes = 0
        self._readers: dict[socket.socket, Any] = {}

    @property
    def traffic(self) -> RedisTraffic:
        """All so far."""
        return RedisTraffic(self._commands, self._input_bytes, self._output_bytes)

    def sent(self, count: int) -> None:
        """So many bytes have gone to Redis."""
        self._input_bytes += count

    def received(self, source: socket.socket, data: bytes) -> None:
        """These bytes have come from Redis. A command counts as executed once it is answered."""
        import hiredis  # in the frameworks' environments, and not in the agent's

        self._output_bytes += len(data)
        if source not in self._readers:
            self._readers[source] = hiredis.Reader(notEnoughData=_NOTHING_YET)
        reader = self._readers[source]
        reader.feed(data)
        while (reply := reader.gets()) is not _NOTHING_YET:
            unasked = isinstance(reply, hiredis.PushNotification)
            unknown = isinstance(reply, hiredis.ReplyError) and str(reply).startswith(_UNKNOWN)
            self._commands += not (unasked or unknown)


@contextmanager
def metered() -> Iterator[Meter]:
    """Counts what this thread sends and receives through plain sockets within the block, by whatever client: all of them must be
    connected to Redis, with no reply outstanding at the block's begin or end. Outside such a block a socket costs what it always
    does. Blocks of several threads take turns."""
    with _turn:
        meter = Meter()
        methods = _metered_methods(meter, threading.get_ident())
        for name, method in methods.items():
            setattr(socket.socket, name, method)
        try:
            yield meter
        finally:
            for name in methods:  # what it had inherited shows again
                delattr(socket.socket, name)


_turn = threading.Lock()


def _metered_methods(meter: Meter, thread: int) -> dict[str, Callable[..., Any]]:
    plain = cast(Any, socket.socket)
    plain_send, plain_sendall, plain_recv, plain_recv_into = plain.send, plain.sendall, plain.recv, plain.recv_into

    def send(self: socket.socket, data: Any, *flags: Any) -> Any:
        count = plain_send(self, data, *flags)
        if threading.get_ident() == thread:
            meter.sent(count)
        return count

    def sendall(self: socket.socket, data: Any, *flags: Any) -> Any:
        plain_sendall(self, data, *flags)
        if threading.get_ident() == thread:
            meter.sent(memoryview(data).nbytes)

    def recv(self: socket.socket, *arguments: Any) -> Any:
        data = plain_recv(self, *arguments)
        if threading.get_ident() == thread:
            meter.received(self, data)
        return data

    def recv_into(self: socket.socket, buffer: Any, *arguments: Any) -> Any:
        count = plain_recv_into(self, buffer, *arguments)
        if threading.get_ident() == thread:
            meter.received(self, bytes(memoryview(buffer)[:count]))
        return count

    return {"send": send, "sendall": sendall, "recv": recv, "recv_into": recv_into}
