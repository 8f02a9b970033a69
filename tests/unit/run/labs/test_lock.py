"""One lab on a machine: whoever comes second is told who is first, and nothing that has ended stands in anybody's way."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.checkout import CHECKOUT
from benchmarks.record.flags import MACHINE_SHARED
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.lock import LOCK_FILE_VARIABLE, lock_file, machine_lock, nodes_up, writing_to
from tests.support import run_script, wait_for

NOBODY = 65534
HOLD = """
import sys, time
from benchmarks.run.labs.lock import machine_lock
with machine_lock():
    print("held", flush=True)
    time.sleep(600)
"""
Held = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lab.lock"
    monkeypatch.setenv(LOCK_FILE_VARIABLE, str(path))
    return path


@pytest.fixture
def held(file: Path) -> Iterator[Held]:
    """Another process that holds the lock, started when it is asked for."""
    started = []

    def start() -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), LOCK_FILE_VARIABLE: str(file)}
        holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment)
        started.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        return holder

    yield start
    for holder in started:
        holder.kill()
        holder.communicate()


def test_the_second_is_told_who_is_first(held: Held, file: Path) -> None:
    first = held()
    with pytest.raises(LabError) as refused, machine_lock():
        pytest.fail("held twice")
    told = str(refused.value)
    assert f"process {first.pid} of " in told
    assert f"in {CHECKOUT}, since 2" in told
    assert str(file) in told
    assert "--share-the-machine" in told


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_has_ended_holds_nothing_however_it_ended(held: Held, file: Path, number: signal.Signals) -> None:
    first = held()
    first.send_signal(number)
    first.wait()
    assert json.loads(file.read_text())["pid"] == first.pid, "what it wrote is still there"
    with machine_lock() as flags:
        assert flags == ()
        assert json.loads(file.read_text())["pid"] == os.getpid()
    assert file.read_text() == ""


def test_beside_another_every_row_says_so(held: Held) -> None:
    with machine_lock(share=True) as (flag,):
        assert MACHINE_SHARED.among([flag])
        assert "no other lab ran" in flag.detail
    first = held()
    with machine_lock(share=True) as (flag,):
        assert MACHINE_SHARED.among([flag])
        assert f"process {first.pid} of " in flag.detail


def test_whoever_shares_a_free_machine_still_holds_it(file: Path) -> None:
    with machine_lock(share=True):
        told = run_script(
            "from benchmarks.run.labs.lock import machine_lock\n"
            "from benchmarks.run.labs.lab import LabError\n"
            "try:\n  machine_lock().__enter__()\nexcept LabError as error:\n  print(error)",
            **{LOCK_FILE_VARIABLE: str(file)},
        )
    assert f"process {os.getpid()} of " in told


def test_the_file_is_for_all_users_whatever_the_umask(file: Path) -> None:
    before = os.umask(0o077)
    try:
        with machine_lock():
            assert stat.S_IMODE(file.stat().st_mode) == 0o666
    finally:
        os.umask(before)


AS_ANOTHER = """
import os, sys
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.lock import machine_lock
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
try:
    with machine_lock():
        print("held", end="")
except LabError as error:
    print(error, end="")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_users_exclude_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sticky folder of all users, as the machine's own, where the kernel refuses O_CREAT for another user's file."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        path = Path(folder) / "lab.lock"
        monkeypatch.setenv(LOCK_FILE_VARIABLE, str(path))

        def as_another() -> str:
            return run_script(AS_ANOTHER, str(NOBODY), **{LOCK_FILE_VARIABLE: str(path)})

        with machine_lock():
            assert re.search(rf"process {os.getpid()} of root", as_another())
        assert as_another() == "held", "what another user has made can be locked"
        path.unlink()
        assert as_another() == "held"
        assert path.stat().st_uid == NOBODY
        with machine_lock() as flags:
            assert flags == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null", "\xff" * 5000])
def test_a_holder_that_says_nothing_is_a_holder(held: Held, file: Path, text: str) -> None:
    held()
    file.write_text(text)
    with pytest.raises(LabError, match="it does not say which"), machine_lock():
        pytest.fail("held twice")


def test_what_a_holder_says_cannot_reach_into_a_terminal(held: Held, file: Path) -> None:
    held()
    file.write_text(json.dumps({"pid": 1, "user": "x\x1b[2J", "folder": "a\nb", "since": "now"}))
    with pytest.raises(LabError) as refused, machine_lock():
        pytest.fail("held twice")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("made", [lambda p: p.mkdir(), lambda p: p.symlink_to("elsewhere")], ids=["folder", "link"])
def test_what_is_no_file_is_named(file: Path, made: Callable[[Path], None]) -> None:
    made(file)
    with pytest.raises(LabError, match=rf"{re.escape(str(file))} cannot be used .*{LOCK_FILE_VARIABLE}"), machine_lock():
        pytest.fail("locked")


def test_it_does_not_depend_on_the_users_own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(LOCK_FILE_VARIABLE)
    usual = lock_file()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lock_file() == usual
    assert usual.parent.stat().st_mode & stat.S_IWOTH


def test_one_process_at_a_time_adds_to_a_result_set(tmp_path: Path) -> None:
    with writing_to(tmp_path), pytest.raises(LabError, match=str(tmp_path)), writing_to(tmp_path):
        pytest.fail("held twice")
    with writing_to(tmp_path):
        pass


def test_nodes_of_any_lab_are_counted() -> None:
    node = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-m", "infrastructure.agent"])
    try:
        wait_for(lambda: node.pid in nodes_up(), "the node to be seen")
    finally:
        node.kill()
        node.wait()
