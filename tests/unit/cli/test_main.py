"""The command line: a slip of the user's is one readable message and an exit code."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest
import redis
import typer

from benchmarks.cli import hand_tools
from benchmarks.cli import run as run_command
from benchmarks.cli.choices import PresetName, scenarios_of, sizes_of
from benchmarks.cli.console import UserError
from benchmarks.cli.main import main
from benchmarks.cli.settings import Settings, load_settings
from benchmarks.cli.study import with_limits
from benchmarks.cli.terminal import ENDING
from benchmarks.run.labs.lab import LabError
from benchmarks.run.nodes.transport import NodeError
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies

Run = Callable[..., tuple[int, str, str]]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
VARIANTS = {"some-fast": "some", "other": "other"}


class FakeLab:
    name = "local"
    token = "token"
    redis_url = "redis://127.0.0.1:1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def variants(self) -> Mapping[str, str]:
        return VARIANTS

    def worker_url(self, variant: str) -> NoReturn:
        raise LabError("nothing may be started")

    producer_url = worker_url

    def worker_urls(self) -> Mapping[str, str]:
        return {}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No lab is started, no variable or .env of this machine counts, and signal handlers are put back."""
    for name in [name for name in os.environ if name.upper().startswith("BENCHMARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("BENCHMARK_OUTPUT_DIR", str(tmp_path / "results"))

    monkeypatch.setattr(run_command, "lab_of", lambda _: FakeLab())
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line as ``python -m benchmarks`` does: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        # Where a pipeline asks for colours, they are there without a terminal.
        return ended.value.code, COLOURS.sub("", captured.out), COLOURS.sub("", captured.err)

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], ["nothing"]),
        (["pools", "--task-ms", "0"], ["--task-ms 0 is too small: the nearest that works is 1"]),
        (["pools", "--utilisation", "2"], ["--utilisation 2 is too large: the nearest that works is 0.95"]),
        (["pools", "--task", "sleeps"], ["--task: task 'sleeps' is none of: waits"]),
        (["pools", "--concurrency", "0"], ["--concurrency: concurrency 0 makes no sense", "1 works"]),
        (["pools", "--runs", "0"], ["BENCHMARK_RUNS=0"]),
        (["pools", "--runs", "5", "--max-runs", "4"], ["BENCHMARK_MAX_RUNS=4"]),
        (["pools", "--variants", "nothing-such"], ["no variant 'nothing-such'", "other, some-fast"]),
    ],
)
def test_a_study_that_cannot_be_run_as_asked_is_refused_with_what_works(
    run: Run, tmp_path: Path, arguments: list[str], told: list[str]
) -> None:
    code, _, errors = run("study", *arguments)
    assert code in (1, 2)
    assert [words for words in told if words not in errors] == []
    assert not (tmp_path / "results").exists()


def test_with_the_preset_quick_no_run_of_a_study_is_made_again() -> None:
    studies = list(all_studies().values())
    quick, standard = (with_limits(load_settings(), studies, preset) for preset in (PresetName.QUICK, PresetName.STANDARD))
    assert (quick.benchmark_runs, quick.benchmark_max_runs) == (1, 1)
    assert (standard.benchmark_runs, standard.benchmark_max_runs) == (4, None)
    asked = with_limits(load_settings(benchmark_runs=2, benchmark_max_runs=6), studies, PresetName.QUICK)
    assert (asked.benchmark_runs, asked.benchmark_max_runs) == (2, 6)


@pytest.mark.parametrize("arguments", [["--scenario", "pools"], ["--scenario", "study_pools"]])
def test_a_study_is_no_scenario_and_is_not_among_all_of_them(run: Run, arguments: list[str]) -> None:
    code, _, errors = run("run", *arguments)
    assert code == 1
    assert "just study pools" in errors
    assert not {scenario.name for scenario in scenarios_of("all")} & set(all_studies())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "99"], ["no scenario '99'", "1 (scenario_1_throughput)", "or all"]),
        (["--scenario", "1,nothing"], ["no scenario 'nothing'"]),
        (["--scenario", ""], ["no scenario ''"]),
        (["--variants", "nothing-such"], ["no variant 'nothing-such'", "other, some-fast"]),
        (["--variants", "other,other"], ["entered twice: other"]),
        (["--size", "nothing=1"], ["no size 'nothing'", "tasks"]),
        (["--size", "tasks"], ["size tasks must be a number, not ''"]),
        (["--size", "tasks=many"], ["size tasks must be a number, not 'many'"]),
        (["--size", "tasks=0"], ["size tasks of", "must be positive, not 0"]),
        (["--size", "tasks=-5"], ["size tasks must be a finite number of at least 0, not -5"]),
        (["--size", "tasks=nan"], ["size tasks must be a finite number of at least 0, not nan"]),
        (["--size", "tasks=inf"], ["size tasks must be a finite number of at least 0, not inf"]),
        (["--runs", "0"], ["BENCHMARK_RUNS=0"]),
        (["--warmup-seconds", "-1"], ["BENCHMARK_WARMUP_SECONDS=-1"]),
        (["--seed", "-1"], ["BENCHMARK_SEED=-1"]),
        (["--runs", "5", "--max-runs", "4"], ["BENCHMARK_MAX_RUNS=4", "BENCHMARK_RUNS=5"]),
        (["--preset", "standard", "--max-runs", "4"], ["10 runs of each variant", "at most 4", "--max-runs", "--runs"]),
        (["--resume"], ["there is no result set", "results"]),
        (["--resume-from", "/nothing/such"], ["there is no result set /nothing/such"]),
    ],
)
def test_what_cannot_be_run_is_named_with_what_there_is(run: Run, tmp_path: Path, arguments: list[str], told: list[str]) -> None:
    code, _, errors = run("run", *arguments)
    assert code == 1
    assert errors.startswith("Error: ")
    assert [words for words in told if words not in errors] == []
    assert not (tmp_path / "results").exists(), "nothing is written before all is known to be right"


@pytest.mark.parametrize(
    ("name", "value"),
    [("BENCHMARK_RUNS", "many"), ("BENCHMARK_PROCESSES", "0"), ("BENCHMARK_RUN_TIMEOUT_SECONDS", "-1"), ("BENCHMARK_SEED", "x")],
)
def test_a_bad_variable_is_named_with_its_value(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    code, _, errors = run("run")
    assert code == 1
    assert f"{name}={value!r}" in errors


def test_an_option_goes_before_a_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_RUNS", "5")
    _, _, errors = run("run", "--max-runs", "4")
    assert "BENCHMARK_RUNS=5" in errors
    _, _, errors = run("run", "--max-runs", "4", "--runs", "6")
    assert "BENCHMARK_RUNS=6" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing-such"], "nothing-such"),
        (["run", "--nothing-such"], "--nothing-such"),
        (["run", "--runs", "many"], "--runs"),
        (["run", "--lab", "moon"], "'local', 'compose'"),
        (["run", "--preset", "huge"], "'quick', 'standard', 'full'"),
        (["run", "--track", "fast"], "'normalised', 'tuned'"),
        (["worker"], "variant"),
        (["harness"], "--target"),
        (["redis", "nothing-such"], "nothing-such"),
    ],
)
def test_wrong_usage_says_where_and_how_to_learn_more(run: Run, arguments: list[str], told: str) -> None:
    code, _, errors = run(*arguments)
    assert code == 2
    text = " ".join(errors.replace("│", " ").split())
    assert told in text
    assert "--help" in text


@pytest.mark.parametrize(
    "command", [[], ["run"], ["verify-separation"], ["worker"], ["info"], ["harness"], ["docker"], ["redis"], ["redis", "reset"]]
)
def test_every_command_explains_itself(run: Run, command: list[str]) -> None:
    code, output, _ = run(*command, "--help")
    assert code == 0
    assert " ".join(["Usage:", "benchmarks", *command]) in output


def test_scenarios_go_by_number_name_and_nickname() -> None:
    first = next(iter(all_scenarios().values()))
    for wanted in ("1", "scenario1", "scenario_1", first.name, " 1 "):
        assert scenarios_of(wanted) == [first]
    assert scenarios_of("all") == list(all_scenarios().values())


def test_one_scenario_named_twice_is_run_once() -> None:
    assert len(scenarios_of("1,scenario1")) == 1


def test_a_size_is_whole_where_it_is_written_so() -> None:
    sizes = sizes_of(["tasks=50", "paced_s=0.5"], list(all_scenarios().values()))
    assert sizes == {"tasks": 50, "paced_s": 0.5}
    assert isinstance(sizes["tasks"], int)


# ---- how commands end


@pytest.fixture
def info(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have the command ``info`` do something else."""

    def replace(act: Callable[[], object]) -> None:
        monkeypatch.setattr(hand_tools, "print_info", lambda *_: act())

    return replace


Info = Callable[[Callable[[], object]], None]


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("it is your fault"), "Error: it is your fault"),
        (LabError("no lab"), "Error: no lab"),
        (NodeError("worker-x", "GET /worker", "it is gone"), "Error: node worker-x: GET /worker: it is gone"),
        (redis.ConnectionError("connection refused"), "Error: Redis does not answer: connection refused"),
        (PermissionError(13, "Permission denied", "/some/where"), "Error: [Errno 13] Permission denied: '/some/where'"),
    ],
)
def test_what_goes_wrong_is_one_message(run: Run, info: Info, error: Exception, told: str) -> None:
    info(raising(error))
    assert run("info") == (1, "", f"{told}\n")


def test_the_end_of_a_log_is_printed_as_it_is(run: Run, info: Info) -> None:
    tail = "[/usr/bin/thing] [bold]started[/] [2026-11-20: INFO]\n" + "a line that is longer than a terminal is wide " * 5
    info(raising(LabError(tail)))
    assert run("info") == (1, "", f"Error: {tail}\n")


def test_an_exit_code_passes_through(run: Run, info: Info) -> None:
    info(raising(typer.Exit(7)))
    assert run("info")[0] == 7


def test_a_mistake_in_the_lab_itself_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, info: Info) -> None:
    info(raising(ZeroDivisionError("a bug")))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "info"])
    with pytest.raises(ZeroDivisionError):
        main()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_130(run: Run, info: Info, number: signal.Signals) -> None:
    info(lambda: os.kill(os.getpid(), number))
    assert run("info") == (130, "", "Interrupted; nothing that this command started is left running.\n")


def test_a_second_signal_does_not_cut_the_end_short(run: Run, info: Info) -> None:
    cleaned_up = []

    def act() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            for number in ENDING:
                os.kill(os.getpid(), number)
            cleaned_up.append(True)

    info(act)
    assert run("info")[0] == 130
    assert cleaned_up


def test_a_signal_that_its_parent_has_it_ignore_stays_ignored(run: Run, info: Info) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    info(lambda: os.kill(os.getpid(), signal.SIGHUP))
    assert run("info")[0] == 0


def test_a_plan_from_another_version_is_refused(run: Run, tmp_path: Path) -> None:
    from benchmarks.results.result_set import ResultSet
    from tests.unit.results.test_result_set import gathered

    made = ResultSet.create(tmp_path / "sets", "x", gathered())
    code, _, errors = run("run", "--resume-from", str(made.path))
    assert code == 1
    assert f"{made.path} holds no plan that this version can resume" in errors


def test_a_set_begun_with_variants_that_are_gone_is_refused_and_left_alone(run: Run, tmp_path: Path) -> None:
    from dataclasses import asdict, replace

    from benchmarks.plan.suite_plan import Entry
    from benchmarks.results.result_set import ResultSet
    from tests.unit.plan.test_suite_plan import PLAN
    from tests.unit.results.test_result_set import gathered

    plan: dict[str, Any] = asdict(replace(PLAN, entries=(Entry("x", "gone"), Entry("other", "other"))))
    made = ResultSet.create(tmp_path / "sets", "x", gathered(settings=plan))
    made.finish("interrupted")
    before = (made.path / "manifest.json").read_bytes()
    code, _, errors = run("run", "--resume-from", str(made.path))
    assert code == 1
    assert "begun with variants that this lab does not have: gone" in errors
    assert (made.path / "manifest.json").read_bytes() == before
