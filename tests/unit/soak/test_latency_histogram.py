"""A histogram tells every quantile to within its error, and histograms add up."""

import math

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.soak.latency_histogram import (
    BINS,
    GREATEST_NS,
    LEAST_NS,
    RELATIVE_ERROR,
    LatencyHistogram,
    latency_axis,
    merged,
    of_counts,
    to_fill,
)

LATENCIES = st.lists(st.one_of(st.integers(-1_000_000, 3_000), st.integers(1, 10**12), st.integers(10**14, 10**17)), max_size=60)


def histogram_of(values: list[int]) -> LatencyHistogram:
    binned = bh.Histogram(latency_axis(), storage=bh.storage.Int64())
    binned.fill(to_fill(np.array(values, np.int64)))
    return of_counts(binned.view(flow=True), float(sum(values)), max(values, default=0))


def test_the_error_is_at_most_one_percent() -> None:
    assert RELATIVE_ERROR <= 0.01
    assert LEAST_NS * math.exp(math.log(GREATEST_NS / LEAST_NS) / BINS) <= LEAST_NS * 1.02 + 1e-6


@given(LATENCIES, st.sampled_from([0.1, 0.5, 0.9, 0.95]))
def test_a_quantile_is_the_value_at_its_rank_within_the_error(values: list[int], share: float) -> None:
    found = histogram_of(values).quantile_ns(share)
    if found is None:
        assert not values or (share > 0.5 and len(values) * (1 - share) < 1)
        return
    at_rank = sorted(values)[math.ceil(share * len(values) - 1e-9) - 1]
    if at_rank < LEAST_NS:
        assert found == 0.0
    elif at_rank >= GREATEST_NS:
        assert found == max(values)
    else:
        assert found == pytest.approx(at_rank, rel=RELATIVE_ERROR)


@given(st.lists(LATENCIES, max_size=4))
def test_parts_add_up_to_the_whole(parts: list[list[int]]) -> None:
    together, whole = merged(map(histogram_of, parts)), histogram_of([value for part in parts for value in part])
    assert together.counts.tolist() == whole.counts.tolist()
    assert together.total_ns == pytest.approx(whole.total_ns)
    if any(value > 0 for part in parts for value in part):
        assert (together.first_bin, together.greatest_ns) == (whole.first_bin, whole.greatest_ns)


def test_an_empty_one_has_no_figures() -> None:
    empty = merged([])
    assert (empty.count, empty.mean_ns, empty.quantile_ns(0.5), empty.above(0)) == (0, None, None, 0)


@given(st.lists(st.integers(2_000, 10**12), min_size=1, max_size=50), st.integers(2_000, 10**12))
def test_how_many_are_above_a_limit_is_known_to_within_its_bin(values: list[int], limit: int) -> None:
    above = histogram_of(values).above(limit)
    assert sum(value > limit * 1.021 for value in values) <= above <= sum(value > limit / 1.021 for value in values)


def test_the_mean_is_not_blurred_by_bins() -> None:
    assert histogram_of([1_000_001, 1_000_003]).mean_ns == 1_000_002
