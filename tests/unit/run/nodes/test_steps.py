from hypothesis import given
from hypothesis import strategies as st

from benchmarks.run.nodes.steps import LOOK_AT_LEAST_EVERY_S, LOOK_AT_MOST_EVERY_S, look_interval_s


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_looks_become_rarer_within_bounds(earlier_s: float, longer_s: float) -> None:
    first, later = look_interval_s(earlier_s), look_interval_s(earlier_s + longer_s)
    assert LOOK_AT_MOST_EVERY_S <= first <= later <= LOOK_AT_LEAST_EVERY_S


def test_a_death_is_noticed_within_a_second() -> None:
    assert look_interval_s(1e9) < 1
