"""Tasks in a lane that the worker of the phase does not listen to: they must stay where they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from benchmarks.run.contract import Places
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.transport import NodeError
from tasks.loads import Mix, Prefilled, TaskClass, queue_name
from tasks.producing import ProduceOrder

NO_RUN = 0
"""Runs count from 1: what bears this number is in no run's table of tasks."""


@dataclass(frozen=True, slots=True)
class UnlistenedLane:
    """Sends ``tasks`` empty tasks to ``lane`` before the phase, and empties the lane after it. Its reading is one row: ``lane``;
    ``acknowledged``, how many of them the broker took; ``waiting``, how many the framework counts as waiting when the tasks of
    the phase have ended; ``started``, how many of them the worker started."""

    variant: str
    lane: str
    tasks: int

    @property
    def name(self) -> str:
        """What its reading is called."""
        return "unlistened_lane"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Send the tasks; what is given reads what became of them. Raises NodeError where they could not be sent."""
        queue = queue_name(places.queue, self.lane)
        tasks = Mix((TaskClass("noop", lane=self.lane),))
        order = ProduceOrder(NO_RUN, phase, self.variant, places.queue, tasks, Prefilled(self.tasks))
        places.producer.purge([queue])
        try:
            produced = node_steps.produce(places.producer, order)
            if produced.failed:
                raise NodeError(places.producer.name, f"sending to {queue}", f"{produced.failed} sends raised: {produced.errors}")

            def read() -> pd.DataFrame:
                counts = places.worker.counts(NO_RUN).get(phase)
                row = {
                    "lane": self.lane,
                    "acknowledged": produced.acknowledged,
                    "waiting": places.producer.depth(queue).waiting,
                    "started": 0 if counts is None else counts.started,
                }
                return pd.DataFrame([row])

            yield read
        finally:
            places.producer.purge([queue])
