"""What queueing theory says, against simulations of its own and the textbooks' values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.queueing import batch_mean_interval, dispatch_s, lindley_waits_s, pollaczek_khinchine_mean_wait_s

gaps = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60)
"""Gap before each arrival and its service, in whole seconds, so that sums are exact."""


def simulated_waits_s(arrivals_s: list[float], services_s: list[float]) -> list[float]:
    """One server, step by step: it takes the next customer when it is free and somebody is there."""
    free_at_s, waits = 0.0, []
    for arrival_s, service_s in zip(arrivals_s, services_s, strict=True):
        begins_s = max(arrival_s, free_at_s)
        waits.append(begins_s - arrival_s)
        free_at_s = begins_s + service_s
    return waits


@given(gaps)
def test_lindleys_recursion_is_a_first_come_first_served_server(customers: list[tuple[int, int]]) -> None:
    arrivals_s = np.cumsum([float(gap) for gap, _ in customers])
    services_s = np.array([float(service) for _, service in customers])
    waits_s = lindley_waits_s(arrivals_s, services_s)
    assert (waits_s >= 0).all()
    assert waits_s.tolist() == simulated_waits_s(arrivals_s.tolist(), services_s.tolist())


def test_nobody_waits_where_nobody_came() -> None:
    assert len(lindley_waits_s(np.empty(0), np.empty(0))) == 0


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8, 0.95])
def test_constant_service_gives_the_wait_of_m_d_1(load: float) -> None:
    service_s = 0.25
    expected_s = load * service_s / (2 * (1 - load))  # Kleinrock, "Queueing Systems" 1, section 5.7
    assert pollaczek_khinchine_mean_wait_s(load / service_s, np.full(7, service_s)) == pytest.approx(expected_s)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_exponential_service_gives_the_wait_of_m_m_1(load: float) -> None:
    mean_s, count = 0.25, 400_000
    services_s = -mean_s * np.log((np.arange(count) + 0.5) / count)  # the distribution's quantiles, without chance
    expected_s = load * mean_s / (1 - load)  # the same, section 3.2
    assert pollaczek_khinchine_mean_wait_s(load / services_s.mean(), services_s) == pytest.approx(expected_s, rel=1e-3)


def test_formula_and_recursion_agree_on_the_same_queue() -> None:
    draw = np.random.default_rng(1)
    arrivals_s = np.cumsum(draw.exponential(1.0, 200_000))
    services_s = draw.choice(np.array([0.2, 0.8]), 200_000).astype(np.float64)
    waits_s = lindley_waits_s(arrivals_s, services_s)
    mean_s, half_s = batch_mean_interval(waits_s)
    assert mean_s == waits_s.mean()
    assert abs(mean_s - pollaczek_khinchine_mean_wait_s(1.0, services_s)) < 2 * half_s


@pytest.mark.parametrize("rate_per_s", [4.0, 5.0])
def test_a_queue_without_a_steady_state_is_refused(rate_per_s: float) -> None:
    with pytest.raises(ValueError, match=r"at .*/s the server is loaded to 1\.\d\d: the queue grows for ever"):
        pollaczek_khinchine_mean_wait_s(rate_per_s, np.full(3, 0.25))


@given(gaps, st.lists(st.integers(0, 5), min_size=60, max_size=60))
def test_dispatch_is_what_a_server_takes_beyond_the_recursion(customers: list[tuple[int, int]], delays: list[int]) -> None:
    arrivals_s = np.cumsum([float(gap) for gap, _ in customers])
    services_s = np.array([float(service) for _, service in customers])
    delays_s = np.array(delays[: len(customers)], np.float64)
    # A server that is busy for delay and service, and serves after the delay.
    starts_s = arrivals_s + lindley_waits_s(arrivals_s, services_s + delays_s) + delays_s
    assert dispatch_s(arrivals_s, starts_s, starts_s + services_s).tolist() == delays_s.tolist()


@pytest.mark.parametrize(
    ("arrivals_s", "starts_s", "ends_s"),
    [([0, 1], [0, 3], [5, 6]), ([0, 9], [0, 8], [5, 10])],
    ids=["two at once", "one before it came"],
)
def test_dispatch_is_negative_where_no_single_server_can_have_been(
    arrivals_s: list[float], starts_s: list[float], ends_s: list[float]
) -> None:
    assert dispatch_s(np.array(arrivals_s), np.array(starts_s), np.array(ends_s)).min() < 0


def test_batch_means_are_the_students_interval_of_independent_values() -> None:
    values = np.arange(20.0)
    mean, half = batch_mean_interval(values)
    assert mean == 9.5
    # t(0.975; 19) = 2.093, from the tables
    assert half == pytest.approx(2.093 * values.std(ddof=1) / math.sqrt(20), rel=1e-4)


def test_batch_means_are_wider_where_neighbours_are_alike() -> None:
    independent = np.random.default_rng(1).normal(size=2000)
    alike = np.repeat(independent[:40], 50)
    assert batch_mean_interval(alike)[1] > 3 * batch_mean_interval(independent)[1]


def test_batch_means_cover_the_true_mean_as_often_as_they_say() -> None:
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        noise = draw.normal(size=4000)
        series = np.convolve(noise, np.ones(5) / 5, mode="valid")
        mean, half = batch_mean_interval(series)
        covered += abs(mean) <= half
    assert 0.92 <= covered / 400 <= 0.98
