"""A verdict says in words what a series does, by how much and how surely."""

import numpy as np
import pytest

from benchmarks.harness.made_up_series import noise
from benchmarks.soak.judging import JUDGED, Finding, Verdict, judge
from benchmarks.soak.slopes import FEWEST_WINDOWS
from benchmarks.soak.windows import Gauge, Window

MINUTE_NS = 60_000_000_000
TASKS = 6_000
MB = 1_000_000


def soak(
    pss_mb: np.ndarray[tuple[int], np.dtype[np.float64]], lives: list[int] | None = None, cpu_s: float = 2.0
) -> list[Window]:
    return [
        Window(
            index=number,
            begin_ns=number * MINUTE_NS,
            end_ns=(number + 1) * MINUTE_NS,
            sent=TASKS,
            acknowledged=TASKS,
            started=TASKS,
            completed=TASKS,
            failed=0,
            retried=0,
            skipped=0,
            generation=lives[number] if lives else 0,
            gauges={"worker_pss_bytes": Gauge(value * MB, value * MB)},
            counters={"worker_cpu_s": cpu_s * (1 + 0.002 * number) if number else cpu_s},
        )
        for number, value in enumerate(pss_mb)
    ]


def verdict_on(name: str, windows: list[Window], warm_up_s: float = 0.0) -> Verdict:
    [found] = [verdict for verdict in judge(windows, warm_up_s) if verdict.name == name]
    return found


def quiet(count: int = 240, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 100 + noise(np.random.default_rng(seed), count, 0.5)


def test_a_leak_of_a_set_number_of_bytes_a_task_is_found_with_it_inside_the_interval() -> None:
    bytes_a_task = 50.0
    leaked_mb = bytes_a_task * TASKS * np.arange(240) / MB
    found = verdict_on("worker_pss", soak(quiet() + leaked_mb))
    assert found.finding == Finding.DRIFTS
    assert found.per_hour_interval is not None
    assert found.per_task_interval is not None
    assert found.per_hour_interval.low <= 18.0 <= found.per_hour_interval.high
    assert found.per_task_interval.low <= bytes_a_task / MB <= found.per_task_interval.high
    assert found.words.startswith("the worker's memory (PSS): rises by ")
    assert " MB an hour (" in found.words
    assert " MB a task (" in found.words


def test_the_same_without_a_leak_is_not_accused_and_says_above_what() -> None:
    found = verdict_on("worker_pss", soak(quiet()))
    assert found.finding == Finding.NOT_SHOWN
    assert found.per_hour_interval is not None
    assert found.words == f"the worker's memory (PSS): no rise shown above {found.per_hour_interval.high:.3g} MB an hour"


def test_fewer_tasks_a_second_of_cpu_time_is_the_bad_side() -> None:
    found = verdict_on("tasks_per_cpu_s", soak(quiet()))
    assert found.finding == Finding.DRIFTS
    assert found.per_hour is not None
    assert found.per_hour < 0
    assert "falls by" in found.words


def test_memory_that_shrinks_is_no_leak() -> None:
    assert verdict_on("worker_pss", soak(quiet() - np.arange(240))).finding == Finding.RECOVERS


def test_a_worker_that_leaks_and_is_restarted_is_judged_within_its_lives() -> None:
    leak = np.tile(np.arange(80) / 2, 3)
    found = verdict_on("worker_pss", soak(quiet() + leak, lives=[n // 80 for n in range(240)]))
    assert found.finding == Finding.DRIFTS
    assert found.per_hour_interval is not None
    assert found.per_hour_interval.low <= 30 <= found.per_hour_interval.high
    assert found.words.endswith("within each life of the worker, of which there are 3")


def test_a_step_is_told_as_one() -> None:
    found = verdict_on("worker_pss", soak(quiet() + 30.0 * (np.arange(240) >= 100)))
    assert found.finding == Finding.NOT_SHOWN
    [step] = found.steps
    assert abs(step.window - 100) <= 2
    assert "apart from a step of +" in found.words


def test_what_comes_and_goes_is_no_leak() -> None:
    found = verdict_on("worker_pss", soak(quiet() + 30.0 * ((np.arange(240) / 160) % 1)))
    assert found.finding != Finding.DRIFTS
    assert found.comes_and_goes
    assert "it comes and goes" in found.words


def test_the_warm_up_is_left_out() -> None:
    warming = quiet() + 200.0 * np.exp(-np.arange(240) / 5)
    found = verdict_on("worker_pss", soak(warming), warm_up_s=3600)
    assert (found.finding, found.windows, found.steps) == (Finding.NOT_SHOWN, 180, ())


def test_too_few_windows_are_said_to_be_too_few() -> None:
    found = verdict_on("worker_pss", soak(quiet(FEWEST_WINDOWS - 1)))
    assert found.finding == Finding.TOO_SHORT
    assert f"{FEWEST_WINDOWS - 1} windows after the warm-up and {FEWEST_WINDOWS} are needed" in found.words


def test_lives_that_are_too_short_are_said_to_be() -> None:
    found = verdict_on("worker_pss", soak(quiet(120), lives=[n // 3 for n in range(120)]))
    assert found.finding == Finding.TOO_SHORT
    assert "39 restarts" in found.words


@pytest.mark.parametrize("windows", [[], soak(quiet(60))])
def test_every_series_has_a_verdict_also_one_that_was_not_read(windows: list[Window]) -> None:
    found = judge(windows, 0.0)
    assert [verdict.name for verdict in found] == list(JUDGED)
    assert verdict_on("redis_memory", windows).finding == Finding.NOT_READ
