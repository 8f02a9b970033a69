"""Sees to it that nothing of a local lab outlives its runner, however the runner ends. Standard library only.

``python -m infrastructure.janitor LAB_ID FOLDER`` waits until its standard input ends, which the kernel does to it when the
runner closes the pipe or dies, SIGKILL included. Then it kills every process of the lab (:func:`processes_of_lab`), wherever it
has put itself, removes the lab's folder, and exits.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

LAB_ID_VARIABLE = "LAB_ID"
PATIENCE_S = 10.0
TRACKER_PATIENCE_S = 2.0
_STDOUT, _STDERR = "1", "2"


def processes_of_lab(lab_id: str, folder: Path, but: int = 0) -> set[int]:
    """Process ids of the lab, ``but`` one: those that carry ``LAB_ID`` in their environment, which children inherit; those whose
    standard output or error is a file in the lab's folder, as a program that sets its process title (redis-server is one)
    overwrites its environment; and all descendants of either. A zombie has neither environment nor files."""
    children: dict[int, list[int]] = {}
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == but:
            continue
        process = int(entry.name)
        try:
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(process)
            if is_of_lab(process, lab_id, folder):
                found.append(process)
        except OSError:
            continue
    of_lab: set[int] = set()
    while found:
        process = found.pop()
        if process not in of_lab:
            of_lab.add(process)
            found += children.get(process, ())
    return of_lab


def is_of_lab(process: int, lab_id: str, folder: Path) -> bool:
    """Whether a process itself shows that it is the lab's, by its environment or its log. Raises OSError for one that is gone or
    that may not be looked at."""
    entry = Path(f"/proc/{process}")
    marks = (entry / "environ").read_bytes().split(b"\0")
    return f"{LAB_ID_VARIABLE}={lab_id}".encode() in marks or _logs_into(folder.resolve(), entry / "fd")


def _logs_into(folder: Path, descriptors: Path) -> bool:
    for name in (_STDOUT, _STDERR):
        try:
            if (descriptors / name).readlink().is_relative_to(folder):
                return True
        except FileNotFoundError:
            continue
    return False


def _is_resource_tracker(process: int) -> bool:
    """Whether this is multiprocessing's helper (or that of a copy of it), which removes named semaphores and shared memory when
    all processes that used them have ended, and then ends itself."""
    try:
        return b"resource_tracker import main" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def sweep(lab_id: str, folder: Path) -> None:
    """Kill the lab's processes until none is left, then remove its folder. Resource trackers are let clean up after the others,
    and killed only if they do not end by themselves. Raises TimeoutError when a process will not die."""
    began_at = time.monotonic()
    while left := processes_of_lab(lab_id, folder, but=os.getpid()):
        passed_s = time.monotonic() - began_at
        if passed_s > PATIENCE_S:
            raise TimeoutError(f"processes {sorted(left)} of lab {lab_id} are still alive {PATIENCE_S:.0f} s after SIGKILL")
        for process in left:
            spared = passed_s < TRACKER_PATIENCE_S and _is_resource_tracker(process)
            try:
                os.kill(process, signal.SIGCONT if spared else signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Wait for the runner's end, then sweep. Signals meant for the runner's terminal do not end the wait."""
    lab_id, folder = sys.argv[1], Path(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(lab_id, folder)


if __name__ == "__main__":
    main()
