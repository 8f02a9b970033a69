"""Fixtures of all tests, and what the markers need."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from benchmarks.cli.terminal import IGNORES_HANGUP_VARIABLE
from benchmarks.run.labs.local import free_port
from benchmarks.run.labs.lock import LOCK_FILE_VARIABLE
from tests.support import wait_for

# Cores are shared with whatever else runs here: how long an example takes says nothing.
hypothesis.settings.register_profile("queuelab", deadline=None)
hypothesis.settings.load_profile("queuelab")


def _why_no_compose() -> str | None:
    docker = shutil.which("docker")
    if docker is None:
        return "docker is not on the path"
    for command in ("compose version", "info"):
        done = subprocess.run([docker, *command.split()], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            return f"`docker {command}` fails: {done.stderr.strip()}"
    return None


def pytest_configure() -> None:
    """Hang-ups end what the tests start, whatever the shell that starts the tests makes of them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.pop(IGNORES_HANGUP_VARIABLE, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say so, what this machine cannot run."""
    needing = {marker: [item for item in items if item.get_closest_marker(marker)] for marker in ("e2e", "compose")}
    if needing["e2e"] and shutil.which("redis-server") is None:
        for item in needing["e2e"]:
            item.add_marker(pytest.mark.skip(reason="redis-server is not on the path"))
    if needing["compose"] and (reason := _why_no_compose()):
        for item in needing["compose"]:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def own_lock_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Labs of these tests exclude one another, and no others of this machine."""
    path = tmp_path_factory.mktemp("lock") / "lab.lock"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOCK_FILE_VARIABLE, str(path))
        yield path


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of the tests' own, with a password as a lab's has and without a database number in its URL."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not on the path")
    folder = tmp_path_factory.mktemp("redis")
    port, password = free_port(), secrets.token_hex(8)
    options = f"--port {port} --bind 127.0.0.1 --appendonly no --dir {folder} --logfile {folder / 'redis.log'} --save".split()
    process = subprocess.Popen(
        [server, *options, "", "--requirepass", password], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    url = f"redis://:{password}@127.0.0.1:{port}"

    def answers() -> bool:
        try:
            client.ping()
        except redis.ConnectionError:
            assert process.poll() is None, (folder / "redis.log").read_text()
            return False
        return True

    try:
        with redis.Redis.from_url(url) as client:
            wait_for(answers, "redis-server to answer")
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def events_dir(tmp_path: Path) -> Path:
    """Where a recorder of the test may write; it does not exist yet."""
    return tmp_path / "events"
