"""What the runner tells Prometheus of itself, through a node."""

from typing import Any

import pytest

from benchmarks.monitoring.board import NodeBoard, board_of
from benchmarks.run.watching import Board, Together
from infrastructure.agent.requests import LabState


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[LabState]:
    return []


@pytest.fixture
def board(clock: Clock, told: list[LabState]) -> NodeBoard:
    return NodeBoard(lambda state: told.append(LabState.model_validate(state)), clock)


def begin(board: Board, run: int = 1) -> None:
    board.begin_run("scenario_1_throughput", "any", "any-x", run, 1, 6)


def test_every_change_tells_the_whole_state(board: NodeBoard, clock: Clock, told: list[LabState]) -> None:
    begin(board)
    clock.now_s += 3
    board.phase("paced", 500)
    assert [(s.phase, s.planned, s.phase_began_unix_s) for s in told] == [("start", 0, 1000.0), ("paced", 500, 1003.0)]
    assert {(s.running, s.scenario, s.variant, s.run, s.runs_planned) for s in told} == {
        (True, "scenario_1_throughput", "any-x", 1, 6)
    }


def test_progress_is_told_once_a_second_at_most(board: NodeBoard, clock: Clock, told: list[LabState]) -> None:
    begin(board)
    for done in range(1, 41):
        clock.now_s += 0.125
        board.progress(done)
    assert [s.done for s in told[1:]] == [8, 16, 24, 32, 40]


def test_a_new_phase_begins_with_nothing_done(board: NodeBoard, clock: Clock, told: list[LabState]) -> None:
    begin(board)
    clock.now_s += 2
    board.progress(7)
    board.phase("next", 9)
    assert (told[-2].done, told[-1].done) == (7, 0)


def test_runs_are_counted_by_whether_they_are_valid(board: NodeBoard, told: list[LabState]) -> None:
    for run, valid in enumerate((True, False, True), start=1):
        begin(board, run)
        board.end_run(valid)
    assert (told[-1].runs_valid, told[-1].runs_invalid, told[-1].running) == (2, 1, False)
    begin(board, 4)
    assert (told[-1].runs_valid, told[-1].runs_invalid, told[-1].running) == (2, 1, True)


def test_nothing_is_told_before_the_first_run(board: NodeBoard, told: list[LabState]) -> None:
    board.phase("x", 1)
    board.progress(1)
    board.end_run(True)
    assert told == []


def test_the_display_is_told_everything_as_well(board: NodeBoard) -> None:
    class Display:
        def __init__(self) -> None:
            self.seen: list[tuple[Any, ...]] = []

        def phase(self, name: str, planned: int) -> None:
            self.seen.append((name, planned))

        def progress(self, done: int) -> None:
            self.seen.append((done,))

    display = Display()
    both = Together((display, board))
    both.phase("paced", 3)
    both.progress(1)
    both.progress(2)
    assert display.seen == [("paced", 3), (1,), (2,)]


class Nowhere:
    """A lab whose nodes are not to be reached, or not there."""

    token = "t"

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls

    def worker_urls(self) -> dict[str, str]:
        return self._urls


@pytest.mark.parametrize("urls", [{}, {"any-x": "http://127.0.0.1:9"}])
def test_a_node_that_cannot_be_told_costs_no_run(urls: dict[str, str]) -> None:
    with board_of(Nowhere(urls)) as board:  # type: ignore[arg-type]
        begin(board)
        board.end_run(True)
