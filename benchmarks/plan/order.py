"""In which order runs are made."""

import random
from collections.abc import Sequence

from benchmarks.plan.suite_plan import Entry


def order_of_round(entries: Sequence[Entry], seed: int, scenario: str, repetition: int) -> list[Entry]:
    """The entries in a random order that depends on nothing but these arguments, so that drift hits all alike and a resumed
    suite goes on in the same order."""
    shuffled = list(entries)
    random.Random(f"{seed}/{scenario}/{repetition}").shuffle(shuffled)
    return shuffled
