"""``python -m benchmarks docker``: bring the Compose lab up and down, and see how it is."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.labs import LabError
from benchmarks.labs.compose import Compose

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
    """How every service is; fails unless all but those of LAB_WITHOUT are healthy."""
    table = Table("service", "condition", title="Compose lab", title_justify="left")
    ill = []
    compose = Compose()
    left_out = compose.left_out()
    for service in compose.health():
        if service.service in left_out:
            continue
        style = "green" if service.healthy else "bold red"
        table.add_row(service.service, f"[{style}]{service.condition}[/{style}]")
        if not service.healthy:
            ill.append(service.service)
    Console().print(table)
    if ill:
        raise LabError(f"not healthy: {', '.join(ill)}; see `just docker-logs SERVICE`, then run `just docker-up`")


@docker_app.command()
def images() -> None:
    """The images that must come from a registry, one a line."""
    compose = Compose()
    for image in compose.registry_images(without=compose.left_out()):
        typer.echo(image)
