"""A latency that is the producer's own is said to be."""

from dataclasses import replace

import pytest

from benchmarks.record.flags import PRODUCER_BOUND, Severity, is_valid
from benchmarks.record.rules.producer import producer_flags
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData
from tasks.loads import Burst, Chain, Load, Mix, Paced, Prefilled, TaskClass
from tests.unit.made_up import MS, Row, executed, good_run, phase_data, sent

OPEN = Paced(10, 3)
POSTED = Mix((TaskClass("noop", endpoint="/dispatch"),))
CHAINED = Chain((TaskClass("noop"), TaskClass("noop", label=1)))


def rows(late_ms: float, send_ms: float, wait_ms: float, phase: int = 3) -> list[Row]:
    """Thirty tasks that start so long after they were due."""
    found: list[Row] = []
    for i in range(30):
        due_ns = i * 100 * MS
        _, *rest = executed(i, due_ns, wait_ns=int(wait_ms * MS), phase=phase)
        found += [sent(i, due_ns, late_ns=int(late_ms * MS), send_ns=int(send_ms * MS), phase=phase), *rest]
    return found


def phase(late_ms: float, send_ms: float, wait_ms: float, load: Load = OPEN, **changes: object) -> PhaseData:
    return phase_data(3, "paced", load, rows(late_ms, send_ms, wait_ms), 30, **changes)


def codes(made: PhaseData) -> list[str]:
    return [flag.code for flag in producer_flags(made)]


@pytest.mark.parametrize(
    ("late_ms", "send_ms", "wait_ms", "said"),
    [
        (0, 1, 10, False),
        (3, 0, 10, False),
        (4, 0, 10, True),
        (0, 4, 10, True),
        (2, 2, 10, True),
        (5, 20, 10, True),
        (0, 0, 10, False),
    ],
)
def test_it_is_said_where_a_third_of_the_wait_was_the_producers(
    late_ms: float, send_ms: float, wait_ms: float, said: bool
) -> None:
    assert codes(phase(late_ms, send_ms, wait_ms)) == [PRODUCER_BOUND.code] * said


def test_the_note_says_how_much_and_where_and_costs_nothing() -> None:
    (flag,) = producer_flags(phase(4, 1, 10))
    assert (flag.severity, flag.phase) == (Severity.NOTE, "paced")
    assert "50% of the mean 10 ms" in flag.detail
    assert "4 ms before it came to send and 1 ms in the enqueue call" in flag.detail
    flags = run_flags(good_run(data={"paced": phase(4, 1, 10)}))
    assert flag in flags
    assert is_valid(flags)


def test_a_call_that_returns_after_the_start_counts_until_the_start_only() -> None:
    (flag,) = producer_flags(phase(0, 50, 10))
    assert "100% of" in flag.detail


@pytest.mark.parametrize("load", [Prefilled(30), Burst(30)])
def test_nothing_is_said_where_the_producer_is_to_be_as_fast_as_it_can(load: Load) -> None:
    assert codes(phase(8, 1, 10, load)) == []


@pytest.mark.parametrize("changes", [{"rate_may_be_missed": True}, {"tasks": POSTED}, {"tasks": CHAINED}])
def test_nothing_is_said_of_searches_requests_and_chains(changes: dict[str, object]) -> None:
    assert codes(phase(8, 1, 10, OPEN, **changes)) == []


def test_nothing_is_said_where_nothing_began() -> None:
    made = phase_data(3, "paced", Paced(10, 3), [sent(0, phase=3)], 1)
    assert codes(made) == []
    assert codes(replace(made, tasks=good_run().phases["paced"].tasks)) == []
