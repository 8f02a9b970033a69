"""Counts of processes, and what is made of their rates."""

import pytest

from benchmarks.scaling import counts_of_processes, in_words, ratio, speedups


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (64, [1, 2, 4, 8, 64])]
)
def test_counts_double_up_to_the_cores(most: int, counts: list[int]) -> None:
    assert counts_of_processes(most) == counts


def test_a_count_in_words() -> None:
    assert (in_words(1), in_words(4)) == ("1_process", "4_processes")


@pytest.mark.parametrize(("over", "under", "expected"), [(6, 4, 1.5), (0, 4, 0), (None, 4, None), (6, None, None), (6, 0, None)])
def test_a_ratio_needs_both(over: float | None, under: float | None, expected: float | None) -> None:
    assert ratio(over, under) == expected


def test_speedups_are_over_one_process() -> None:
    assert speedups({1: 50, 2: 90, 4: None}) == {1: 1, 2: 1.8, 4: None}
    assert speedups({1: None, 2: 90}) == {1: None, 2: None}
