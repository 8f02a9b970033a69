"""The mock API's own record of what it answered: compact, bounded, in memory."""

from array import array
from collections.abc import Iterator
from itertools import islice

Entry = tuple[str, int, int, float]
"""Id, arrival (CLOCK_MONOTONIC nanoseconds), status, latency in milliseconds from the arrival to the answer."""


class RequestLog:
    """Keeps the first ``capacity`` answers, 22 bytes and the id each; counts those that found it full."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.dropped = 0
        self._ids = bytearray()
        self._id_ends = array("Q")
        self._arrived_ns = array("q")
        self._status = array("H")
        self._latency_ms = array("f")

    def append(self, request_id: bytes, arrived_ns: int, status: int, latency_ms: float) -> None:
        """Note one answer."""
        if len(self._status) >= self.capacity:
            self.dropped += 1
            return
        self._ids += request_id
        self._id_ends.append(len(self._ids))
        self._arrived_ns.append(arrived_ns)
        self._status.append(status)
        self._latency_ms.append(latency_ms)

    def entries(self, since_ns: int) -> Iterator[Entry]:
        """The answers, in the order in which they were given, to requests that arrived at ``since_ns`` or later.

        Covers what is there when it begins, whatever is appended or cleared while it is read.
        """
        ids, id_ends, status, latency_ms = self._ids, self._id_ends, self._status, self._latency_ms
        begin = 0
        for index, arrived_ns in enumerate(islice(self._arrived_ns, len(self))):
            end = id_ends[index]
            if arrived_ns >= since_ns:
                yield ids[begin:end].decode(errors="replace"), arrived_ns, status[index], round(latency_ms[index], 3)
            begin = end

    def __len__(self) -> int:
        return len(self._status)
