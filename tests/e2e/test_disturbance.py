"""A machine that is disturbed while the lab measures: by programs beside it, from the start or half-way, and by a CPU limit."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.record.flags import CPU_LIMITED, FOREIGN_CPU_HIGH, MACHINE_SPEED_MOVED, FlagKind
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.machine.control_groups import CGROUP_ROOT
from tests.e2e.cli_support import REFUSED, REFUSED_FOR_S, SMALL, Ended, LabCli, sizes
from tests.e2e.scenario_support import run_scenario
from tests.e2e.test_truth import control

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

BURNER = "a-cpu-burner"
TASKS = 400
SIZES = {"tasks": TASKS, "paced_s": 0.5, "half_s": 0.5}
QUOTA_CORES = 0.6
PERIOD_US = 100_000


@contextmanager
def burners(folder: Path, count: int = 2) -> Iterator[None]:
    """Programs that do nothing but take CPU time."""
    program = folder / BURNER
    if not program.exists():
        program.symlink_to("/bin/sh")
    with ExitStack() as running:
        for _ in range(count):
            process = running.enter_context(subprocess.Popen([program, "-c", "while :; do :; done"]))
            running.callback(process.kill)
        yield


class StartsAt:
    """A display that starts burners when a phase begins."""

    def __init__(self, phase: str, folder: Path, running: ExitStack) -> None:
        self._phase, self._folder, self._running = phase, folder, running

    def phase(self, name: str, planned: int) -> None:
        if name == self._phase:
            self._running.enter_context(burners(self._folder, 2 * len(os.sched_getaffinity(0))))

    def progress(self, done: int) -> None: ...

    def begin_run(self, title: str, number: int, total: int) -> None: ...

    def end_run(self, title: str, outcome: str, good: bool) -> None: ...

    def end_planned_runs(self, scenario: object, rows: Sequence[RunResult], shares: object, wanting: Sequence[str]) -> None: ...

    def end_scenario(self, scenario: object, rows: Sequence[RunResult], shares: object) -> None: ...


def details(row: RunResult, kind: FlagKind) -> list[str]:
    return [flag.detail for flag in row.flags if flag.code == kind.code]


def figure(row: RunResult, measure: str) -> float:
    """What a measure came to, though a phase that it is of is invalid."""
    return float({**row.measures, **row.spoiled}[measure] or 0)


def test_two_burners_beside_a_run_are_named_and_the_run_is_repeated(lab_cli: LabCli, tmp_path: Path) -> None:
    with burners(tmp_path):
        ended = lab_cli.run("run", *SMALL, *sizes(TASKS), "--variants", control(), "--runs", "1", "--max-runs", "2")
    rows = [stored.result for stored in ended.results.stored_runs()]
    assert len(rows) == 2, "as many as the budget has"
    for row in rows:
        assert row.failure is None
        assert not row.valid
        found = details(row, FOREIGN_CPU_HIGH)
        assert found
        assert all(BURNER in detail for detail in found)
        assert figure(row, "foreign_cpu_cores") > 0.15
    assert "foreign-cpu-high" in ended.output


def test_burners_that_start_half_way_cost_the_phases_that_they_touched(local_lab: LocalLab, tmp_path: Path) -> None:
    with ExitStack() as running:
        results = run_scenario(
            local_lab, tmp_path / "results", 1, [control()], SIZES, display=StartsAt("half", tmp_path, running)
        )
    [row] = [stored.result for stored in results.stored_runs()]
    assert not row.valid
    assert any(detail.startswith("half:") for detail in details(row, FOREIGN_CPU_HIGH))
    assert any(detail.startswith("half:") for detail in details(row, MACHINE_SPEED_MOVED))
    assert not any(BURNER in detail for detail in details(row, FOREIGN_CPU_HIGH) if not detail.startswith("half:"))


@pytest.fixture
def limited_group() -> Iterator[Path]:
    """A control group that may use 0.6 of a core; the file that moves a process into it."""
    name = f"queuelab-test-{os.getpid()}"
    is_v2 = (CGROUP_ROOT / "cgroup.controllers").exists()
    group = CGROUP_ROOT / name if is_v2 else CGROUP_ROOT / "cpu" / name
    quota_us = round(QUOTA_CORES * PERIOD_US)
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        try:
            if is_v2:
                (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        except OSError as error:
            pytest.skip(f"no CPU limit can be set here: {error}")
        yield group / "cgroup.procs"
    finally:
        give_up_at = time.monotonic() + 10
        while group.exists() and time.monotonic() < give_up_at:
            with suppress(OSError):
                group.rmdir()
            time.sleep(0.05)


def limited(lab_cli: LabCli, processes: Path, *arguments: str) -> Ended:
    """The command line in a control group, once no other benchmark holds the checkout."""
    give_up_at = time.monotonic() + REFUSED_FOR_S
    while True:
        command = lab_cli.start(*arguments)
        processes.write_text(str(command.process.pid))
        ended = command.end()
        if REFUSED not in ended.errors:
            return ended
        assert time.monotonic() < give_up_at, ended.errors
        time.sleep(2)


def test_a_limit_of_less_than_a_core_is_in_the_manifest_and_makes_what_it_holds_back_invalid(
    lab_cli: LabCli, limited_group: Path
) -> None:
    ended = limited(lab_cli, limited_group, "run", *SMALL, *sizes(4 * TASKS), "--variants", control())
    results: ResultSet = ended.results
    limits = results.manifest()["host"]["limits"]
    assert limits["cgroup"]["cpu_cores"] == pytest.approx(QUOTA_CORES)
    assert [quota["cores"] for quota in limits["cpu_quotas"]] == [pytest.approx(QUOTA_CORES)]
    [row] = [stored.result for stored in results.stored_runs()]
    assert not row.valid
    assert any(f"the limit of {QUOTA_CORES:.2f} cores" in detail for detail in details(row, CPU_LIMITED))
    assert figure(row, "limited_s") > 0
