"""What subscribers to a framework's task events have received, and what its worker has emitted.

Both are in the event logs of the nodes; here they are read from there.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.record.event_stream import EMISSIONS, RECEIPTS, UNKNOWN
from benchmarks.run.contract import Places
from benchmarks.run.nodes import clock
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from infrastructure.event_log import Events
from tasks.events import Kind, Streamed

SUBSCRIBED_WITHIN_S = 60.0
QUIET_S = 0.5
"""After so long without a further event no more are waited for."""
_POLL_S = 0.05
_EMITTED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Subscribers:
    """Has ``count`` subscribers in processes of their own on the producer's node, subscribed before the load begins, each
    sleeping ``delay_s`` over every event. When all tasks have ended, it waits until every event owed has come, none has come
    for :data:`QUIET_S`, or ``settle_s`` are over.

    Its reading has a row for each receipt: ``subscriber``, from 0; ``what``, a :class:`tasks.events.Streamed`, of which NOTHING
    says that it was subscribed then (again, where its connection had been broken); ``sequence`` of the task, -1 where the
    event names none that the phase has run; ``occurred_ns``, when the event says that it happened (0 with NOTHING), and
    ``received_ns``, both CLOCK_MONOTONIC.
    """

    count: int
    settle_s: float
    delay_s: float = 0.0

    @property
    def name(self) -> str:
        """What its reading is called."""
        return RECEIPTS

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Start the subscribers; what is given ends them."""
        producer = places.producer
        try:
            producer.start_subscribers(run, phase, self.count, self.delay_s)
            self._wait_until_subscribed(producer, run, phase)

            def read() -> pd.DataFrame:
                self._wait_for_events(places, run, phase)
                producer.stop_subscribers()
                return receipts(producer.events(), places.worker.events(), run, phase)

            yield read
        finally:
            producer.stop_subscribers()

    def _wait_until_subscribed(self, producer: NodeClient, run: int, phase: int) -> None:
        give_up_s = time.monotonic() + SUBSCRIBED_WITHIN_S
        while (ready := producer.count_events(Kind.RECEIVED, run, phase).get(Streamed.NOTHING, 0)) < self.count:
            so_far = f"{ready} of {self.count} subscribers are subscribed"
            self._require_running(producer, so_far)
            if time.monotonic() > give_up_s:
                tail = producer.subscribers().log_tail
                detail = f"{so_far} after {SUBSCRIBED_WITHIN_S:.0f} s; their log ends:\n{tail}"
                raise NodeError(producer.name, "subscribing", detail)
            time.sleep(_POLL_S)

    def _require_running(self, producer: NodeClient, so_far: str) -> None:
        status = producer.subscribers()
        if status.state != "running":
            raise NodeError(producer.name, "subscribing", f"{so_far}, and then they ended: {status.died or status.log_tail}")

    def _wait_for_events(self, places: Places, run: int, phase: int) -> None:
        counts = places.worker.counts(run).get(phase)
        owed = 0 if counts is None else self.count * (counts.started + counts.finished_ok + counts.finished_failed)
        begun_s = progress_s = time.monotonic()
        came = -1
        while True:
            by_what = places.producer.count_events(Kind.RECEIVED, run, phase)
            now_s, received = time.monotonic(), by_what.get(Streamed.STARTED, 0) + by_what.get(Streamed.FINISHED, 0)
            if received > came:
                came, progress_s = received, now_s
            self._require_running(places.producer, f"the subscribers have received {received} of {owed} events")
            if received >= owed or now_s - progress_s > QUIET_S or now_s - begun_s > self.settle_s:
                return
            time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Emissions:
    """Reads what the worker has emitted since the phase began. Name it after :class:`Subscribers`, which wait for the events.

    Its reading has a row for each time that events were handed to Redis: ``began_ns`` (CLOCK_MONOTONIC), ``took_ns``, ``events``.
    """

    @property
    def name(self) -> str:
        """What its reading is called."""
        return EMISSIONS

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Note the time; what is given reads all since, once no more comes."""
        began_ns = clock.now_ns()

        def read() -> pd.DataFrame:
            _wait_for_the_last_emission(places.worker)
            return emissions(places.worker.events(), began_ns)

        yield read


def _wait_for_the_last_emission(worker: NodeClient) -> None:
    """What a task's events take does not hold up its end, so the last may come after it. Their records belong to no run."""
    give_up_s = time.monotonic() + _EMITTED_WITHIN_S
    before, now = -1, sum(worker.count_events(Kind.EMITTED, 0, 0).values())
    while now > before and time.monotonic() < give_up_s:
        time.sleep(2 * _POLL_S)
        before, now = now, sum(worker.count_events(Kind.EMITTED, 0, 0).values())


def receipts(of_producer: Events, of_worker: Events, run: int, phase: int) -> pd.DataFrame:
    """The receipts of a phase, as :class:`Subscribers` has them, from the event logs of both nodes."""
    received = _of_phase(of_producer, Kind.RECEIVED, run, phase)
    started = _of_phase(of_worker, Kind.STARTED, run, phase)
    what = received["outcome"].astype(np.int64)
    sequence = _sequences(received["third_ns"], started["third_ns"], started["sequence"].astype(np.int64))
    return pd.DataFrame(
        {
            "subscriber": received["label"].astype(np.int64),
            "what": what,
            "sequence": np.where(what == Streamed.NOTHING, UNKNOWN, sequence),
            "occurred_ns": received["second_ns"].astype(np.int64),
            "received_ns": received["first_ns"].astype(np.int64),
        }
    )


def emissions(of_worker: Events, since_ns: int) -> pd.DataFrame:
    """What was emitted since then, as :class:`Emissions` has it, from the worker's event log."""
    emitted = of_worker[(of_worker["kind"] == Kind.EMITTED) & (of_worker["first_ns"] >= since_ns)]
    return pd.DataFrame(
        {
            "began_ns": emitted["first_ns"].astype(np.int64),
            "took_ns": (emitted["second_ns"] - emitted["first_ns"]).astype(np.int64),
            "events": emitted["label"].astype(np.int64),
        }
    )


def _of_phase(events: Events, kind: Kind, run: int, phase: int) -> Events:
    chosen: Events = events[(events["kind"] == kind) & (events["run"] == run) & (events["phase"] == phase)]
    return chosen


def _sequences(
    identities: npt.NDArray[np.int64], known: npt.NDArray[np.int64], sequences: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The sequence number that belongs to each identity; -1 to one that is not ``known``."""
    if not len(known):
        return np.full(len(identities), UNKNOWN, np.int64)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, identities, sorter=order), len(known) - 1)
    found = order[place]
    return np.where(known[found] == identities, sequences[found], UNKNOWN)
