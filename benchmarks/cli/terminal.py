"""The terminal that a command was started from: it may close, and the command may have been told to go on then.

``just`` takes signals for itself, and so gives what it starts a SIGHUP that is not ignored, whatever ``nohup`` has set: ``lab``
passes that on in a variable, and of a plain ``nohup just`` the input that nohup gives tells.
"""

import errno
import fcntl
import io
import os
import shlex
import signal
import stat
import sys
from collections.abc import Buffer
from pathlib import Path

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a command to end, where it does not ignore it (as nohup has it)."""
IGNORES_HANGUP_VARIABLE = "LAB_IGNORES_HANGUP"
CALLER_FOLDER_VARIABLE = "LAB_CALLER_FOLDER"


class _Lasting(io.FileIO):
    """Takes what is written when the terminal has closed, and drops it; where hang-ups are ignored, also what goes into a pipe
    whose reader has ended with the terminal. Any other failure is raised once, by the name of the stream: what is still in the
    buffer then would only fail again as the process ends."""

    def __init__(self, descriptor: int, stream: str) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._stream = stream
        self._has_failed = False

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self._has_failed:
            return size
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno == errno.EIO or (error.errno == errno.EPIPE and hangup_is_ignored()):
                return size
            self._has_failed = True
            raise OSError(error.errno, f"{os.strerror(error.errno or 0)}, writing to {self._stream}") from error


def hangup_is_ignored() -> bool:
    """Whether this process goes on when its terminal closes."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _has_input_of_nohup() -> bool:
    """Whether the standard input is what GNU's nohup(1) puts in the place of a terminal: a /dev/null that can only be written to,
    which nobody else gives a program to read from."""
    standard_input = 0
    try:
        is_null = os.path.samestat(os.fstat(standard_input), Path(os.devnull).stat())
        return is_null and fcntl.fcntl(standard_input, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False


def heed_caller() -> None:
    """Take over from ``lab`` and ``just`` where the caller is and what it ignores, and let no lost output end this process.

    Raises OSError when the caller's folder is gone.
    """
    if os.environ.pop(IGNORES_HANGUP_VARIABLE, "") or _has_input_of_nohup():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter | io.FileIO):
            stream.flush()
            raw = _Lasting(stream.fileno(), name)
            lasting = io.TextIOWrapper(
                io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True, write_through=stream.write_through
            )
            setattr(sys, name, lasting)
    if folder := os.environ.pop(CALLER_FOLDER_VARIABLE, ""):
        os.chdir(folder)


def where_to_follow() -> str | None:
    """For a command that goes on without its terminal: what to type to follow it; None where its output is in no file."""
    output = sys.stdout.fileno()
    if not stat.S_ISREG(os.fstat(output).st_mode):
        return None
    return shlex.join(("tail", "-f", str(Path(f"/proc/self/fd/{output}").readlink())))


def tell_terminal(text: str) -> None:
    """A line for whoever sits at the terminal, where output goes elsewhere; nothing where there is no terminal."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # in the background it may not write there, and would be stopped
    try:
        with open("/dev/tty", "w") as terminal:  # noqa: PTH123
            terminal.write(f"{text}\n")
    except OSError:
        return
    finally:
        signal.signal(signal.SIGTTOU, before)
