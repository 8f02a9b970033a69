"""A benchmark in containers: scenario 1 on every variant, small, through the command line as a user runs it."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.checkout import CHECKOUT
from benchmarks.cli.console import INVALID
from benchmarks.record.flags import Severity
from benchmarks.run.nodes.client import NodeClient
from tests.compose.conftest import Up, eventually
from tests.e2e.scenario_support import OF_THE_MACHINE

pytestmark = pytest.mark.compose

SMALL = (
    *("--scenario", "1", "--preset", "quick", "--max-runs", "1"),
    *("--size", "tasks=400", "--size", "paced_s=2", "--size", "half_s=2"),
)


def run_benchmark(output: Path, *options: str) -> None:
    """Make a set to its end; on a busy machine it may hold no valid run."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "run", "--lab", "compose", "--output-dir", str(output), *options],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, INVALID), done.stdout + done.stderr


@pytest.fixture(scope="module")
def result(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("results")
    run_benchmark(output, *SMALL)
    return output / "latest"


def rows(result: Path) -> list[dict[str, str]]:
    with (result / "scenario_1_throughput.csv").open() as file:
        return list(csv.DictReader(file))


def runs(result: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / "run.json").read_text()) for folder in sorted((result / "runs").iterdir())]


@pytest.mark.timeout(900)
def test_every_variant_has_a_run_with_all_tasks_accounted_for(up: Up, result: Path) -> None:
    assert {row["variant"] for row in rows(result)} == set(up.lab.variants())
    for run in runs(result):
        assert run["failure"] is None
        for account in run["record"]["accounts"].values():
            assert account["lost"] == account["duplicated"] == account["unexpected"] == 0
            assert account["completed"] == account["attempted"] > 0


def test_nothing_but_the_machine_makes_a_run_invalid(up: Up, result: Path) -> None:
    """A busy machine may, which the lab says rather than hides."""
    for run in runs(result):
        severe = {flag["code"]: flag["detail"] for flag in run["flags"] if flag["severity"] == Severity.INVALID}
        assert severe.keys() <= OF_THE_MACHINE, f"{run['variant']}: {severe}"


def test_containers_report_their_cgroups(result: Path) -> None:
    for run in runs(result):
        idle = run["record"]["worker"]["idle"]
        assert idle["cgroup_memory_bytes"] > 0
        assert idle["cgroup_cpu_s"] > 0


def test_the_manifest_names_what_the_servers_report(result: Path) -> None:
    manifest = json.loads((result / "manifest.json").read_text())
    assert manifest["state"] == "complete"
    assert manifest["versions"]["redis"]["redis_version"]
    assert all(image.startswith("sha256:") for image in manifest["settings"]["images"].values())
    assert {"redis", "mock-api"} < manifest["settings"]["images"].keys()
    assert all(versions["python"] for name, versions in manifest["versions"].items() if name != "redis")


def test_afterwards_every_worker_stands_still_again(up: Up, result: Path) -> None:
    def states() -> set[str]:
        return {NodeClient(url, up.lab.token).worker().state for url in up.lab.worker_urls().values()}

    eventually(states, {"paused"})


def test_a_runner_that_is_killed_leaves_no_worker_running(up: Up, tmp_path: Path) -> None:
    variant = sorted(up.lab.variants())[0]
    command = [sys.executable, "-m", "benchmarks", "run", "--lab", "compose", "--scenario", "1", "--variants", variant]
    runner = subprocess.Popen(
        [*command, "--output-dir", str(tmp_path), "--preset", "quick", "--size", "paced_s=60"],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with NodeClient(up.lab.worker_url(variant), up.lab.token) as node:
        eventually(lambda: node.worker().state, "running")
        runner.kill()
        runner.wait()
        eventually(lambda: node.worker().state, "paused")
