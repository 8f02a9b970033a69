"""Which payments are to fail is drawn by the run, and a run has failures of both kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.failures import failures_seed
from benchmarks.scenarios.scenario_7_real_world import SCENARIO
from tasks.order_work import failure_of


@pytest.mark.parametrize("preset", SCENARIO.sizes)
def test_every_run_of_every_preset_has_failures_of_both_kinds_early(preset: str) -> None:
    sizes = SCENARIO.sizes[preset]
    orders, once, always = int(sizes["orders_per_s"] * sizes["paced_s"]), sizes["fail_once_share"], sizes["fail_always_share"]
    drawn = set()
    for run_seed in range(20):
        seed = failures_seed(run_seed, orders, once, always)
        kinds = tuple(failure_of(unit, once, always, seed) for unit in range(orders))
        assert {"once", "always"} <= set(kinds[: orders // 2])
        drawn.add(kinds)
    assert len(drawn) == 20, "every run has failures of its own"


@given(run_seed=st.integers(0, 2**48), orders=st.integers(0, 3))
def test_where_the_orders_are_too_few_or_a_share_is_none_there_is_a_seed_all_the_same(run_seed: int, orders: int) -> None:
    assert failures_seed(run_seed, orders, 0.5, 0) == failures_seed(run_seed, orders, 0.5, 0)
    assert failures_seed(run_seed, orders, 0, 0) == failures_seed(run_seed, 0, 0, 0)
    assert failures_seed(run_seed, 1, 0.5, 0.5) == failures_seed(run_seed, 0, 0, 0)
