"""Tails of log files."""

from pathlib import Path

TAIL_LINES = 40
_TAIL_BYTES = 64 * 1024


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
