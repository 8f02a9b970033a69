"""The agent's environment: what makes a node, and what is said about what does not."""

import sys
from pathlib import Path

import pytest

from infrastructure.agent.requests import WorkerStart
from infrastructure.agent.settings import SettingsError, settings_from

GOOD = {
    "LAB_ROLE": "worker",
    "LAB_FRAMEWORK": "tiny",
    "LAB_VARIANT": "tiny-threads",
    "LAB_FRAMEWORK_PYTHON": sys.executable,
    "LAB_TOKEN": "secret",
    "LAB_EVENTS_DIR": "/dev/shm/lab",
    "LAB_REDIS_URL": "redis://localhost:6379",
    "LAB_AGENT_PORT": "8000",
}


def test_a_whole_environment() -> None:
    settings = settings_from(
        GOOD | {"LAB_AUTOSTART": '{"processes": 2, "concurrency": 4, "queues": ["lab"]}', "LAB_OWN_CGROUP": "1", "PATH": "/bin"}
    )
    assert settings.host == "127.0.0.1"
    assert settings.port == 8000
    assert settings.own_cgroup
    assert settings.autostart == WorkerStart(processes=2, concurrency=4, queues=("lab",))
    assert "secret" not in repr(settings)


def test_what_is_set_to_nothing_is_not_set() -> None:
    assert settings_from(GOOD | {"LAB_AUTOSTART": "", "LAB_TOKEN_FILE": ""}).autostart is None


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    environment = {k: v for k, v in GOOD.items() if k != "LAB_TOKEN"} | {"LAB_TOKEN_FILE": str(tmp_path / "token")}
    assert settings_from(environment).token.get_secret_value() == "from-file"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"LAB_ROLE": "boss"}, "LAB_ROLE='boss': Input should be 'worker' or 'producer'"),
        ({"LAB_FRAMEWORK": "../x"}, "LAB_FRAMEWORK='../x'"),
        ({"LAB_VARIANT": ""}, "LAB_VARIANT is missing"),
        ({"LAB_ROLE": "producer"}, "for worker nodes"),
        ({"LAB_FRAMEWORK_PYTHON": "/nowhere/python"}, "LAB_FRAMEWORK_PYTHON='/nowhere/python': is not an executable file"),
        ({"LAB_TOKEN": ""}, "LAB_TOKEN (or LAB_TOKEN_FILE) is missing"),
        ({"LAB_TOKEN": "not allowed"}, "printable ASCII without spaces"),
        ({"LAB_TOKEN_FILE": "/nowhere"}, "both set"),
        ({"LAB_TOKEN": "", "LAB_TOKEN_FILE": "/nowhere"}, "LAB_TOKEN_FILE='/nowhere' cannot be read"),
        ({"LAB_EVENTS_DIR": ""}, "LAB_EVENTS_DIR is missing"),
        (
            {"LAB_REDIS_URL": "redis://localhost:6379/3"},
            "LAB_REDIS_URL='redis://localhost:6379/3': must be a Redis server without",
        ),
        ({"LAB_REDIS_URL": "localhost:6379"}, "LAB_REDIS_URL='localhost:6379'"),
        ({"LAB_AGENT_PORT": "70000"}, "LAB_AGENT_PORT='70000'"),
        ({"LAB_AGENT_PORT": "0"}, "needs LAB_AGENT_PORT_FILE"),
        ({"LAB_AUTOSTART": "{"}, "is not JSON"),
        (
            {"LAB_AUTOSTART": '{"processes": 0, "concurrency": 1, "queues": ["lab"]}'},
            "(processes): Input should be greater than or equal",
        ),
        ({"LAB_AUTOSTART": '{"processes": 1, "concurrency": 1, "queue": "lab"}'}, "(queue): Extra inputs are not permitted"),
        ({"LAB_PARENT_PID": "me"}, "LAB_PARENT_PID='me'"),
    ],
)
def test_each_problem_is_named_with_its_value(change: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(GOOD | change)
    assert problem in str(raised.value)


def test_a_bad_token_is_not_shown() -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(GOOD | {"LAB_TOKEN": "very secret"})
    assert "very secret" not in str(raised.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from({"LAB_ROLE": "boss"})
    assert all(name in str(raised.value) for name in ("LAB_ROLE", "LAB_FRAMEWORK", "LAB_EVENTS_DIR", "LAB_REDIS_URL"))
