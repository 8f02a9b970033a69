"""Latencies in a few figures."""

from dataclasses import astuple

import numpy as np
import pytest

from benchmarks.record.percentiles import FIGURE_WORDS, NS_PER_MS, figures, summarise, tail_ms


def test_nothing_measured_is_not_zero() -> None:
    assert astuple(summarise(np.empty(0, np.int64))) == (0, None, None, None, None, None, None)


def test_percentiles_interpolate_between_ranks() -> None:
    summary = summarise(np.arange(0, 1001, dtype=np.int64)[::-1] * NS_PER_MS)
    assert (summary.count, summary.max_ms, summary.mean_ms) == (1001, 1000, 500)
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms) == pytest.approx((500, 950, 990))
    assert summary.p99_9_ms == pytest.approx(999)
    assert summarise(np.array([1, 2], np.int64) * NS_PER_MS).p50_ms == pytest.approx(1.5)


def test_one_latency_is_its_median_and_the_greatest_and_no_percentile_of_a_tail() -> None:
    assert astuple(summarise(np.array([2_500_000]))) == (1, 2.5, None, None, None, 2.5, 2.5)


@pytest.mark.parametrize(
    ("count", "carried"), [(19, ()), (20, ("p95",)), (99, ("p95",)), (100, ("p95", "p99")), (1000, ("p95", "p99", "p99_9"))]
)
def test_a_percentile_stands_only_where_a_latency_lies_beyond_it(count: int, carried: tuple[str, ...]) -> None:
    found = figures("wait", np.arange(count), FIGURE_WORDS)
    assert {name for name, value in found.items() if value is not None} == {
        f"wait_{figure}_ms" for figure in ("mean", "p50", *carried, "max")
    }


def test_a_service_level_of_few_is_about_the_latest_of_them() -> None:
    assert tail_ms(np.arange(1, 100) * NS_PER_MS) == 99
    assert tail_ms(np.arange(101) * NS_PER_MS) == pytest.approx(99)
    assert tail_ms(np.empty(0, np.int64)) is None


def test_figures_are_named_after_what_they_are_of() -> None:
    assert figures("wait", np.array([1, 3], np.int64) * NS_PER_MS, ("p50", "max")) == {"wait_p50_ms": 2, "wait_max_ms": 3}
    nothing = figures("wait", np.empty(0, np.int64), FIGURE_WORDS)
    assert nothing == {f"wait_{figure}_ms": None for figure in ("mean", "p50", "p95", "p99", "p99_9", "max")}
