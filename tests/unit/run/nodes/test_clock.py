"""The offset between two monotonic clocks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.run.nodes.clock import ClockProbe, estimate_offset, own_boot_id, own_time_namespace, shares_clock

DELAYS_NS = st.integers(0, 10**9)


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(st.integers(0, 10**15), DELAYS_NS, DELAYS_NS), min_size=1, max_size=20),
)
def test_the_true_offset_lies_within_the_uncertainty(true_ns: int, trips: list[tuple[int, int, int]]) -> None:
    probes = [ClockProbe(at, at + there + true_ns, at + there + back) for at, there, back in trips]
    estimate = estimate_offset(probes)
    assert abs(estimate.offset_ns - true_ns) <= estimate.uncertainty_ns
    assert estimate.uncertainty_ns <= min(there + back for _, there, back in trips) // 2 + 1


def test_the_quickest_round_trip_counts() -> None:
    slow, quick = ClockProbe(0, 5_000, 1_000), ClockProbe(2_000, 2_310, 2_020)
    estimate = estimate_offset([slow, quick])
    assert (estimate.offset_ns, estimate.uncertainty_ns) == (300, 10)


def test_a_process_shares_its_own_clock() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() == own_boot_id()
    assert own_time_namespace() == f"time:[{Path('/proc/self/ns/time').stat().st_ino}]"
    assert shares_clock(own_boot_id(), own_time_namespace())


@pytest.mark.parametrize(("boot_id", "time_namespace"), [("another", own_time_namespace()), (own_boot_id(), "time:[1]")])
def test_another_host_or_time_namespace_does_not(boot_id: str, time_namespace: str) -> None:
    assert not shares_clock(boot_id, time_namespace)
