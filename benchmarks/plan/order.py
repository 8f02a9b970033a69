"""In which order runs are made, and phases of a run that are alternatives of one another."""

import random
from collections.abc import Iterable, Sequence

from benchmarks.plan.seeds import seed_of
from benchmarks.plan.suite_plan import Entry


def order_of_round(entries: Sequence[Entry], seed: int, scenario: str, repetition: int) -> list[Entry]:
    """The entries in a random order that depends on nothing but these arguments, so that drift hits all alike and a resumed
    suite goes on in the same order."""
    shuffled = list(entries)
    random.Random(f"{seed}/{scenario}/{repetition}").shuffle(shuffled)
    return shuffled


def order_of_alternatives(names: Iterable[str], run_seed: int) -> list[str]:
    """The names in a random order of the run's own: each is as often before as after any other. Which of two comes first does not
    depend on what else there is, so variants that lack one have the others in the same order."""
    return sorted(names, key=lambda name: seed_of(run_seed, f"order/{name}"))
