import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.run.environment import documented
from tests.hostile import hostile
from tests.setup.conftest import CHECKOUT, Machine

JUST = """
case $1 in
  --version) echo just 1.59.0 ;;
  *) printf '%s\\n' "$PWD" "$@" ;;
esac
"""
UV = "echo uv 0.13.8"


@pytest.mark.parametrize("argument", ["", "--help", "help"])
def test_without_a_recipe_it_explains_itself_and_installs_nothing(machine: Machine, argument: str) -> None:
    link = machine.folder / "links" / "queuelab"
    link.parent.mkdir()
    link.symlink_to(machine.checkout / "lab")
    before = sorted(machine.checkout.rglob("*"))

    done = machine.run(link, *filter(None, [argument]), folder=Path("/"))

    assert (done.returncode, done.stderr) == (0, "")
    assert "./lab benchmark-quick" in done.stdout
    assert "./lab test" in done.stdout
    assert sorted(machine.checkout.rglob("*")) == before


def test_it_lists_the_recipes_where_just_is_there(machine: Machine) -> None:
    machine.program("just", JUST)
    assert "--list" in machine.run("./lab").stdout


def test_a_recipe_gets_its_arguments_as_they_were_given_and_runs_in_the_checkout(machine: Machine) -> None:
    machine.program("just", JUST)
    machine.program("uv", UV)
    done = machine.run(machine.checkout / "lab", "test", "-k", "two words", folder=Path("/"))
    folder, *arguments = done.stdout.splitlines()
    assert folder == str(machine.checkout)
    assert arguments[-3:] == ["test", "-k", "two words"]
    assert str(machine.checkout / "justfile") in arguments
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("script", "usable"),
    [
        ("echo just 1.59.0", True),
        ("echo just 1.100", True),
        ("echo just 2.0.0-beta", True),
        ("echo just 1.9.9", False),
        ("echo something else 9.9", False),
        ("exit 127", False),
    ],
)
def test_only_a_recent_tool_that_runs_is_taken_from_the_path(machine: Machine, script: str, usable: bool) -> None:
    machine.program("just", script)
    assert (machine.shell("tools.sh", "tools_ready just").returncode == 0) is usable


def test_tools_come_from_the_package_index_by_the_first_python_that_can_install(machine: Machine) -> None:
    machine.program("python3", "exit 127")
    answers = 'case "$*" in *platform*) printf "3.9\\t%s\\n" "$0";;'
    machine.program("python3.9", f"{answers} *) exit 1;; esac")
    target = f'mkdir -p "${{@: -3:1}}/bin"; for tool in uv just; do cp {machine.folder}/$tool "${{@: -3:1}}/bin"; done'
    machine.program("python3.10", f'{answers} *ensurepip*) exit 1;; *"-m pip --version") ;; *"-m pip install"*) {target};; esac')
    machine.program(machine.folder / "just", JUST)
    machine.program(machine.folder / "uv", UV)

    done = machine.run("./lab", "test")

    assert done.stdout.splitlines()[-1:] == ["test"], done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (machine.checkout / ".tools" / "new").exists()
    assert machine.run("./lab", "test").stderr == ""


def test_a_machine_that_cannot_install_tools_says_what_to_do_and_keeps_nothing(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    done = machine.run("./lab", "test")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert list((machine.checkout / ".tools").iterdir()) == []


def test_caches_move_into_the_checkout_where_the_home_folder_cannot_hold_them(machine: Machine) -> None:
    show = 'echo "${UV_CACHE_DIR:-}|${PIP_CACHE_DIR:-}"'
    own = str(machine.checkout / ".cache")
    assert machine.shell("common.sh", show).stdout == f"{own}/uv|{own}/pip\n"
    machine.home.mkdir()
    assert machine.shell("common.sh", show).stdout == "|\n"
    machine.environment = {"HOME": "", "UV_CACHE_DIR": "/elsewhere"}
    assert machine.shell("common.sh", show).stdout == f"/elsewhere|{own}/pip\n"


def test_every_folder_of_tests_belongs_to_a_recipe() -> None:
    folders = {f"tests/{path.parent.name}" for path in CHECKOUT.glob("tests/*/test_*.py")}
    named = set(re.findall(r"tests/\w+", (CHECKOUT / "justfile").read_text()))
    assert folders <= named


def test_what_is_run_by_hand_can_be_run() -> None:
    assert all(os.access(CHECKOUT / name, os.X_OK) for name in ("lab", ".ci/run"))


def test_of_a_hostile_shell_only_what_is_needed_reaches_a_recipe(machine: Machine) -> None:
    machine.program("just", "case $1 in --version) echo just 1.59.0 ;; *) env ;; esac")
    machine.program("uv", UV)
    shutil.copy(CHECKOUT / ".env.example", machine.checkout)
    index = {
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "https_proxy": "http://proxy:1",
    }
    machine.environment = {**hostile("redis://elsewhere:6379"), **index, "LAB_WITHOUT": "grafana", "GREETING": "two\nlines"}

    done = machine.run("./lab", "test")

    assert (done.returncode, done.stderr) == (0, "")
    reached = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert reached.items() >= {**index, "LAB_WITHOUT": "grafana", "UV_NO_CONFIG": "1"}.items()
    assert hostile_among(reached) <= index.keys()


def test_a_shell_may_hand_on_variables_of_any_name(machine: Machine) -> None:
    """Names of the scripts' own variables, and of bash's, which cannot be unset."""
    scripts = [CHECKOUT / "lab", *(CHECKOUT / "infrastructure/setup").glob("*.sh")]
    own = {name for path in scripts for name in re.findall(r"\b([a-z][a-z_]*)\+?=", path.read_text())}
    machine.program("just", 'case $1 in --version) echo just 1.59.0 ;; *) env; echo "CALLER=$7" ;; esac')
    machine.program("uv", UV)
    assert own >= {"root", "caller", "passed", "name", "documented", "home", "line"}
    machine.environment = {**dict.fromkeys(own, "/nowhere"), "BASHOPTS": "extglob", "SHELLOPTS": "xtrace", "zzz": "last"}

    done = machine.run(machine.checkout / "lab", "test", folder=Path("/"))

    assert (done.returncode, done.stderr) == (0, "")
    reached = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert reached["CALLER"] == "/"
    assert reached.keys() & {*own, "BASHOPTS", "SHELLOPTS", "zzz"} == set()


def hostile_among(reached: Mapping[str, str]) -> set[str]:
    """What has come of a hostile shell that nobody needs."""
    unneeded = hostile("redis://elsewhere:6379").keys() - documented().keys() - {"UV_CACHE_DIR", "PIP_CACHE_DIR"}
    return {name for name in reached.keys() & unneeded if not name.lower().endswith("_proxy")}


def test_plain_just_tests_lints_and_checks_in_the_same_environment(machine: Machine) -> None:
    shutil.copy(CHECKOUT / ".env.example", machine.checkout)
    machine.program(machine.checkout / ".venvs/dev/bin/python", 'env; echo "ARGUMENTS=$*"')
    machine.environment = {**hostile("redis://elsewhere:6379"), "LAB_WITHOUT": "grafana"}
    done = machine.run("infrastructure/setup/sealed.sh", "python", "-m", "pytest", "two words")
    assert (done.returncode, done.stderr) == (0, "")
    reached = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert hostile_among(reached) == set()
    assert reached["PYTHONPATH"] == str(machine.checkout)
    assert reached["ARGUMENTS"] == "-m pytest two words"
    assert ".venvs/dev" not in (CHECKOUT / "justfile").read_text()


@pytest.mark.parametrize("script", ["dotenv.sh", "environments.sh", "redis.sh"])
def test_a_script_of_the_set_up_does_not_run_what_the_shell_would_have_it_run_first(machine: Machine, script: str) -> None:
    before = machine.folder / "before.sh"
    before.write_text(f"touch {machine.folder}/ran\nexit 7\n")
    machine.environment = {"BASH_ENV": str(before), "ENV": str(before), "CDPATH": ".:/", "BASH_FUNC_cd%%": "() { exit 7; }"}
    assert machine.run(f"infrastructure/setup/{script}").returncode != 7
    assert not (machine.folder / "ran").exists()


def test_of_pips_own_files_only_where_packages_come_from_counts(machine: Machine) -> None:
    said = machine.folder / "said"
    said.write_text("global.index-url='https://mirror/simple'\nglobal.user='yes'\ninstall.trusted-host='mirror\\nother'\n")
    python = machine.program("python3", f'[[ $* == *"config list" ]] && cat {said}')
    show = f'only_sources {python}; env | grep "^PIP_" | sort'
    machine.environment = {"PIP_TARGET": "/nowhere", "PIP_CACHE_DIR": "/cache"}
    assert machine.shell("tools.sh", show).stdout.splitlines() == [
        "PIP_CACHE_DIR=/cache",
        "PIP_CONFIG_FILE=/dev/null",
        "PIP_INDEX_URL=https://mirror/simple",
        "PIP_TRUSTED_HOST=mirror other",
    ]


UNANSWERED = 'case $1 in compose) ;; *) echo "Cannot connect to the Docker daemon" >&2; exit 1 ;; esac'


@pytest.mark.parametrize("there", [None, "exit 1", UNANSWERED])
def test_without_docker_a_benchmark_in_containers_says_the_command_that_works_and_makes_no_settings(
    machine: Machine, there: str | None
) -> None:
    shutil.copy(CHECKOUT / ".env.example", machine.checkout)
    if there is not None:
        machine.program("docker", there)
    done = machine.run("infrastructure/setup/for_lab.sh", "benchmark", "1", "--label", "two words")
    assert done.returncode == 1
    assert "./lab benchmark 1 --label two\\ words --lab local" in done.stderr
    assert ("engine does not answer: Cannot connect to the Docker daemon" in done.stderr) == (there == UNANSWERED)
    assert not (machine.checkout / ".env").exists()


def test_with_docker_it_has_settings_and_for_local_processes_it_needs_only_a_redis(machine: Machine) -> None:
    shutil.copy(CHECKOUT / ".env.example", machine.checkout)
    machine.program("redis-server", "echo Redis server v=8.0")
    assert machine.run("infrastructure/setup/for_lab.sh", "benchmark", "1", "--lab", "local").returncode == 0
    assert not (machine.checkout / ".env").exists()
    machine.program("docker", "exit 0")
    machine.program("od", "echo 00")
    assert machine.run("infrastructure/setup/for_lab.sh", "benchmark", "1").returncode == 0
    assert (machine.checkout / ".env").exists()
