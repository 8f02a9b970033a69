import pytest

from tests.setup.conftest import Machine

LAB = """
case $1 in
  test) echo '===== 5 passed, 1 skipped, 2 warnings in 3.21s ====='; exit {test} ;;
  test-compose) echo "$*: ===== not a closing line"; echo '===== 2 passed in 61.00s (0:01:01) =====' ;;
  lint) exit {lint} ;;
esac
"""


@pytest.fixture
def ci(machine: Machine) -> Machine:
    machine.program("id", "echo 1000")
    machine.program("docker", "exit 0")
    return machine


def test_the_last_line_adds_up_all_tests(ci: Machine) -> None:
    ci.program(ci.checkout / "lab", LAB.format(test=0, lint=0))
    done = ci.run("bash", ".ci/run")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "7 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize(("step", "last"), [("lint", "0 passed, 1 failed, 0 skipped"), ("test", "5 passed, 1 failed, 1 skipped")])
def test_a_step_that_fails_ends_the_run_and_is_named(ci: Machine, step: str, last: str) -> None:
    ci.program(ci.checkout / "lab", LAB.format(**{"test": 0, "lint": 0, step: 3}))
    done = ci.run("bash", ".ci/run")
    assert done.returncode == 3
    failed, line = done.stdout.splitlines()[-2:]
    assert failed.startswith(f"failed: {step}")
    assert line == last


def test_without_an_engine_the_run_fails_and_says_so(ci: Machine) -> None:
    ci.program(ci.checkout / "lab", LAB.format(test=0, lint=0))
    ci.program("docker", "exit 1")
    done = ci.run("bash", ".ci/run")
    assert done.returncode == 1
    assert "no Docker engine" in done.stdout
