"""With how many processes a scenario tries a worker, and what it makes of the rates."""

from collections.abc import Mapping

COUNTS_OF_PROCESSES = (1, 2, 4, 8)
"""Tried as far as there are cores for them, and then all cores."""


def counts_of_processes(most: int) -> list[int]:
    """The counts to try where there are cores for ``most``, ascending."""
    return sorted({n for n in COUNTS_OF_PROCESSES if n < most} | {most})


def in_words(processes: int) -> str:
    """As in ``1_process`` and ``2_processes``."""
    return f"{processes}_process" if processes == 1 else f"{processes}_processes"


def ratio(over: float | None, under: float | None) -> float | None:
    """One over the other; None where one is missing or there is nothing to divide by."""
    return over / under if over is not None and under else None


def speedups(rates: Mapping[int, float | None]) -> dict[int, float | None]:
    """The rate of each count of processes over that of one."""
    return {n: ratio(rate, rates.get(1)) for n, rate in rates.items()}
