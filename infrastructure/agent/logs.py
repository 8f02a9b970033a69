"""Tails of log files."""

from pathlib import Path
from typing import BinaryIO

TAIL_LINES = 40
_TAIL_BYTES = 64 * 1024
MOST_BYTES, KEPT_BYTES = 64 * 1024 * 1024, 4 * 1024 * 1024
"""A log that has grown beyond the first is cut down to its last so many: a worker may print for days."""


def log_tail(path: Path) -> str:
    """The last lines of a log file; "(nothing)" for one that is empty or missing."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    return "\n".join(text.splitlines()[-TAIL_LINES:]) or "(nothing)"


def emptied(path: Path) -> BinaryIO:
    """The file, empty, for a process to append to."""
    path.write_bytes(b"")
    return path.open("ab")


def cut_down(path: Path, most_bytes: int = MOST_BYTES, kept_bytes: int = KEPT_BYTES) -> None:
    """Cut a log that is too long down to its end, which begins with a line on that. Its writers must append (:func:`emptied`);
    what they write at that very moment may be lost."""
    try:
        with path.open("r+b") as file:
            size = file.seek(0, 2)
            if size <= most_bytes:
                return
            file.seek(size - kept_bytes)
            end = file.read()
            file.truncate(0)
            file.seek(0)
            file.write(b"(the node has cut off %d bytes here)\n" % (size - len(end)) + end)
    except FileNotFoundError:
        return
