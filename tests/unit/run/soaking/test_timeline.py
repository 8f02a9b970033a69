"""The time line runs on the monotonic clock; a suspension is a gap in it, and a wall clock that steps changes nothing."""

import time

import pytest

from benchmarks.run.soaking import timeline
from benchmarks.run.soaking.timeline import NS_PER_S, Timeline


def test_a_wall_clock_that_steps_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timeline()
    shift_ns = line.shift_ns
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert line.gap_ns() == 0
    assert line.shift_ns == shift_ns
    assert 0 <= line.elapsed_s() < 60


def test_a_suspension_is_a_gap_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timeline()
    slept_ns = timeline._suspended_ns() + 100 * NS_PER_S
    monkeypatch.setattr(timeline, "_suspended_ns", lambda: slept_ns)
    assert line.gap_ns() == pytest.approx(100 * NS_PER_S, rel=0.01)
    assert line.gap_ns() == 0
    assert line.elapsed_s() > 99
    assert line.gaps_ns == pytest.approx(100 * NS_PER_S, rel=0.01)
