"""How scenarios search for the highest rate that holds: a phase for each rate, the next by what the last has shown."""

from collections.abc import Callable, Generator

from benchmarks.plan.seeds import seed_of
from benchmarks.record.rate_search import Search, Tried
from benchmarks.record.run_data import PhaseData
from benchmarks.run.contract import Device, Look, PhasePlan
from tasks.loads import Paced, Tasks


def steps_tried(
    search: Search,
    judged: Callable[[PhaseData], Tried],
    name: str,
    tasks: Tasks,
    *,
    steps: int,
    step_s: float,
    seed: int,
    devices: tuple[Device, ...] = (),
) -> Generator[PhasePlan, Look, None]:
    """So many phases, ``NAME_1``, ``NAME_2``, ..., of ``step_s`` seconds each, every one with Poisson arrivals of its own, and
    judged when it is over."""
    for number in range(1, steps + 1):
        load = Paced(search.next_per_s, step_s, "poisson", seed_of(seed, f"arrivals/{name}_{number}"))
        look = yield PhasePlan(f"{name}_{number}", tasks, load, devices=devices, rate_may_be_missed=True)
        search = search.after(judged(look()))
