import pytest

from tests.setup.conftest import Machine

SCRIPT = "infrastructure/setup/redis.sh"
SERVER = "echo Redis server v=7.0.15"


def test_a_server_on_the_path_is_all_that_it_takes(machine: Machine) -> None:
    machine.program("redis-server", SERVER)
    done = machine.run(SCRIPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("user", [0, 1000])
def test_where_it_cannot_be_installed_one_line_says_what_to_install(machine: Machine, user: int) -> None:
    machine.program("id", f"echo {user}")
    if user:
        machine.program("apt-get", "echo not for this user; exit 100")
    done = machine.run(SCRIPT)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "apt-get install redis-server" in done.stderr


def test_root_gets_the_program_without_the_service(machine: Machine) -> None:
    machine.program("id", "echo 0")
    package = machine.program(machine.folder / "redis-check-rdb", SERVER)
    machine.program("apt-get", f'echo "$*" >>apt.calls; cp {package} {machine.programs}')
    done = machine.run(SCRIPT)
    assert done.returncode == 0, done.stderr
    assert (machine.checkout / "apt.calls").read_text().split()[-1] == "redis-tools"
    assert machine.run(machine.checkout / ".tools" / "bin" / "redis-server").stdout.startswith("Redis server")
    assert machine.run(SCRIPT).stderr == ""


def test_an_apt_that_fails_shows_why(machine: Machine) -> None:
    machine.program("id", "echo 0")
    machine.program("apt-get", "echo E: no space left; exit 100")
    done = machine.run(SCRIPT)
    assert done.returncode == 1
    assert "no space left" in done.stderr
