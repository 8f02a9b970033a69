"""Arithmetic on CPU time and speeds."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.machine import TAKERS_KEPT, CpuSnapshot, CpuTaken, ProcessTimes, added, taken_between

S = 1_000_000_000
seconds = st.floats(0, 100, allow_nan=False)


def snapshot(at_s: float, busy_s: float, *processes: tuple[int, str, bool, float]) -> CpuSnapshot:
    return CpuSnapshot(
        round(at_s * S), busy_s, {(pid, 1): ProcessTimes(1, name, own, cpu_s) for pid, name, own, cpu_s in processes}
    )


def test_what_others_took_is_what_is_left_of_all() -> None:
    begin = snapshot(0, 100, (1, "runner", True, 5), (2, "redis", True, 1), (3, "burner", False, 50))
    end = snapshot(10, 109, (1, "runner", True, 6), (2, "redis", True, 3), (3, "burner", False, 54), (4, "cc1", False, 1.5))
    taken = taken_between(begin, end)
    assert taken is not None
    assert (taken.elapsed_s, taken.busy_s, taken.own_s, taken.foreign_s) == (10, 9, 3, 6)
    assert dict(taken.takers) == {"burner": 4, "cc1": 1.5}


def test_the_time_of_a_process_of_the_lab_that_has_ended_is_in_that_of_its_parent() -> None:
    begin = snapshot(0, 0, (1, "agent", True, 1), (2, "worker", True, 4))
    end = snapshot(1, 1.5, (1, "agent", True, 1 + 4 + 1.5))
    taken = taken_between(begin, end)
    assert taken is not None
    assert (taken.own_s, taken.foreign_s) == (1.5, 0)


def test_a_child_of_another_that_has_ended_counts_for_its_parent_from_the_first_snapshot_on() -> None:
    begin = snapshot(0, 0, (1, "make", False, 2), (2, "cc1", False, 40), (3, "runner", True, 0))
    end = snapshot(1, 1, (1, "make", False, 2 + 40 + 0.75), (3, "runner", True, 0))
    taken = taken_between(begin, end)
    assert taken is not None
    assert dict(taken.takers) == {"make": 0.75}


def test_without_the_labs_processes_nothing_is_said() -> None:
    begin, end = snapshot(0, 0, (3, "burner", False, 0)), snapshot(1, 1, (3, "burner", False, 1))
    assert taken_between(begin, end) is None


spans = st.tuples(seconds, seconds, seconds, st.dictionaries(st.sampled_from("abcdefgh"), seconds))


@given(st.lists(spans, min_size=1, max_size=4))
def test_several_spans_are_added_and_the_few_that_took_most_are_kept(
    parts: list[tuple[float, float, float, dict[str, float]]],
) -> None:
    total = added(CpuTaken(*part) for part in parts)
    assert total.elapsed_s == sum(part[0] for part in parts)
    assert total.foreign_s >= 0
    assert len(total.takers) <= TAKERS_KEPT
    sums = {name: sum(part[3].get(name, 0) for part in parts) for part in parts for name in part[3]}
    left_out = [value for name, value in sums.items() if name not in total.takers]
    assert all(kept >= max(left_out, default=0) - 1e-9 for kept in total.takers.values())
