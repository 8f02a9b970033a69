"""Why tasks waited: an ideal worker on the very arrivals, the hand-over between tasks, and what neither explains."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.queueing import lindley_waits_s
from benchmarks.record.ideal_queue import WAIT_COLUMNS, Floats, freed, ideal_waits, wait_columns, wait_measures, waits_of
from benchmarks.record.run_data import PhaseData
from tasks.loads import Paced, schedule_ns
from tests.unit.made_up import MS, S, executed, phase_data, sent, worker

SLOTS = 2
RATE_PER_S, SERVICE_S = 140.0, 0.01
"""Two servers, loaded to 70 %."""


def erlang_c_mean_wait_s(rate_per_s: float, service_s: float, slots: int) -> float:
    """The mean wait in an M/M/c queue (Erlang 1917)."""
    offered = rate_per_s * service_s
    waiting = offered**slots / math.factorial(slots) * slots / (slots - offered)
    probability = waiting / (sum(offered**n / math.factorial(n) for n in range(slots)) + waiting)
    return probability * service_s / (slots - offered)


def arrivals_of(seed: int, duration_s: float) -> Floats:
    """Whole nanoseconds."""
    return np.array(schedule_ns(Paced(RATE_PER_S, duration_s, "poisson", seed)), np.float64)


def services_of(seed: int, count: int) -> Floats:
    return np.round(np.random.default_rng(seed).exponential(SERVICE_S * S, count))


def phase_of(due: Floats, waits: Floats, services: Floats, *, slots: int = SLOTS) -> PhaseData:
    """Tasks sent when they are due and acknowledged 11 ns later, that wait and are executed as told."""
    times = zip(due.tolist(), waits.tolist(), services.tolist(), strict=True)
    rows = [
        row
        for i, (at, wait, service) in enumerate(times)
        for row in executed(i, int(at), wait_ns=int(wait) + 11, service_ns=int(service))
    ]
    return phase_data(1, "half", Paced(RATE_PER_S, 1, "poisson"), rows, len(due), worker=worker(slots=slots))


gaps_between = st.lists(st.integers(0, 10_000), min_size=1, max_size=60)


@given(gaps=gaps_between, seed=st.integers(0, 99))
def test_one_slot_is_lindleys_recursion(gaps: list[int], seed: int) -> None:
    arrivals = np.cumsum(np.array(gaps, np.float64))
    services = np.random.default_rng(seed).integers(0, 10_000, len(gaps)).astype(np.float64)
    assert ideal_waits(arrivals, services, 1) == pytest.approx(lindley_waits_s(arrivals, services))


@given(gaps=gaps_between, slots=st.integers(1, 5), seed=st.integers(0, 99))
def test_no_more_are_served_at_once_than_there_are_slots_and_another_slot_makes_nobody_wait_longer(
    gaps: list[int], slots: int, seed: int
) -> None:
    arrivals = np.cumsum(np.array(gaps, np.float64))
    services = np.random.default_rng(seed).integers(1, 10_000, len(gaps)).astype(np.float64)
    waits = ideal_waits(arrivals, services, slots)
    starts = arrivals + waits
    assert (waits >= 0).all()
    assert all(((starts <= at) & (starts + services > at)).sum() <= slots for at in starts)
    assert (ideal_waits(arrivals, services, slots + 1) <= waits).all()
    assert (freed(starts + services, slots) <= starts).all()
    late = freed(starts + services, slots) > arrivals
    assert starts[late] == pytest.approx(freed(starts + services, slots)[late])


def test_nobody_waits_where_nobody_comes() -> None:
    assert len(ideal_waits(np.array([]), np.array([]), 3)) == 0
    assert waits_of(phase_data(1, "half", Paced(100, 1), [], 0)) is None
    assert wait_measures(phase_data(1, "half", Paced(100, 1), [sent(0)], 1)) == {}


def test_the_mean_over_many_draws_is_erlangs_and_one_draw_of_4000_tasks_scatters_by_a_tenth() -> None:
    draws = [arrivals_of(seed, 4_000 / RATE_PER_S) for seed in range(60)]
    means = [float(ideal_waits(a, services_of(seed, len(a)), SLOTS).mean()) / S for seed, a in enumerate(draws)]
    assert np.mean(means) == pytest.approx(erlang_c_mean_wait_s(RATE_PER_S, SERVICE_S, SLOTS), rel=0.05)
    assert 0.07 < np.std(means) / np.mean(means) < 0.2


def test_an_ideal_worker_leaves_nothing_to_explain() -> None:
    due = arrivals_of(1, 5)
    services = services_of(1, len(due))
    found = waits_of(phase_of(due, ideal_waits(due, services, SLOTS), services))
    assert found is not None
    assert found.ideal_ns > MS
    assert (found.hand_over_ns, found.hand_over_wait_ns, found.delivery_ns) == pytest.approx((0, 0, 0), abs=100)


def test_a_worker_that_is_long_about_the_next_task_is_told_from_one_that_delivers_late() -> None:
    due = arrivals_of(2, 20)
    services = services_of(2, len(due))
    slow_to_hand_over = waits_of(phase_of(due, ideal_waits(due, services + 2 * MS, SLOTS), services))
    late = waits_of(phase_of(due, ideal_waits(due, services, 50) + 2 * MS, services, slots=50))
    assert slow_to_hand_over is not None
    assert late is not None
    assert slow_to_hand_over.hand_over_ns == pytest.approx(2 * MS, rel=0.01)
    assert slow_to_hand_over.hand_over_wait_ns > 10 * slow_to_hand_over.delivery_ns > 0
    assert (late.ideal_ns, late.hand_over_wait_ns, late.hand_over_ns) == (0, 0, None)
    assert late.delivery_ns == pytest.approx(2 * MS)


@given(waits=st.lists(st.integers(0, 10**8), min_size=1, max_size=40), slots=st.integers(1, 40))
def test_the_parts_add_up_whatever_the_worker_does(waits: list[int], slots: int) -> None:
    due = arrivals_of(5, 1)[: len(waits)]
    phase = phase_of(due, np.array(waits[: len(due)], np.float64), services_of(5, len(due)), slots=slots)
    found = waits_of(phase)
    if found is not None:
        parts = found.ideal_ns + found.hand_over_wait_ns + found.delivery_ns
        assert parts == pytest.approx(phase.tasks.ack_to_start_ns().mean())
        assert found.delivery_ns >= 0


def test_a_task_that_begins_before_its_call_returned_waits_less_than_no_time() -> None:
    rows = [row for i in range(5) for row in (sent(i, i * 100 * MS, send_ns=3 * MS), *executed(i, i * 100 * MS)[1:])]
    found = waits_of(phase_data(1, "half", Paced(10, 0.5), rows, 5))
    assert found is not None
    assert (found.ideal_ns, found.hand_over_wait_ns, found.hand_over_ns) == (0, 0, None)
    assert found.delivery_ns == pytest.approx(-MS, abs=10)


def test_nothing_is_said_where_more_was_executed_at_once_than_there_are_slots() -> None:
    due, none = np.zeros(3), np.zeros(3)
    assert waits_of(phase_of(due, none, none + MS, slots=2)) is None
    assert waits_of(phase_of(due, none, none + MS, slots=3)) is not None


def test_the_columns_are_the_measures_and_the_first_three_add_up() -> None:
    due = arrivals_of(3, 1)
    services = services_of(3, len(due))
    phase = phase_of(due, ideal_waits(due, services + MS, SLOTS), services)
    measured = wait_measures(phase)
    assert list(measured) == list(wait_columns("half", "somewhere")) == [f"half_{name}" for name in WAIT_COLUMNS]
    parts = [value for value in list(measured.values())[:3] if value is not None]
    assert sum(parts) == pytest.approx(phase.tasks.ack_to_start_ns().mean() / MS)
