"""Who worked on stale data: tasks whose order was changed after they had been sent. Pure arithmetic on the reading of
``benchmarks.run.devices.orders_seen``."""

from collections.abc import Sequence

import pandas as pd

from benchmarks.record.run_data import PhaseData, RunData, measured_phases

ORDERS_SEEN = "orders_seen"
"""What the reading is called."""


def stale_phases(data: RunData) -> list[PhaseData]:
    """The phases whose tasks looked at their order."""
    return [p for p in measured_phases(data) if ORDERS_SEEN in p.readings]


def changed(seen: pd.DataFrame) -> pd.DataFrame:
    """Of the tasks that looked at their order those whose order was changed after they had been sent."""
    return seen[seen["row_version"] > seen["sent_version"]]


def stale_share(frames: Sequence[pd.DataFrame], way: str) -> float | None:
    """Of these tasks, handed their order in one way, the share that saw another version than the database held."""
    of_way = [frame[frame["way"] == way] for frame in map(changed, frames)]
    count = sum(map(len, of_way))
    stale = sum(int((frame["seen_version"] != frame["row_version"]).sum()) for frame in of_way)
    return stale / count if count else None
