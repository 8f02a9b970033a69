"""The tools for the hand on a Redis with a password, which they find and do not show."""

import secrets
from urllib.parse import urlsplit

import pytest
import redis
from typer.testing import CliRunner

from benchmarks.cli import hand_tools
from benchmarks.run.labs.lab import LabError

PASSWORD = secrets.token_hex(8)


@pytest.fixture
def compose_redis(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> str:
    """The tests' Redis in the place of the Compose lab's."""
    server = urlsplit(redis_url)
    monkeypatch.setenv("LAB_REDIS_PASSWORD", str(server.password))
    monkeypatch.setenv("REDIS_PORT", str(server.port))
    return redis_url


@pytest.mark.parametrize("command", ["info", "reset"])
def test_they_get_in_and_do_not_show_the_password(compose_redis: str, command: str) -> None:
    with redis.Redis.from_url(compose_redis) as client:
        client.set("left", "over")
        ended = CliRunner().invoke(hand_tools.redis_app, [command])
        assert ended.exit_code == 0, ended.output
        assert f"redis://127.0.0.1:{urlsplit(compose_redis).port}" in ended.output
        assert str(urlsplit(compose_redis).password) not in ended.output
        assert client.exists("left") == (command == "info")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:{wrong}@127.0.0.1:{port}", r"Redis at redis://127\.0\.0\.1:\d+ wants another password"),
        ("redis://127.0.0.1:{port}", r"wants another password .*--url redis://:PASSWORD@HOST:PORT"),
        ("redis://:{wrong}@127.0.0.1:1", r"no Redis at redis://127\.0\.0\.1:1 "),
        ("other://:{wrong}@127.0.0.1", r"'other://127\.0\.0\.1' is not a Redis URL"),
    ],
)
def test_what_goes_wrong_is_said_without_the_password(compose_redis: str, url: str, told: str) -> None:
    given = url.format(wrong=PASSWORD, port=urlsplit(compose_redis).port)
    ended = CliRunner().invoke(hand_tools.redis_app, ["info", "--url", given])
    assert isinstance(ended.exception, LabError)
    with pytest.raises(LabError, match=told) as shown:
        raise ended.exception
    assert PASSWORD not in str(shown.value)
