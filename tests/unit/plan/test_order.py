"""In which order runs are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.order import order_of_round
from benchmarks.plan.suite_plan import Entry

ENTRIES = tuple(Entry(name, name) for name in "abcdef")


@given(
    entries=st.lists(st.sampled_from(ENTRIES), unique=True),
    seed=st.integers(0, 2**40),
    repetition=st.integers(1, 10_000),
)
def test_a_round_holds_every_entry_once_and_its_order_depends_on_nothing_else(
    entries: list[Entry], seed: int, repetition: int
) -> None:
    order = order_of_round(entries, seed, "scenario", repetition)
    assert sorted(order, key=lambda e: e.name) == sorted(entries, key=lambda e: e.name)
    order_of_round(ENTRIES, seed + 1, "other", 1)
    assert order_of_round(tuple(entries), seed, "scenario", repetition) == order


@pytest.mark.parametrize("changed", ["seed", "scenario", "repetition"])
def test_the_order_changes_with(changed: str) -> None:
    arguments = {"seed": 1, "scenario": "scenario", "repetition": 1}
    orders = {
        tuple(order_of_round(ENTRIES, **{**arguments, changed: value}))  # type: ignore[arg-type]
        for value in (("a", "b", "c", "d") if changed == "scenario" else (1, 2, 3, 4))
    }
    assert len(orders) == 4


def test_every_entry_comes_first_and_last_in_some_round() -> None:
    rounds = [order_of_round(ENTRIES, 1, "scenario", repetition) for repetition in range(1, 101)]
    for position in (0, -1):
        assert {order[position] for order in rounds} == set(ENTRIES)
