"""Counts of processes, and slots in reach."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.scaling import counts_of_processes, in_words, shape_of_slots
from tasks.contract import Shape, Variant

ANY = Variant("some-variant", "thread", "made up")
ONE_SLOT = Variant("some-variant", "child-process", "made up", concurrency_limit=1)


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (64, [1, 2, 4, 8, 64])]
)
def test_counts_double_up_to_the_cores(most: int, counts: list[int]) -> None:
    assert counts_of_processes(most) == counts


def test_a_count_in_words() -> None:
    assert (in_words(1), in_words(4)) == ("1_process", "4_processes")


def test_a_variant_gets_the_slots_that_its_processes_can_have() -> None:
    bounded = replace(ANY, concurrency_limit=6)
    assert shape_of_slots(ANY, 200, processes=2, most_processes=8) == Shape(2, 100)
    assert shape_of_slots(bounded, 10, processes=2, most_processes=8) == Shape(2, 5)
    assert shape_of_slots(bounded, 50, processes=2, most_processes=8) == Shape(2, 6)
    assert shape_of_slots(ONE_SLOT, 5, processes=2, most_processes=8) == Shape(5, 1)
    assert shape_of_slots(ONE_SLOT, 10, processes=2, most_processes=8) == Shape(8, 1)


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_processes_have_equally_many_slots_and_no_more_than_it_takes(slots: int, processes: int) -> None:
    shape = shape_of_slots(ANY, slots, processes, most_processes=1)
    assert shape.processes == min(processes, slots)
    assert slots <= shape.slots < slots + shape.processes
