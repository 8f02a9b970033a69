"""Of which phases the measures of each scenario are, tried on a run of each that went well."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.record.flags import TIMED_OUT, WORKER_DIED
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.record.soundness import Sound, is_of, sound_measures, without
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from tests.unit import made_up
from tests.unit.scenarios import (
    test_scenario_2,
    test_scenario_3,
    test_scenario_4,
    test_scenario_5,
    test_scenario_6,
    test_scenario_7,
    test_scenario_8,
    test_scenario_9,
    test_scenario_10,
    test_scenario_11,
)

SCENARIOS = all_scenarios()
RUNS: list[RunData] = [
    replace(made_up.good_run(), context=made_up.context(SCENARIOS["scenario_1_throughput"].sizes["quick"])),
    test_scenario_2.good_run(),
    test_scenario_3.of_processes(),
    test_scenario_3.of_threads(),
    test_scenario_4.good_run(),
    test_scenario_5.complete(),
    test_scenario_6.whole_run(),
    test_scenario_7.run_with(test_scenario_7.Shop(2, test_scenario_7.COUNT, failing=True)),
    test_scenario_8.whole_run(),
    test_scenario_9.multi_queue_run(),
    test_scenario_10.good_run(),
    test_scenario_11.good_run(),
]
every_run = pytest.mark.parametrize("data", RUNS, ids=[run.scenario.split("_")[1] for run in RUNS])


def scenario_of(data: RunData) -> Scenario:
    return SCENARIOS[data.scenario]


def stands(data: RunData, invalid: Iterable[str]) -> Sound:
    scenario = scenario_of(data)
    flags = [TIMED_OUT.flag(phase=phase, open=1, attempted=2) for phase in invalid]
    return sound_measures(data, flags, scenario.measures, scenario.measured_in(data.context))


def spoilt(phase: PhaseData, factor: float) -> PhaseData:
    """The same phase, with ends and CPU time that are off."""
    off_ns = (phase.tasks.finished_ns * factor).astype(np.int64)
    after = phase.record.after
    worker = replace(after.worker, cpu_s=after.worker.cpu_s * factor, pss_bytes=int(after.worker.pss_bytes * factor))
    record = replace(phase.record, after=replace(after, worker=worker))
    return replace(phase, record=record, tasks=replace(phase.tasks, finished_ns=off_ns))


def test_there_is_a_run_of_every_scenario() -> None:
    assert {run.scenario for run in RUNS} == set(SCENARIOS)


@every_run
def test_every_column_says_of_which_phases_it_is_and_what_has_a_value_is_of_a_phase_of_the_run(data: RunData) -> None:
    scenario = scenario_of(data)
    measured_in, measures = scenario.measured_in(data.context), scenario.measures(data)
    assert list(measured_in) == list(scenario.columns)
    assert all(measured_in.values())
    assert [name for name, value in measures.items() if value is not None and not is_of(measured_in[name], data.phases)] == []


@every_run
def test_a_measure_depends_on_no_other_phases_than_it_says(data: RunData) -> None:
    scenario = scenario_of(data)
    measured_in, measures = scenario.measured_in(data.context), scenario.measures(data)
    undeclared = {
        (name, phase)
        for phase in data.phases
        for name, value in scenario.measures(without(data, {phase})).items()
        if value != measures[name] and not is_of(measured_in[name], {phase})
    }
    assert undeclared == set()


@every_run
def test_a_phase_that_is_invalid_costs_something_and_leaves_something_unless_all_hangs_on_it(data: RunData) -> None:
    for phase in data.phases:
        sound = stands(data, [phase])
        assert sound.spoiled
        assert all(sound.measures[name] is None for name in sound.spoiled)
    assert any(value is not None for phase in data.phases for value in stands(data, [phase]).measures.values())


@every_run
def test_a_flag_of_the_whole_run_leaves_nothing(data: RunData) -> None:
    scenario = scenario_of(data)
    died = [WORKER_DIED.flag(reason="killed")]
    sound = sound_measures(data, died, scenario.measures, scenario.measured_in(data.context))
    assert set(sound.measures.values()) == {None}
    assert sound.spoiled == scenario.measures(data)


@settings(max_examples=60, deadline=None)
@given(data=st.sampled_from(RUNS), factor=st.floats(0.2, 5), draw=st.data())
def test_what_stands_does_not_depend_on_what_an_invalid_phase_came_to(data: RunData, factor: float, draw: st.DataObject) -> None:
    invalid = draw.draw(st.sets(st.sampled_from(sorted(data.phases)), min_size=1, max_size=2))
    other = replace(data, phases={name: spoilt(p, factor) if name in invalid else p for name, p in data.phases.items()})
    before, after = stands(data, invalid), stands(other, invalid)
    assert after.measures == before.measures
    assert after.spoiled.keys() == before.spoiled.keys()
