"""The table that ends a benchmark in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.flags import Severity
from benchmarks.model import RunResult, Scenario
from benchmarks.results import ResultSet
from benchmarks.statistics import describe

FLAGS_SHOWN = 20
STYLES = {Severity.INVALID: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def _cell(values: Sequence[float]) -> str:
    """The mean, with half the width of its interval where there are enough values for one."""
    description = describe(values)
    if description.mean is None:
        return "-"
    if description.interval is None:
        return _number(description.mean)
    return f"{_number(description.mean)} ±{_number((description.interval.high - description.interval.low) / 2)}"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def summary_table(scenario: Scenario, results: Sequence[RunResult]) -> Table:
    """A row per variant, the best headline first."""
    table = Table(title=f"{scenario.number}. {scenario.title}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("variant", no_wrap=True)
    table.add_column("valid runs", justify="right", no_wrap=True)
    for heading in scenario.summary.values():
        table.add_column(heading, justify="right", no_wrap=False, min_width=6)
    names = dict.fromkeys(r.variant for r in results)

    def valid(name: str) -> list[RunResult]:
        return [r for r in results if r.variant == name and r.valid]

    def values(name: str, measure: str) -> list[float]:
        return [float(v) for r in valid(name) if (v := r.measures.get(measure)) is not None]

    def headline(name: str) -> float:
        found = values(name, scenario.headline)
        return sum(found) / len(found) if found else float("-inf")

    for name in sorted(names, key=headline, reverse=True):
        made = sum(1 for r in results if r.variant == name)
        count = f"{len(valid(name))}/{made}"
        style = None if len(valid(name)) == made else "yellow"
        table.add_row(name, count, *(_cell(values(name, measure)) for measure in scenario.summary), style=style)
    return table


def print_summary(console: Console, results: ResultSet, scenarios: Sequence[Scenario]) -> None:
    """A table per scenario, what is to be said against its runs, and where everything is."""
    for scenario in scenarios:
        mine = results.rows(scenario.name)
        console.print()
        console.print(summary_table(scenario, mine))
        lines = [(f, r) for r in mine for f in r.flags]
        for flag, result in lines[:FLAGS_SHOWN]:
            style = STYLES[flag.code.severity]
            console.print(f"{result.variant} #{result.repetition} {flag}", style=style, highlight=False, markup=False)
        if len(lines) > FLAGS_SHOWN:
            console.print(f"... and {len(lines) - FLAGS_SHOWN} more; all are in the CSV")
    console.print(f"\nResults: [bold]{results.path}[/bold]")
