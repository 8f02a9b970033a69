"""The event log handed over as it grows, and what was handed over given back to its disk: a log of many hours stays small.

A cursor tells of a file how many bytes of it have been taken. What is dropped becomes a hole at the file's begin (fallocate(2),
FALLOC_FL_PUNCH_HOLE): it takes no space, the file's writer goes on at the end as before, and cursors hold.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.agent.errors import NodeConflictError
from tasks.events import RECORD

EVENT_FILES = "*.events"
_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02


@dataclass(frozen=True, slots=True)
class Taken:
    """Whole records, and the cursors behind them."""

    records: bytes
    cursors: Mapping[str, int]


def records_after(folder: Path, cursors: Mapping[str, int], most_bytes: int) -> Taken:
    """The records behind the cursors, at most so many bytes of them: fewer than could be had tell that these are all. A file that
    has become shorter than its cursor was emptied, and is read from its start."""
    records, after = bytearray(), {}
    for path in sorted(folder.glob(EVENT_FILES)):
        with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            cursor = cursors.get(path.name, 0)
            cursor = cursor if cursor <= size else 0
            room = min(most_bytes - len(records), size - cursor) // RECORD.size * RECORD.size
            found = os.pread(file.fileno(), room, cursor)
            whole = len(found) // RECORD.size * RECORD.size
            records += found[:whole]
            after[path.name] = cursor + whole
    return Taken(bytes(records), after)


def drop_before(folder: Path, cursors: Mapping[str, int]) -> None:
    """Give back the space of all that lies before the cursors; a file that was taken whole and whose writer has ended is removed.
    Raises NodeConflictError on a disk that cannot give back a part of a file."""
    for path in sorted(folder.glob(EVENT_FILES)):
        cursor = cursors.get(path.name, 0)
        with contextlib.suppress(FileNotFoundError):
            if cursor >= path.stat().st_size // RECORD.size * RECORD.size and not _is_written(path):
                path.unlink()
            elif cursor > 0:
                _punch(path, cursor)


def bytes_taken(path: Path) -> int:
    """What a file takes of its disk, without its holes and without what a disk rounds up to."""
    about = path.stat()
    return min(about.st_size, about.st_blocks * 512)


def _is_written(path: Path) -> bool:
    """Whether the process that a file is of (its name begins with the process id) lives."""
    pid = path.name.partition("-")[0]
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def _punch(path: Path, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    with path.open("r+b", buffering=0) as file:
        if libc.fallocate(file.fileno(), _KEEP_SIZE_AND_PUNCH_HOLE, 0, length) == 0:
            return
        number = ctypes.get_errno()
    if number in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise NodeConflictError(
            f"the disk of the event log, {path.parent}, cannot give back a part of a file ({os.strerror(number)}): put the log "
            "on a tmpfs (LAB_EVENTS_DIR), or measure for less than hours"
        )
    raise OSError(number, os.strerror(number), str(path))
