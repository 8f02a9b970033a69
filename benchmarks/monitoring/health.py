"""How every service of the Compose lab is: up, healthy, and whether and when Prometheus last scraped it. A pure function of what
Docker and Prometheus say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.monitoring.prometheus import Target
from benchmarks.run.labs.compose_services import ServiceHealth

STALE_S = 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """One service: ``scraped`` in words, empty for one that has no metrics."""

    service: str
    condition: str
    scraped: str
    well: bool


def health_lines(
    services: Sequence[ServiceHealth],
    addresses: Mapping[str, str],
    targets: Sequence[Target] | None,
    has_metrics: Collection[str],
    now: datetime,
) -> list[Line]:
    """A line for each service. ``addresses`` are the services by the IP address that Prometheus sees; ``targets`` is None where
    there is no Prometheus to ask; ``has_metrics`` are services that should be scraped."""
    by_service: dict[str, Target] = {}
    for target in targets or ():
        host = target.instance.rpartition(":")[0]
        by_service[addresses.get(host, target.job)] = target
    lines = []
    for service in services:
        expected = targets is not None and service.up and service.service in has_metrics
        scraped, fresh = _scraped(by_service.get(service.service), now) if expected else ("", True)
        lines.append(Line(service.service, service.condition, scraped, service.healthy and fresh))
    return lines


def _scraped(target: Target | None, now: datetime) -> tuple[str, bool]:
    if target is None:
        return "not found by Prometheus", False
    if target.scraped_at is None:
        return "not yet", False
    age_s = (now - target.scraped_at).total_seconds()
    if not target.up:
        return f"failed {age_s:.0f} s ago: {target.error}", False
    return f"{age_s:.0f} s ago", age_s < STALE_S
