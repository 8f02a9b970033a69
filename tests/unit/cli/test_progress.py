"""What a person sees while a benchmark runs."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmarks.cli import progress
from benchmarks.cli.progress import display
from benchmarks.run.watching import Display
from benchmarks.words import duration


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def run(shown: Display, title: str, number: int, total: int, outcome: str, good: bool = True) -> None:
    shown.begin_run(title, number, total)
    shown.phase("capacity", 100)
    for done in (0, 50, 100):
        shown.progress(done)
    shown.end_run(title, outcome, good)


def test_without_a_terminal_there_is_one_line_a_run(clock: Clock) -> None:
    output = io.StringIO()
    with display(Console(file=output, width=40)) as shown:
        assert isinstance(shown, progress.PlainDisplay)
        shown._state.began_s = clock.now_s - 75
        run(shown, "Some scenario, some-variant #1", 1, 2, "drain/s 1,000, a line much longer than the console is wide")
        run(shown, "Some scenario, [bold]other #1", 2, 2, "task-lost: [paced] 1 of 2", good=False)
    assert output.getvalue().splitlines() == [
        "[1/2] ok      Some scenario, some-variant #1: drain/s 1,000, a line much longer than the console is wide (1 min 15 s)",
        "[2/2] INVALID Some scenario, [bold]other #1: task-lost: [paced] 1 of 2 (1 min 15 s)",
    ]


def terminal() -> tuple[Console, io.StringIO]:
    output = io.StringIO()
    return Console(file=output, width=120, height=40, force_terminal=True, color_system=None), output


def test_a_terminal_keeps_a_line_of_each_run_and_says_what_runs(clock: Clock) -> None:
    console, output = terminal()
    with display(console) as shown:
        run(shown, "Some scenario, some-variant #1", 1, 3, "drain/s 1,000")
        run(shown, "Some scenario, [bold]other #1", 2, 3, "task-lost: [paced] 1 of 2", good=False)
        shown.begin_run("Some scenario, third #1", 3, 3)
    text = output.getvalue()
    assert "✓ Some scenario, some-variant #1  drain/s 1,000" in text
    assert "✗ Some scenario, [bold]other #1  task-lost: [paced] 1 of 2" in text
    assert "run 3 of 3  Some scenario, third #1" in text
    assert "1 not valid: Some scenario, [bold]other #1" in text


def state(clock: Clock) -> tuple[Display, progress._State]:
    live = SimpleNamespace(console=terminal()[0], update=lambda _: None)
    shown = progress.LiveDisplay(live)  # type: ignore[arg-type]
    shown._state.began_s = clock.now_s
    return shown, shown._state


def test_the_rate_is_that_of_the_phase(clock: Clock) -> None:
    shown, kept = state(clock)
    shown.begin_run("a run", 1, 1)
    clock.now_s += 10
    shown.phase("capacity", 100)
    assert kept.rate_per_s() == 0
    clock.now_s += 2
    shown.progress(50)
    assert kept.rate_per_s() == 25
    shown.phase("paced", 10)
    clock.now_s += 1
    shown.progress(4)
    assert kept.rate_per_s() == 4


def test_the_time_left_comes_from_the_runs_so_far(clock: Clock) -> None:
    shown, kept = state(clock)
    shown.begin_run("first", 1, 4)
    assert kept.left() == "time left: not known yet"
    clock.now_s += 30
    shown.end_run("first", "fine", True)
    shown.begin_run("second", 2, 4)
    assert kept.left() == "about 1 min 30 s left"


def test_a_resumed_suite_reckons_with_the_runs_that_it_made_itself(clock: Clock) -> None:
    shown, kept = state(clock)
    shown.begin_run("ninth", 9, 10)
    assert kept.left() == "time left: not known yet"
    clock.now_s += 30
    shown.end_run("ninth", "fine", True)
    shown.begin_run("tenth", 10, 10)
    assert kept.left() == "about 30 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599.7, "1 h 00 min"), (7384, "2 h 03 min")],
)
def test_durations_are_in_units_that_suit_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
