"""What a benchmark says in the terminal of what it measured: the table of each scenario, and how it ended."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf
from statistics import fmean

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import words
from benchmarks.checkout import lab_command
from benchmarks.record.better import place
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.record.flags import Severity, exclusion
from benchmarks.record.machine_moved import machine_moved
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Scenario
from benchmarks.run.watching import Shares
from benchmarks.statistics import Description, describe

FLAGS_SHOWN = 20
NARROWEST = 7
"""As wide as ``±0.0123``, so that no number is broken on a terminal of 80 columns."""
STYLES = {Severity.INVALID: "bold red", Severity.EXCLUDED: "dim", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def _cell(values: Sequence[float], description: Description) -> str:
    """The mean to three digits, with half the width of its interval; of two or three values with their range."""
    mean = fmean(values) if description.mean is None else description.mean
    shown, places = _number(mean), _places(mean)
    if description.interval is None:
        return shown
    if description.n < FEWEST_RUNS:
        return f"{shown} {min(values):,.{places}f} to {max(values):,.{places}f}"
    return f"{shown} ±{(description.interval.high - description.interval.low) / 2:,.{places}f}"


def _number(value: float) -> str:
    return f"{value:,.{_places(value)}f}"


def _places(value: float) -> int:
    """Behind the point, so that the value has three digits."""
    return max(0, 2 - int(f"{value:.2e}".partition("e")[2])) if value else 0


def summary_tables(scenario: Scenario, results: Sequence[RunResult], shares: Shares, width: int) -> list[Table]:
    """The measures of the scenario's summary in as many tables as a terminal of this width needs, one under the other and about
    equally wide."""
    names, measures = {r.variant for r in results}, list(scenario.summary)
    margin = max((len(name) for name in names), default=0) + len(" valid ")
    room = max(1, (width - margin) // (NARROWEST + 1))
    count = -(-len(measures) // room)
    each = -(-len(measures) // count)
    return [summary_table(scenario, results, shares, measures[at : at + each]) for at in range(0, len(measures), each)]


def summary_table(scenario: Scenario, results: Sequence[RunResult], shares: Shares, measures: Sequence[str]) -> Table:
    """A row per variant with its processes and the tasks at once within each, the best headline first; those of each track
    together. Runs are counted as valid by it. A share of the control is the one of ``shares``."""
    tracks = sorted({r.track for r in results})
    only = f"{tracks[0]}, " if len(tracks) == 1 else ""
    title = f"{words.titled(scenario.number, scenario.title)} ({only}processes×tasks at once within each)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("variant", no_wrap=True)
    table.add_column("valid", justify="right", no_wrap=True)
    for measure in measures:
        table.add_column(scenario.summary[measure], justify="right", min_width=NARROWEST, overflow="fold")
    names = dict.fromkeys(r.variant for r in results)
    begun: set[str] = set()
    bracketed = False

    def worker_of(name: str) -> str:
        known = (r for r in results if r.variant == name and r.processes is not None)
        return next((words.worker(r.processes, r.concurrency) for r in known), words.MISSING)

    def valid(name: str) -> int:
        return sum(r.keeps(scenario.headline) for r in results if r.variant == name)

    def values(name: str, measure: str) -> list[float]:
        return [float(v) for r in results if r.variant == name and (v := r.value(measure)) is not None]

    def cell(name: str, measure: str) -> str | Text:
        if found := values(name, measure):
            share = shares.get(name, {}).get(measure)
            return _cell(found, describe(found) if share is None else share.describe())
        unsound = [float(v) for r in results if r.variant == name and (v := r.spoiled.get(measure)) is not None]
        return Text(f"({_number(fmean(unsound))})", "dim") if unsound else "-"

    direction = scenario.better.get(scenario.headline, "higher")

    def rank(name: str) -> float:
        found = values(name, scenario.headline)
        return place(direction, fmean(found)) if found else inf

    first = {r.variant: r for r in reversed(results)}
    for name in sorted(sorted(names, key=rank), key=lambda name: tracks.index(first[name].track)):
        if len(tracks) > 1 and first[name].track not in begun:
            table.add_section()
            table.add_row(Text(first[name].track, "italic"))
            begun.add(first[name].track)
        excluded = [flag for r in results if r.variant == name and (flag := exclusion(r.flags))]
        made = sum(1 for r in results if r.variant == name) - len(excluded)
        count = f"{valid(name)}/{made}" if made else excluded[0].code
        style = None if valid(name) == made else "yellow"
        cells = [cell(name, measure) for measure in measures]
        bracketed |= any(isinstance(shown, Text) for shown in cells)
        table.add_row(f"{name}\n{worker_of(name)}", count, *cells, style=style)
    notes = [f"below {FEWEST_RUNS} runs: mean, and range"] if any(1 < valid(name) < FEWEST_RUNS for name in names) else []
    if bracketed:
        notes.append("in brackets: of invalid phases alone, and no result")
    if notes:
        table.caption, table.caption_justify = "; ".join(notes), "left"
    return table


def _print_summary(console: Console, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
    for table in summary_tables(scenario, rows, shares, console.width):
        console.print()
        console.print(table)


def print_scenario(console: Console, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
    """The table of a scenario, what is to be said against its runs, the worst first, and what to do about it."""
    severities = list(Severity)
    _print_summary(console, scenario, rows, shares)
    lines = sorted(((f, r) for r in rows for f in r.flags), key=lambda line: severities.index(line[0].severity))
    for flag, result in lines[:FLAGS_SHOWN]:
        style = STYLES[flag.severity]
        line = Text(f"{result.variant} #{result.repetition} {flag}", style)
        console.print(line, soft_wrap=not console.is_terminal)
    if len(lines) > FLAGS_SHOWN:
        console.print(f"... and {len(lines) - FLAGS_SHOWN} more; all are in {scenario.name}_stats.json")
    for code, flag in {flag.code: flag for flag, _ in lines}.items():
        console.print(Text.assemble((f"{code}: ", STYLES[flag.severity]), flag.advice), soft_wrap=not console.is_terminal)
    console.print()


def print_planned_runs(
    console: Console, scenario: Scenario, rows: Sequence[RunResult], shares: Shares, wanting: Sequence[str]
) -> None:
    """The table of a scenario so far, and what is still to come."""
    _print_summary(console, scenario, rows, shares)
    text = f"So far: {outcome(rows)}. More runs follow of {', '.join(wanting)}, then the table again."
    console.print(Text(text, "dim"), soft_wrap=not console.is_terminal)
    console.print()


def outcome(rows: Iterable[RunResult]) -> str:
    """In one line how many runs are sound, and why the others are not."""
    sound, made = 0, 0
    unsound, left_out = Counter[str](), Counter[str]()
    for row in rows:
        if (excluded := exclusion(row.flags)) is not None:
            left_out[excluded.code] += 1
            continue
        made += 1
        sound += row.valid
        unsound.update({flag.code for flag in row.flags if flag.severity is Severity.INVALID})
    parts = {"not": unsound, "left out": left_out}
    why = [f"{word}: {', '.join(f'{code} {n}' for code, n in codes.most_common())}" for word, codes in parts.items() if codes]
    return "; ".join([f"{sound} of {made} runs are sound", *why])


def print_end(console: Console, results: ResultSet) -> None:
    """What ends a benchmark: what was measured soundly, what was not and why, where it is, and the next command."""
    console.print(Text(f"Results: {results.path}"), soft_wrap=True)
    console.print(Text(f"{outcome(stored.result for stored in results.stored_runs())}."), soft_wrap=True)
    if (moved := machine_moved(row for name in results.manifest()["scenarios"] for row in results.rows(name))) is not None:
        console.print(Text(f"{moved[0].upper()}{moved[1:]}."), soft_wrap=True)
    console.print(Text(f"Next: {lab_command('report', results.path)}"), soft_wrap=True)
