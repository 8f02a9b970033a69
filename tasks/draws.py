"""Drawing a value for each task from a seed, so that all that meet the task agree on it. Standard library only."""

import random


def draw(seed: int, *which: int | str) -> float:
    """A number in [0, 1), uniform over what it is drawn for and a pure function of the seed and of ``which`` task (or stage, or
    attempt) that is: the same in every process, for every variant and in every run. Draws of one seed for different things are
    independent of each other; numbers and their texts are the same thing, and a text may hold no slash."""
    return random.Random("/".join(map(str, (seed, *which)))).random()
