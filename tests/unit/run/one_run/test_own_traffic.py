"""Redis is read at a moment at which what the lab has asked of it is known."""

from collections.abc import Iterable
from typing import cast

import pytest

from benchmarks.record.run_data import RedisReading
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run import own_traffic
from benchmarks.run.one_run.own_traffic import read_redis
from tasks.redis_traffic import RedisTraffic

BY_READER = RedisTraffic(10, 200, 3000)


class Told:
    """A node that tells its own traffic: each time the next number of commands, or that it is asking, and the last for ever."""

    name = "worker-some"

    def __init__(self, *commands: int | None) -> None:
        self._told = list(commands)

    def own_redis_traffic(self) -> RedisTraffic | None:
        commands = self._told.pop(0) if len(self._told) > 1 else self._told[0]
        return None if commands is None else RedisTraffic(commands, 10 * commands, 100 * commands)


class Server:
    """Counts how often it was read."""

    def __init__(self) -> None:
        self.read_times = 0

    def read(self) -> RedisReading:
        self.read_times += 1
        return RedisReading(self.read_times, 1000, 50_000, 70_000, 1.0, 1_000_000, own=BY_READER)


def read_of(server: Server, nodes: Iterable[Told]) -> RedisReading:
    return read_redis(server.read, [cast(NodeClient, node) for node in nodes])


def test_what_reader_and_nodes_have_asked_is_added_up() -> None:
    reading = read_of(Server(), [Told(7), Told(1)])
    assert reading.own == BY_READER + RedisTraffic(8, 80, 800)
    assert reading.of_others == RedisTraffic(1000 - 18, 50_000 - 280, 70_000 - 3800)


@pytest.mark.parametrize(
    ("told", "times"),
    [
        ((7, 8, 8), 2),  # asked while Redis was read
        ((None, 8, 8), 1),  # was asking before
        ((7, None, 8, 8), 2),  # was still asking afterwards
        ((None, None, None, 8, 8), 1),
        ((6, 7, 7, 8, 8), 3),
    ],
)
def test_a_node_that_asked_meanwhile_has_redis_read_again_once_it_does_not(told: tuple[int | None, ...], times: int) -> None:
    server = Server()
    reading = read_of(server, [Told(0), Told(*told)])
    assert (server.read_times, reading.at_ns) == (times, times)
    assert reading.own == BY_READER + RedisTraffic(8, 80, 800)


def test_a_node_that_never_stops_asking_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_traffic, "LIMIT_S", 0.02)
    with pytest.raises(NodeError, match="worker-some"):
        read_of(Server(), [Told(None)])
