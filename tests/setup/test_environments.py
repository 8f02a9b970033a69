import subprocess
import sys

import pytest

from tests.setup.conftest import Machine

SCRIPT = "infrastructure/setup/environments.sh"
UV = """
[ "$1" = --version ] && { echo uv 0.13.8; exit; }
echo "$UV_PROJECT_ENVIRONMENT" >>uv.calls
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
touch "$UV_PROJECT_ENVIRONMENT/half"
[ "$UV_PROJECT_ENVIRONMENT" = "$(cat uv.fails-at 2>/dev/null)" ] && { echo 'no such package' >&2; exit 2; }
mv "$UV_PROJECT_ENVIRONMENT/half" "$UV_PROJECT_ENVIRONMENT/whole"
ln -sf /bin/bash "$UV_PROJECT_ENVIRONMENT/bin/python"
"""


@pytest.fixture
def prepared(machine: Machine) -> Machine:
    machine.program("uv", UV)
    machine.environment = {"UV_PYTHON": sys.executable}
    return machine


def calls(machine: Machine) -> list[str]:
    """The environments that uv was asked for since the last look."""
    record = machine.checkout / "uv.calls"
    made = [line.removeprefix(".venvs/") for line in record.read_text().splitlines()] if record.exists() else []
    record.unlink(missing_ok=True)
    return made


def make(machine: Machine, *groups: str) -> subprocess.CompletedProcess[str]:
    return machine.run(SCRIPT, *groups)


def test_every_group_of_pyproject_gets_an_environment_and_those_of_one_recipe_only_when_asked_for(prepared: Machine) -> None:
    assert make(prepared).returncode == 0
    assert calls(prepared) == ["one", "two"]
    for alone in ("dev", "flower"):
        assert make(prepared, alone).returncode == 0
        assert calls(prepared) == [alone]

    pyproject = prepared.checkout / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'three = ["d"]\n')
    assert make(prepared).returncode == 0
    assert calls(prepared) == ["one", "two", "three"]


def test_where_nothing_is_to_do_nothing_is_done_nor_said(prepared: Machine) -> None:
    make(prepared)
    calls(prepared)
    prepared.program("uv", "exit 127")
    done = make(prepared)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls(prepared) == []


def test_another_lock_file_or_interpreter_brings_all_up_to_date(prepared: Machine) -> None:
    make(prepared)
    calls(prepared)
    (prepared.checkout / "uv.lock").write_text("version = 2\n")
    make(prepared)
    assert calls(prepared) == ["one", "two"]
    prepared.environment = {"UV_PYTHON": "3.12"}
    assert make(prepared, "one").returncode == 0
    assert calls(prepared) == ["one"]


def test_an_environment_that_lost_its_interpreter_is_made_again_alone(prepared: Machine) -> None:
    make(prepared)
    calls(prepared)
    (prepared.checkout / ".venvs" / "two" / "bin" / "python").unlink()
    make(prepared)
    assert calls(prepared) == ["two"]


@pytest.mark.parametrize("when", ["first", "update"])
def test_one_that_was_interrupted_is_made_anew(prepared: Machine, when: str) -> None:
    if when == "update":
        make(prepared)
        calls(prepared)
        (prepared.checkout / "uv.lock").write_text("version = 2\n")
    fails_at = prepared.checkout / "uv.fails-at"
    fails_at.write_text(".venvs/two")
    done = make(prepared)
    assert done.returncode == 1
    assert "no such package" in done.stderr
    assert "environment two" in done.stderr
    assert calls(prepared) == ["one", "two"]

    fails_at.unlink()
    left = prepared.checkout / ".venvs" / "two" / "left-over"
    left.touch()
    assert make(prepared).returncode == 0
    assert calls(prepared) == ["two"]
    assert not left.exists()


def test_a_checkout_that_was_moved_makes_them_anew(prepared: Machine) -> None:
    make(prepared)
    calls(prepared)
    moved = prepared.checkout.rename(prepared.folder / "moved")
    left = moved / ".venvs" / "one" / "left-over"
    left.touch()
    assert prepared.run(moved / SCRIPT, folder=moved).returncode == 0
    assert not left.exists()


def test_two_at_once_make_each_environment_once(prepared: Machine) -> None:
    running = [prepared.start(SCRIPT) for _ in range(4)]
    assert [child.wait() for child in running] == [0, 0, 0, 0]
    assert calls(prepared) == ["one", "two"]
