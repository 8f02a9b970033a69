"""How the agent watches a start, on real processes and sockets."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.agent import starting
from infrastructure.agent.errors import SupervisionError
from infrastructure.agent.starting import RedisSockets, evict, is_running, read_bytes_of, tree_of, watch_start

CONNECT = "import socket, sys, time; print('up', flush=True); s = socket.create_connection(('127.0.0.1', {port})); time.sleep(60)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


@contextlib.contextmanager
def running(*arguments: str, log: Path) -> Iterator[int]:
    with log.open("wb") as file, subprocess.Popen([sys.executable, *arguments], stdout=file, stderr=file) as process:
        try:
            yield process.pid
        finally:
            for member in reversed(tree_of(process.pid)):
                os.kill(member, 9)


def test_a_start_is_over_when_every_command_is_connected(listener: socket.socket, tmp_path: Path) -> None:
    port = port_of(listener)
    logs = [tmp_path / "1", tmp_path / "2"]
    began_ns = time.monotonic_ns()
    with (
        running("-c", CONNECT.format(port=port), log=logs[0]) as alone,
        running("-c", PARENT, "import time; time.sleep(0.3);" + CONNECT.format(port=port), log=logs[1]) as parent,
    ):
        times = watch_start([alone, parent], logs, began_ns, port)
        members = tree_of(parent)
    assert times.spawned_ns == began_ns < times.first_connected_ns < times.connected_ns <= time.monotonic_ns()
    assert began_ns < times.up_ns <= times.connected_ns
    assert times.connected_ns - began_ns > 300_000_000
    assert times.processes == 3
    assert len(members) == 2
    assert times.log_bytes == (3, 3)


def test_a_process_that_ends_before_it_is_connected_fails_the_start(listener: socket.socket, tmp_path: Path) -> None:
    with (
        running("-c", "pass", log=tmp_path / "1") as process,
        pytest.raises(SupervisionError, match=rf"\[{process}\] ended before"),
    ):
        watch_start([process], [tmp_path / "1"], time.monotonic_ns(), port_of(listener))


def test_a_start_that_takes_too_long_fails(listener: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "CONNECT_LIMIT_S", 0.05)
    with (
        running("-c", "import time; time.sleep(60)", log=tmp_path / "1") as process,
        pytest.raises(SupervisionError, match="no connection to Redis after"),
    ):
        watch_start([process], [tmp_path / "1"], time.monotonic_ns(), port_of(listener))


def test_only_connections_to_the_port_count(listener: socket.socket) -> None:
    sockets, own = RedisSockets(port_of(listener)), [os.getpid()]
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_connection(other.getsockname()),
        contextlib.ExitStack() as more,
    ):
        for pair in (socket.socketpair(), (socket.socket(),)):
            for one in pair:
                more.enter_context(one)
        assert not sockets.any_in(own)
        assert not sockets.any_in([])
        with socket.create_connection(listener.getsockname()):
            assert sockets.any_in(own)


def test_what_is_gone_has_no_tree_no_sockets_and_has_read_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        gone = process.pid
        os.waitid(os.P_PID, gone, os.WEXITED | os.WNOWAIT)
        assert not is_running(gone)
    assert not is_running(gone)
    assert tree_of(gone) == [gone]
    assert read_bytes_of(gone) == 0
    assert not RedisSockets(6379).any_in([gone])
    assert is_running(os.getpid())


def test_evicting_leaves_files_as_they_are_and_bears_what_it_cannot_open(tmp_path: Path) -> None:
    file = tmp_path / "inner" / "module.py"
    file.parent.mkdir()
    file.write_text("x = 1")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    evict([tmp_path, tmp_path / "missing"])
    assert file.read_text() == "x = 1"
