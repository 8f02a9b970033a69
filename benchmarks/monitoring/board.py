"""What the runner is doing, as Prometheus sees it.

The runner is a short-lived process that nothing can scrape. It therefore tells one node, on which it holds a session anyway, and
that node exports it (``lab_*``); when the session ends, however that happens, the node forgets it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.run.labs.lab import Lab
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.watching import NO_BOARD, Board

PROGRESS_EVERY_S = 1.0
"""How often progress within a phase is told: a few times a scrape, and no more."""


@dataclass(frozen=True, slots=True)
class State:
    """The fields of ``infrastructure.agent.requests.LabState``."""

    running: bool
    scenario: str
    framework: str
    variant: str
    run: int
    repetition: int
    phase: str
    phase_began_unix_s: float
    planned: int
    done: int
    runs_planned: int
    runs_valid: int
    runs_invalid: int


Tell = Callable[[dict[str, Any]], None]


class NodeBoard:
    """A :class:`benchmarks.run.watching.Board`: keeps the state and tells the whole of it at every change, progress at most once
    a second. A change that cannot be told is lost: the next one makes up for it, and no run fails for it."""

    def __init__(self, tell: Tell, now_s: Callable[[], float] = time.time) -> None:
        self._tell = tell
        self._now_s = now_s
        self._state: State | None = None
        self._valid = self._invalid = 0
        self._told_s = 0.0

    def begin_run(self, scenario: str, framework: str, variant: str, run: int, repetition: int, runs_planned: int) -> None:
        """A run begins; ``run`` is its number in the result set."""
        began_s = self._now_s()
        self._state = State(
            True, scenario, framework, variant, run, repetition, "start", began_s, 0, 0, runs_planned, self._valid, self._invalid
        )
        self._show()

    def end_run(self, valid: bool) -> None:
        """That run has ended."""
        self._valid += valid
        self._invalid += not valid
        self._change(running=False, runs_valid=self._valid, runs_invalid=self._invalid)

    def phase(self, name: str, planned: int) -> None:
        """A phase of the run begins."""
        self._change(phase=name, phase_began_unix_s=self._now_s(), planned=planned, done=0)

    def progress(self, done: int) -> None:
        """So many tasks of the phase have ended."""
        if self._state is not None and self._now_s() - self._told_s >= PROGRESS_EVERY_S:
            self._change(done=done)

    def _change(self, **changes: Any) -> None:
        if self._state is not None:
            self._state = replace(self._state, **changes)
            self._show()

    def _show(self) -> None:
        if self._state is not None:
            self._told_s = self._now_s()
            self._tell(asdict(self._state))


@contextlib.contextmanager
def board_of(lab: Lab) -> Iterator[Board]:
    """A board on the first worker node that is up, for as long as the block lasts; one that tells nobody where none is up yet
    (nodes that are started when they are needed, which nothing scrapes)."""
    urls = lab.worker_urls()
    if not urls:
        yield NO_BOARD
        return
    name = min(urls)
    with NodeClient(urls[name], lab.token, f"worker-{name}") as node:

        def tell(state: dict[str, Any]) -> None:
            with contextlib.suppress(NodeError):
                node.show_lab_state(state)

        try:
            yield NodeBoard(tell)
        finally:
            with contextlib.suppress(NodeError):
                node.forget_lab_state()
