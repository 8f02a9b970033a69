"""Files of a result set: each is whole, or as it was before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from benchmarks.checkout import lab_command
from benchmarks.results.documents import ResultsDiskError, ResultSetError
from tasks.causes import cause

LATEST = "latest"
"""The link to the newest result set of a folder."""
UNFINISHED = ".unfinished-"
"""What the name of a file or folder begins with that is not whole yet."""


def read_parquet(file: Path) -> pd.DataFrame:
    """A table. Raises ResultSetError, naming the file, where it cannot be read."""
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error


def write_text(file: Path, text: str) -> None:
    """Write a file under a temporary name and rename it when it is on disk: it is whole, or as it was before."""
    unfinished = file.with_name(f"{UNFINISHED}{file.name}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        to_disk(unfinished)
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def taken_by_disk(folder: Path) -> Iterator[None]:
    """Within, a result set in this folder is written to. Raises ResultsDiskError where the disk does not take it."""
    try:
        yield
    except OSError as error:
        raise ResultsDiskError(
            f"{folder} cannot be written to: {cause(error)}. What it holds is whole: make room, or see what else is wrong "
            f"with its disk, then go on with: {lab_command('benchmark-resume', folder)}"
        ) from error


def to_disk(path: Path) -> None:
    """Have a file, or the entries of a folder, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_name(root: Path, name: str) -> Path:
    """A folder below ``root`` that does not exist yet: of this name, or with a number after it."""
    candidate, number = root / name, 1
    while candidate.exists():
        number += 1
        candidate = root / f"{name}-{number}"
    return candidate


def point_latest(root: Path, name: str) -> None:
    """Have the link to the newest result set point to this one."""
    unfinished = root / f"{UNFINISHED}{LATEST}-{os.getpid()}"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(name, target_is_directory=True)
    unfinished.replace(root / LATEST)
