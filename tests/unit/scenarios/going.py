"""Goes through the phases of any scenario as a run does, on made-up phases."""

from dataclasses import replace
from itertools import product

import pandas as pd

from benchmarks.plan.seeds import seed_of_run
from benchmarks.record.run_data import PhaseData, RunContext, RunData
from benchmarks.run.contract import PhasePlan
from benchmarks.scenarios import all_scenarios
from tasks.contract import Variant
from tasks.loads import Paced, tasks_in_a_unit
from tests.unit.made_up import MS, context, good_run, paced_phase, phase_data, prefilled_rows, soon

SUITE_SEED = 20261120
SCENARIOS = {scenario.number: scenario for scenario in all_scenarios().values()}
SERIALIZERS = ("json", "pickle")
FACTS = {"pbkdf2_iterations_per_ms": 4000.0, "pbkdf2_python_iterations_per_ms": 1000.0, "mock_api_requests_per_s": 1000.0}
SHARED = Variant("some-variant", "thread", "made up", serializers=SERIALIZERS, model_serializer="pickle")
ALONE = replace(SHARED, name="other-variant", execution="main-thread", concurrency_limit=1, lacks={"results": "it keeps none"})
"""A variant that lacks some of the phases that the other has."""

MORE_SIZES: dict[int, dict[str, float | int]] = {
    2: {"waves_100": 2, "waves_200": 2, "waves_lognormal": 2},
    5: {"others": 1},
    6: {"backlog_3": 2_000},
}
"""Over those of the preset quick, which leave parts out."""


def messages() -> pd.DataFrame:
    """Every message as quick as can be."""
    rows = product(SERIALIZERS, ("nested", "text", "bytes"), (1_000, 100_000))
    columns = ["serializer", "kind", "size_bytes", "message_bytes", "send_us", "decode_us"]
    return pd.DataFrame([(*row, 500, 10.0, 10.0) for row in rows], columns=columns)


def seen(plan: PhasePlan) -> PhaseData:
    """The phase as it went: what was prefilled is drained at 1,000/s, what came at a rate was executed soon (and is told by a
    hundred tasks at most)."""
    if isinstance(plan.load, Paced):
        made = paced_phase(1, plan.name, min(plan.load.rate_per_s, 100), soon)
        return replace(made, record=replace(made.record, tasks=plan.tasks))
    count = 100 * tasks_in_a_unit(plan.tasks)
    made = phase_data(1, plan.name, plan.load, prefilled_rows(count, each_ns=MS), count, tasks=plan.tasks)
    return replace(made, readings={"messages": messages()})


def gone_through(number: int, made: RunContext) -> list[tuple[PhasePlan, PhaseData]]:
    """The phases that a scenario asks for, and how they went, in their order."""
    phases = SCENARIOS[number].phases(made)
    plan = next(phases)
    found: list[tuple[PhasePlan, PhaseData]] = []
    while True:
        data = seen(plan)
        found.append((plan, data))
        try:
            plan = phases.send(lambda data=data: data)  # type: ignore[misc]
        except StopIteration:
            return found


def sizes_of(number: int, **changes: float) -> dict[str, float | int]:
    """Of a run in which there is as much as can be."""
    return {**SCENARIOS[number].sizes["quick"], **MORE_SIZES.get(number, {}), **changes}


def plans(number: int, *, repetition: int = 1, suite_seed: int = SUITE_SEED, variant: Variant = SHARED) -> dict[str, PhasePlan]:
    """The phases of a run by name, in their order."""
    seed = seed_of_run(suite_seed, SCENARIOS[number].name, repetition)
    made = context(sizes_of(number), variant=variant, seed=seed, facts=FACTS)
    return {plan.name: plan for plan, _ in gone_through(number, made)}


def run_of(number: int, **changes: float) -> RunData:
    """A run with these sizes, as far as it can be made up without the readings of its devices."""
    made = context(sizes_of(number, **changes), variant=SHARED, facts=FACTS)
    phases = {plan.name: data for plan, data in gone_through(number, made)}
    return replace(good_run(), scenario=SCENARIOS[number].name, context=made, phases=phases)
