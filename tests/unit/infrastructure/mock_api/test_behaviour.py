"""What the mock API does with a request follows from the seed and the request's id alone."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.mock_api.behaviour import Behaviour, is_failing, latency_ms, parse_behaviour, uniforms

IDS = [b"task-%d" % number for number in range(20_000)]


@given(seed=st.integers(0, 2**64 - 1), request_id=st.binary(max_size=64))
def test_uniform_numbers_lie_inside_the_unit_interval_and_do_not_change(seed: int, request_id: bytes) -> None:
    numbers = uniforms(seed, request_id)
    assert all(0 < number < 1 for number in numbers)
    assert uniforms(seed, request_id) == numbers


def test_uniform_numbers_are_uniform_and_their_halves_uncorrelated() -> None:
    first, second = zip(*(uniforms(1, request_id) for request_id in IDS), strict=True)
    for numbers in (first, second):
        assert statistics.fmean(numbers) == pytest.approx(1 / 2, abs=0.01)
        assert statistics.variance(numbers) == pytest.approx(1 / 12, abs=0.002)
    assert abs(statistics.correlation(first, second)) < 0.03


def test_another_seed_gives_other_numbers() -> None:
    assert uniforms(1, b"a") != uniforms(2, b"a")


@given(run=st.integers(0, 999), parts=st.integers(1, 3))
def test_only_the_last_parts_of_an_id_decide_where_so_many_are_asked_for(run: int, parts: int) -> None:
    behaviour = Behaviour(ms=100, seed=3, distribution="lognormal", error_rate=0.5, id_parts=parts)
    first, again = f"1-2-17-{parts}".encode(), f"{run}-2-17-{parts}".encode()
    assert latency_ms(behaviour, first) == latency_ms(behaviour, again)
    assert is_failing(behaviour, first) == is_failing(behaviour, again)
    assert latency_ms(behaviour, first) != latency_ms(behaviour, f"1-2-17-{parts + 1}".encode())
    whole = Behaviour(ms=100, seed=3, distribution="lognormal")
    assert (latency_ms(whole, first) == latency_ms(whole, again)) == (run == 1)


def test_a_fixed_latency_is_the_mean_for_every_id() -> None:
    behaviour = Behaviour(ms=100, seed=0)
    assert {latency_ms(behaviour, request_id) for request_id in IDS[:100]} == {100}


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0])
def test_a_log_normal_latency_has_the_mean_and_the_sigma_asked_for(sigma: float) -> None:
    behaviour = Behaviour(ms=100, seed=3, distribution="lognormal", sigma=sigma)
    latencies = [latency_ms(behaviour, request_id) for request_id in IDS]
    logarithms = [math.log(latency) for latency in latencies]
    assert statistics.fmean(latencies) == pytest.approx(100, rel=0.03)
    assert statistics.stdev(logarithms) == pytest.approx(sigma, rel=0.03)
    assert statistics.fmean(logarithms) == pytest.approx(math.log(100) - sigma**2 / 2, abs=0.03)
    centre = statistics.fmean(logarithms)
    assert abs(statistics.fmean((logarithm - centre) ** 3 for logarithm in logarithms) / sigma**3) < 0.1


def test_a_log_normal_without_spread_is_fixed() -> None:
    assert latency_ms(Behaviour(ms=100, seed=0, distribution="lognormal", sigma=0), b"a") == pytest.approx(100)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
def test_the_error_rate_is_the_share_of_ids_that_fail(rate: float) -> None:
    behaviour = Behaviour(ms=0, seed=5, error_rate=rate)
    assert sum(is_failing(behaviour, request_id) for request_id in IDS) / len(IDS) == pytest.approx(rate, abs=0.01)


@given(request_id=st.binary(min_size=1), low=st.floats(0, 1), high=st.floats(0, 1))
def test_an_id_that_fails_at_a_rate_fails_at_every_higher_one(request_id: bytes, low: float, high: float) -> None:
    low, high = sorted((low, high))
    if is_failing(Behaviour(ms=0, seed=0, error_rate=low), request_id):
        assert is_failing(Behaviour(ms=0, seed=0, error_rate=high), request_id)


def test_fail_alone_asks_for_every_id() -> None:
    assert parse_behaviour({"fail": "once"}, 100, 0).error_rate == 1
    assert parse_behaviour({"fail": "once", "error_rate": "0.05"}, 100, 0).error_rate == 0.05
    assert parse_behaviour({}, 100, 7) == Behaviour(ms=100, seed=7)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("ms", "-1", "a number from 0 to 600000"),
        ("ms", "nan", "a number"),
        ("ms", "", "a number"),
        ("sigma", "3", "from 0 to 2"),
        ("error_rate", "5%", "from 0 to 1"),
        ("status", "200", "from 400 to 599"),
        ("fail", "twice", "one of once, always"),
        ("distribution", "normal", "one of fixed, lognormal"),
        ("seed", "-1", "a whole number"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: str, takes: str) -> None:
    with pytest.raises(ValueError, match=takes) as error:
        parse_behaviour({name: value}, 100, 0)
    assert f"{name}={value!r}" in str(error.value)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ValueError, match="unknown parameter 'delay'; there are id, ms"):
        parse_behaviour({"delay": "1"}, 100, 0)
