"""One lab at a time per checkout: two would disturb each other's numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from benchmarks.run.labs.lab import LabError


@contextmanager
def lab_lock(checkout: Path) -> Iterator[None]:
    """Hold the checkout's lock, which the kernel releases with the process. Raises LabError when another process has it."""
    lock = filelock.FileLock(checkout / ".lab.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LabError(f"another benchmark runs in this checkout (it holds {lock.lock_file}): wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
