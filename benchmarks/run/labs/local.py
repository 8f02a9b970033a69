"""The lab as local processes: redis-server, the mock API and nodes on free loopback ports, in a folder of their own.

Nothing of it outlives the runner: a janitor process holds the end of a pipe from the runner, and when that closes it kills every
process that carries the lab's id and removes the folder (``infrastructure.janitor``).
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from benchmarks.checkout import CHECKOUT
from benchmarks.record.machine import QuotaReading
from benchmarks.run.environment import lab_environment
from benchmarks.run.labs.lab import MOCK_API, REDIS, LabError, end_of
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.open_files import raise_open_files
from infrastructure.environment import NODE_VARIABLES_VARIABLE
from infrastructure.janitor import LAB_ID_VARIABLE, is_of_lab
from tasks.causes import cause
from tasks.contract import (
    FRAMEWORKS_PATH_VARIABLE,
    MOCK_API_URL_VARIABLE,
    OPTIONAL_PATH_VARIABLE,
    REDIS_URL_VARIABLE,
    framework_names,
)
from tasks.events import EVENTS_DIR_VARIABLE

START_TIMEOUT_S = 30.0
BASE_ENVIRONMENT = "base"
OPTIONAL_ENVIRONMENT = "optional"
TEMPORARY_VARIABLE = "TMPDIR"
"""Where the tempfile module and most other programs put what they do not need for long: in the lab's folder it ends with it."""

_without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment_of(framework: str) -> str:
    """The name of the environment that a framework runs in: its own, or ``base`` where pyproject.toml declares none for it."""
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    return framework if framework in groups else BASE_ENVIRONMENT


def interpreter(environment: str) -> Path:
    """The Python of an environment. Raises LabError when the environment has not been made."""
    path = CHECKOUT / ".venvs" / environment / "bin" / "python"
    if not path.exists():
        raise LabError(f"environment .venvs/{environment} is missing: run `just init` (or `./lab init`) to make it")
    return path


def packages_of(environment: str) -> Path:
    """Where an environment's packages lie. Raises LabError when it has not been made."""
    python = interpreter(environment)
    return next(python.parents[1].glob("lib/python3.*/site-packages"))


def _folder_for(lab_id: str) -> Path:
    """Where the lab's files will lie: in memory where that is to be had, so that no disk disturbs the event log."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    return (memory if usable else Path(tempfile.gettempdir())) / f"queuelab-{lab_id}"


def _for_its_owner_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LocalLab:
    """See :class:`benchmarks.run.labs.lab.Lab`. Nodes are started when they are first asked for."""

    name = "local"

    def __init__(self, node_variables: Mapping[str, str] | None = None) -> None:
        """``node_variables``: environment variables for the nodes, such as those that name a framework's database."""
        self.token = secrets.token_urlsafe(24)
        self.redis_url = ""
        self.mock_api_url = ""
        self.lab_id = secrets.token_hex(8)
        self._node_variables = dict(node_variables or {})
        self.folder = _folder_for(self.lab_id)
        """Everything that the lab writes; gone with it."""
        self._janitor: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._urls: dict[str, str] = {}
        self._variants: dict[str, str] = {}

    def __enter__(self) -> Self:
        raise_open_files()
        try:
            self._janitor = subprocess.Popen(
                [interpreter("lab"), "-m", "infrastructure.janitor", self.lab_id, str(self.folder)],
                stdin=subprocess.PIPE,
                cwd=CHECKOUT,
                env=lab_environment({}),
                start_new_session=True,
            )
            self.folder.mkdir(mode=0o700)
            mock_api = self._spawn_mock_api()
            self._start_redis()
            self._await_mock_api(mock_api)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        """Ask the children to end, then let the janitor see to the rest and to the folder."""
        for child in self._children:
            child.terminate()
        give_up_at = time.monotonic() + 3.0
        for child in self._children:
            try:
                child.wait(max(0.0, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
        if self._janitor is not None and self._janitor.stdin is not None:
            self._janitor.stdin.close()
            self._janitor.wait()
        for child in self._children:
            child.wait()
        self._children.clear()

    def _spawn(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
                env=lab_environment({LAB_ID_VARIABLE: self.lab_id, TEMPORARY_VARIABLE: str(self.folder), **environment}),
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def spawn_worker(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """A process that is part of the lab and ends with it, but that no agent looks after."""
        return self._spawn(name, command, {REDIS_URL_VARIABLE: self.redis_url, **environment})

    def _failed(self, name: str, child: subprocess.Popen[bytes]) -> LabError:
        state = "is not answering" if child.poll() is None else f"ended with exit code {child.returncode}"
        return LabError(f"{name} {state} while starting; the end of its log:\n{end_of(self.log_of(name))}")

    def _start_redis(self) -> None:
        server = shutil.which("redis-server")
        if server is None:
            raise LabError("redis-server is not on the path: install Redis (Debian, Ubuntu: apt install redis-server)")
        port, password = free_port(), secrets.token_hex(24)
        configuration = self.folder / "redis.conf"
        # On a command line everyone could read the password: whoever can write to this Redis runs code, by what workers unpickle.
        with open(configuration, "x", opener=_for_its_owner_alone) as file:
            file.write((CHECKOUT / "infrastructure" / "redis" / "redis.conf").read_text())
            file.write(f'\nport {port}\nbind 127.0.0.1\ndir "{self.folder}"\nrequirepass {password}\n')
        child = self._spawn(REDIS, [server, str(configuration)], {})
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}"
        with redis.Redis.from_url(self.redis_url) as client:
            give_up_at = time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if child.poll() is not None or time.monotonic() > give_up_at:
                        raise self._failed(REDIS, child) from None
                    time.sleep(0.02)
                else:
                    return

    def _spawn_mock_api(self) -> subprocess.Popen[bytes]:
        port = free_port()
        self.mock_api_url = f"http://127.0.0.1:{port}"
        command = [str(interpreter("agent")), "-m", "infrastructure.mock_api"]
        return self._spawn(MOCK_API, command, {"MOCK_API_HOST": "127.0.0.1", "MOCK_API_PORT": str(port)})

    def _await_mock_api(self, child: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                _without_proxy.open(f"{self.mock_api_url}/health", timeout=1.0).close()
            except OSError:
                if child.poll() is not None or time.monotonic() > give_up_at:
                    raise self._failed(MOCK_API, child) from None
                time.sleep(0.02)
            else:
                return

    def variants(self) -> Mapping[str, str]:
        """As every framework's module declares them, asked of its producer node."""
        if not self._variants:
            names = framework_names()
            with ThreadPoolExecutor(len(names)) as together:
                descriptions = dict(zip(names, together.map(self._describe, names), strict=True))
            self._variants = {v["name"]: framework for framework, d in descriptions.items() for v in d["variants"]}
        return self._variants

    def _describe(self, framework: str) -> dict[str, Any]:
        with NodeClient(self.producer_url(framework), self.token, f"producer-{framework}") as producer:
            return producer.describe()

    def worker_url(self, variant: str) -> str:
        """The variant's worker node, started now if it is not up."""
        framework = self.variants().get(variant)
        if framework is None:
            raise LabError(f"no variant {variant!r}: there are {', '.join(sorted(self.variants()))}")
        return self._node(f"worker-{variant}", {"LAB_ROLE": "worker", "LAB_FRAMEWORK": framework, "LAB_VARIANT": variant})

    def producer_url(self, framework: str) -> str:
        """The framework's producer node, started now if it is not up."""
        return self._node(f"producer-{framework}", {"LAB_ROLE": "producer", "LAB_FRAMEWORK": framework})

    def worker_urls(self) -> Mapping[str, str]:
        """The worker nodes started so far."""
        return {name.removeprefix("worker-"): url for name, url in self._urls.items() if name.startswith("worker-")}

    def log_of(self, part: str) -> str:
        """From its file in the lab's folder."""
        try:
            return (self.folder / f"{part}.log").read_text(errors="replace")
        except OSError as error:
            return f"its log cannot be read: {cause(error)}"

    def owns(self, process: int) -> bool:
        """By what the janitor knows them by."""
        try:
            return is_of_lab(process, self.lab_id, self.folder)
        except OSError:
            return False

    def cpu_quotas(self) -> Sequence[QuotaReading]:
        """Its processes are the runner's children, and live under the runner's limits."""
        return ()

    def images(self) -> Mapping[str, str]:
        """None."""
        return {}

    def _node(self, name: str, environment: Mapping[str, str]) -> str:
        if name not in self._urls:
            self._urls[name] = self._start_node(name, environment)
        return self._urls[name]

    def _start_node(self, name: str, environment: Mapping[str, str]) -> str:
        folder = self.folder / name
        folder.mkdir()
        port_file = folder / "port"
        framework_python = interpreter(environment_of(environment["LAB_FRAMEWORK"]))
        child = self._spawn(
            name,
            [str(interpreter("agent")), "-m", "infrastructure.agent"],
            {
                **environment,
                **self._node_variables,
                NODE_VARIABLES_VARIABLE: " ".join(self._node_variables),
                "LAB_FRAMEWORK_PYTHON": str(framework_python),
                "LAB_TOKEN": self.token,
                "LAB_AGENT_PORT": "0",
                "LAB_AGENT_PORT_FILE": str(port_file),
                "LAB_PARENT_PID": str(os.getpid()),
                EVENTS_DIR_VARIABLE: str(folder / "events"),
                REDIS_URL_VARIABLE: self.redis_url,
                MOCK_API_URL_VARIABLE: self.mock_api_url,
                OPTIONAL_PATH_VARIABLE: str(packages_of(OPTIONAL_ENVIRONMENT)),
                FRAMEWORKS_PATH_VARIABLE: os.environ.get(FRAMEWORKS_PATH_VARIABLE, ""),
            },
        )
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not port_file.exists():
            if child.poll() is not None or time.monotonic() > give_up_at:
                raise self._failed(name, child)
            time.sleep(0.02)
        return f"http://127.0.0.1:{port_file.read_text().strip()}"
