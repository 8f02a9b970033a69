"""What stands of a run with invalid phases, and that it is kept for no reason that lies in its value."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.record.flags import NOTHING_EXECUTED, OFFERED_RATE_MISSED, TASK_FAILED, UNSUPPORTED, WORKER_DIED, Flag, is_valid
from benchmarks.record.run_data import Measures, RunData, RunResult
from benchmarks.record.soundness import WHOLE_RUN, first_match, is_of, sound_measures, without
from tests.unit.made_up import good_run

MEASURED_IN = {"drained": ("capacity",), "late": ("capacity", "half"), "sent": ("pa*",), "all": WHOLE_RUN}
NOTHING_IN_PACED = NOTHING_EXECUTED.flag(phase="paced", attempted=3)


def counted(data: RunData) -> Measures:
    """How many tasks each phase has, and all together."""
    counts = {name: len(phase.tasks) for name, phase in data.phases.items()}
    return {
        "drained": counts.get("capacity"),
        "late": counts.get("half"),
        "sent": counts.get("paced"),
        "all": sum(counts.values()),
    }


def test_a_run_with_nothing_invalid_keeps_all() -> None:
    warned = [TASK_FAILED.flag(phase="paced", count=1, attempted=3)]
    sound = sound_measures(good_run(), warned, counted, MEASURED_IN)
    assert sound.measures == {"drained": 200, "late": 60, "sent": 30, "all": 340}
    assert sound.spoiled == {}


def test_an_invalid_phase_costs_what_is_of_it_and_no_more() -> None:
    sound = sound_measures(good_run(), [NOTHING_IN_PACED], counted, MEASURED_IN)
    assert sound.measures == {"drained": 200, "late": 60, "sent": None, "all": None}
    assert sound.spoiled == {"sent": 30, "all": 340}


def test_a_phase_that_sets_the_load_of_another_costs_what_is_of_that_one() -> None:
    flags = [NOTHING_EXECUTED.flag(phase="capacity", attempted=3)]
    assert sound_measures(good_run(), flags, counted, MEASURED_IN).measures == dict.fromkeys(MEASURED_IN) | {"sent": 30}


@pytest.mark.parametrize("flag", [WORKER_DIED.flag(reason="killed"), UNSUPPORTED.flag(reason="cannot")], ids=lambda f: f.code)
def test_a_flag_of_no_phase_costs_everything(flag: Flag) -> None:
    sound = sound_measures(good_run(), [flag], counted, MEASURED_IN)
    assert set(sound.measures.values()) == {None}
    assert sound.spoiled == counted(good_run())


def test_a_measure_that_names_too_few_phases_is_not_kept_all_the_same() -> None:
    forgetful = MEASURED_IN | {"all": ("capacity",)}
    assert sound_measures(good_run(), [NOTHING_IN_PACED], counted, forgetful).measures["all"] is None


def test_without_a_phase_its_samples_are_gone_too() -> None:
    data = good_run()
    half = data.phases["half"]
    record = replace(half.record, began_ns=data.samples[0].at_ns, drained_ns=data.samples[1].at_ns)
    later = replace(data, phases={**data.phases, "half": replace(half, record=record)})
    assert set(without(later, {"half"}).phases) == {"capacity", "bulk", "paced"}
    assert without(later, {"half"}).samples == data.samples[2:]
    assert without(later, {"bulk"}).samples == data.samples


def test_the_first_pattern_that_fits_holds_and_without_one_it_is_the_whole_run() -> None:
    patterns = {"half_rate": ("capacity",), "half_*": ("half",)}
    found = first_match(["half_p50_ms", "half_rate", "memory_mb"], patterns)
    assert found == {"half_p50_ms": ("half",), "half_rate": ("capacity",), "memory_mb": WHOLE_RUN}
    assert is_of(("step_*",), {"step_3"})
    assert not is_of(("step_*",), {"low"})
    assert is_of(WHOLE_RUN, {"anything"})


# ---- what is kept does not depend on the value measured


Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """Capacities of many runs: all, those kept by phase, those that keeping whole runs only would leave."""

    all: Values
    by_phase: Values
    by_run: Values


@pytest.fixture(scope="module")
def kept() -> Kept:
    """Runs whose capacity varies from one to the next. Half of it is offered afterwards, which the producer fails to do the more
    often the higher it is; and each phase is disturbed now and then, whatever it measures."""
    random, data = np.random.default_rng(12), good_run()
    capacities = random.normal(4_000, 600, 8_000)
    rows = [made(data, random, float(capacity)) for capacity in capacities]
    return Kept(
        capacities,
        np.array([value for row in rows if (value := row.value("drained")) is not None]),
        np.array([value for row in rows if row.valid and (value := row.value("drained")) is not None]),
    )


def made(data: RunData, random: np.random.Generator, capacity_per_s: float) -> RunResult:
    missed = random.random() < 1 / (1 + np.exp(-(capacity_per_s - 4_200) / 150))
    flags = [OFFERED_RATE_MISSED.flag(phase="half", offered=1.0, planned=2.0, shortfall=0.5)] if missed else []
    flags += [NOTHING_EXECUTED.flag(phase=phase, attempted=1) for phase in ("capacity", "half") if random.random() < 0.1]

    def measures(run: RunData) -> Measures:
        half_per_s = capacity_per_s / 2 if "half" in run.phases else None
        return {**counted(run), "drained": capacity_per_s if "capacity" in run.phases else None, "late": half_per_s}

    sound = sound_measures(data, flags, measures, MEASURED_IN)
    return RunResult("s", "f", "v", 1, 1, is_valid(flags), flags, sound.measures, spoiled=sound.spoiled)


def standard_error(values: Values) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def test_capacities_are_kept_whatever_they_are(kept: Kept) -> None:
    assert 0.85 * len(kept.all) < len(kept.by_phase) < 0.95 * len(kept.all), "a tenth of them was disturbed"
    assert abs(kept.by_phase.mean() - kept.all.mean()) < 3 * standard_error(kept.by_phase)
    assert np.quantile(kept.by_phase, 0.9) == pytest.approx(np.quantile(kept.all, 0.9), rel=0.01)


def test_keeping_only_whole_runs_would_lose_the_high_capacities(kept: Kept) -> None:
    """Whose half is missed more often: the bias that judging phases takes away."""
    assert kept.all.mean() - kept.by_run.mean() > 20 * standard_error(kept.by_run)
