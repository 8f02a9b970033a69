"""Profiles of real workers, made on the command line as a user does."""

import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.results.files import LATEST
from benchmarks.run.profiling import PROFILED
from tests.e2e.cli_support import Ended, LabCli
from tests.support import wait_for

SMALL = ("--preset", "quick", "--size", "tasks=400")

pytestmark = pytest.mark.e2e


def frames(ended: Ended, variant: str) -> str:
    """All that stands in a flame graph, a line for every frame."""
    text = (ended.results.path / "profiles" / f"scenario_1_throughput_{variant}_profile.svg").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"<title>([^<]*)", text))


@pytest.fixture(scope="module")
def made(lab_cli: LabCli) -> Ended:
    ended = lab_cli.run("profile", "floor,celery-prefork", *SMALL)
    assert ended.code == 0, ended.errors
    return ended


def test_a_flame_graph_names_the_functions_of_the_whole_tree(made: Ended) -> None:
    control = frames(made, "floor")
    assert len(re.findall(r"process \d+:.*tasks\.floor_tasks", control)) == 2
    assert re.search(r"main \(tasks/floor_tasks\.py", control)
    assert re.search(r"work \(tasks/floor_tasks\.py", control)
    pool = frames(made, "celery-prefork")
    assert len(re.findall(r"process \d+:.*celery --app=tasks\.celery_tasks worker", pool)) == 3
    assert re.search(r"WorkController\.start \(celery/worker/worker\.py", pool)
    assert re.search(r"Worker\.workloop \(billiard/pool\.py", pool)


def test_a_profiled_run_is_whole_and_marked(made: Ended) -> None:
    assert made.results.manifest()["state"] == "complete"
    assert made.results.manifest()["settings"]["profiler"] == "py-spy"
    for stored in made.results.stored_runs():
        assert PROFILED.code in [flag.code for flag in stored.result.flags]
        assert not stored.result.valid
        assert set(stored.tasks()["phase"]) == {0, 1}
        assert stored.reading("flame_graph")["samples"].item() > 0
    report = (made.results.path / "summary_report.html").read_text(encoding="utf-8")
    assert 'href="profiles/scenario_1_throughput_floor_profile.svg"' in report


def test_profiles_fail_no_check_and_are_not_gone_on_with(made: Ended, lab_cli: LabCli) -> None:
    assert lab_cli.run("analyze", "--check", str(made.results.path)).code == 0
    resumed = lab_cli.run("run", "--resume-from", str(made.results.path))
    assert (resumed.code, "holds profiles" in resumed.errors) == (1, True)


def test_memory_is_drawn_for_every_process(lab_cli: LabCli) -> None:
    ended = lab_cli.run("profile", "celery-prefork", "--memory", *SMALL)
    assert ended.code == 0, ended.errors
    pages = sorted((ended.results.path / "profiles").iterdir())
    assert [page.name for page in pages] == [f"scenario_1_throughput_celery-prefork_memory_{n}.html" for n in (1, 2, 3)]
    assert "celery/app/base.py" in pages[0].read_text(encoding="utf-8")


def test_interrupted_it_leaves_nothing(lab_cli: LabCli) -> None:
    long = ("--phase", "paced", "--size", "tasks=100", "--size", "paced_s=60")
    command = lab_cli.begin("profile", "floor", *long, until="Writing to")
    (lab,) = command.labs
    wait_for(lambda: any("py-spy" in command_line(process) for process in lab.processes()), "py-spy to sample")
    command.process.send_signal(signal.SIGINT)
    ended = command.end()
    assert ended.code == 130
    assert ended.results.manifest()["state"] == "interrupted"
    assert list((ended.results.path / "profiles").iterdir()) == []


def command_line(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("floor", "--lab", "compose"), "local lab only"),
        (("floor", "--scenario", "all"), "one scenario at a time"),
        (("a=floor",), "own names"),
        (("floor", "--phase", "nap", "--size", "tasks=100", "--size", "paced_s=0.2", "--size", "half_s=0.2"), "no phase 'nap'"),
    ],
)
def test_what_cannot_be_is_said_in_words(lab_cli: LabCli, options: tuple[str, ...], said: str) -> None:
    ended = lab_cli.run("profile", *options, "--preset", "quick")
    assert (ended.code, said in ended.errors) == (1, True), ended.errors
    assert not list((lab_cli.results / LATEST).glob("runs/.unfinished-*"))
