"""What a person sees while a benchmark runs: a live display on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from benchmarks.cli.summary import print_planned_runs, print_scenario
from benchmarks.record.run_data import RunResult
from benchmarks.run.contract import Scenario
from benchmarks.run.watching import Display, Shares
from benchmarks.words import duration

FAILURES_SHOWN = 5


@dataclass(slots=True)
class _State:
    began_s: float = field(default_factory=time.monotonic)
    title: str = ""
    number: int = 0
    total: int = 0
    ended: int = 0
    """Runs that ended since this began; a resumed suite has others behind it."""
    phase: str = ""
    planned: int = 0
    done: int = 0
    phase_began_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def rate_per_s(self) -> float:
        elapsed_s = time.monotonic() - self.phase_began_s
        return self.done / elapsed_s if elapsed_s > 0 else 0.0

    def left(self) -> str:
        """The time left, from the mean length of the runs so far."""
        if not self.ended:
            return "time left: not known yet"
        mean_s = (time.monotonic() - self.began_s) / self.ended
        return f"about {duration(mean_s * (self.total - self.number + 1))} left"


class PlainDisplay:
    """One line when a run ends, for logs and pipelines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = _State()

    def begin_run(self, title: str, number: int, total: int) -> None:
        """Remember what runs."""
        self._state.title, self._state.number, self._state.total = title, number, total

    def end_run(self, title: str, outcome: str, good: bool) -> None:
        """Say how it ended."""
        mark = "ok     " if good else "INVALID"
        elapsed = duration(time.monotonic() - self._state.began_s)
        self._console.print(
            f"[{self._state.number}/{self._state.total}] {mark} {title}: {outcome} ({elapsed})", markup=False, soft_wrap=True
        )

    def end_planned_runs(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares, wanting: Sequence[str]) -> None:
        """Print the table so far."""
        print_planned_runs(self._console, scenario, rows, shares, wanting)

    def end_scenario(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
        """Print its table."""
        print_scenario(self._console, scenario, rows, shares)

    def phase(self, name: str, planned: int) -> None:
        """Nothing: a line per run is enough."""

    def progress(self, done: int) -> None:
        """Nothing: a line per run is enough."""


class LiveDisplay:
    """A few lines that change in place: what runs now, tasks done, rate, time left, what has failed."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._state = _State()
        self._bar = Progress(BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("{task.fields[rate]:>9} tasks/s"))
        self._task = self._bar.add_task("", total=None, rate="")

    def begin_run(self, title: str, number: int, total: int) -> None:
        """Show what runs."""
        self._state.title, self._state.number, self._state.total = title, number, total
        self._show()

    def end_run(self, title: str, outcome: str, good: bool) -> None:
        """Keep a line of it above the display."""
        self._state.ended += 1
        style = "green" if good else "bold red"
        self._live.console.print(Text.assemble(("✓ " if good else "✗ ", style), (title, "bold"), f"  {outcome}"))
        if not good:
            self._state.failures.append(title)

    def end_planned_runs(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares, wanting: Sequence[str]) -> None:
        """Keep the table so far above the display."""
        print_planned_runs(self._live.console, scenario, rows, shares, wanting)

    def end_scenario(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
        """Keep its table above the display."""
        print_scenario(self._live.console, scenario, rows, shares)

    def phase(self, name: str, planned: int) -> None:
        """Start the bar again."""
        self._state.phase, self._state.planned, self._state.done = name, planned, 0
        self._state.phase_began_s = time.monotonic()
        self._show()

    def progress(self, done: int) -> None:
        """Move the bar."""
        self._state.done = done
        self._show()

    def _show(self) -> None:
        state = self._state
        self._bar.update(
            self._task, completed=state.done, total=state.planned or None, rate=f"{state.rate_per_s():,.0f}" if state.done else ""
        )
        lines: list[Text | Progress] = [
            Text.assemble((f"run {state.number} of {state.total}  ", "dim"), (state.title, "bold"), f"  {state.phase}"),
            self._bar,
            Text(state.left(), style="dim"),
        ]
        if state.failures:
            shown = ", ".join(state.failures[-FAILURES_SHOWN:])
            lines.append(Text(f"{len(state.failures)} not valid: {shown}", style="red"))
        self._live.update(Group(*lines))


@contextmanager
def display(console: Console) -> Iterator[Display]:
    """The display that suits where the output goes."""
    if not console.is_terminal:
        yield PlainDisplay(console)
        return
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        yield LiveDisplay(live)
