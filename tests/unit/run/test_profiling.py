"""Profiles: what is watched, how runs are marked, and that they disturb no check."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.check import failures
from benchmarks.record.flags import Severity, is_valid
from benchmarks.record.run_data import PhaseData
from benchmarks.run.contract import Look, PhasePlan, Places
from benchmarks.run.devices.flame_graph import FlameGraph, agent_of
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.profiling import PROFILED, flame_graphs, memray_variables, nothing_beside, profiled
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from infrastructure.agent.errors import SupervisionError
from infrastructure.agent.memory_profile import under_memray
from infrastructure.agent.settings import SettingsError, settings_from
from tasks.contract import WorkerCommand
from tests.golden import unpack
from tests.unit.declared import flag_kinds
from tests.unit.made_up import context, good_run

QUICK = SCENARIO.sizes["quick"]


def looking(phase: PhaseData) -> Look:
    return lambda: phase


def plans(phase: str | None) -> list[PhasePlan]:
    watched = profiled(SCENARIO, phase, "some-profiler", flame_graphs(Path("set"), LocalLab(), 50, SCENARIO.name))
    phases = watched.phases(context(QUICK))
    asked = [next(phases)]
    with suppress(StopIteration):
        while True:
            asked.append(phases.send(looking(good_run().phases[asked[-1].name])))
    return asked


def test_the_first_phase_is_watched_and_the_run_ends_with_it() -> None:
    (capacity,) = plans(None)
    (device,) = capacity.devices
    assert capacity.name == "capacity"
    assert isinstance(device, FlameGraph)
    assert device.file == Path("set/profiles/scenario_1_throughput_some-variant_profile.svg")
    assert device.rate_per_s == 50


def test_the_phase_that_is_named_is_watched_after_those_before_it() -> None:
    *before, last = plans("half")
    assert [plan.name for plan in before] == ["capacity", "bulk", "paced"]
    assert (last.name, len(last.devices), [plan.devices for plan in before]) == ("half", 1, [(), (), ()])


def test_a_phase_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match="no phase 'nap' on some-variant; it has capacity, bulk, paced, half"):
        plans("nap")


def test_all_else_is_the_scenarios_own() -> None:
    watched = profiled(SCENARIO, None, "some-profiler", nothing_beside)
    assert (watched.name, watched.columns, watched.headline) == (SCENARIO.name, SCENARIO.columns, SCENARIO.headline)
    assert watched.measures(good_run()) == SCENARIO.measures(good_run())


def test_a_profiled_run_is_marked_and_in_no_statistic() -> None:
    (flag,) = profiled(SCENARIO, None, "some-profiler", nothing_beside).flags(good_run())
    assert (flag.code, flag.severity) == (PROFILED.code, Severity.EXCLUDED)
    assert str(flag) == "profiled: some-profiler watched the worker"
    assert not is_valid([flag])


@pytest.mark.parametrize(("codes", "expected"), [(["profiled"], 0), (["profiled", "foreign-cpu"], 0), (["unsupported"], 1)])
def test_a_set_of_profiles_passes_a_check(tmp_path: Path, codes: list[str], expected: int) -> None:
    folder = unpack("single", tmp_path)
    for file in folder.glob("runs/*/run.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(document | {"valid": False, "flags": [flag(code) for code in codes]}), encoding="utf-8")
    reasons = failures(analyse(folder))
    assert len(reasons) == expected
    assert all(reason.startswith("nothing measured") for reason in reasons)


def flag(code: str) -> dict[str, str]:
    found = next(known for known in flag_kinds() if known.code == code)
    return {"code": code, "severity": found.severity.value, "detail": "made up", "advice": found.advice}


def test_the_agent_is_what_started_the_worker() -> None:
    code = "import subprocess; child = subprocess.Popen(['sleep', '30']); print(child.pid, flush=True); child.wait()"
    root = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert root.stdout is not None
    child = int(root.stdout.readline())
    try:
        assert agent_of((child, root.pid)) == agent_of((root.pid, child)) == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)
        root.wait()


def test_a_process_that_cannot_be_looked_into_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beyond_all = 1 << 30
    monkeypatch.setattr("benchmarks.run.devices.flame_graph.agent_of", lambda _: beyond_all)
    device = FlameGraph(tmp_path / "profiles" / "a.svg", 100, {})
    with (
        pytest.raises(LabError, match=rf"py-spy may not look into process {beyond_all} .*ptrace_scope"),
        device.attach(cast(Places, Mock()), 1, 1),
    ):
        pass
    assert list((tmp_path / "profiles").iterdir()) == []


COMMAND = WorkerCommand(("/env/bin/python", "-m", "some.worker", "--queues", "a"), {"TRACK": "tuned"})


def test_a_command_runs_under_memray_with_its_own_interpreter() -> None:
    watched = under_memray(COMMAND, Path("/packages"), "/checkout", Path("/out/a.bin"))
    assert watched.arguments == (
        *("/env/bin/python", "-m", "memray", "run", "--quiet", "--follow-fork", "--output", "/out/a.bin"),
        *("-m", "some.worker", "--queues", "a"),
    )
    assert watched.environment == {"TRACK": "tuned", "PYTHONPATH": "/checkout:/packages"}


def test_a_path_that_a_command_has_already_is_kept() -> None:
    command = WorkerCommand(("python", "worker.py"), {"PYTHONPATH": "/checkout:/optional"})
    watched = under_memray(command, Path("/packages"), "/checkout", Path("/out/a.bin"))
    assert watched.environment["PYTHONPATH"] == "/checkout:/optional:/packages"
    assert watched.arguments[-1] == "worker.py"


@pytest.mark.parametrize("arguments", [("python", "-X", "dev", "worker.py"), ("python",)])
def test_options_of_the_interpreter_are_not_lost_in_silence(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SupervisionError, match="cannot be run under memray"):
        under_memray(WorkerCommand(arguments), Path("/packages"), "/checkout", Path("/out/a.bin"))


def test_without_a_folder_nothing_runs_under_memray() -> None:
    assert memray_variables(None) == {}


NODE = {
    "LAB_ROLE": "worker",
    "LAB_FRAMEWORK": "some",
    "LAB_VARIANT": "some-variant",
    "LAB_FRAMEWORK_PYTHON": sys.executable,
    "LAB_TOKEN": "token",
    "LAB_EVENTS_DIR": "/events",
    "LAB_REDIS_URL": "redis://localhost",
    "LAB_AGENT_PORT": "1234",
}


def test_a_node_takes_both_of_memrays_variables_or_neither() -> None:
    assert settings_from(NODE).memray_dir is None
    both = settings_from({**NODE, "LAB_MEMRAY_DIR": "/out", "LAB_MEMRAY_PATH": "/packages"})
    assert (both.memray_dir, both.memray_path) == (Path("/out"), Path("/packages"))
    with pytest.raises(SettingsError, match="LAB_MEMRAY_DIR and LAB_MEMRAY_PATH must be set together"):
        settings_from({**NODE, "LAB_MEMRAY_DIR": "/out"})
