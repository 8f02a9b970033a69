"""The made-up soak that the harness folds, and the series that it judges."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.harness import soaking
from benchmarks.harness.figures import QUICK
from benchmarks.harness.slopes import slope_verdicts
from benchmarks.harness.soaking import MadeUpDay
from benchmarks.soak.folding import Fold


def test_a_made_up_hour_is_folded_and_accounted_for_to_the_last_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soaking, "TASKS_PER_S", 5)
    ours, theirs = multiprocessing.Pipe()
    soaking.fold_hours(2, theirs)
    assert [type(ours.recv()).__name__ for _ in range(2)] == ["_Hour", "_Hour"]
    whole, share = ours.recv()
    assert whole
    assert 0.9 < share <= 1.0


def test_a_made_up_minute_holds_retries_failures_and_losses_of_minutes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soaking, "LOST", 0.05)
    day, fold = MadeUpDay(), Fold(soaking.WINDOW_S, 0)
    for minute in range(3):
        events = day.minute(minute)
        assert len(events.sends.sequence) == soaking.WINDOW_S * soaking.TASKS_PER_S
        assert int(events.ends.ended_ns.max()) < (minute + 1) * 60 * 10**9
        fold.take(events)
    totals = fold.totals(nothing_more_comes=True)
    assert 0.04 < totals.lost / totals.attempted < 0.06
    assert 0.005 < totals.failed / totals.attempted < 0.02
    assert totals.retried > 0
    assert (totals.doubled, totals.unexpected, totals.after_the_lag) == (0, 0, 0)
    assert len(np.unique(events.sends.class_code)) == 4


def test_verdicts_are_counted_of_series_with_and_without_a_slope() -> None:
    figures = {figure.name: figure for figure in slope_verdicts(replace(QUICK, soak_series=9))}
    assert [name.split(" found in ")[-1] for name in figures][:3] == ["noise", "a step", "a sawtooth"]
    assert all(0 <= figure.value <= 1 for figure in figures.values())
    assert figures["leaks found of more than ten times the noise"].value > 0.5
