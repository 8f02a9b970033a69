"""The application of jobs (``tasks.job_app``) with a worker of a framework, on a local lab's Redis: by hand, not measured.

A running one writes where it is into its lab's folder, for its owner alone, so that the framework's monitor can be started
beside it.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import redis

from benchmarks.checkout import CHECKOUT
from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import START_TIMEOUT_S, LocalLab, environment_of, free_port, interpreter, packages_of
from infrastructure.janitor import LAB_ID_VARIABLE
from tasks.background_jobs import Way
from tasks.causes import cause
from tasks.contract import REDIS_URL_VARIABLE

ADDRESS = "127.0.0.1"
APPLICATION, WORKER = "application", "worker"
OWN_PACKAGES = "api"
"""The environment of what the application imports besides, on its path alone."""
PLACE_FILE = "job-api.json"
LOG_LINES = 15

_without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class JobApiWish:
    """What is to be started: ``slots`` jobs at once in the worker, jobs of ``duration_s``, and background tasks written in the
    way ``background``."""

    framework: str
    port: int
    slots: int
    background: Way
    duration_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where one runs. The URL holds the password."""

    framework: str
    port: int
    redis_url: str
    lab_id: str
    folder: str


def port_to_listen_on(port: int, option: str = "--port") -> int:
    """The port, or any that is free for 0. Raises LabError where it cannot be listened on now."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise LabError(
                f"port {port} of {ADDRESS} cannot be had ({why}): end who has it, or choose another by {option}"
            ) from None
    return port


class JobApi:
    """The worker and the application, as processes of a lab that is up. They end with the lab."""

    def __init__(self, lab: LocalLab, wish: JobApiWish) -> None:
        self.url = f"http://{ADDRESS}:{wish.port}"
        self._lab = lab
        self._wish = wish
        self._parts: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start both; return when the application answers. Raises LabError with the end of a log."""
        order = {"op": "job_worker", "slots": self._wish.slots}
        command = ask_framework(self._wish.framework, order, {REDIS_URL_VARIABLE: self._lab.redis_url})
        self._parts[WORKER] = self._lab.spawn_worker(WORKER, command["arguments"], command["environment"])
        self.start_application()
        place = Place(self._wish.framework, self._wish.port, self._lab.redis_url, self._lab.lab_id, str(self._lab.folder))
        unfinished, file = self._lab.folder / f".{PLACE_FILE}", self._lab.folder / PLACE_FILE
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(asdict(place)))
        unfinished.rename(file)

    def start_application(self) -> None:
        """Start the application, again where it has ended; return when it answers. Raises LabError."""
        wish = self._wish
        python = interpreter(environment_of(wish.framework))
        command = [str(python), "-m", "tasks.job_app", wish.framework, f"--port={wish.port}", f"--background={wish.background}"]
        path = os.pathsep.join((str(CHECKOUT), str(packages_of(OWN_PACKAGES))))
        self._parts[APPLICATION] = self._lab.spawn_worker(
            APPLICATION, [*command, f"--duration={wish.duration_s}"], {"PYTHONPATH": path}
        )
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                _without_proxy.open(f"{self.url}/health", timeout=1.0).close()
            except OSError:
                self.require_alive()
                if time.monotonic() > give_up_at:
                    raise LabError(
                        f"the application does not answer at {self.url}/health; {self._end_of_log(APPLICATION)}"
                    ) from None
                time.sleep(0.02)
            else:
                return

    def require_alive(self) -> None:
        """Raises LabError where a process has ended, or Redis does not answer: with the name, and why."""
        for name, process in self._parts.items():
            if (code := process.poll()) is not None:
                how = f"exit code {code}" if code >= 0 else f"signal {-code}"
                raise LabError(f"the {name} has ended ({how}); {self._end_of_log(name)}")
        try:
            with redis.Redis.from_url(self._lab.redis_url) as client:
                client.ping()
        except redis.RedisError as error:
            raise LabError(f"Redis does not answer: {cause(error)}; {self._end_of_log('redis')}") from None

    def _end_of_log(self, name: str) -> str:
        lines = (self._lab.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()[-LOG_LINES:]
        return "\n".join(("the end of its log:", *lines)) if lines else "its log is empty"


def running_places(framework: str) -> list[Place]:
    """Where this user's run now with this framework."""
    found = []
    for file in LocalLab().folder.parent.glob(f"*/{PLACE_FILE}"):
        with suppress(OSError):
            place = Place(**json.loads(file.read_text()))
            if place.framework == framework:
                found.append(place)
    return found


def chosen_place(places: list[Place], api_port: int | None) -> Place:
    """The one that is meant: the only one, or that on a port. Raises LabError."""
    fitting = [place for place in places if api_port in (None, place.port)]
    if len(fitting) == 1:
        return fitting[0]
    if not places:
        raise LabError("no `just api` runs: start it in another terminal first")
    ports = ", ".join(str(place.port) for place in sorted(places, key=lambda place: place.port))
    raise LabError(f"`just api` runs on the ports {ports}: name one of them by --api-port")


def monitor_command(place: Place, port: int) -> tuple[list[str], dict[str, str]]:
    """How the framework's monitor is started there: its command line, and variables, by one of which it ends with the lab."""
    order = {"op": "job_monitor", "port": port}
    monitor: dict[str, Any] = ask_framework(place.framework, order, {REDIS_URL_VARIABLE: place.redis_url})
    command = monitor["command"]
    python = str(interpreter(monitor["environment"]))
    return [python, *command["arguments"]], {LAB_ID_VARIABLE: place.lab_id, **command["environment"]}


def folder_of(place: Place) -> Path:
    """A folder that holds none of the user's files, and goes with the lab."""
    return Path(place.folder)
