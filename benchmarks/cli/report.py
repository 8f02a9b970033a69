"""The commands that show a result set: pictures and reports."""

from collections.abc import Sequence

import typer
from rich.console import Console

from benchmarks.cli.analysis_tables import clean
from benchmarks.cli.choices import Result, chosen_result
from benchmarks.results.result_set import ResultSet

report_app = typer.Typer()
console = Console()


@report_app.command()
def visualize(result: Result = None) -> None:
    """Draw a result set's charts as SVG and PNG, into its folder pictures."""
    # Only here: matplotlib and plotly take longer to import than most commands run.
    from benchmarks.report.write import write_pictures

    written = write_pictures(chosen_result(result))
    console.print(f"{len(written.files)} pictures in [bold]{written.files[0].parent}[/bold]", soft_wrap=True)
    _print_left_out(written.left_out)


@report_app.command()
def report(result: Result = None) -> None:
    """Write summary_report.html, one self-contained page, and report.md, for a pull request, into a result set's folder;
    soak_report.html where it holds soaks."""
    from benchmarks.report.soak_report import write_soak_report
    from benchmarks.report.write import write_report

    path = chosen_result(result)
    if (page := write_soak_report(path)) is not None:
        console.print(f"[bold]{page}[/bold], {page.stat().st_size / 1e6:.1f} MB", soft_wrap=True, highlight=False)
        if not ResultSet.open(path).stored_runs():
            return
    written = write_report(path)
    for file in written.files:
        console.print(f"[bold]{file}[/bold], {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True, highlight=False)
    _print_left_out(written.left_out)


def _print_left_out(left_out: Sequence[str]) -> None:
    for words in left_out:
        console.print(clean(words, "yellow"), soft_wrap=True)
