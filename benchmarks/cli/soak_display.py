"""What a person sees of a soak: while it goes on, and what it came to."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmarks.analysis.soaks import FIGURES
from benchmarks.run.soaking.watching import SoakStatus, SoakWatcher
from benchmarks.soak.judging import Finding
from benchmarks.soak.summary import SoakEvent, SoakSummary, faults
from benchmarks.words import duration, number

LINE_EVERY_S = 60.0
MB = 1e6
SHOWN = 20
STYLES = {Finding.DRIFTS: "yellow", Finding.UNDECIDED: "yellow", Finding.TOO_SHORT: "dim", Finding.NOT_READ: "dim"}


def status_line(status: SoakStatus) -> str:
    """How a soak is, in one line."""
    memory = "memory not known"
    if status.memory_bytes is not None:
        memory = f"{status.memory_bytes / MB:,.1f} MB"
        if status.memory_bytes_per_hour is not None:
            memory += f" ({status.memory_bytes_per_hour / MB:+,.1f} MB/h so far)"
    return ", ".join(
        (
            f"{duration(status.elapsed_s)} gone, {duration(status.remaining_s)} left",
            f"offered {number(status.offered_per_s)}/s, done {number(status.done_per_s)}/s",
            f"p99 {number(status.last_p99_ms)} ms in the last window, {number(status.p99_ms)} ms in all",
            memory,
            f"{status.outstanding:,} under way",
            f"{status.attempted:,} sent, {status.lost:,} lost, {status.doubled:,} doubled",
            f"{status.deaths} deaths, {status.events} events",
        )
    )


def event_line(event: SoakEvent) -> str:
    """Something that happened, in one line."""
    at = time.strftime("%H:%M:%S", time.localtime(event.at_ns / 1e9))
    return f"{at} {event.kind}: {event.text}"


class PlainSoak:
    """A line for each event and one a minute, or one a window where that is longer."""

    def __init__(self, console: Console, every_s: float = LINE_EVERY_S) -> None:
        self._console, self._every_s = console, every_s
        self._said_s = -every_s
        self._windows = 0

    def step(self, text: str) -> None:
        """Say it."""
        self._print(text)

    def event(self, event: SoakEvent) -> None:
        """Say it."""
        self._print(event_line(event))

    def status(self, status: SoakStatus) -> None:
        """Say it now and then, where there is a window more."""
        if status.windows > self._windows and status.elapsed_s - self._said_s >= self._every_s:
            self._said_s, self._windows = status.elapsed_s, status.windows
            self._print(status_line(status))

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class LiveSoak:
    """The status in place, events above it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._step = ""

    def step(self, text: str) -> None:
        """Show it before the status."""
        self._step = text
        self._live.update(Text(text))

    def event(self, event: SoakEvent) -> None:
        """Keep it above."""
        self._live.console.print(Text(event_line(event), "yellow"))

    def status(self, status: SoakStatus) -> None:
        """Show it."""
        self._live.update(Text("\n".join((self._step, *status_line(status).split(", ")))))


@contextmanager
def soak_display(console: Console) -> Iterator[SoakWatcher]:
    """The display that suits where the output goes."""
    if not console.is_terminal:
        yield PlainSoak(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield LiveSoak(live)


def print_soaks(console: Console, summaries: Sequence[SoakSummary]) -> None:
    """A column for each soak, and what is to be said against it."""
    if not summaries:
        return
    table = Table("", title="Soak")
    for summary in summaries:
        table.add_column(summary.variant, justify="right")
    for heading, cell in FIGURES.items():
        table.add_row(heading, *map(cell, summaries))
    console.print(table)
    for summary in summaries:
        for verdict in summary.verdicts:
            words = (verdict.words, STYLES.get(verdict.finding, ""))
            console.print(Text.assemble((f"{summary.variant}: ", "bold"), words), soft_wrap=True)
        if summary.stand_out:
            shown = ", ".join(str(found.index) for found in summary.stand_out[:SHOWN])
            more = ", ..." if len(summary.stand_out) > SHOWN else ""
            console.print(Text(f"{summary.variant}: windows that stand out: {shown}{more}"), soft_wrap=True)
        for fault in faults(summary):
            console.print(Text.assemble((f"{summary.variant}: ", "bold"), (fault, "bold yellow")), soft_wrap=True)
