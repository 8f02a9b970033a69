"""A terminal that closes, and a caller in another folder."""

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.checkout import CHECKOUT, lab_command
from benchmarks.cli.settings import load_settings
from benchmarks.cli.terminal import CALLER_FOLDER_VARIABLE, IGNORES_HANGUP_VARIABLE, heed_caller
from tests.support import child_environment, run_script

TALKER = """
import os, signal, sys, time
from pathlib import Path
from benchmarks.cli.terminal import heed_caller
heed_caller()
signal.signal(signal.SIGHUP, signal.SIG_IGN) if "deaf" in sys.argv else None
print("up", flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.01)
for _ in range(100):
    print("x" * 100, flush=True)
    print("x" * 100, file=sys.stderr)
Path(sys.argv[2]).write_text("done")
"""


def talker(folder: Path, *more: str, stdin: int = subprocess.DEVNULL, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", TALKER, str(folder / "closed"), str(folder / "done"), *more]
    return subprocess.Popen(command, env=child_environment(), start_new_session=True, stdin=stdin, stdout=stdout, stderr=stderr)


def test_output_to_a_terminal_that_has_closed_is_dropped(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = talker(tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert os.read(ours, 4).startswith(b"up")
    os.close(ours)
    (tmp_path / "closed").touch()
    assert process.wait(60) == 0
    assert (tmp_path / "done").read_text() == "done"


@pytest.mark.parametrize(("more", "goes_on"), [(("deaf",), True), ((), False)])
def test_a_pipe_whose_reader_has_ended_ends_only_who_heeds_hangups(tmp_path: Path, more: tuple[str, ...], goes_on: bool) -> None:
    process = talker(tmp_path, *more, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.stdout.close()
    (tmp_path / "closed").touch()
    assert (process.wait(60) == 0) == goes_on
    assert (tmp_path / "done").exists() == goes_on


@pytest.mark.parametrize(("stream", "other"), [("stdout", "stderr"), ("stderr", "stdout")])
def test_output_that_finds_no_room_ends_a_command_with_one_line(stream: str, other: str) -> None:
    script = (
        "import sys; from benchmarks.cli.terminal import heed_caller\nheed_caller()\n"
        f"try:\n    print('x' * 100_000, file=sys.{stream})\n"
        f"except OSError as error:\n    print(error, file=sys.{other}); sys.exit(1)"
    )
    with Path("/dev/full").open("wb") as full:
        stdout, stderr = (full if stream == name else subprocess.PIPE for name in ("stdout", "stderr"))
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=stdout, stderr=stderr, env=child_environment(), text=True, check=False
        )
    assert (done.returncode, done.stdout or done.stderr) == (1, f"[Errno 28] No space left on device, writing to {stream}\n")


def test_what_the_caller_ignores_is_ignored_and_passed_on_to_nobody() -> None:
    script = (
        "import os, signal; from benchmarks.cli.terminal import heed_caller\n"
        "heed_caller(); print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, [n for n in os.environ if 'HANGUP' in n])"
    )
    assert run_script(script, **{IGNORES_HANGUP_VARIABLE: "1"}) == "True []\n"
    assert run_script(script) == "False []\n"


@pytest.mark.parametrize(("mode", "ignored"), [(os.O_WRONLY, "True"), (os.O_RDONLY, "False"), (os.O_RDWR, "False")])
def test_plain_nohup_just_is_told_by_the_input_that_only_nohup_gives(mode: int, ignored: str) -> None:
    script = "from benchmarks.cli.terminal import *\nheed_caller(); print(hangup_is_ignored())"
    given = os.open(os.devnull, mode)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=given, capture_output=True, text=True, env=child_environment(), check=True
        )
    finally:
        os.close(given)
    assert done.stdout == f"{ignored}\n"


def test_the_callers_folder_is_what_paths_are_relative_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.setenv(CALLER_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.delenv("BENCHMARK_OUTPUT_DIR", raising=False)
    assert lab_command("list") == "./lab list"
    heed_caller()
    assert Path.cwd() == tmp_path
    assert CALLER_FOLDER_VARIABLE not in os.environ
    assert load_settings(benchmark_output_dir=Path("out")).benchmark_output_dir == tmp_path / "out"
    assert load_settings().benchmark_output_dir.is_absolute()
    monkeypatch.setenv("BENCHMARK_OUTPUT_DIR", "set")
    assert load_settings().benchmark_output_dir == tmp_path / "set"


def test_a_folder_of_the_settings_file_is_relative_to_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.cli.settings import Settings

    (tmp_path / ".env").write_text("BENCHMARK_OUTPUT_DIR=from-file\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.delenv("BENCHMARK_OUTPUT_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert load_settings().benchmark_output_dir == CHECKOUT / "from-file"


@pytest.mark.parametrize("name", ["plain", "two words", "it's", "$HOME", 'a"b', "*"])
def test_a_printed_command_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    command = lab_command("benchmark-resume", tmp_path / name)
    said = subprocess.run(
        ["bash", "-c", f'f() {{ printf "%s\\n" "$@"; }}; f {command}'], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == [str(CHECKOUT / "lab"), "benchmark-resume", str(tmp_path / name)]


def test_output_in_a_file_is_followed_there(tmp_path: Path) -> None:
    log = tmp_path / "two words.log"
    with log.open("w") as output:
        script = "import sys; from benchmarks.cli.terminal import where_to_follow; sys.stderr.write(repr(where_to_follow()))"
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, env=child_environment(), check=True)
    assert done.stderr == repr(shlex.join(("tail", "-f", str(log))))
