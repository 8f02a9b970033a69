"""How many files may be open is raised as far as it may be, and said where that is not enough."""

import resource
import subprocess
import sys

import pytest

from benchmarks.run.open_files import WANTED, what_is_missing
from tests.support import child_environment

SHOW = (
    "import resource; from benchmarks.run.open_files import raise_open_files\n"
    "print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
)
MOST = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
needs_room = pytest.mark.skipif(WANTED + 1 > MOST, reason="this machine does not allow that many")


@pytest.mark.parametrize(
    ("soft", "hard", "said", "becomes"),
    [
        (64, 64, 64, 64),
        (64, 256, 256, 256),
        pytest.param(256, WANTED + 1, WANTED, WANTED, marks=needs_room),
        pytest.param(WANTED + 1, WANTED + 1, WANTED, WANTED + 1, marks=needs_room),
    ],
)
def test_as_many_as_are_wanted_or_may_be_and_never_fewer_than_before(soft: int, hard: int, said: int, becomes: int) -> None:
    done = subprocess.run(
        ["bash", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"', "bash", sys.executable, "-c", SHOW],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(said), str(becomes), str(hard)]


def test_too_few_are_said_with_what_for_and_what_to_do() -> None:
    assert what_is_missing(WANTED) is None
    text = what_is_missing(256) or ""
    assert all(part in text for part in ("no more than 256 files", "Too many open files", f"ulimit -Hn {WANTED}"))
