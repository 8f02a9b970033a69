"""The lab as containers: the services of ``docker-compose.yml``, driven through the ``docker`` command.

The file is the only list of services. What they are is said by their labels, so that nothing here names a framework:

==================== ==========================================================================================================
label                meaning
==================== ==========================================================================================================
queuelab.role        ``worker`` or ``producer``: the service is a node
queuelab.framework   the framework of a node
queuelab.variant     the variant of a worker node
queuelab.groups      groups that the service belongs to, separated by commas; a group can be brought up by itself
queuelab.metrics     ``true`` where Prometheus scrapes the service; every node is scraped without it
queuelab.title       on a producer: what the dashboard of its framework is called; without it there is none of its own
==================== ==========================================================================================================
"""

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dotenv import dotenv_values

from benchmarks.checkout import CHECKOUT
from benchmarks.labs import LabError

TOKEN_VARIABLE = "LAB_TOKEN"
WITHOUT_VARIABLE = "LAB_WITHOUT"
BASE_IMAGE_ARGUMENT = "PYTHON_IMAGE"
WAIT_TIMEOUT_S = 120
STOP_TIMEOUT_S = 5
LOG_TAIL_LINES = 15

REDIS_SERVICE, REDIS_PORT = "redis", 6379
PROMETHEUS_SERVICE, PROMETHEUS_PORT = "prometheus", 9090
GRAFANA_SERVICE, GRAFANA_PORT = "grafana", 3000
MOCK_API_SERVICE, MOCK_API_PORT = "mock-api", 8080
AGENT_PORT = 8000

_LABEL = "queuelab."


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the Compose file defines it. ``required_variables`` must have a value before it can start."""

    name: str
    image: str
    build_arguments: Mapping[str, str] | None
    """The arguments of its build; None where another service builds the image, or nobody."""
    needs: frozenset[str]
    required_variables: frozenset[str]
    groups: frozenset[str]
    role: str
    framework: str
    variant: str
    has_metrics: bool = False
    """Whether Prometheus scrapes it."""


@dataclass(frozen=True, slots=True)
class Container:
    """A service's container as it is now. ``health`` is Docker's word: healthy, starting, unhealthy, or empty without a check."""

    service: str
    state: str
    health: str
    exit_code: int
    ports: Mapping[int, int]
    """Published ports on the loopback address by port of the container."""

    @property
    def running(self) -> bool:
        """Whether it is up."""
        return self.state == "running"

    @property
    def healthy(self) -> bool:
        """Whether it is up and its check, if it has one, is content."""
        return self.running and self.health in ("healthy", "")

    @property
    def condition(self) -> str:
        """Its state in words."""
        if self.state == "exited":
            return f"exited with code {self.exit_code}"
        return f"{self.state}, {self.health}" if self.health else self.state


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One line of a health report. ``condition`` is ``not started`` where there is no container."""

    service: str
    up: bool
    healthy: bool
    condition: str


def services_from(config: Mapping[str, Any]) -> dict[str, Service]:
    """The services by name, from what ``docker compose config --format json`` prints."""
    variable_of = {name: secret.get("environment") for name, secret in config.get("secrets", {}).items()}
    return {name: _service(name, definition, variable_of) for name, definition in sorted(config["services"].items())}


def _service(name: str, definition: Mapping[str, Any], variable_of: Mapping[str, str | None]) -> Service:
    labels = definition.get("labels", {})
    build = definition.get("build")
    required = {variable for s in definition.get("secrets", ()) if (variable := variable_of.get(s["source"]))}
    if TOKEN_VARIABLE in definition.get("environment", {}):
        required.add(TOKEN_VARIABLE)
    return Service(
        name=name,
        image=definition["image"],
        build_arguments=None if build is None else build.get("args", {}),
        needs=frozenset(definition.get("depends_on", {})),
        required_variables=frozenset(required),
        groups=frozenset(filter(None, labels.get(f"{_LABEL}groups", "").split(","))),
        role=labels.get(f"{_LABEL}role", ""),
        framework=labels.get(f"{_LABEL}framework", ""),
        variant=labels.get(f"{_LABEL}variant", ""),
        has_metrics=f"{_LABEL}role" in labels or labels.get(f"{_LABEL}metrics") == "true",
    )


def containers_from(listing: str) -> dict[str, Container]:
    """The containers by service, from what ``docker compose ps --all --format json`` prints: objects one a line (Compose 2.21
    and newer) or one array."""
    text = listing.strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return {
        row["Service"]: Container(
            service=row["Service"],
            state=row["State"],
            health=row["Health"],
            exit_code=row["ExitCode"],
            ports={p["TargetPort"]: p["PublishedPort"] for p in row["Publishers"] or () if p["PublishedPort"]},
        )
        for row in rows
    }


def selection(services: Mapping[str, Service], only: Collection[str] = (), without: Collection[str] = ()) -> tuple[str, ...]:
    """The services to bring up: all, or ``only`` these and what they need, less those of ``without``, whoever needs them.

    Raises LabError for a name that is no service's, and when nothing is left.
    """
    unknown = sorted({*only, *without} - services.keys())
    if unknown:
        raise LabError(f"no service {', '.join(map(repr, unknown))}: there are {', '.join(services)}")
    chosen: set[str] = set()
    pending = list(only or services)
    while pending:
        name = pending.pop()
        if name not in chosen and name not in without:
            chosen.add(name)
            pending.extend(services[name].needs)
    if not chosen:
        raise LabError("no service is left to bring up")
    return tuple(sorted(chosen))


def builders(services: Mapping[str, Service], names: Collection[str]) -> tuple[str, ...]:
    """The services whose builds make the images of ``names``: of those that share an image, one builds it."""
    images = {services[name].image for name in names}
    return tuple(name for name, service in services.items() if service.build_arguments is not None and service.image in images)


def registry_images(services: Mapping[str, Service], names: Collection[str]) -> tuple[str, ...]:
    """The images that ``names`` need from a registry, those that their builds begin from included."""
    building = builders(services, names)
    built = {services[name].image for name in building}
    bases = {(services[name].build_arguments or {})[BASE_IMAGE_ARGUMENT] for name in building}
    return tuple(sorted({services[name].image for name in names} - built | bases))


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
                raise LabError(f"{error}\n{tails}") from None
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
        ids = self._output("ps", "--quiet").split()
        if not ids:
            return {}
        done = subprocess.run([self._command(())[0], "inspect", *ids], check=False, capture_output=True, text=True)
        self._checked(done)
        found = {}
        for row in json.loads(done.stdout):
            for network in row["NetworkSettings"]["Networks"].values():
                found[network["IPAddress"]] = row["Config"]["Labels"]["com.docker.compose.service"]
        return found

    def _tails_of_unhealthy(self, names: Collection[str]) -> str:
        containers = self.containers()
        parts = []
        for name in names:
            container = containers.get(name)
            if container is not None and container.state != "created" and not container.healthy:
                log = self._output("logs", "--no-log-prefix", "--tail", str(LOG_TAIL_LINES), name).strip()
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
        return os.environ.get(name, dotenv_values(self._checkout / ".env").get(name) or "")

    def _require_values(self, names: Collection[str]) -> None:
        missing = sorted(name for name in names if not self._variable(name))
        if missing:
            raise LabError(f"{', '.join(missing)}: no value in the environment nor in .env; `just init` writes one into .env")

    def _run(self, *arguments: str) -> None:
        """Run with the terminal as it is, so that Docker shows its own progress."""
        self._checked(subprocess.run(self._command(arguments), cwd=self._checkout, check=False))

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(self._command(arguments), cwd=self._checkout, check=False, capture_output=True, text=True)
        self._checked(done)
        return done.stdout

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


class ComposeLab:
    """See :class:`benchmarks.labs.Lab`: the services that ``just docker-up`` has started. Starts and stops nothing itself."""

    name = "compose"

    def __init__(self, compose: Compose | None = None) -> None:
        self._compose = compose or Compose()
        self.token = ""
        self.redis_url = ""
        self.mock_api_url = ""
        self._services: dict[str, Service] = {}
        self._containers: dict[str, Container] = {}

    def __enter__(self) -> Self:
        """Look at what is up. Raises LabError when Redis or all nodes are missing, or something that is up is not healthy."""
        self._services = self._compose.services()
        self._containers = self._compose.containers()
        self.token = self._compose.token()
        self.redis_url = self._url(REDIS_SERVICE, REDIS_PORT, "redis")
        self.mock_api_url = self._url(MOCK_API_SERVICE, MOCK_API_PORT) if MOCK_API_SERVICE in self._containers else ""
        broken = [f"{c.service} is {c.condition}" for c in self._containers.values() if not c.healthy]
        if broken:
            raise LabError(f"the Compose lab is not well: {'; '.join(broken)}; see `just docker-logs`, then run `just docker-up`")
        if not self.variants():
            raise LabError("no worker node of the Compose lab is up: run `just docker-up`")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to undo: the services stay up until ``just docker-down``."""

    def variants(self) -> Mapping[str, str]:
        """The framework of every variant whose worker node is up."""
        return {s.variant: s.framework for s in self._nodes("worker")}

    def worker_url(self, variant: str) -> str:
        """The worker node of a variant. Raises LabError when none is up."""
        for service in self._nodes("worker"):
            if service.variant == variant:
                return self._url(service.name, AGENT_PORT)
        raise LabError(f"no worker node for {variant!r} is up: there are {', '.join(self.variants())}; run `just docker-up`")

    def producer_url(self, framework: str) -> str:
        """The producer node of a framework. Raises LabError when none is up."""
        producers = {s.framework: s.name for s in self._nodes("producer")}
        if framework not in producers:
            known = ", ".join(producers) or "none"
            raise LabError(f"no producer node for {framework!r} is up: there are {known}; run `just docker-up`")
        return self._url(producers[framework], AGENT_PORT)

    def worker_urls(self) -> Mapping[str, str]:
        """The worker nodes that are up."""
        return {s.variant: self._url(s.name, AGENT_PORT) for s in self._nodes("worker")}

    def _nodes(self, role: str) -> Iterator[Service]:
        return (s for s in self._services.values() if s.role == role and s.name in self._containers)

    def _url(self, service: str, port: int, scheme: str = "http") -> str:
        """Where the runner reaches a service's port."""
        container = self._containers.get(service)
        if container is None or not container.running:
            condition = "not started" if container is None else container.condition
            raise LabError(f"{service} of the Compose lab is {condition}: run `just docker-up`")
        if port not in container.ports:
            raise LabError(f"{service} of the Compose lab does not publish its port {port}: see `ports` in docker-compose.yml")
        return f"{scheme}://127.0.0.1:{container.ports[port]}"
