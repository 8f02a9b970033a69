from tests.setup.conftest import Machine

SCRIPT = "infrastructure/setup/dotenv.sh"
EXAMPLE = "# Settings\nLAB_TOKEN=\nREDIS_PORT=6379\nGRAFANA_ADMIN_PASSWORD=\n"


def test_secrets_are_made_up_for_the_owner_alone_and_the_rest_stays(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text(EXAMPLE)
    assert machine.run(SCRIPT).returncode == 0
    made = machine.checkout / ".env"
    assert list((machine.checkout / ".cache").iterdir()) == []
    assert made.stat().st_mode & 0o777 == 0o600
    comment, token, port, password = made.read_text().splitlines()
    assert (comment, port) == ("# Settings", "REDIS_PORT=6379")
    token, password = token.removeprefix("LAB_TOKEN="), password.removeprefix("GRAFANA_ADMIN_PASSWORD=")
    assert len(bytes.fromhex(token)) == len(bytes.fromhex(password)) == 24
    assert token != password


def test_a_file_that_is_there_stays_as_it_is(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text(EXAMPLE)
    (machine.checkout / ".env").write_text("LAB_TOKEN=mine\n")
    assert machine.run(SCRIPT).returncode == 0
    assert (machine.checkout / ".env").read_text() == "LAB_TOKEN=mine\n"


def test_an_example_without_the_secrets_line_is_an_error_that_leaves_nothing(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text("LAB_TOKEN=\n")
    done = machine.run(SCRIPT)
    assert done.returncode == 1
    assert "GRAFANA_ADMIN_PASSWORD" in done.stderr
    assert [path.name for path in machine.checkout.glob(".env*")] == [".env.example"]
    assert list((machine.checkout / ".cache").iterdir()) == []
