"""A node's event log, taken as it grows and given back to its disk once what was taken is safe."""

from collections.abc import Iterator

from benchmarks.run.nodes.client import NodeClient

PORTION_BYTES = 16 * 1024 * 1024


class NodeLog:
    """What of the log was taken already."""

    def __init__(self, node: NodeClient) -> None:
        self._node = node
        self._cursors: dict[str, int] = {}

    def new(self) -> Iterator[bytes]:
        """All whole records that are new, in portions. Raises NodeError."""
        while True:
            records, self._cursors = self._node.take_events(self._cursors, PORTION_BYTES)
            if records:
                yield records
            if len(records) < PORTION_BYTES // 2:
                return

    def drop(self) -> None:
        """Give back the space of what was taken. Raises NodeError."""
        self._node.drop_events(self._cursors)
