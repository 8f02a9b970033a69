"""Profiles of a worker under a scenario's load, in runs of their own: marked, and in no comparison."""

import subprocess
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.run_data import RunContext, RunData
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Device, Look, PhasePlan, Scenario
from benchmarks.run.devices.flame_graph import FlameGraph
from benchmarks.run.environment import lab_environment
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import LocalLab, interpreter, packages_of
from infrastructure.agent.memory_profile import DIR_VARIABLE, PATH_VARIABLE
from infrastructure.janitor import LAB_ID_VARIABLE

PROFILED = FlagKind(
    "profiled",
    Severity.EXCLUDED,
    "{profiler} watched the worker",
    "Nothing is to be done: a profiler slows down what it watches, so the run is in no comparison.",
)

FLAGS = (PROFILED,)

PROFILES = "profiles"
"""The folder of a result set that they go to."""
PROFILER = "profiler"
"""The setting in a result set's manifest that says what its runs were profiled with."""
MEMRAY_ENVIRONMENT = "memray"

Devices = Callable[[str], tuple[Device, ...]]
"""What watches the phase, for a variant."""


def nothing_beside(_: str) -> tuple[Device, ...]:
    """No device: whatever watches the worker started with it."""
    return ()


def profiled(scenario: Scenario, phase: str | None, profiler: str, devices: Devices = nothing_beside) -> Scenario:
    """The scenario with ``devices`` beside one of its phases (the first, unless one is named), whose runs end with that phase and
    bear the flag that keeps them out of every statistic."""
    return cast(Scenario, _Profiled(scenario, phase, profiler, devices))


class _Profiled:
    def __init__(self, scenario: Scenario, phase: str | None, profiler: str, devices: Devices) -> None:
        self._scenario = scenario
        self._phase = phase
        self._profiler = profiler
        self._devices = devices

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scenario, name)

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The scenario's own, up to the one that is watched."""
        own, look, before = self._scenario.phases(context), None, []
        while True:
            try:
                plan = next(own) if look is None else own.send(look)
            except StopIteration:
                break
            if self._phase in (None, plan.name):
                yield replace(plan, devices=(*plan.devices, *self._devices(context.variant.name)))
                return
            before.append(plan.name)
            look = yield plan
        raise LabError(
            f"{self._scenario.name} has no phase {self._phase!r} on {context.variant.name}; it has {', '.join(before)}"
        )

    def flags(self, data: RunData) -> Sequence[Flag]:
        """The scenario's own, and that the run was profiled."""
        return (*self._scenario.flags(data), PROFILED.flag(profiler=self._profiler))


def flame_graphs(result: Path, lab: LocalLab, rate_per_s: int, scenario: str) -> Devices:
    """What draws flame graphs of the CPU time of workers of this lab into a result set's folder."""

    def beside(variant: str) -> tuple[Device, ...]:
        file = result / PROFILES / f"{scenario}_{variant}_profile.svg"
        return (FlameGraph(file, rate_per_s, {LAB_ID_VARIABLE: lab.lab_id}),)

    return beside


def memray_variables(allocations: Path | None) -> dict[str, str]:
    """What has a node run its workers under memray, which writes into this folder; nothing without one. Raises LabError where
    memray's environment has not been made."""
    if allocations is None:
        return {}
    return {DIR_VARIABLE: str(allocations), PATH_VARIABLE: str(packages_of(MEMRAY_ENVIRONMENT))}


def draw_memory(results: ResultSet, allocations: Path) -> None:
    """Draw what memray has written of the workers of all runs as flame graphs (HTML) of their memory at its peak: one for each
    process, the one that allocated most often first. Raises LabError where one cannot be drawn, or there are none of a run that
    went well."""
    folder = results.path / PROFILES
    folder.mkdir(exist_ok=True)
    for run in (stored.result for stored in results.stored_runs()):
        files = sorted(allocations.glob(f"{run.variant}-[0-9]*.bin*"), key=lambda file: (-file.stat().st_size, file.name))
        if not files and run.failure is None:
            raise LabError(f"memray has written nothing of {run.variant}: its worker ended before it allocated anything")
        for number, file in enumerate(files, start=1):
            name = f"{run.scenario}_{run.variant}_memory{f'_{number}' if len(files) > 1 else ''}.html"
            _draw_memory(file, folder / name)


def _draw_memory(allocations: Path, target: Path) -> None:
    command = [str(interpreter(MEMRAY_ENVIRONMENT)), "-m", "memray", "flamegraph", "--force"]
    command += ["--output", str(target), str(allocations)]
    done = subprocess.run(command, capture_output=True, text=True, env=lab_environment({}), check=False)
    if done.returncode != 0:
        raise LabError(f"memray could not draw {allocations.name}: {(done.stderr or done.stdout).strip()}")
