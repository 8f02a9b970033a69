"""When nothing can come any more of a phase."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.run_data import Produced
from benchmarks.run.one_run.waiting import NO_COUNTS, QUIET_S, Expected
from tasks.loads import Chain, TaskClass, Tasks, only

PRODUCED = Produced(9, 8, 1, {}, 0, 1, 0.0, longest_s=7.0)
SECONDS = st.floats(0, 1000)


@pytest.mark.parametrize(
    ("tasks", "backoff_s"), [(only("sleep", 7.0), 0.0), (Chain((TaskClass("noop"),), attempts=3, backoff_s=4.0), 4.0)]
)
def test_what_is_to_come_is_what_was_acknowledged_and_is_declared(tasks: Tasks, backoff_s: float) -> None:
    assert Expected.of(tasks, PRODUCED) == Expected(acknowledged=8, longest_s=7.0, backoff_s=backoff_s)


@given(SECONDS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_an_attempt_in_hand_is_waited_for_as_long_as_it_can_take(longest_s: float, ok: int, failed: int, in_hand: int) -> None:
    found = replace(NO_COUNTS, started=ok + failed + in_hand, finished_ok=ok, finished_failed=failed)
    quiet_s = Expected(20, longest_s).quiet_s(found)
    assert quiet_s == QUIET_S + (longest_s if in_hand else 0)


@given(SECONDS, SECONDS, st.integers(1, 5))
def test_what_is_to_be_tried_again_may_come_for_as_long_as_it_waits(longest_s: float, backoff_s: float, n: int) -> None:
    found = replace(NO_COUNTS, started=n, finished_retried=n)
    assert found.in_hand == 0
    assert Expected(20, longest_s, backoff_s).quiet_s(found) == QUIET_S + backoff_s
    assert Expected(20, longest_s, backoff_s).quiet_s(replace(found, started=n + 1)) == QUIET_S + max(longest_s, backoff_s)


def test_skipped_stages_have_ended_and_were_in_nobodys_hand() -> None:
    found = replace(NO_COUNTS, started=1, finished_failed=1, finished_skipped=3)
    assert (found.ended, found.in_hand) == (4, 0)
