"""Phases that are alternatives of one another: whichever came first in every run would be favoured, or wronged, in every run."""

from collections.abc import Generator, Iterable, Mapping

from benchmarks.plan.order import order_of_alternatives
from benchmarks.run.contract import Look, PhasePlan


def in_drawn_order(run_seed: int, plans: Iterable[PhasePlan]) -> Generator[PhasePlan, Look, Mapping[str, Look]]:
    """The phases in an order that the run draws, the same for all variants of a repetition; what looks at each, by its name."""
    alternatives = {plan.name: plan for plan in plans}
    looks: dict[str, Look] = {}
    for name in order_of_alternatives(alternatives, run_seed):
        looks[name] = yield alternatives[name]
    return looks
