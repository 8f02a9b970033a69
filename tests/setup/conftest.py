"""A checkout that holds the set-up alone, on a machine with no tools but the plainest and those that a test gives it."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PLAIN_TOOLS = (
    "awk bash cat chmod cp dirname env flock grep head id ln mkdir mktemp mv od readlink rm sed sha256sum sleep sort tail tee "
    "timeout touch tr uname"
)
PYPROJECT = """
[project]
name = "made-up"
requires-python = ">=3.12"

[dependency-groups]
one = ["a"]
two = ["b"]
dev = [{ include-group = "one" }, "c"]
flower = ["d"]
"""


@dataclass
class Machine:
    """One folder of programs as the whole path, a checkout, and a home that is not there unless a test makes it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def program(self, path: str | Path, script: str) -> Path:
        """A shell script; a bare name goes to the path."""
        place = self.programs / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # it may be a link to this machine's own program
        place.write_text(f"#!/bin/bash\n{script}\n")
        place.chmod(0o755)
        return place

    def python(self, path: str | Path, version: str) -> Path:
        """Something that answers the set-up's question as a Python of this version would."""
        return self.program(path, f'printf "{version}\\t%s\\n" "$0"')

    def _arguments(self, command: Sequence[str | Path]) -> tuple[list[str], dict[str, str]]:
        environment = {"PATH": str(self.programs), "HOME": str(self.home), **self.environment}
        return [str(part) for part in command], environment

    def run(self, *command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        arguments, environment = self._arguments(command)
        return subprocess.run(
            arguments,
            cwd=folder or self.checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *command: str | Path) -> subprocess.Popen[bytes]:
        arguments, environment = self._arguments(command)
        return subprocess.Popen(arguments, cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL)

    def shell(self, part: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run ``script`` after sourcing a part of the set-up."""
        return self.run("bash", "-c", f". infrastructure/setup/{part}\n{script}")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.programs.mkdir()
    for name in PLAIN_TOOLS.split():
        found = shutil.which(name)
        assert found is not None, f"these tests need {name}"
        (made.programs / name).symlink_to(found)
    shutil.copytree(CHECKOUT / "infrastructure" / "setup", made.checkout / "infrastructure" / "setup")
    shutil.copytree(CHECKOUT / ".ci", made.checkout / ".ci")
    for name in ("lab", "justfile"):
        shutil.copy(CHECKOUT / name, made.checkout / name)
    (made.checkout / "pyproject.toml").write_text(PYPROJECT)
    (made.checkout / "uv.lock").write_text("version = 1\n")
    return made
