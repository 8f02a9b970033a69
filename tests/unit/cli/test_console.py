"""Output where a locale has not all characters."""

import subprocess
import sys

import pytest

from tests.support import child_environment

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
