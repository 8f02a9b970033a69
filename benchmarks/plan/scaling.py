"""With how many processes and slots a scenario tries a worker."""

from tasks.contract import Variant

COUNTS_OF_PROCESSES = (1, 2, 4, 8)
"""Tried as far as there are cores for them, and then all cores."""


def counts_of_processes(most: int) -> list[int]:
    """The counts to try where there are cores for ``most``, ascending."""
    return sorted({n for n in COUNTS_OF_PROCESSES if n < most} | {most})


def in_words(processes: int) -> str:
    """As in ``1_process`` and ``2_processes``."""
    return f"{processes}_process" if processes == 1 else f"{processes}_processes"


def slots_in_reach(variant: Variant, asked: int, processes: int, most_processes: int) -> int:
    """The slots that a variant is asked for where ``asked`` are wanted over ``processes``: all of them, unless one of its
    processes holds only so many. One that needs a process for every slot gets ``most_processes`` of them at most."""
    if variant.slots_per_process is None:
        return asked
    if variant.slots_per_process == 1:
        return min(asked, most_processes)
    return min(asked, processes * variant.slots_per_process)
