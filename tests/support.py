"""What several tests need: programs in processes of their own, their state, and the event log as one array."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from infrastructure.event_log import EVENT_DTYPE, Events, events_from_bytes

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE_S = 30.0


def environment_python(name: str) -> Path:
    """The interpreter of one of the lab's environments; skips the test where that has not been made."""
    python = CHECKOUT / ".venvs" / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"environment .venvs/{name} is missing: run `just init`")
    return python


def child_environment(**extra: str) -> dict[str, str]:
    """The environment of a child that is to import the lab's packages."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), **extra}


def run_script(code: str, *arguments: str, python: Path | str = sys.executable, **environment: str) -> str:
    """Run a script to its end and return what it printed; it must exit with 0."""
    done = subprocess.run(
        [str(python), "-c", code, *arguments],
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def event_files(folder: Path, *, killed: bool = False) -> Iterator[Events]:
    """The records of each file of an event log; each must hold whole records only, but for the end of one whose writer was killed
    in the middle of a write that crosses two pages."""
    for path in sorted(folder.glob("*.events")):
        raw = path.read_bytes()
        stump = len(raw) % EVENT_DTYPE.itemsize
        assert stump == 0 or (killed and len(raw) % os.sysconf("SC_PAGE_SIZE") == 0), f"{path} ends in a torn record"
        yield events_from_bytes(raw)


def events_in(folder: Path) -> Events:
    """All records of an event log."""
    return np.concatenate([np.empty(0, EVENT_DTYPE), *event_files(folder)])


def is_alive(process: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as a condition holds; fail when it does not for too long."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up_at:
            pytest.fail(f"waited {PATIENCE_S:.0f} s in vain: {what}")
        time.sleep(0.005)


def open_descriptors(target: str) -> list[int]:
    """Descriptors of this process whose target begins so."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(entry.readlink()).startswith(target):
                found.append(int(entry.name))
    return found


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Files below a folder, by their paths in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
