"""The lab as containers: the services of ``docker-compose.yml`` that ``just docker-up`` has started."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.record.machine import QuotaReading
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_services import (
    AGENT_PORT,
    MOCK_API_PORT,
    MOCK_API_SERVICE,
    REDIS_PORT,
    REDIS_SERVICE,
    Container,
    Service,
)
from benchmarks.run.labs.lab import MOCK_API, REDIS, LabError
from benchmarks.run.machine.control_groups import CGROUP_ROOT, ControlGroups, above_container, text_of
from tasks.causes import cause


class ComposeLab:
    """See :class:`benchmarks.run.labs.lab.Lab`. Starts and stops nothing itself."""

    name = "compose"

    def __init__(self, compose: Compose | None = None) -> None:
        self._compose = compose or Compose()
        self.token = ""
        self.redis_url = ""
        self.mock_api_url = ""
        self._services: dict[str, Service] = {}
        self._containers: dict[str, Container] = {}
        self._images: dict[str, str] = {}
        self._groups_above: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Look at what is up. Raises LabError when Redis or all nodes are missing, or something that is up is not healthy."""
        self._services = self._compose.services()
        self._containers = self._compose.containers()
        self.token = self._compose.token()
        self.redis_url = self._url(REDIS_SERVICE, REDIS_PORT, f"redis://:{self._compose.redis_password()}@")
        self.mock_api_url = self._url(MOCK_API_SERVICE, MOCK_API_PORT) if MOCK_API_SERVICE in self._containers else ""
        broken = [f"{c.service} is {c.condition}" for c in self._containers.values() if not c.healthy]
        if broken:
            raise LabError(f"the Compose lab is not well: {'; '.join(broken)}; see `just docker-logs`, then run `just docker-up`")
        if not self.variants():
            raise LabError("no worker node of the Compose lab is up: run `just docker-up`")
        details = {name: found for name, found in self._compose.details().items() if self._takes_part(name)}
        self._images = {name: found.image for name, found in sorted(details.items())}
        above = (above_container(_memberships(found.process), found.id) for found in details.values())
        self._groups_above = frozenset(groups for groups in above if groups is not None)
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

    def log_of(self, part: str) -> str:
        """From Docker, which keeps it as long as the container."""
        services = {f"worker-{s.variant}": s.name for s in self._nodes("worker")}
        services |= {f"producer-{s.framework}": s.name for s in self._nodes("producer")}
        services |= {REDIS: REDIS_SERVICE, MOCK_API: MOCK_API_SERVICE}
        try:
            return self._compose.log_of(services[part])
        except (LabError, KeyError) as error:
            return f"its log cannot be read: {cause(error)}"

    def owns(self, process: int) -> bool:
        """By the control group of its container. Where Docker runs elsewhere, in a virtual machine say, none can be seen."""
        groups = _memberships(process)
        return any(container.id in groups for container in self._containers.values() if container.id)

    def cpu_quotas(self) -> Sequence[QuotaReading]:
        """Those of the groups that the containers lie in; a container's own is its setting."""
        groups = (ControlGroups(CGROUP_ROOT, above) for above in self._groups_above)
        return tuple({quota.group: quota for found in groups for quota in found.quotas()}.values())

    def images(self) -> Mapping[str, str]:
        """Those of the services that take part in what is measured."""
        return self._images

    def _takes_part(self, service: str) -> bool:
        return service in (REDIS_SERVICE, MOCK_API_SERVICE) or bool(self._services[service].role)

    def _nodes(self, role: str) -> Iterator[Service]:
        return (s for s in self._services.values() if s.role == role and s.name in self._containers)

    def _url(self, service: str, port: int, before: str = "http://") -> str:
        """Where the runner reaches a service's port; ``before`` is what its URL begins with."""
        container = self._containers.get(service)
        if container is None or not container.running:
            condition = "not started" if container is None else container.condition
            raise LabError(f"{service} of the Compose lab is {condition}: run `just docker-up`")
        if port not in container.ports:
            raise LabError(f"{service} of the Compose lab does not publish its port {port}: see `ports` in docker-compose.yml")
        return f"{before}127.0.0.1:{container.ports[port]}"


def _memberships(process: int) -> str:
    """The control groups of a process of this machine; empty where they cannot be seen."""
    return text_of(Path(f"/proc/{process}/cgroup")) or ""
