"""Who is told how runs go on: what a terminal and a dashboard implement."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from benchmarks.record.run_data import RunResult
from benchmarks.run.contract import Scenario
from benchmarks.shares import Share

Shares = Mapping[str, Mapping[str, Share]]
"""The shares of the control that can be taken, by variant and column."""


class Observer(Protocol):
    """Is told how a run goes on."""

    def phase(self, name: str, planned: int) -> None:
        """A phase begins, with so many tasks."""
        ...

    def progress(self, done: int) -> None:
        """So many tasks of the phase have ended."""
        ...


class Display(Observer, Protocol):
    """Is told what goes on in a whole suite, in words."""

    def begin_run(self, title: str, number: int, total: int) -> None:
        """The run number ``number`` of ``total`` (as far as is known now) begins."""
        ...

    def end_run(self, title: str, outcome: str, good: bool) -> None:
        """That run has ended; ``outcome`` in a few words."""
        ...

    def end_planned_runs(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares, wanting: Sequence[str]) -> None:
        """All planned runs of a scenario were made, ``rows`` and ``shares`` are its table so far; more follow of those
        ``wanting``."""
        ...

    def end_scenario(self, scenario: Scenario, rows: Sequence[RunResult], shares: Shares) -> None:
        """All runs of a scenario are there; ``rows`` and ``shares`` are its table."""
        ...


class Board(Observer, Protocol):
    """Is told what goes on in a whole suite, as data."""

    def begin_run(self, scenario: str, framework: str, variant: str, run: int, repetition: int, runs_planned: int) -> None:
        """A run begins; ``run`` is its number in the result set."""
        ...

    def end_run(self, valid: bool) -> None:
        """That run has ended."""
        ...


class _NoBoard:
    """Tells nobody."""

    def begin_run(self, scenario: str, framework: str, variant: str, run: int, repetition: int, runs_planned: int) -> None:
        """Nothing."""

    def end_run(self, valid: bool) -> None:
        """Nothing."""

    def phase(self, name: str, planned: int) -> None:
        """Nothing."""

    def progress(self, done: int) -> None:
        """Nothing."""


NO_BOARD: Board = _NoBoard()
"""Tells nobody."""


class Together:
    """Tells several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def phase(self, name: str, planned: int) -> None:
        """A phase begins."""
        for observer in self._observers:
            observer.phase(name, planned)

    def progress(self, done: int) -> None:
        """So many tasks have ended."""
        for observer in self._observers:
            observer.progress(done)
