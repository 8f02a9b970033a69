"""What a server says of itself, also an old one."""

from typing import Any

import pytest

from benchmarks.run.labs.lab import LabError
from benchmarks.run.redis_server import SETTINGS, RedisServer


class Answers:
    """A client of a server of some version that, like those before 7, tells one setting at a time."""

    def __init__(self, version: str) -> None:
        self._version = version

    def info(self, _: str) -> dict[str, Any]:
        return {"redis_version": self._version, "redis_mode": "standalone"}

    def config_get(self, *names: str) -> dict[str, str]:
        (name,) = names
        return {name: "1"}


def server_of(version: str) -> RedisServer:
    server = RedisServer("redis://localhost:1")
    server._client = Answers(version)  # type: ignore[assignment]
    return server


@pytest.mark.parametrize("version", ["6.2.0", "6.2.16", "7.0.15", "10.0.1"])
def test_every_version_that_is_sound_tells_its_settings(version: str) -> None:
    assert server_of(version).facts() == {"version": version, "mode": "standalone", "settings": dict.fromkeys(SETTINGS, "1")}


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "2.8"])
def test_an_older_one_is_refused_with_both_versions(version: str) -> None:
    with pytest.raises(LabError, match=rf"Redis {version} is too old: .* since 6\.2"):
        server_of(version).facts()
