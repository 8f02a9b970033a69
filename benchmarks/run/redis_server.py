"""Reads the broker's own counters."""

import time
from typing import Any

import redis

from benchmarks.record.run_data import RedisReading


class RedisServer:
    """A connection to the lab's Redis server, for its figures only."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=10)

    def read(self) -> RedisReading:
        """The counters of INFO. Raises redis.RedisError when the server does not answer.

        A client's buffers come and go in steps of 16 KB, which would drown what a few thousand tasks take: they are subtracted
        as CLIENT LIST has them, since INFO's own figure for them lags behind by seconds.
        """
        info: dict[str, Any] = self._client.info()
        clients_bytes = sum(int(client["tot-mem"]) for client in self._client.client_list())
        return RedisReading(
            at_ns=time.monotonic_ns(),
            commands=info["total_commands_processed"],
            input_bytes=info["total_net_input_bytes"],
            output_bytes=info["total_net_output_bytes"],
            cpu_s=info["used_cpu_user"] + info["used_cpu_sys"],
            memory_bytes=info["used_memory"] - clients_bytes,
        )

    def facts(self) -> dict[str, Any]:
        """What the running server says of itself and of the settings that matter here."""
        info: dict[str, Any] = self._client.info("server")
        settings = self._client.config_get("save", "appendonly", "maxmemory", "maxmemory-policy", "io-threads")
        return {"version": info["redis_version"], "mode": info["redis_mode"], "settings": settings}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
