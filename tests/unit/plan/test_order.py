"""In which order runs are made, and phases that are alternatives of one another."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.order import order_of_alternatives, order_of_round
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


@given(names=st.lists(st.text(max_size=8), unique=True), left_out=st.sets(st.integers(0, 10)), run_seed=st.integers(0, 2**48))
def test_what_there_is_besides_does_not_change_the_order_of_two_alternatives(
    names: list[str], left_out: set[int], run_seed: int
) -> None:
    order = order_of_alternatives(names, run_seed)
    assert sorted(order) == sorted(names)
    some = [name for place, name in enumerate(names) if place not in left_out]
    assert order_of_alternatives(reversed(some), run_seed) == [name for name in order if name in some]


def test_every_alternative_has_every_place_about_as_often() -> None:
    orders = [order_of_alternatives(("off", "on_0", "on_1", "on_5"), run_seed) for run_seed in range(2_000)]
    for place in range(4):
        counts = Counter(order[place] for order in orders)
        assert len(counts) == 4
        assert all(count == pytest.approx(500, abs=100) for count in counts.values())
