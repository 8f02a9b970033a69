import pytest

from tests.setup.conftest import Machine


def best(machine: Machine) -> str:
    return machine.shell("python.sh", "best_python || echo none").stdout.strip()


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["3.12", "3.13", "3.14"], "3.13"),
        (["3.12", "3.14"], "3.14"),
        (["3.9", "3.12"], "3.12"),
        (["3.9", "3.11"], None),
        ([], None),
    ],
)
def test_the_preferred_version_else_the_newest_and_none_that_is_too_old(
    machine: Machine, there: list[str], chosen: str | None
) -> None:
    paths = {version: machine.python(f"python{version}", version) for version in there}
    assert best(machine) == (str(paths[chosen]) if chosen else "none")


@pytest.mark.parametrize("told_by", ["shims on the path", "PYENV_ROOT", "pyenv root", "home"])
def test_pyenvs_versions_are_found_behind_shims_that_fail(machine: Machine, told_by: str) -> None:
    pyenv = machine.home / ".pyenv" if told_by == "home" else machine.folder / "pyenv"
    for name in ("python3", "python3.12", "python3.13"):
        machine.program(pyenv / "shims" / name, "echo 'pyenv: command not found' >&2; exit 127")
    wanted = machine.python(pyenv / "versions" / "3.13.9" / "bin" / "python3", "3.13")
    machine.python(pyenv / "versions" / "3.12.1" / "bin" / "python3", "3.12")
    if told_by == "shims on the path":
        machine.environment = {"PATH": f"{pyenv}/shims:{machine.programs}"}
    elif told_by == "PYENV_ROOT":
        machine.environment = {"PYENV_ROOT": str(pyenv)}
    elif told_by == "pyenv root":
        machine.program("pyenv", f"echo {pyenv}")
    assert best(machine) == str(wanted)


def test_a_python_that_uv_manages_is_found(machine: Machine) -> None:
    managed = machine.folder / "managed"
    machine.program("uv", f"echo {managed}")
    wanted = machine.python(managed / "cpython-3.13.5-linux" / "bin" / "python3.13", "3.13")
    assert best(machine) == str(wanted)


def test_one_that_the_user_names_goes_before_any_search(machine: Machine) -> None:
    machine.python("python3.13", "3.13")
    machine.environment = {"UV_PYTHON": "3.12"}
    assert machine.shell("python.sh", "need_python").stdout == "3.12\n"


def test_a_download_that_fails_says_what_to_do(machine: Machine) -> None:
    machine.program("uv", "echo 'no network' >&2; exit 1")
    done = machine.shell("python.sh", "alone need_python")
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "UV_PYTHON=" in done.stderr
