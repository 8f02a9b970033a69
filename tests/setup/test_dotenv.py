from tests.setup.conftest import Machine

SCRIPT = "infrastructure/setup/dotenv.sh"
SECRETS = ("LAB_TOKEN", "LAB_REDIS_PASSWORD", "GRAFANA_ADMIN_PASSWORD")
EXAMPLE = "# Settings\nLAB_TOKEN=\nLAB_REDIS_PASSWORD=\nREDIS_PORT=6379\nGRAFANA_ADMIN_PASSWORD=\n"


def test_secrets_are_made_up_for_the_owner_alone_and_the_rest_stays(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text(EXAMPLE)
    assert machine.run(SCRIPT).returncode == 0
    made = machine.checkout / ".env"
    assert list((machine.checkout / ".cache").iterdir()) == []
    assert made.stat().st_mode & 0o777 == 0o600
    comment, port = (line for line in made.read_text().splitlines() if not line.startswith(SECRETS))
    assert (comment, port) == ("# Settings", "REDIS_PORT=6379")
    values = [line.partition("=")[2] for line in made.read_text().splitlines() if line.startswith(SECRETS)]
    assert [len(bytes.fromhex(value)) for value in values] == [24, 24, 24]
    assert len(set(values)) == 3


def test_a_file_that_is_there_and_has_them_stays_as_it_is(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text(EXAMPLE)
    mine = "LAB_TOKEN=mine\nexport LAB_REDIS_PASSWORD=\nGRAFANA_ADMIN_PASSWORD = x"
    (machine.checkout / ".env").write_text(mine)
    assert machine.run(SCRIPT).returncode == 0
    assert (machine.checkout / ".env").read_text() == mine


def test_secrets_that_a_file_does_not_know_are_added_to_it(machine: Machine) -> None:
    """As of an older version: its lines stay, and it becomes its owner's alone."""
    (machine.checkout / ".env.example").write_text(EXAMPLE)
    made = machine.checkout / ".env"
    made.write_text("LAB_TOKEN=mine\n#GRAFANA_ADMIN_PASSWORD=\nREDIS_PORT=1")
    made.chmod(0o644)
    done = machine.run(SCRIPT)
    assert (done.returncode, "LAB_REDIS_PASSWORD GRAFANA_ADMIN_PASSWORD" in done.stderr) == (0, True)
    *kept, password, grafana = made.read_text().splitlines()
    assert kept == ["LAB_TOKEN=mine", "#GRAFANA_ADMIN_PASSWORD=", "REDIS_PORT=1"]
    assert password.startswith("LAB_REDIS_PASSWORD=")
    assert len(bytes.fromhex(password.partition("=")[2])) == len(bytes.fromhex(grafana.partition("=")[2])) == 24
    assert made.stat().st_mode & 0o777 == 0o600


def test_an_example_without_the_secrets_line_is_an_error_that_leaves_nothing(machine: Machine) -> None:
    (machine.checkout / ".env.example").write_text("LAB_TOKEN=\nLAB_REDIS_PASSWORD=\n")
    done = machine.run(SCRIPT)
    assert done.returncode == 1
    assert "GRAFANA_ADMIN_PASSWORD" in done.stderr
    assert [path.name for path in machine.checkout.glob(".env*")] == [".env.example"]
    assert list((machine.checkout / ".cache").iterdir()) == []
