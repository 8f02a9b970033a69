"""How scenarios search for the highest rate that holds: a phase for each rate, the next by what the last has shown."""

from collections.abc import Callable, Generator

from benchmarks.record.rate_search import Search, Tried
from benchmarks.record.run_data import PhaseData
from benchmarks.run.contract import Look, PhasePlan


def steps_tried(
    search: Search, steps: int, step: Callable[[int, float], PhasePlan], judged: Callable[[PhaseData], Tried]
) -> Generator[PhasePlan, Look, None]:
    """So many phases, each made by ``step`` from its number, from 1, and its rate, and judged when it is over."""
    for number in range(1, steps + 1):
        look = yield step(number, search.next_per_s)
        search = search.after(judged(look()))
