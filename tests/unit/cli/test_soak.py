"""What a soak is asked for, and how it is asked to end."""

import os
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.cli.console import UserError
from benchmarks.cli.soak import _sizes_of, _steps_of, ended_by_signals
from benchmarks.cli.soak_display import PlainSoak, print_soaks, status_line
from benchmarks.run.soaking.watching import SoakStatus
from benchmarks.soak.summary import SoakEvent
from tests.unit.soak.test_summary import SUMMARY, with_totals

STATUS = SoakStatus(3725, 60, 40, 99.6, 99.4, 12.5, 14.1, 3, 200e6, 1.5e6, 370_000, 2, 1, 1, 4)


def test_a_curve_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("# seconds,rate\n10,5\n\n20.5, 0\n")
    assert _steps_of(file) == [(10, 5), (20.5, 0)]


@pytest.mark.parametrize(("text", "said"), [("10;5\n", "line 1"), ("1,2\n3\n", "line 2"), ("# nothing\n", "no step")])
def test_a_curve_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "day.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        _steps_of(file)


def test_sizes_are_those_of_the_soak_and_of_its_tasks() -> None:
    assert _sizes_of(["share=0.7", "slots=12"]) == {"share": 0.7, "slots": 12}
    with pytest.raises(UserError, match=r"no size 'tasks'.*burst_s"):
        _sizes_of(["tasks=5"])
    with pytest.raises(UserError, match="must be a number"):
        _sizes_of(["share=x"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_for_an_end_in_order_and_the_second_ends(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with ended_by_signals() as ending:
        assert ending() is None
        os.kill(os.getpid(), number)
        time.sleep(0)
        assert ending() == number.name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_hangup_that_is_ignored_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals() as ending:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0)
            assert ending() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_line_tells_how_it_is() -> None:
    line = status_line(STATUS)
    assert line.startswith("1 h 02 min gone, 1 min 00 s left, offered 99.6/s, done 99.4/s")
    assert "p99 12.5 ms in the last window, 14.1 ms in all" in line
    assert "2 lost" in line
    assert "200.0 MB (+1.5 MB/h so far)" in line


def test_a_log_has_a_line_for_every_event_and_few_for_the_rest() -> None:
    console = Console(width=200, record=True, force_terminal=False)
    plain = PlainSoak(console)
    for _ in range(50):
        plain.status(STATUS)
    plain.event(SoakEvent(0, "worker-died", "killed"))
    lines = console.export_text().splitlines()
    assert len(lines) == 2
    assert "worker-died: killed" in lines[1]


def test_the_table_has_a_column_a_variant_and_what_is_to_be_said_below() -> None:
    console = Console(width=120, record=True)
    print_soaks(console, [SUMMARY, with_totals(lost=3, lost_ranges=((1, 3),))])
    text = console.export_text()
    assert "3 of 1,000 tasks were lost: numbers 1-3" in text
    [lost] = [line for line in text.splitlines() if line.startswith("│ lost")]
    assert [cell.strip() for cell in lost.split("│")[2:4]] == ["0", "3"]
