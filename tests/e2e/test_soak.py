"""A soak on real servers: every task accounted for, with its worker killed once, ended in order before its time."""

import os
import signal

import pytest

from benchmarks.plan.soak_plan import CLASSES, FAILING, RETRIED
from benchmarks.results.soak_folder import soaks_in
from benchmarks.soak.summary import INTERRUPTED
from tests.e2e.cli_support import LabCli
from tests.support import wait_for

pytestmark = pytest.mark.e2e

VARIANT = "asynctasq-async"
SIZES = {"window_s": 1, "capacity_tasks": 200, "burst_every_s": 6, "burst_s": 1, "fail_share": 0.05, "retry_share": 0.05}


def test_a_soak_accounts_for_every_task_and_outlives_its_worker(lab_cli: LabCli) -> None:
    options = [f"--size={name}={value}" for name, value in SIZES.items()]
    command = lab_cli.begin("soak", VARIANT, "--minutes", "2", *options, until="tasks/s, 50% of a capacity")
    command.watch(7)
    [lab] = command.labs
    workers = [pid for pid in lab.processes() if is_worker(pid)]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    command.until_printed("worker-started")
    command.watch(4)
    command.process.send_signal(signal.SIGINT)
    ended = command.end()
    assert ended.code == 0, ended.errors

    [soak] = soaks_in(ended.results.path)
    summary, windows = soak.summary(), soak.windows()
    totals = summary.totals
    assert (summary.state, summary.worker_deaths) == (INTERRUPTED, 1)
    assert [event.kind for event in soak.events() if event.kind.startswith("worker")] == ["worker-died", "worker-started"]
    assert totals.attempted == totals.completed + totals.failed + totals.lost + totals.outstanding + totals.send_failed
    assert totals.attempted > 100
    assert totals.unexpected == 0
    assert totals.retried > 0
    assert 0 < totals.failed <= summary.planned_failures
    assert [window.index for window in windows] == list(range(len(windows)))
    assert sum(window.sent for window in windows) == totals.attempted
    assert {code for window in windows for code, _ in window.latencies} == set(CLASSES)
    assert {FAILING, RETRIED} <= set(CLASSES)
    assert {window.generation for window in windows} - {None} == {1, 2}
    assert any("worker_pss_bytes" in window.gauges for window in windows)
    assert list((soak.path / "segments").iterdir())
    assert (soak.path / "workers" / "001.log").exists()
    assert "ended by SIGINT" in (summary.failure or "")
    wait_for(lambda: not lab.left(), "the lab to end")


def is_worker(pid: int) -> bool:
    """Whether a process runs the framework's worker."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            command = file.read()
    except OSError:
        return False
    return b"asynctasq" in command and b"worker" in command and b"tasks.bridge" not in command
