"""What breaks in the middle of a run: Redis killed in a phase, an agent killed in another, or while it is read from."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread

import pytest
import redis
from rich.console import Console

from benchmarks.cli.choices import manifest_of
from benchmarks.cli.progress import PlainDisplay
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.flags import RUN_FAILED, WORKER_DIED
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.suite import Suite
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from infrastructure.janitor import processes_of_lab
from tests.e2e.scenario_support import number_of

pytestmark = pytest.mark.e2e
LISTEN = "0A"
SIZES = {"tasks": 200, "paced_s": 0.3, "half_s": 0.3}


class Breaking(PlainDisplay):
    """Breaks something of each of these variants when a phase of it begins for the first time."""

    def __init__(self, phase: str, breaks: Mapping[str, Callable[[], None]]) -> None:
        super().__init__(Console(stderr=True))
        self._phase, self._breaks = phase, dict(breaks)
        self._title = ""

    def begin_run(self, title: str, number: int, total: int) -> None:
        super().begin_run(title, number, total)
        self._title = title

    def phase(self, name: str, planned: int) -> None:
        super().phase(name, planned)
        if name == self._phase:
            for variant in [variant for variant in self._breaks if f", {variant} " in self._title]:
                self._breaks.pop(variant)()


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
        display = Breaking("half", {control: lambda: os.kill(server, signal.SIGKILL)})
        suite, results = suite_of(lab, tmp_path, display, (control,))
        with pytest.raises(LabError, match=r"Redis at .* is gone .* resume the result set"):
            suite.execute()
        [stored] = results.stored_runs()
    # Whichever is seen first: that Redis is gone, or that the worker died of it.
    assert RUN_FAILED.among(stored.result.flags) or WORKER_DIED.among(stored.result.flags)
    assert "Ready to accept connections" in (stored.folder / "redis.log").read_text()
    assert "Ready to accept connections" in (stored.result.failure or "")
    assert results.completed() == set(), "it is to be made again"
    assert tasks_of(stored, "capacity") == SIZES["tasks"]


def test_an_agent_that_is_killed_costs_its_own_variant_and_the_set_is_not_complete(tmp_path: Path) -> None:
    with LocalLab() as lab:
        lost, looked_at, *others = sorted(lab.variants())
        kept = next(name for name in others if lab.variants()[name] not in (lab.variants()[lost], lab.variants()[looked_at]))

        def agent_of(variant: str) -> int:
            port = int(lab.worker_url(variant).rpartition(":")[2])
            [agent] = [p for p in processes_of_lab(lab.lab_id, lab.folder) if listens(p, port)]
            return agent

        def kill_in_a_look() -> None:
            agent, port = agent_of(looked_at), int(lab.worker_url(looked_at).rpartition(":")[2])
            os.kill(agent, signal.SIGSTOP)  # so that it is found with what the runner asks at the phase's first mark
            Thread(target=kill_once_it_is_asked, args=(agent, port), daemon=True).start()

        breaks = {lost: lambda: os.kill(agent_of(lost), signal.SIGKILL), looked_at: kill_in_a_look}
        suite, results = suite_of(lab, tmp_path, Breaking("half", breaks), (lost, looked_at, kept))
        with pytest.raises(LabError, match=f"worker-({lost}|{looked_at})"):
            suite.execute()
    stored = list(results.stored_runs())
    assert any(run.result.variant == kept and run.result.failure is None for run in stored)
    for variant in (lost, looked_at):
        failed = [run for run in stored if run.result.variant == variant]
        assert all(run.result.failure and RUN_FAILED.among(run.result.flags) for run in failed)
        assert f"node worker-{variant}" in str(failed[0].result.failure)
        log = f"worker-{variant}.log"
        assert f"Its log, which is {log} in the run's folder, ends:" in str(failed[0].result.failure)
        assert (failed[0].folder / log).is_file()
        assert tasks_of(failed[0], "capacity") == SIZES["tasks"], "what the producer has sent is kept"


def kill_once_it_is_asked(agent: int, port: int) -> None:
    """Kill an agent that is stopped as soon as a request waits for it."""
    while not any(
        int(fields[4].rpartition(":")[2], 16) for fields in sockets() if port_of(fields) == port and fields[3] != LISTEN
    ):
        time.sleep(0.01)
    os.kill(agent, signal.SIGKILL)


def tasks_of(run: StoredRun, phase: str) -> int:
    """How many tasks are kept of a phase."""
    return int((run.tasks()["phase"] == number_of(run, phase)).sum())


def listens(process: int, port: int) -> bool:
    """Whether a process listens on a port of loopback."""
    listening = {fields[9] for fields in sockets() if fields[3] == LISTEN and port_of(fields) == port}
    try:
        links = [str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:
        return False
    return any(f"socket:[{inode}]" in links for inode in listening)


def sockets() -> list[list[str]]:
    """The fields of each TCP socket (proc_net_tcp(5)): 1 local address and port, 3 state, 4 bytes to be sent and to be read, 9
    inode."""
    return [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]


def port_of(fields: list[str]) -> int:
    """The local port of a socket."""
    return int(fields[1].rpartition(":")[2], 16)
