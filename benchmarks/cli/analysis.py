"""The commands that say what result sets mean: analyze, compare, list, export."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.check import failures
from benchmarks.analysis.compare_sets import compare_sets
from benchmarks.analysis.export import export as write_export
from benchmarks.analysis.listing import list_sets
from benchmarks.analysis.soaks import soak_faults, soaks_of
from benchmarks.analysis.storing import store
from benchmarks.analysis.targets import TARGETS, read_targets
from benchmarks.cli.analysis_tables import print_analysis, print_check, print_comparison, print_list
from benchmarks.cli.choices import Result, chosen_result
from benchmarks.cli.settings import load_settings
from benchmarks.cli.soak_display import print_soaks
from benchmarks.results.result_set import ResultSet

analysis_app = typer.Typer()
console = Console()


@analysis_app.command()
def analyze(
    result: Result = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a target is missed or a run invalid.")] = False,
    targets: Annotated[Path | None, typer.Option(help="Hold it against the targets of this file.")] = None,
) -> None:
    """Describe every measure, compare every pair of variants, warn, and hold all against the targets; written into the result
    set's folder as well."""
    path = chosen_result(result)
    soaks = soaks_of(path)
    if soaks:
        print_soaks(console, soaks)
    if soaks and not ResultSet.open(path).stored_runs():
        _check(soak_faults(soaks), check)
        return
    analysis = analyse(path, read_targets(targets or TARGETS))
    written = store(analysis)
    print_analysis(console, analysis)
    console.print(f"\nWritten: {', '.join(file.name for file in written)} in [bold]{analysis.path}[/bold]", soft_wrap=True)
    _check((*failures(analysis), *soak_faults(soaks)), check)


def _check(reasons: Sequence[str], check: bool) -> None:
    if not check:
        return
    print_check(console, reasons)
    if reasons:
        raise typer.Exit(1)


@analysis_app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="The result set to compare with.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="The result set that is compared.", metavar="B")],
    force: Annotated[bool, typer.Option("--force", help="Compare even what was not made alike in size or slots.")] = False,
) -> None:
    """Say what changed from result set A to result set B: an upgrade, a setting, another machine."""
    before, after = soaks_of(a), soaks_of(b)
    if both := {s.variant for s in before} & {s.variant for s in after}:
        shown = [(s, letter) for found, letter in ((before, "A"), (after, "B")) for s in found if s.variant in both]
        in_pairs = sorted(shown, key=lambda pair: (pair[0].variant, pair[1]))
        print_soaks(console, [replace(s, variant=f"{s.variant} ({letter})") for s, letter in in_pairs])
    if not both or ResultSet.open(a).stored_runs():
        print_comparison(console, compare_sets(a, b, force=force))


@analysis_app.command("list")
def list_results(
    folder: Annotated[Path | None, typer.Argument(help="Where the result sets are [BENCHMARK_OUTPUT_DIR].")] = None,
) -> None:
    """List the result sets: when they were made, where, of what, and whether they are whole and valid."""
    print_list(console, list_sets(folder or load_settings().benchmark_output_dir))


@analysis_app.command()
def export(
    result: Result = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="Also a row for every task and every sample.")] = False,
) -> None:
    """Write a result set as tidy tables, CSV and Parquet, into its folder export."""
    for file in write_export(ResultSet.open(chosen_result(result)), tasks=tasks):
        console.print(f"[bold]{file}[/bold], {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True, highlight=False)
