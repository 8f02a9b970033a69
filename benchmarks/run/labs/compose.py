"""The Compose project of a checkout, driven through the ``docker`` command."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from benchmarks.checkout import CHECKOUT
from benchmarks.run.environment import runner_environment
from benchmarks.run.labs.compose_services import (
    REDIS_PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    Container,
    ContainerDetails,
    Service,
    ServiceHealth,
    builders,
    containers_from,
    registry_images,
    selection,
    services_from,
)
from benchmarks.run.labs.lab import LabError
from tasks.causes import cause

WITHOUT_VARIABLE = "LAB_WITHOUT"
WAIT_TIMEOUT_S = 120
STOP_TIMEOUT_S = 5
KEPT_LOG_LINES = 10_000
LOG_TAIL_LINES = 15
_IN_A_URL = re.compile(r"[A-Za-z0-9_-]+")


class Compose:
    """The Compose project of a checkout. Every method raises LabError when Docker cannot do it, with Docker's own reason."""

    def __init__(self, checkout: Path = CHECKOUT) -> None:
        self._checkout = checkout

    def services(self) -> dict[str, Service]:
        """All services that the file defines, by name."""
        return services_from(self._config())

    def group(self, name: str) -> tuple[str, ...]:
        """The services of a group."""
        services = self.services()
        members = tuple(s.name for s in services.values() if name in s.groups)
        if not members:
            groups = sorted({g for s in services.values() for g in s.groups})
            raise LabError(f"no service is in a group {name!r}: there are {', '.join(groups)}")
        return members

    def registry_images(self, without: Collection[str] = ()) -> tuple[str, ...]:
        """The images that must come from a registry (or be there) before :meth:`up`."""
        services = self.services()
        return registry_images(services, selection(services, (), without))

    def token(self) -> str:
        """The nodes' token: ``LAB_TOKEN`` of the environment, or else of ``.env``, as Compose itself reads them."""
        self._require_values({TOKEN_VARIABLE})
        return self._variable(TOKEN_VARIABLE)

    def redis_password(self) -> str:
        """The password of the lab's Redis: ``LAB_REDIS_PASSWORD``, likewise."""
        self._require_values({REDIS_PASSWORD_VARIABLE})
        return self._variable(REDIS_PASSWORD_VARIABLE)

    def left_out(self) -> tuple[str, ...]:
        """The services that ``LAB_WITHOUT`` (of the environment or ``.env``) names, for ``without``."""
        return tuple(self._variable(WITHOUT_VARIABLE).replace(",", " ").split())

    def containers(self) -> dict[str, Container]:
        """The containers of this project, by service, whatever their state."""
        return containers_from(self._output("ps", "--all", "--format", "json"))

    def up(self, without: Collection[str] = (), only_services: Collection[str] = ()) -> tuple[str, ...]:
        """Build what has changed, start the selected services (see :func:`selection`) and wait until all are healthy.

        Returns their names. When one does not become healthy, removes what this call started and raises LabError with the end of
        that service's log.
        """
        services = self.services()
        names = selection(services, only_services, without)
        self._require_values({variable for name in names for variable in services[name].required_variables})
        before = {name for name, container in self.containers().items() if container.running}
        if building := builders(services, names):
            self._run("build", *building)
        try:
            # Dependencies are in the list already, but for those that were left out.
            self._run("up", "--detach", "--no-deps", "--no-build", "--wait", "--wait-timeout", str(WAIT_TIMEOUT_S), *names)
        except BaseException as error:
            tails = self._tails_of_unhealthy(names) if isinstance(error, LabError) else ""
            self._remove(set(names) - before, keep_network=bool(before))
            if tails:
                raise LabError(f"{cause(error)}\n{tails}") from None
            raise
        return names

    def down(self, volumes: bool = False) -> None:
        """Stop and remove all containers and the network; ``volumes``: what Prometheus and Grafana have stored as well."""
        options = ["--volumes"] if volumes else []
        self._run("down", "--remove-orphans", "--timeout", str(STOP_TIMEOUT_S), *options)

    def logs(self, *names: str, follow: bool = False, tail: int = 200) -> None:
        """Print the last lines of these services' logs, of all without a name; with ``follow``, until it is interrupted."""
        if names:
            selection(self.services(), names)
        try:
            self._run("logs", "--tail", str(tail), *(["--follow"] if follow else []), *names)
        except KeyboardInterrupt:
            return

    def log_of(self, service: str, tail: int = KEPT_LOG_LINES) -> str:
        """The last lines of a service's log. Raises LabError."""
        return self._output("logs", "--no-log-prefix", "--no-color", "--tail", str(tail), service)

    def health(self) -> list[ServiceHealth]:
        """How every service is, by name; with those that have not been started."""
        containers = self.containers()
        report = []
        for name in self.services():
            container = containers.get(name)
            if container is None:
                report.append(ServiceHealth(name, up=False, healthy=False, condition="not started"))
            else:
                report.append(ServiceHealth(name, container.running, container.healthy, container.condition))
        return report

    def published_url(self, service: str, port: int) -> str | None:
        """Where a service's port is published; None where the service is not up."""
        container = self.containers().get(service)
        if container is None or not container.running or port not in container.ports:
            return None
        return f"http://127.0.0.1:{container.ports[port]}"

    def addresses(self) -> dict[str, str]:
        """The running services by their IP addresses on the lab's network."""
        found = {}
        for service, row in self._inspected().items():
            for network in row["NetworkSettings"]["Networks"].values():
                found[network["IPAddress"]] = service
        return found

    def details(self) -> dict[str, ContainerDetails]:
        """What each running service's container was made of and runs as."""
        return {name: ContainerDetails(row["Id"], row["Image"], row["State"]["Pid"]) for name, row in self._inspected().items()}

    def _inspected(self) -> dict[str, dict[str, Any]]:
        """What Docker tells of each running service's container."""
        ids = self._output("ps", "--quiet").split()
        if not ids:
            return {}
        done = self._started([self._command(())[0], "inspect", *ids])
        return {row["Config"]["Labels"]["com.docker.compose.service"]: row for row in json.loads(done.stdout)}

    def _tails_of_unhealthy(self, names: Collection[str]) -> str:
        containers = self.containers()
        parts = []
        for name in names:
            container = containers.get(name)
            if container is not None and container.state != "created" and not container.healthy:
                log = self.log_of(name, LOG_TAIL_LINES).strip()
                parts.append(f"{name} is {container.condition}; the end of its log:\n{log or '(empty)'}")
        return "\n".join(parts)

    def _remove(self, names: Collection[str], keep_network: bool) -> None:
        if not keep_network:
            self.down()
        elif names:
            self._output("rm", "--stop", "--force", *sorted(names))

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self._output("config", "--format", "json"))
        return config

    def _variable(self, name: str) -> str:
        """As Compose resolves it: the environment, even if empty there, before ``.env``."""
        return runner_environment(os.environ).get(name, dotenv_values(self._checkout / ".env").get(name) or "")

    def _require_values(self, names: Collection[str]) -> None:
        missing = sorted(name for name in names if not self._variable(name))
        if missing:
            raise LabError(f"{', '.join(missing)}: no value in the environment nor in .env; `just init` writes one into .env")
        if REDIS_PASSWORD_VARIABLE in names and not _IN_A_URL.fullmatch(self._variable(REDIS_PASSWORD_VARIABLE)):
            raise LabError(f"{REDIS_PASSWORD_VARIABLE} may hold letters, digits, - and _ only: it becomes part of a URL")

    def _run(self, *arguments: str) -> None:
        """Run with the terminal as it is, so that Docker shows its own progress."""
        environment = runner_environment(os.environ)
        self._checked(subprocess.run(self._command(arguments), cwd=self._checkout, env=environment, check=False))

    def _output(self, *arguments: str) -> str:
        return self._started(self._command(arguments)).stdout

    def _started(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = runner_environment(os.environ)
        done = subprocess.run(command, cwd=self._checkout, env=environment, check=False, capture_output=True, text=True)
        self._checked(done)
        return done

    @staticmethod
    def _command(arguments: Sequence[str]) -> list[str]:
        docker = shutil.which("docker")
        if docker is None:
            raise LabError("docker is not on the path: install Docker with Compose v2, or use the local lab, which needs neither")
        return [docker, "compose", *arguments]

    @staticmethod
    def _checked(done: subprocess.CompletedProcess[Any]) -> None:
        if done.returncode != 0:
            command = " ".join(["docker", *done.args[1:3]])
            reason = (done.stderr or "").strip() or "its reason is above"
            if "unknown flag" in reason or "not a docker command" in reason:
                raise LabError("`docker compose` is missing: install Docker's Compose v2 plug-in, or use the local lab")
            raise LabError(f"`{command}` failed (exit code {done.returncode}): {reason}")
