"""The commands that show a result set: pictures and reports."""

import typer
from rich.console import Console

from benchmarks.cli.choices import Result, chosen_result

report_app = typer.Typer()
console = Console()


@report_app.command()
def visualize(result: Result = None) -> None:
    """Draw a result set's charts as SVG and PNG, into its folder pictures."""
    # Only here: matplotlib and plotly take longer to import than most commands run.
    from benchmarks.report.write import write_pictures

    written = write_pictures(chosen_result(result))
    console.print(f"{len(written)} pictures in [bold]{written[0].parent}[/bold]", soft_wrap=True)


@report_app.command()
def report(result: Result = None) -> None:
    """Write summary_report.html, one self-contained page, and report.md, for a pull request, into a result set's folder."""
    from benchmarks.report.write import write_report

    for file in write_report(chosen_result(result)):
        console.print(f"[bold]{file}[/bold], {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True, highlight=False)
