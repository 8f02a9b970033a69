"""What stands out is told with its reason, and what always moves does not stand out."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.soak.unusual import FEWEST_NEIGHBOURS, stand_out
from benchmarks.soak.windows import Gauge, Window


def window(index: int, completed: int = 1_000, generation: int | None = 0) -> Window:
    return Window(
        index=index,
        begin_ns=index * 10,
        end_ns=index * 10 + 10,
        sent=1_000,
        acknowledged=1_000,
        started=1_000,
        completed=completed,
        failed=0,
        retried=0,
        skipped=0,
        generation=generation,
        gauges={"worker_pss_bytes": Gauge(1e8, 1e8)},
    )


def soak(count: int = 60) -> list[Window]:
    drawn = np.random.default_rng(1).normal(1_000, 10, count)
    return [window(index, round(completed)) for index, completed in enumerate(drawn)]


def test_windows_that_are_alike_do_not_stand_out() -> None:
    assert stand_out(soak()) == []
    assert stand_out([]) == []


@pytest.mark.parametrize("place", [0, 1, 30, 58, 59])
def test_one_that_does_far_less_stands_out_wherever_it_lies(place: int) -> None:
    windows = soak()
    windows[place] = replace(windows[place], completed=500)
    [found] = stand_out(windows)
    assert found.index == place
    [reason] = found.reasons
    assert reason.startswith("tasks completed: 500, and 10") or reason.startswith("tasks completed: 500, and 99")


def test_what_swings_always_does_not_stand_out() -> None:
    assert stand_out([window(index, 1_000 + 400 * (-1) ** index) for index in range(60)]) == []


def test_a_change_too_small_to_matter_does_not_stand_out_of_what_never_moves() -> None:
    windows = [window(index) for index in range(60)]
    windows[30] = replace(windows[30], completed=1_050)
    assert stand_out(windows) == []
    windows[30] = replace(windows[30], completed=1_101)
    assert [found.index for found in stand_out(windows)] == [30]


def test_a_single_failure_is_nothing_and_several_are_where_there_were_none() -> None:
    windows = [window(index) for index in range(60)]
    windows[20], windows[40] = replace(windows[20], failed=1), replace(windows[40], failed=9)
    assert [(found.index, found.reasons) for found in stand_out(windows)] == [(40, ("tasks failed: 9, and 0 around it",))]


def test_a_restart_stands_out_without_any_neighbours() -> None:
    windows = [window(number, generation=life) for number, life in enumerate([0, None, 0, 1, None, 2])]
    assert [(found.index, found.reasons) for found in stand_out(windows)] == [
        (3, ("the worker was restarted",)),
        (5, ("the worker was restarted",)),
    ]


def test_with_too_few_neighbours_nothing_is_told() -> None:
    windows = [replace(window(index), completed=1 if index == 2 else 1_000) for index in range(FEWEST_NEIGHBOURS)]
    assert stand_out(windows) == []
