"""Fixtures of the tests that run the command line as a user does."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.run.labs.local import LocalLab
from benchmarks.run.labs.lock import LOCK_FILE_VARIABLE
from tests.e2e.cli_support import LabCli
from tests.support import child_environment


@pytest.fixture(scope="module")
def frameworks_path() -> Path | None:
    """A folder with further frameworks; a module of tests may override it."""
    return None


@pytest.fixture(scope="module")
def lab_cli(tmp_path_factory: pytest.TempPathFactory, frameworks_path: Path | None, own_lock_file: Path) -> Iterator[LabCli]:
    """The command line, with nothing set by this machine's environment."""
    folder = tmp_path_factory.mktemp("cli")
    environment = {
        name: value
        for name, value in child_environment().items()
        if not name.startswith(("BENCHMARK_", "LAB_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    environment[LOCK_FILE_VARIABLE] = str(own_lock_file)
    environment["BENCHMARK_OUTPUT_DIR"] = str(folder / "results")
    if frameworks_path is not None:
        environment["LAB_FRAMEWORKS_PATH"] = str(frameworks_path)
    # A child inherits that a signal is ignored, as it is in a background job of a shell, but not a handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    cli = LabCli(folder, environment)
    try:
        yield cli
    finally:
        signal.signal(signal.SIGINT, before)
        cli.close()


@pytest.fixture(scope="session")
def local_lab() -> Iterator[LocalLab]:
    """One local lab for all tests that only run scenarios in it."""
    with LocalLab() as lab:
        yield lab
