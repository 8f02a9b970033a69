"""All that a run draws follows from the suite's seed, the scenario and the repetition, and from nothing else."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.seeds import seed_of, seed_of_run
from tests.support import run_script

MOST = 2**48


@given(suite=st.integers(0, 2**64), scenario=st.text(max_size=30), repetition=st.integers(1, 10_000), what=st.text(max_size=30))
def test_a_seed_is_a_pure_function_that_json_keeps_exactly(suite: int, scenario: str, repetition: int, what: str) -> None:
    run_seed = seed_of_run(suite, scenario, repetition)
    assert 0 <= run_seed < MOST
    assert int(float(run_seed)) == run_seed
    assert run_seed == seed_of_run(suite, scenario, repetition)
    assert seed_of(run_seed, what) == seed_of(run_seed, what)


def test_every_suite_scenario_and_repetition_has_a_seed_of_its_own_and_every_thing_that_is_drawn() -> None:
    runs = [seed_of_run(*of) for of in product(range(20), ("scenario_1", "scenario_11"), range(1, 21))]
    assert len({*runs, *(seed_of(run, what) for run, what in product(runs, ("arrivals", "mix")))}) == 3 * 800


def test_seeds_are_the_same_in_every_process() -> None:
    code = "from benchmarks.plan.seeds import *; print(seed_of(seed_of_run(20261120, 'scenario_1_throughput', 3), 'arrivals'))"
    told = {run_script(code, PYTHONHASHSEED=seed).strip() for seed in ("1", "7")}
    assert told == {str(seed_of(seed_of_run(20261120, "scenario_1_throughput", 3), "arrivals"))}
