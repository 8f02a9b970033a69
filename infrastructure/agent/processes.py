"""The processes below the agent: which there are, and signals to them. Linux only.

The agent is a subreaper (prctl(2)), so a process whose parent has ended becomes the agent's child, whatever session or group it
has moved to. Hence all descendants of the agent, except the bridge's session, are the worker's tree: none can slip out of it.
"""

import contextlib
import ctypes
import os
import signal
from collections import deque
from collections.abc import Container, Iterable
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Make this process the parent of all descendants that lose theirs. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(number)}")


def below(root: int) -> list[psutil.Process]:
    """All descendants of a process, parents before children. Those of other users may be hidden (``hidepid`` of proc(5)), which
    psutil's own list of children does not bear."""
    children: dict[int, list[int]] = {}
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(pid)
    found, known = [], deque(children.get(root, ()))
    while known:
        pid = known.popleft()
        known += children.get(pid, ())
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found.append(psutil.Process(pid))
    return found


def descendants(without_session: int | None) -> list[psutil.Process]:
    """All living descendants of this process, parents before children, except those of one session."""
    found = []
    for process in below(os.getpid()):
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) != without_session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that still exist."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def connections(processes: Iterable[psutil.Process], port: int) -> list[str]:
    """This side's addresses, ``ip:port`` each, of their TCP connections to a port of any host."""
    found = []
    for process in processes:
        # What is left of a process that has just ended denies access, before it is gone.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_ESTABLISHED and connection.raddr and connection.raddr.port == port:
                    ip = f"[{connection.laddr.ip}]" if ":" in connection.laddr.ip else connection.laddr.ip
                    found.append(f"{ip}:{connection.laddr.port}")
    return found


def is_resource_tracker(process: psutil.Process) -> bool:
    """Whether this is multiprocessing's helper (or that of a copy of it), which removes named semaphores and shared memory when
    all processes that used them have ended, and then ends itself."""
    try:
        return any("resource_tracker import main" in argument for argument in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def reap_orphans(owned: Container[int | None]) -> None:
    """Collect ended children that nobody waits for. Those ``owned`` are left to their owner."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in owned:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)


def exit_text(code: int) -> str:
    """A return code of :class:`subprocess.Popen` in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
