"""A night's benchmark under nohup outlives its terminal, says where it is followed, and writes where its caller meant."""

import json
import os
import pty
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.lab import control_of
from tasks.contract import framework_names
from tests.e2e.cli_support import LIMIT_S, SMALL, sizes
from tests.support import CHECKOUT

pytestmark = pytest.mark.e2e


def until_is(path: Path, text: str) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < give_up_at, f"{text!r} does not come to stand in {path}"
        time.sleep(0.05)


def test_it_goes_on_when_its_terminal_closes(tmp_path: Path) -> None:
    if shutil.which("setsid") is None:
        pytest.skip("setsid is not on the path")
    caller = tmp_path / "two words"
    caller.mkdir()
    control = control_of(ask_framework(name, {"op": "describe"}) for name in framework_names())
    options = (*SMALL[2:], *sizes(100), "--only", "1", "--variants", str(control), "--output-dir", "out", "--label", "night")
    ours, theirs = pty.openpty()
    # The shell leads the terminal's session, and all is one group in its foreground: all of it is sent SIGHUP when that closes.
    shell = subprocess.Popen(
        ["setsid", "--ctty", "bash", "-c", 'nohup "$@"; true', "bash", str(CHECKOUT / "lab"), "benchmark-quick", *options],
        cwd=caller,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={name: value for name, value in os.environ.items() if not name.startswith("BENCHMARK_")},
    )
    os.close(theirs)
    log, manifest = caller / "nohup.out", caller / "out" / "latest" / "manifest.json"
    until_is(log, "Writing to")
    told = os.read(ours, 1 << 16).decode()
    os.close(ours)
    shell.wait(LIMIT_S)
    until_is(log, "Next: ")
    assert json.loads(manifest.read_text())["state"] == "complete"
    follow = f"tail -f '{log}'"
    assert f"This goes on when its terminal closes. Follow it with: {follow}" in log.read_text()
    assert follow in told
    assert f"Results: {manifest.parent.resolve()}" in log.read_text()
    assert f"Next: {CHECKOUT}/lab report '{manifest.parent.resolve()}'" in log.read_text()
    assert "Interrupted" not in log.read_text()
