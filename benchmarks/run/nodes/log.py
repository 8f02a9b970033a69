"""The event log of a node."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.run.nodes.transport import Transport
from infrastructure.event_log import Events, events_from_bytes
from tasks.events import Kind


@dataclass(frozen=True, slots=True)
class PhaseCounts:
    """What a node's event log says of one phase so far; ``processes`` counts the distinct processes that started tasks."""

    enqueued_ok: int
    enqueued_failed: int
    started: int
    finished_ok: int
    finished_failed: int
    finished_retried: int
    finished_skipped: int
    processes: int

    @property
    def ended(self) -> int:
        """Tasks that have ended, or never will be executed."""
        return self.finished_ok + self.finished_failed + self.finished_skipped

    @property
    def in_hand(self) -> int:
        """Attempts that were started and have not ended: a worker has them, or had them when it died."""
        return self.started - self.finished_ok - self.finished_failed - self.finished_retried


class LogCalls(Transport):
    """What a node is asked about its event log."""

    def events(self) -> Events:
        """The node's event log."""
        raw = bytearray()
        with self._errors("GET /events"), self._client.stream("GET", "/events") as response:
            self._check(response, "GET /events")
            for portion in response.iter_bytes():
                raw += portion
        return events_from_bytes(raw)

    def clear_events(self) -> None:
        """Empty the node's event log."""
        self._post("/events/clear")

    def take_events(self, cursors: Mapping[str, int], most_bytes: int) -> tuple[bytes, dict[str, int]]:
        """Whole records of the node's event log behind cursors (none: from its start), at most so many bytes, and the cursors
        behind these."""
        answer = self._request("POST", "/events/take", json={"cursors": dict(cursors), "most_bytes": most_bytes}).content
        head, _, records = answer.partition(b"\n")
        return records, json.loads(head)

    def drop_events(self, cursors: Mapping[str, int]) -> None:
        """Have the node give back the space of all before the cursors."""
        self._post("/events/drop", {"cursors": dict(cursors)})

    def counts(self, run: int) -> dict[int, PhaseCounts]:
        """What the node's event log says of a run by now, by phase."""
        return {int(phase): PhaseCounts(**counts) for phase, counts in self._get("/counts", run=run).items()}

    def count_events(self, kind: Kind, run: int, phase: int) -> dict[int, int]:
        """How many records of one kind a phase has in the node's event log by now, by outcome."""
        counts = self._get("/events/count", kind=kind.value, run=run, phase=phase)
        return {int(outcome): count for outcome, count in counts.items()}
