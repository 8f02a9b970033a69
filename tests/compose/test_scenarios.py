"""Every scenario in containers, one run each on the control and a variant of every framework, as a user runs them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record.flags import TASK_DOUBLED, Severity
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_7_real_world import RETRY_GIVEN_OUT_TWICE
from tests.compose.conftest import Up
from tests.compose.test_benchmark import run_benchmark
from tests.e2e.scenario_support import OF_THE_MACHINE

pytestmark = pytest.mark.compose

SCENARIOS = [scenario for scenario in all_scenarios().values() if scenario.number != 1]


@pytest.fixture(scope="module")
def result(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of each scenario but the first on one variant of each framework: the first by name."""
    output = tmp_path_factory.mktemp("results")
    frameworks = {framework: variant for variant, framework in sorted(up.lab.variants().items(), reverse=True)}
    numbers = ",".join(str(scenario.number) for scenario in SCENARIOS)
    chosen = ",".join(frameworks.values())
    run_benchmark(output, "--scenario", numbers, "--variants", chosen, "--preset", "quick", "--max-runs", "1")
    return output / "latest"


def runs_of(result: Path, scenario: str) -> list[dict[str, Any]]:
    return [json.loads((folder / "run.json").read_text()) for folder in sorted((result / "runs").glob(f"*_{scenario}_*"))]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
def test_every_row_is_valid_or_says_why_not(up: Up, result: Path, scenario: str) -> None:
    with (result / f"{scenario}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["framework"] for row in rows} == set(up.lab.variants().values())
    for run in runs_of(result, scenario):
        assert run["failure"] is None, run["failure"]
        severe = {f["code"]: f["detail"] for f in run["flags"] if f["severity"] == Severity.INVALID}
        # Some frameworks give a retry out twice when two processes find it due at once: a finding, which the run explains.
        is_explained = any(f["code"] == RETRY_GIVEN_OUT_TWICE.code for f in run["flags"])
        allowed = OF_THE_MACHINE | ({TASK_DOUBLED.code} if is_explained else set())
        assert set(severe) <= allowed, f"{run['variant']}: {severe}"
        excluded = [f["detail"] for f in run["flags"] if f["severity"] == Severity.EXCLUDED]
        assert run["valid"] or severe or all(excluded)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_that_counts_has_its_headline(result: Path, scenario: Any) -> None:
    for run in runs_of(result, scenario.name):
        assert not run["valid"] or run["measures"][scenario.headline] is not None, run["variant"]
