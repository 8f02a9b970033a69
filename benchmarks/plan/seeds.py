"""What is drawn, and from which seed: every draw of a run follows from the suite's seed, the scenario and the repetition.

So all variants of a repetition meet the same arrivals, mixes, failures and order of phases, two repetitions meet others (what
the draw does to a figure is then within its interval), and a resumed suite draws what it would have drawn.
"""

from hashlib import blake2b

_BYTES = 6
"""As many as JSON and every reader of it keep exactly."""


def seed_of_run(suite_seed: int, scenario: str, repetition: int) -> int:
    """The seed of the runs of all variants in one repetition of a scenario."""
    return _derived(suite_seed, scenario, repetition)


def seed_of(run_seed: int, what: str) -> int:
    """The seed of one thing that a run draws (``arrivals/half``, say), independent of all others."""
    return _derived(run_seed, what)


def _derived(*of: int | str) -> int:
    """A whole number below 2**48, by a hash: seeds that lie side by side give numbers that have nothing in common."""
    return int.from_bytes(blake2b("/".join(map(str, of)).encode(), digest_size=_BYTES).digest(), "big")
