"""The services of ``docker-compose.yml`` and their containers, as Docker describes them: pure reading of what it prints.

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
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.run.labs.lab import LabError
from tasks.contract import REDIS_URL_VARIABLE

TOKEN_VARIABLE = "LAB_TOKEN"
REDIS_PASSWORD_VARIABLE = "LAB_REDIS_PASSWORD"
_NEEDED_FOR = {
    TOKEN_VARIABLE: TOKEN_VARIABLE,
    REDIS_PASSWORD_VARIABLE: REDIS_PASSWORD_VARIABLE,
    REDIS_URL_VARIABLE: REDIS_PASSWORD_VARIABLE,
}
"""By variable of a service's environment: which of the checkout's must have a value for it."""
BASE_IMAGE_ARGUMENT = "PYTHON_IMAGE"
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
class ContainerDetails:
    """Docker's ids of a running container and of its image, and the process id of its first process on Docker's machine."""

    id: str
    image: str
    process: int


@dataclass(frozen=True, slots=True)
class Container:
    """A service's container as it is now. ``health`` is Docker's word: healthy, starting, unhealthy, or empty without a check."""

    service: str
    state: str
    health: str
    exit_code: int
    ports: Mapping[int, int]
    """Published ports on the loopback address by port of the container."""
    id: str = ""
    """Docker's, or the beginning of it."""

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
    required |= {needed for name, needed in _NEEDED_FOR.items() if name in definition.get("environment", {})}
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
            id=row.get("ID", ""),
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
