"""One lab at a time on a machine: two would disturb each other's numbers, whoever starts them and from whichever checkout.

The lock is advisory (flock(2)) on a file that all users of the host can see, open and lock, so the kernel releases it with the
process, however that ends. What stands in the file only tells others who holds it; it is never asked whether the lock is held.
"""

import fcntl
import json
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import psutil

from benchmarks.checkout import CHECKOUT
from benchmarks.record.flags import MACHINE_SHARED, Flag
from benchmarks.run.labs.lab import LabError

LOCK_FILE_VARIABLE = "LAB_LOCK_FILE"
"""Another file than the machine's, for labs that are to exclude one another only among themselves, as those of tests."""
_NAME = "queuelab.lock"
_MOST_BYTES = 4096
_NODE_MODULE = "infrastructure.agent"
_OPENED_BY_ALL_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock, as it has written into the file."""

    pid: int
    user: str
    folder: str
    since: str

    @classmethod
    def here(cls) -> Self:
        """This process."""
        uid = os.getuid()
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:  # a container's user need not have a name
            user = str(uid)
        return cls(os.getpid(), user, str(CHECKOUT), datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"))

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user}, in {self.folder}, since {self.since}"


def lock_file() -> Path:
    """Where the lock lies: the same file for all users of a host, whatever their own folders for temporary files are."""
    if own := os.environ.get(LOCK_FILE_VARIABLE):
        return Path(own)
    for folder in (Path("/run/lock"), Path("/tmp")):
        if folder.is_dir() and folder.stat().st_mode & stat.S_IWOTH:
            return folder / _NAME
    raise LabError(f"neither /run/lock nor /tmp can be written to by all users: set {LOCK_FILE_VARIABLE} to a file that they can")


@contextmanager
def machine_lock(*, share: bool = False) -> Iterator[tuple[Flag, ...]]:
    """Hold the machine. Yields the flags that every run made meanwhile must carry.

    Raises LabError when another lab has it, unless ``share`` says to measure beside that: then nothing is held, and a flag says
    so. With ``share`` on a machine that is free, the lock is held, and a flag says that others may have come.
    """
    path = lock_file()
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _holder(descriptor)
            if not share:
                raise LabError(
                    f"another lab runs on this machine ({who}; lock {path}): wait for it to end, or measure beside it with "
                    "--share-the-machine, which every row then says"
                ) from None
            yield (MACHINE_SHARED.flag(others=f"another lab ran as this began ({who})"),)
            return
        _write(descriptor, json.dumps(asdict(Holder.here()), ensure_ascii=False))
        try:
            yield (MACHINE_SHARED.flag(others="no other lab ran as this began"),) if share else ()
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Be the only process that adds to a result set. Raises LabError when another does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another process adds to {folder}: wait for it to end") from None
        yield
    finally:
        os.close(descriptor)


def nodes_up() -> set[int]:
    """The nodes (their agents) that are up on this machine, of whichever lab, as far as this user may see."""
    return {process.pid for process in psutil.process_iter(["cmdline"]) if _NODE_MODULE in (process.info["cmdline"] or ())}


def _opened(path: Path) -> int:
    """The lock's file, open to be locked and written, made for all users if it is not there.

    One that is there is opened without O_CREAT: in a sticky folder the kernel may refuse that for a file of another user
    (fs.protected_regular).
    """
    give_up_at = time.monotonic() + _OPENED_BY_ALL_WITHIN_S
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                continue
            except OSError as error:
                raise _unusable(path, error) from None
            os.fchmod(descriptor, 0o666)  # whatever this user's umask is
            return descriptor
        except PermissionError as error:
            # Whoever is just making it has not yet opened it to all.
            if time.monotonic() > give_up_at:
                raise _unusable(path, error) from None
            time.sleep(0.02)
        except OSError as error:
            raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> LabError:
    return LabError(
        f"the machine's lock {path} cannot be used ({error.strerror}): remove it if it is not an ordinary file that all "
        f"users may write to, or set {LOCK_FILE_VARIABLE} to one"
    )


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _holder(descriptor: int) -> str:
    """What the holder says of itself. Any user may have written it, so only what can be printed reaches a terminal."""
    try:
        text = str(Holder(**json.loads(os.pread(descriptor, _MOST_BYTES, 0))))
    except (ValueError, TypeError):
        return "it does not say which"
    return "".join(character for character in text if character.isprintable())
