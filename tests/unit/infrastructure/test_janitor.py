"""The janitor: whatever becomes of the runner, nothing of its lab is left, and nothing else is touched."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.run.labs.local import free_port
from infrastructure import janitor
from infrastructure.janitor import LAB_ID_VARIABLE, processes_of_lab, sweep
from tests.support import PATIENCE_S, child_environment, is_alive, wait_for

Start = Callable[..., subprocess.Popen[bytes]]
SLEEP = ["sleep", "60"]


@pytest.fixture
def lab_id() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    (folder / "node" / "events").mkdir(parents=True)
    (folder / "node" / "events" / "1-1.events").write_bytes(bytes(48))
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """Start children that do not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], environment: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env=child_environment(**(environment or {})), **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _janitor(start: Start, lab_id: str, folder: Path) -> subprocess.Popen[bytes]:
    return start([sys.executable, "-m", "infrastructure.janitor", lab_id, str(folder)], stdin=subprocess.PIPE)


def _finish(janitor: subprocess.Popen[bytes]) -> None:
    assert janitor.stdin is not None
    janitor.stdin.close()
    assert janitor.wait(PATIENCE_S) == 0


# Starts a grandchild in a session of its own that no longer has its parent, and says its process id.
DAEMON = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        for descriptor in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        os.execlp("sleep", "sleep", "60")
    os._exit(0)
os.wait()
"""


def _daemon(start: Start, environment: dict[str, str]) -> int:
    parent = start([sys.executable, "-c", DAEMON], environment, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    process = int(parent.stdout.readline())
    parent.wait(PATIENCE_S)
    return process


def test_it_ends_processes_and_folder_when_the_pipe_closes(start: Start, lab_id: str, folder: Path) -> None:
    child = start(SLEEP, {LAB_ID_VARIABLE: lab_id}, start_new_session=True)
    daemon = _daemon(start, {LAB_ID_VARIABLE: lab_id})
    running = _janitor(start, lab_id, folder)
    assert is_alive(daemon)

    _finish(running)
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    assert not is_alive(daemon)
    assert not folder.exists()


def test_it_does_so_when_the_runner_is_killed(start: Start, lab_id: str, folder: Path) -> None:
    runner = start(
        [
            sys.executable,
            "-c",
            """
import os, subprocess, sys
lab_id, folder = sys.argv[1:]
janitor = subprocess.Popen([sys.executable, "-m", "infrastructure.janitor", lab_id, folder], stdin=subprocess.PIPE)
node = subprocess.Popen(["sleep", "60"], env={**os.environ, "LAB_ID": lab_id}, start_new_session=True)
print(janitor.pid, node.pid, flush=True)
janitor.wait()
""",
            lab_id,
            str(folder),
        ],
        stdout=subprocess.PIPE,
    )
    assert runner.stdout is not None
    cleaner, node = map(int, runner.stdout.readline().split())
    assert is_alive(cleaner)
    assert is_alive(node)
    runner.kill()
    wait_for(lambda: not is_alive(node) and not is_alive(cleaner), "node and janitor to end")
    assert not folder.exists()


def test_it_spares_what_is_not_of_the_lab(start: Start, lab_id: str, folder: Path) -> None:
    spared = [
        start(SLEEP, {LAB_ID_VARIABLE: secrets.token_hex(8)}),
        start(SLEEP, {LAB_ID_VARIABLE: lab_id + "0"}),
        start(SLEEP, {f"OTHER_{LAB_ID_VARIABLE}": lab_id}),
        start(SLEEP, {"NOTE": f"x {LAB_ID_VARIABLE}={lab_id}"}),
        start(SLEEP, cwd=folder),
    ]
    of_lab = start(SLEEP, {LAB_ID_VARIABLE: lab_id})
    _finish(_janitor(start, lab_id, folder))
    assert of_lab.wait(PATIENCE_S) == -signal.SIGKILL
    assert [process.poll() for process in spared] == [None] * len(spared)


def test_signals_for_the_runner_do_not_end_it(start: Start, lab_id: str, folder: Path) -> None:
    running = _janitor(start, lab_id, folder)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignores_them() -> bool:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{running.pid}/status").read_text().splitlines())
        return all(int(status["SigIgn"], 16) >> (number - 1) & 1 for number in signals)

    wait_for(ignores_them, "the janitor to be at its post")
    for number in signals:
        running.send_signal(number)
    _finish(running)
    assert not folder.exists()


@pytest.mark.e2e
def test_a_server_that_has_overwritten_its_environment_is_ended_all_the_same(start: Start, lab_id: str, folder: Path) -> None:
    server = shutil.which("redis-server")
    assert server is not None
    with (folder / "redis.log").open("wb") as log:
        command = [server, "--port", str(free_port()), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        redis = start(command, {LAB_ID_VARIABLE: lab_id}, stdout=log, stderr=log)
    wait_for(lambda: b"Ready to accept" in (folder / "redis.log").read_bytes(), "redis-server to start")
    _finish(_janitor(start, lab_id, folder))
    assert redis.wait(PATIENCE_S) == -signal.SIGKILL


def test_descendants_that_carry_nothing_are_of_the_lab(start: Start, lab_id: str, folder: Path) -> None:
    script = "env -i setsid sleep 60 >/dev/null 2>&1 & echo $!; wait"
    shell = start(["sh", "-c", script], {LAB_ID_VARIABLE: lab_id}, stdout=subprocess.PIPE)
    assert shell.stdout is not None
    orphan = int(shell.stdout.readline())
    wait_for(lambda: Path(f"/proc/{orphan}/comm").read_text() == "sleep\n", "the child to run")
    assert processes_of_lab(lab_id, folder) == {shell.pid, orphan}
    _finish(_janitor(start, lab_id, folder))
    assert not is_alive(orphan)


def test_ended_children_that_nobody_has_waited_for_do_not_count(start: Start, lab_id: str, folder: Path) -> None:
    zombie = start(["true"], {LAB_ID_VARIABLE: lab_id})
    wait_for(lambda: not is_alive(zombie.pid), "the child to end")
    assert zombie.returncode is None
    assert processes_of_lab(lab_id, folder) == set()


def test_one_process_may_be_left_out(start: Start, lab_id: str, folder: Path) -> None:
    first, second = (start(SLEEP, {LAB_ID_VARIABLE: lab_id}) for _ in range(2))
    assert processes_of_lab(lab_id, folder) == {first.pid, second.pid}
    assert processes_of_lab(lab_id, folder, but=first.pid) == {second.pid}


def test_a_process_that_will_not_die_is_named(start: Start, lab_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    immortal = start(SLEEP, {LAB_ID_VARIABLE: lab_id})
    with monkeypatch.context() as patched, pytest.raises(TimeoutError, match=rf"\[{immortal.pid}\] of lab {lab_id}"):
        patched.setattr(janitor, "PATIENCE_S", 0.05)
        patched.setattr(os, "kill", lambda *_: None)
        sweep(lab_id, folder)
    assert folder.exists()


def test_a_folder_that_is_gone_already_is_no_trouble(start: Start, lab_id: str, tmp_path: Path) -> None:
    with suppress(FileNotFoundError):
        (tmp_path / "gone").rmdir()
    _finish(_janitor(start, lab_id, tmp_path / "gone"))


@pytest.mark.parametrize("paused", [False, True])
def test_named_semaphores_go_with_the_processes_that_made_them(start: Start, lab_id: str, folder: Path, paused: bool) -> None:
    script = """
import multiprocessing, time
from multiprocessing import resource_tracker
semaphore = multiprocessing.get_context("spawn").Semaphore()
print(semaphore._semlock.name, resource_tracker._resource_tracker._pid, flush=True)
time.sleep(60)
"""
    process = start([sys.executable, "-c", script], {LAB_ID_VARIABLE: lab_id}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    name, tracker = process.stdout.readline().decode().split()
    semaphore = Path(f"/dev/shm/sem.{name.lstrip('/')}")
    assert semaphore.exists()
    if paused:
        os.kill(int(tracker), signal.SIGSTOP)
    _finish(_janitor(start, lab_id, folder))
    assert not semaphore.exists()
    assert not is_alive(int(tracker))


def test_a_helper_that_does_not_end_with_the_others_is_killed(
    start: Start, lab_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = start(SLEEP, {LAB_ID_VARIABLE: lab_id})
    monkeypatch.setattr(janitor, "TRACKER_PATIENCE_S", 0.05)
    monkeypatch.setattr(janitor, "_is_resource_tracker", lambda process: process == helper.pid)
    sweep(lab_id, folder)
    assert helper.wait(PATIENCE_S) == -signal.SIGKILL
