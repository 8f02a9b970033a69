"""Whatever ends a command line, and whenever: nothing of it is left, nothing is half written, and it can be gone on with."""

import json
import os
import random
import shutil
import signal
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.checkout import lab_command
from benchmarks.results.result_set import ResultSet
from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.lab import control_of
from benchmarks.run.labs.lock import lock_file
from tasks.contract import framework_names
from tests.e2e.cli_support import REFUSED, SCENARIO, SMALL, Command, Ended, LabCli, StartedLab, sizes
from tests.support import CHECKOUT, is_alive, wait_for

pytestmark = pytest.mark.e2e

TASKS = 100
KILLS = 12
KILLED_WITHIN = (0.2, 4.0)
"""From the start of a command, in the times that its lab took to come up: before that, while it comes up, in a run, while one is
stored."""
SHORT = ("--size", "paced_s=0.2", "--size", "half_s=0.2")


@cache
def descriptions() -> list[dict[str, Any]]:
    return [ask_framework(name, {"op": "describe"}) for name in framework_names()]


def twice_the_control() -> tuple[str, ...]:
    name = control_of(descriptions())
    return "--variants", f"a={name},b={name}"


def one_with_a_pool() -> tuple[str, ...]:
    names = [v["name"] for d in descriptions() for v in d["variants"] if v["execution"] == "child-process"]
    return "--variants", sorted(names)[0]


def holders_of_the_lock() -> set[int]:
    """The processes that hold the lock (flock), as the kernel has them."""
    inode = lock_file().stat().st_ino
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines() if ":" in line]
    return {int(fields[4]) for fields in locks if fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) == inode}


def kill(command: Command) -> None:
    """End it as nothing can be ended harder, and see that its lab follows."""
    command.look()
    command.process.kill()
    command.process.wait()
    for lab in command.labs:
        wait_for(lambda lab=lab: not lab.left(), f"the lab {lab.lab_id} to end")  # type: ignore[misc]
    assert command.process.pid not in holders_of_the_lock()


def half_written(results: ResultSet) -> list[str]:
    return [str(path) for path in results.path.parent.rglob(".unfinished-*")]


def assert_whole(results: ResultSet, names: set[str], repetitions: int) -> None:
    stored = [run.result for run in results.stored_runs()]
    assert sorted((run.variant, run.repetition) for run in stored) == sorted(
        (name, repetition) for name in names for repetition in range(1, repetitions + 1)
    )
    assert [run.run for run in stored] == list(range(1, len(stored) + 1))
    assert all(run.failure is None for run in stored)
    lines = (results.path / f"{SCENARIO}.csv").read_text().splitlines()
    assert len(lines) - 1 == len(stored)
    assert results.manifest()["state"] == "complete"
    assert half_written(results) == []


def resumed(lab_cli: LabCli, path: Path) -> Ended:
    return lab_cli.run("run", "--resume-from", str(path))


def test_a_suite_that_is_killed_again_and_again_is_complete_in_the_end(lab_cli: LabCli) -> None:
    draw = random.Random(1)
    variants, started_s = twice_the_control(), time.monotonic()
    begun = lab_cli.begin("run", *SMALL, *SHORT, *sizes(TASKS, runs=3), *variants, until="Writing to")
    up_after_s = time.monotonic() - started_s
    path = Path(begun.output().split("Writing to ")[1].splitlines()[0])
    begun.watch(draw.uniform(0, KILLED_WITHIN[1]) * up_after_s)
    kill(begun)
    labs = [*begun.labs]
    kept: list[bytes] = []
    for _ in range(KILLS - 1):
        command = lab_cli.start("run", "--resume-from", str(path))
        command.watch(draw.uniform(*KILLED_WITHIN) * up_after_s)
        kill(command)
        labs += command.labs
        now = [(run.folder / "run.json").read_bytes() for run in ResultSet.open(path).stored_runs()]
        assert now[: len(kept)] == kept, "what was stored stays as it is"
        kept = now
    assert len({lab.lab_id for lab in labs}) == len(labs) > KILLS / 2, "most were killed when their lab was up already"
    ended = resumed(lab_cli, path)
    assert ended.errors == ""
    assert_whole(ResultSet.open(path), {"a", "b"}, repetitions=3)
    assert [lab.left() for lab in labs if lab.left()] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_semaphores_and_logs_go_with_it(lab_cli: LabCli, number: signal.Signals) -> None:
    command = lab_cli.begin("run", *SMALL, *sizes(TASKS), *one_with_a_pool(), until="Writing to")
    [lab] = command.labs

    def has_pool() -> bool:
        return any(path.name.startswith("sem.") for path in lab.temporary_files())

    wait_for(has_pool, "the pool of the worker")
    open_then = lab.temporary_files()
    assert any(path.suffix == ".log" for path in open_then)
    if number == signal.SIGKILL:
        kill(command)
    else:
        command.process.send_signal(number)
        command.end()
    assert [path for path in open_then if path.exists()] == []


def test_beside_another_lab_every_row_says_so_and_no_set_has_two_writers(lab_cli: LabCli) -> None:
    first = lab_cli.begin("run", *SMALL, *SHORT, *sizes(TASKS, runs=50), *twice_the_control(), until="Writing to")
    path = first.output().split("Writing to ")[1].splitlines()[0]
    again = lab_cli.start("run", "--resume-from", path, "--share-the-machine").end()
    assert (again.code, f"another process adds to {path}" in again.errors) == (1, True)
    beside = lab_cli.start("run", *SMALL, *SHORT, *sizes(TASKS), *twice_the_control(), "--share-the-machine").end()
    kill(first)
    rows = beside.rows()
    assert {row["variant"] for row in rows} == {"a", "b"}
    assert all("machine-shared" in row["flags"].split(";") for row in rows)
    for document in beside.documents().values():
        [detail] = [flag["detail"] for flag in document["flags"] if flag["code"] == "machine-shared"]
        assert f"process {first.process.pid} of " in detail


def test_an_interrupted_suite_leaves_nothing_and_goes_on_where_it_stopped(lab_cli: LabCli) -> None:
    command = lab_cli.begin("run", *SMALL, *SHORT, *sizes(TASKS, runs=2), *twice_the_control(), until="[1/4]")
    second = lab_cli.start("run", *SMALL, *sizes(TASKS), *twice_the_control()).end()
    assert (second.code, second.output) == (1, "")
    assert REFUSED in second.errors
    assert f"process {command.process.pid} of " in second.errors
    assert f"in {CHECKOUT}, since 2" in second.errors
    assert "wait for it to end" in second.errors
    stored = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        command.process.send_signal(number)
        ended = command.end()
        assert stored < len(ended.results.stored_runs()) < 4
        stored = len(ended.results.stored_runs())
        assert_interrupted(ended)
        command = lab_cli.begin("run", "--resume-from", str(ended.results.path), until=f"[{stored + 1}/4]")
    ended = command.end()
    assert (ended.code in (0, 3), ended.errors) == (True, "")
    assert_whole(ended.results, {"a", "b"}, repetitions=2)
    assert_goes_on_elsewhere_only_if_told_to(lab_cli, ended.results)


def assert_goes_on_elsewhere_only_if_told_to(lab_cli: LabCli, results: ResultSet) -> None:
    """The same set as if it had been begun with another commit and kernel, and its last run were missing."""
    *kept, last = results.stored_runs()
    shutil.rmtree(last.folder)
    manifest = json.loads((results.path / "manifest.json").read_text())
    now = manifest["host"]["kernel"]
    manifest |= {"git": {"commit": "0" * 40, "dirty": False}, "host": {**manifest["host"], "kernel": "Elsewhere 1.0"}}
    manifest["facts"]["pbkdf2_iterations_per_ms"] = 1.0
    before = json.dumps(manifest)
    (results.path / "manifest.json").write_text(before)
    refused = resumed(lab_cli, results.path)
    assert (refused.code, (results.path / "manifest.json").read_text()) == (1, before)
    assert f"git commit: {'0' * 40} → " in refused.errors
    assert f"host kernel: Elsewhere 1.0 → {now}" in refused.errors
    assert "pbkdf2 iterations per ms: 1 → " in refused.errors
    assert "--accept-differences" in refused.errors
    accepted = lab_cli.run("run", "--resume-from", str(results.path), "--accept-differences")
    assert (accepted.code in (0, 3), accepted.errors) == (True, "")
    assert [run.result.epoch for run in accepted.results.stored_runs()] == [*(1 for _ in kept), 2]
    assert f"{last.result.variant}-epoch-2" in (results.path / f"{SCENARIO}_stats.json").read_text()


def assert_interrupted(ended: Ended) -> None:
    results = ended.results
    stored = len(results.stored_runs())
    assert ended.code == 130
    assert ended.errors.splitlines() == [
        f"Not complete: {stored} runs are kept. Go on with: {lab_command('benchmark-resume', results.path)}",
        "Interrupted; nothing that this command started is left running.",
    ]
    assert results.manifest()["state"] == "interrupted"
    assert results.manifest()["finished_utc"] is not None
    assert half_written(results) == []


def test_ctrl_c_while_the_lab_comes_up_leaves_nothing(lab_cli: LabCli) -> None:
    command = lab_cli.begin("run", *SMALL, *sizes(TASKS), *twice_the_control())
    os.killpg(command.process.pid, signal.SIGINT)
    ended = command.end()
    assert (ended.code, ended.errors) == (130, "Interrupted; nothing that this command started is left running.\n")


def test_a_broken_lab_leaves_nothing(lab_cli: LabCli) -> None:
    ended = lab_cli.run("run", *SMALL, *sizes(TASKS), PATH="/nothing/such")
    assert (ended.code, "Writing to" in ended.output) == (1, False)
    assert ended.errors.startswith("Error: redis-server is not on the path: install Redis")
    assert ended.labs, "its janitor was there, and has left nothing"


def test_a_node_that_is_killed_ends_the_suite_with_its_name(lab_cli: LabCli) -> None:
    command = lab_cli.begin("run", *SMALL, *sizes(TASKS, runs=2), *twice_the_control(), until="[1/4]")
    [lab] = command.labs
    for node in worker_nodes(lab):
        os.kill(node, signal.SIGKILL)
        wait_for(lambda node=node: not is_alive(node), "the node to die")  # type: ignore[misc]
    ended = command.end()
    assert ended.code == 1
    assert f"node worker-{control_of(descriptions())}" in ended.errors
    assert "Traceback" not in ended.errors
    assert ended.results.manifest()["state"] == "interrupted"
    assert half_written(ended.results) == []


def worker_nodes(lab: StartedLab) -> list[int]:
    found = []
    for process in lab.processes():
        arguments = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        environment = Path(f"/proc/{process}/environ").read_text().split("\0")
        if "infrastructure.agent" in arguments and "LAB_ROLE=worker" in environment:
            found.append(process)
    assert found
    return found
