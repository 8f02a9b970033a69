"""What messages weigh, and how long they take to be sent and read. Pure arithmetic on the reading of
``benchmarks.run.devices.messages``."""

import pandas as pd

from benchmarks.arithmetic import median
from benchmarks.plan.payloads import Payload

MESSAGES = "messages"
"""What the reading is called."""
NOTHING = "nothing"
"""The kind of message that has no argument."""
US_PER_S = 1_000_000

Seconds = dict[tuple[str, Payload], float]
"""How long one message takes, by its serializer and payload."""


def message_median(messages: pd.DataFrame | None, serializer: str, kind: str, size_bytes: int, figure: str) -> float | None:
    """The median of one column over a message's samples."""
    if messages is None:
        return None
    chosen = (messages["serializer"] == serializer) & (messages["kind"] == kind) & (messages["size_bytes"] == size_bytes)
    return median(messages.loc[chosen, figure].to_numpy(float))


def message_seconds(messages: pd.DataFrame) -> Seconds:
    """How long one message takes to send and to read, by the samples that were taken."""
    sized = messages[messages["size_bytes"] > 0]
    took_us = (sized["send_us"] + sized["decode_us"]).groupby([sized["serializer"], sized["kind"], sized["size_bytes"]]).median()
    rows = took_us.reset_index(name="took_us").itertuples(index=False, name=None)
    return {(serializer, Payload(kind, size)): us / US_PER_S for serializer, kind, size, us in rows}
