"""Reads the broker's own counters."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import redis

from benchmarks.record.run_data import RedisReading
from benchmarks.run.labs.lab import LabError
from tasks.redis_traffic import NO_TRAFFIC, RedisTraffic, metered

OLDEST = (6, 2)
"""The oldest version that the lab is sound on."""
SETTINGS = ("save", "appendonly", "maxmemory", "maxmemory-policy", "io-threads")


class RedisServer:
    """A connection to the lab's Redis server, for its figures only."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=10)
        self._own = NO_TRAFFIC

    def read(self, puts: Iterable[str] = ()) -> RedisReading:
        """The counters of INFO, what this client's own readings had added to them by then, and how often the commands ``puts``
        were called. Raises redis.RedisError when the server does not answer.

        A client's buffers come and go in steps of 16 KB, which would drown what a few thousand tasks take: they are subtracted
        as CLIENT LIST has them, since INFO's own figure for them lags behind by seconds.
        """
        info, own = self._info()
        commands: dict[str, Any] = self._metered(lambda: self._client.info("commandstats"))
        clients_bytes = sum(int(client["tot-mem"]) for client in self._metered(self._client.client_list))
        return RedisReading(
            at_ns=time.monotonic_ns(),
            commands=info["total_commands_processed"],
            input_bytes=info["total_net_input_bytes"],
            output_bytes=info["total_net_output_bytes"],
            cpu_s=info["used_cpu_user"] + info["used_cpu_sys"],
            memory_bytes=info["used_memory"] - clients_bytes,
            blocked_clients=info["blocked_clients"],
            puts=sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in puts),
            own=own,
        )

    def clients(self) -> int:
        """How many are connected."""
        info: dict[str, Any] = self._metered(lambda: self._client.info("clients"))
        return int(info["connected_clients"])

    def _info(self) -> tuple[dict[str, Any], RedisTraffic]:
        """INFO, and what this client had cost when Redis wrote it: Redis has counted the request by then, but neither the command
        nor its answer."""
        self._metered(self._client.ping)  # connects, where need be
        before = self._own
        info: dict[str, Any] = self._metered(self._client.info)
        request_bytes = self._own.input_bytes - before.input_bytes
        return info, before + RedisTraffic(input_bytes=request_bytes)

    def _metered[T](self, ask: Callable[[], T]) -> T:
        with metered() as meter:
            try:
                return ask()
            finally:
                self._own += meter.traffic

    def facts(self) -> dict[str, Any]:
        """What the running server says of itself and of the settings that matter here. Raises LabError where it is older
        than :data:`OLDEST`."""
        info: dict[str, Any] = self._client.info("server")
        version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
        if version < OLDEST:
            raise LabError(
                f"Redis {info['redis_version']} is too old: the control needs BLMOVE, and the books the memory of each client, "
                f"which there are since {'.'.join(map(str, OLDEST))}. Install a newer redis-server, or use the lab of containers."
            )
        # One at a time: only Redis 7 answers for several.
        settings = {name: value for asked in SETTINGS for name, value in self._client.config_get(asked).items()}
        return {"version": info["redis_version"], "mode": info["redis_mode"], "settings": settings}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
