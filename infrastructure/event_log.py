"""Reading side of the event log (written by ``tasks.events``), in NumPy."""

import numpy as np
import numpy.typing as npt

from tasks.events import RECORD

EVENT_DTYPE = np.dtype(
    [
        ("kind", "u1"),
        ("outcome", "u1"),
        ("place", "u1"),
        ("phase", "u1"),
        ("attempt", "<u2"),
        ("label", "<u2"),
        ("run", "<u4"),
        ("sequence", "<u4"),
        ("process", "<u4"),
        ("thread", "<u4"),
        ("first_ns", "<i8"),
        ("second_ns", "<i8"),
        ("third_ns", "<i8"),
    ]
)
"""One record; the fields are those of the table in ``tasks.events``."""

assert EVENT_DTYPE.itemsize == RECORD.size

Events = npt.NDArray[np.void]


def events_from_bytes(raw: bytes | bytearray | memoryview) -> Events:
    """Records from raw bytes, without a copy; an unfinished last record (a file read while it grows) is left out."""
    whole = len(raw) // RECORD.size
    return np.frombuffer(raw, dtype=EVENT_DTYPE, count=whole)
