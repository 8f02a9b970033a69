"""What a soak is made of: scenario 4's mix on scenario 4's worker."""

from collections.abc import Mapping, Sequence

from benchmarks.plan.soak_plan import SoakPlan
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.run_data import RunContext
from benchmarks.run.soaking.one_soak import SoakOrder
from benchmarks.scenarios.mock_api import shape_for_waiting
from benchmarks.scenarios.scenario_4_mixed import CPU_FACT, SCENARIO, mixed_tasks, warm_tasks

OF_THE_MIX = SCENARIO
FACTS: Sequence[str] = (CPU_FACT,)
LEFT_OUT = ("tasks", "paced_s", "utilisation")
"""Sizes of the scenario that a soak has others for."""


def sizes_of_the_mix() -> Mapping[str, float]:
    """What of the tasks and of their worker can be set, with its defaults."""
    return {name: value for name, value in SCENARIO.sizes["standard"].items() if name not in LEFT_OUT}


def order_of(plan: SoakPlan, context: RunContext) -> SoakOrder:
    """The soak of the variant that the context is of."""
    shape = shape_for_waiting(context, int(context.sizes["slots"]))
    worker = WorkerWish(shape.processes, shape.concurrency, warm=warm_tasks(context.sizes))
    return SoakOrder(plan, mixed_tasks(context), worker)
