"""Counts of processes, and slots in reach."""

import pytest

from benchmarks.plan.scaling import counts_of_processes, in_words


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (64, [1, 2, 4, 8, 64])]
)
def test_counts_double_up_to_the_cores(most: int, counts: list[int]) -> None:
    assert counts_of_processes(most) == counts


def test_a_count_in_words() -> None:
    assert (in_words(1), in_words(4)) == ("1_process", "4_processes")
