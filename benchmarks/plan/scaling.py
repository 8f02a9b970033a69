"""With how many processes, and how many tasks at once in each, a scenario tries a worker."""

from tasks.contract import Shape, Variant

COUNTS_OF_PROCESSES = (1, 2, 4, 8)
"""Tried as far as there are cores for them, and then all cores."""


def counts_of_processes(most: int) -> list[int]:
    """The counts to try where there are cores for ``most``, ascending."""
    return sorted({n for n in COUNTS_OF_PROCESSES if n < most} | {most})


def in_words(processes: int) -> str:
    """As in ``1_process`` and ``2_processes``."""
    return f"{processes}_process" if processes == 1 else f"{processes}_processes"


def shape_of_slots(variant: Variant, slots: int, processes: int, most_processes: int) -> Shape:
    """How a variant has ``slots`` tasks at once: equally many in each of at most ``processes``, as far as one of them can have so
    many. One that executes a single task in each has a process for every slot, ``most_processes`` of them at most."""
    if variant.concurrency_limit == 1:
        return Shape(min(slots, most_processes), 1)
    processes = min(processes, slots)
    return variant.shape(processes, -(-slots // processes))
