"""``verify-separation``: whether every framework keeps to its databases."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.alone import Share, alone
from benchmarks.cli.choices import LabName, lab_of
from benchmarks.cli.console import console
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.lab import LabError
from benchmarks.run.separation import Finding, examine, overlapping

separation_app = typer.Typer()


@separation_app.command()
def verify_separation(
    lab: Annotated[LabName | None, typer.Option(help="Which lab; without it Compose if it is up, else local.")] = None,
    share_the_machine: Share = False,
) -> None:
    """Prove from Redis's own keys and clients that every framework keeps to its databases."""
    name = lab or (LabName.COMPOSE if _compose_is_up() else LabName.LOCAL)
    with alone(share_the_machine), lab_of(name) as running:
        findings = examine(running)
    print_findings(console, findings)
    if overlapping(findings) or not all(f.holds for f in findings):
        raise typer.Exit(1)


def _compose_is_up() -> bool:
    try:
        return any(service.up for service in Compose().health())
    except LabError:
        return False


def _connections(finding: Finding) -> str:
    chosen = ", ".join(map(str, finding.client_databases)) or "none seen"
    return f"{chosen}; {finding.undecided} not chosen yet" if finding.undecided else chosen


def _verdict(finding: Finding) -> str:
    if finding.holds:
        return "[green]separate[/green]"
    if finding.agrees:
        return "[yellow]not known: a connection has no database yet, try again[/yellow]"
    return "[bold red]NOT separate[/bold red]"


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """A row per variant, and a line for each two frameworks whose databases are not their own."""
    table = Table(title="Redis databases, as the server reports them", title_justify="left")
    for heading in ("variant", "may use", "worker's connections in", "new keys in", ""):
        table.add_column(heading)
    for finding in findings:
        table.add_row(
            finding.variant,
            ", ".join(map(str, finding.allowed)),
            _connections(finding),
            ", ".join(f"{n} ({count})" for n, count in finding.key_databases.items()) or "none seen",
            _verdict(finding),
        )
    console.print(table)
    for line in overlapping(findings):
        console.print(line, style="bold red")
