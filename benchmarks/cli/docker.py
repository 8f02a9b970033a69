"""``python -m benchmarks docker``: bring the Compose lab up and down, and see how it is."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.monitoring.dashboards import dashboard_addresses
from benchmarks.monitoring.health import health_lines
from benchmarks.monitoring.prometheus import Prometheus
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_services import GRAFANA_PORT, GRAFANA_SERVICE, PROMETHEUS_PORT, PROMETHEUS_SERVICE
from benchmarks.run.labs.lab import LabError

docker_app = typer.Typer(no_args_is_help=True, help="Bring the Compose lab up and down, and see how it is.")


@docker_app.command()
def up(
    group: Annotated[
        str | None, typer.Option(help="Only the services of this group (monitoring, mock) and what they need.")
    ] = None,
) -> None:
    """Build, start and wait until all services are healthy; LAB_WITHOUT names services to leave out."""
    compose = Compose()
    without = compose.left_out()
    only = [name for name in compose.group(group) if name not in without] if group else []
    names = compose.up(without=without, only_services=only)
    typer.echo(f"{len(names)} services are up and healthy: {', '.join(names)}")


@docker_app.command()
def down(
    volumes: Annotated[bool, typer.Option("--volumes", help="Also what Prometheus and Grafana have stored.")] = False,
) -> None:
    """Stop and remove all services."""
    Compose().down(volumes=volumes)


@docker_app.command()
def logs(
    services: Annotated[list[str] | None, typer.Argument(help="Services; all without one.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the end of the services' logs."""
    Compose().logs(*(services or ()), follow=follow)


@docker_app.command()
def health() -> None:
    """How every service is, and when Prometheus last scraped it; fails unless all but those of LAB_WITHOUT are well."""
    compose = Compose()
    left_out = compose.left_out()
    services = compose.services()
    states = [service for service in compose.health() if service.service not in left_out]
    url = compose.published_url(PROMETHEUS_SERVICE, PROMETHEUS_PORT)
    targets = None
    if url is not None:
        with Prometheus(url) as prometheus:
            targets = prometheus.targets()
    scraped = {name for name, service in services.items() if service.has_metrics}
    lines = health_lines(states, compose.addresses(), targets, scraped, datetime.now(UTC))
    table = Table("service", "condition", "scraped", title="Compose lab", title_justify="left")
    for line in lines:
        style = "green" if line.well else "bold red"
        table.add_row(line.service, f"[{style}]{line.condition}[/{style}]", line.scraped)
    Console().print(table)
    if ill := [line.service for line in lines if not line.well]:
        raise LabError(f"not well: {', '.join(ill)}; see `just docker-logs SERVICE`, then run `just docker-up`")


@docker_app.command()
def grafana() -> None:
    """The addresses of Grafana's dashboards and of Prometheus."""
    compose = Compose()
    prometheus = compose.published_url(PROMETHEUS_SERVICE, PROMETHEUS_PORT)
    if prometheus is None:
        raise LabError("Prometheus is not up: run `just docker-up-monitoring`")
    shown = compose.published_url(GRAFANA_SERVICE, GRAFANA_PORT)
    if shown is None:
        typer.echo("Grafana is not up: run `just docker-up-monitoring`")
    else:
        for title, address in dashboard_addresses(shown):
            typer.echo(f"{title:<16}{address}")
        typer.echo("To look needs no password; user admin has GRAFANA_ADMIN_PASSWORD of .env")
    typer.echo(f"{'Prometheus':<16}{prometheus}")


@docker_app.command()
def images() -> None:
    """The images that must come from a registry, one a line."""
    compose = Compose()
    for image in compose.registry_images(without=compose.left_out()):
        typer.echo(image)
