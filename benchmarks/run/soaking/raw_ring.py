"""The raw records of the last few windows, in case one of them is to be kept."""

from collections import OrderedDict

MOST_BYTES = 64 * 1024 * 1024


class RawRing:
    """Records by the window in which they came. The oldest are forgotten beyond :data:`MOST_BYTES`."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held: OrderedDict[int, bytearray] = OrderedDict()
        self._bytes = 0

    def add(self, window: int, records: bytes) -> None:
        """Hold these."""
        self._held.setdefault(window, bytearray()).extend(records)
        self._bytes += len(records)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._held.popitem(last=False)[1])

    def of(self, window: int) -> bytes:
        """What came in a window, as far as it is held still."""
        return bytes(self._held.get(window, b""))

    def forget_up_to(self, window: int) -> None:
        """Let go of a window and all before it."""
        for old in [number for number in self._held if number <= window]:
            self._bytes -= len(self._held.pop(old))
