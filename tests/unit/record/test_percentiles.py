"""Latencies in a few figures."""

from dataclasses import astuple

import numpy as np
import pytest

from benchmarks.record.percentiles import FIGURE_WORDS, NS_PER_MS, figures, summarise


def test_nothing_measured_is_not_zero() -> None:
    assert astuple(summarise(np.empty(0, np.int64))) == (0, None, None, None, None, None, None)


def test_percentiles_interpolate_between_ranks() -> None:
    summary = summarise(np.arange(0, 1001, dtype=np.int64)[::-1] * NS_PER_MS)
    assert (summary.count, summary.max_ms, summary.mean_ms) == (1001, 1000, 500)
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms) == pytest.approx((500, 950, 990))
    assert summary.p99_9_ms == pytest.approx(999)
    assert summarise(np.array([1, 2], np.int64) * NS_PER_MS).p50_ms == pytest.approx(1.5)


def test_one_latency_is_every_figure() -> None:
    assert astuple(summarise(np.array([2_500_000]))) == (1, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5)


def test_figures_are_named_after_what_they_are_of() -> None:
    assert figures("wait", np.array([1, 3], np.int64) * NS_PER_MS, ("p50", "max")) == {"wait_p50_ms": 2, "wait_max_ms": 3}
    nothing = figures("wait", np.empty(0, np.int64), FIGURE_WORDS)
    assert nothing == {f"wait_{figure}_ms": None for figure in ("mean", "p50", "p95", "p99", "p99_9", "max")}
