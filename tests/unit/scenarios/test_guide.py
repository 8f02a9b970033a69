"""The scenario that docs/adding-a-scenario.md adds works as it stands there."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchmarks.run.devices
import benchmarks.scenarios
import tasks
from benchmarks.chart import Chart
from benchmarks.record.run_data import RunData
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from tasks.loads import Paced, only
from tests.support import CHECKOUT
from tests.unit.made_up import MS, context, executed, good_run, phase_data

BLOCK = re.compile(r"^```python\n# (?P<file>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDE = CHECKOUT / "docs" / "adding-a-scenario.md"
MOST_LINES = 90
NAME = "scenario_12_naps"


def blocks() -> dict[str, str]:
    return {found["file"]: found["code"] for found in BLOCK.finditer(GUIDE.read_text(encoding="utf-8"))}


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """The guide's scenario, found beside those of the lab."""
    modules = []
    for file, code in blocks().items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
        modules.append(file.removesuffix(".py").replace("/", "."))
    for package in (tasks, benchmarks.run.devices, benchmarks.scenarios):
        folder = tmp_path.joinpath(*package.__name__.split("."))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    try:
        yield all_scenarios()[NAME]
    finally:
        for module in modules:
            monkeypatch.delitem(__import__("sys").modules, module, raising=False)


def run_of(scenario: Scenario) -> RunData:
    """Tasks that are told to sleep about 50 ms, and sleep 100."""
    rows = [row for i in range(20) for row in executed(i, i * 50 * MS, service_ns=100 * MS)]
    naps = phase_data(1, "naps", Paced(20, 1), rows, 20, tasks=only("nap", {"ms": 50, "seed": 1}))
    read = {"redis_clients": pd.DataFrame({"clients": [7]})}
    phases = {"naps": type(naps)(naps.record, naps.tasks, naps.account, read)}
    made = good_run()
    return RunData(scenario.name, made.variant, made.run, context(scenario.sizes["quick"]), made.worker, phases, made.samples)


def test_the_guide_has_a_block_for_each_file_and_the_scenario_is_short() -> None:
    assert list(blocks()) == ["tasks/nap_work.py", "benchmarks/run/devices/redis_clients.py", f"benchmarks/scenarios/{NAME}.py"]
    assert len(blocks()[f"benchmarks/scenarios/{NAME}.py"].splitlines()) <= MOST_LINES


def test_what_it_declares_makes_sense(scenario: Scenario) -> None:
    assert {scenario.headline, *scenario.summary, *scenario.better, *scenario.expected} <= set(scenario.columns)
    for sizes in scenario.sizes.values():
        scenario.check(sizes)
    (plan,) = scenario.phases(context(scenario.sizes["quick"]))
    assert (plan.name, plan.load, [device.name for device in plan.devices]) == ("naps", Paced(20, 2), ["redis_clients"])


def test_it_measures_flags_and_draws(scenario: Scenario) -> None:
    data = run_of(scenario)
    measures = scenario.measures(data)
    assert list(measures) == list(scenario.columns)
    assert measures["slept_mean_ms"] == 100
    assert measures["redis_clients_count"] == 7
    told_ms, over_ms = measures["told_mean_ms"], measures["overslept_p50_ms"]
    assert told_ms is not None and 25 < told_ms < 75
    assert over_ms is not None and 25 < over_ms < 75
    assert [flag.code for flag in scenario.flags(data)] == ["overslept"]
    stored = ChartData(("some-fast",), None, {"some-fast": {"overslept_p50_ms": (over_ms,)}}, {})
    (chart,) = scenario.charts(stored)
    assert isinstance(chart, Chart)
    assert chart.variants() == ["some-fast"]
    assert scenario.charts(ChartData((), None, {}, {})) == []


def test_its_workload_sleeps_as_long_as_it_is_told(scenario: Scenario) -> None:
    nap_work = importlib.import_module("tasks.nap_work")
    told_ms = [nap_work.nap_ms({"ms": 2, "seed": 1}, sequence) for sequence in range(200)]
    assert 1 <= min(told_ms) < 1.2 < 2.8 < max(told_ms) < 3
    assert np.mean(told_ms) == pytest.approx(2, abs=0.2)
    nap_work.NAP.blocking({"ms": 2, "seed": 1}, (1, 1, 3, 1))
