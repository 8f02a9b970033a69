"""Counts of processes, and slots in reach."""

from dataclasses import replace

import pytest

from benchmarks.plan.scaling import counts_of_processes, in_words, slots_in_reach
from tasks.contract import Variant

ANY = Variant("some-variant", "thread", "made up")
ONE_SLOT = Variant("some-variant", "child-process", "made up", slots_per_process=1)


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (64, [1, 2, 4, 8, 64])]
)
def test_counts_double_up_to_the_cores(most: int, counts: list[int]) -> None:
    assert counts_of_processes(most) == counts


def test_a_count_in_words() -> None:
    assert (in_words(1), in_words(4)) == ("1_process", "4_processes")


def test_a_variant_gets_the_slots_that_its_processes_can_have() -> None:
    bounded = replace(ANY, slots_per_process=6)
    assert slots_in_reach(ANY, 200, processes=2, most_processes=8) == 200
    assert slots_in_reach(bounded, 10, processes=2, most_processes=8) == 10
    assert slots_in_reach(bounded, 50, processes=2, most_processes=8) == 12
    assert slots_in_reach(ONE_SLOT, 5, processes=2, most_processes=8) == 5
    assert slots_in_reach(ONE_SLOT, 10, processes=2, most_processes=8) == 8
