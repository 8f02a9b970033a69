"""Output where a locale has not all characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.run.environment import runner_environment
from tests.golden import Golden, unpack
from tests.support import CHECKOUT, child_environment

CODE = """
from benchmarks.cli.console import console, print_what_can_be_printed, complain
print_what_can_be_printed()
console.print("✓ 1 … ± ü 漢")
complain("✗ …")
"""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", "+ 1 ... +- ? ?"), ("iso-8859-1", "+ 1 ... ± ü ?"), ("utf-8", "✓ 1 … ± ü 漢")],
)
def test_what_cannot_be_printed_comes_in_plain_characters(encoding: str, expected: str) -> None:
    environment = child_environment(PYTHONIOENCODING=encoding)
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode(encoding)) == (0, f"{expected}\n")
    assert done.stderr.decode(encoding).startswith("Error: ")


@pytest.mark.parametrize(
    "command", [("list",), ("analyze", "good"), ("compare", "good", "invalid"), ("export", "good"), ("report", "good")]
)
def test_no_command_on_results_ends_where_text_is_ascii(command: tuple[str, ...], tmp_path: Path) -> None:
    """Files hold what they hold elsewhere too: the locale is the terminal's matter."""
    names: tuple[Golden, ...] = ("good", "invalid")
    sets: dict[str, str] = {name: str(unpack(name, tmp_path)) for name in names}
    users = {"PATH": os.environ["PATH"], "LC_ALL": "C", "BENCHMARK_OUTPUT_DIR": str(tmp_path)}
    # With these variables alone the program goes on in the interpreter that it was started in.
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-m", "benchmarks", *(sets.get(word, word) for word in command)],
        env=runner_environment(users),
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert done.stdout.strip()
