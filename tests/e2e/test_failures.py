"""What breaks in the middle of a run: Redis killed in a phase, an agent killed in another."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from rich.console import Console

from benchmarks.cli.choices import manifest_of
from benchmarks.cli.progress import PlainDisplay
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.flags import RUN_FAILED
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.suite import Suite
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from infrastructure.janitor import processes_of_lab
from tests.e2e.scenario_support import number_of

pytestmark = pytest.mark.e2e
SIZES = {"tasks": 200, "paced_s": 0.3, "half_s": 0.3}


class Breaking(PlainDisplay):
    """Breaks something when a phase of a variant begins for the first time."""

    def __init__(self, variant: str, phase: str, breaks: Callable[[], None]) -> None:
        super().__init__(Console(stderr=True))
        self._variant, self._phase, self._breaks = variant, phase, [breaks]
        self._title = ""

    def begin_run(self, title: str, number: int, total: int) -> None:
        super().begin_run(title, number, total)
        self._title = title

    def phase(self, name: str, planned: int) -> None:
        super().phase(name, planned)
        if name == self._phase and f", {self._variant} " in self._title and self._breaks:
            self._breaks.pop()()


def suite_of(lab: LocalLab, root: Path, display: Breaking, variants: tuple[str, ...]) -> tuple[Suite, ResultSet]:
    plan = SuitePlan(
        lab="local",
        preset="quick",
        scenarios=(SCENARIO.name,),
        entries=tuple(Entry(variant, variant) for variant in variants),
        sizes=SIZES,
        runs=1,
        max_runs=2,
        processes=1,
        concurrency=1,
        warmup_s=0.1,
        run_timeout_s=60,
        seed=1,
    )
    results = ResultSet.create(root, "test", manifest_of(plan, [SCENARIO], lab))
    return Suite(plan, [SCENARIO], lab, results, display), results


def test_redis_that_is_killed_in_a_phase_ends_the_suite_and_loses_nothing_of_the_phase_before(tmp_path: Path) -> None:
    with LocalLab() as lab:
        control = sorted(name for name, framework in lab.variants().items() if name == framework)[0]
        server = int(redis.Redis.from_url(lab.redis_url).info("server")["process_id"])
        display = Breaking(control, "half", lambda: os.kill(server, signal.SIGKILL))
        suite, results = suite_of(lab, tmp_path, display, (control,))
        with pytest.raises(LabError, match=r"Redis at .* is gone .* resume the result set"):
            suite.execute()
        [stored] = results.stored_runs()
    assert RUN_FAILED.among(stored.result.flags)
    assert results.completed() == set(), "it is to be made again"
    assert tasks_of(stored, "capacity") == SIZES["tasks"]


def test_an_agent_that_is_killed_costs_its_own_variant_and_the_set_is_not_complete(tmp_path: Path) -> None:
    with LocalLab() as lab:
        names = sorted(lab.variants())
        lost, kept = names[0], next(name for name in names if lab.variants()[name] != lab.variants()[names[0]])

        def kill_its_agent() -> None:
            port = lab.worker_url(lost).rpartition(":")[2]
            [agent] = [p for p in processes_of_lab(lab.lab_id, lab.folder) if listens(p, int(port))]
            os.kill(agent, signal.SIGKILL)

        suite, results = suite_of(lab, tmp_path, Breaking(lost, "half", kill_its_agent), (lost, kept))
        with pytest.raises(LabError, match=f"worker-{lost}"):
            suite.execute()
    rows = [stored.result for stored in results.stored_runs()]
    assert any(row.variant == kept and row.failure is None for row in rows)
    failed = [stored for stored in results.stored_runs() if stored.result.variant == lost]
    assert all(stored.result.failure for stored in failed)
    assert tasks_of(failed[0], "capacity") == SIZES["tasks"], "what the producer has sent is kept"


def tasks_of(run: StoredRun, phase: str) -> int:
    """How many tasks are kept of a phase."""
    return int((run.tasks()["phase"] == number_of(run, phase)).sum())


def listens(process: int, port: int) -> bool:
    """Whether a process listens on a port of loopback."""
    listening = {
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
    }
    try:
        links = [str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:
        return False
    return any(f"socket:[{inode}]" in links for inode in listening)
