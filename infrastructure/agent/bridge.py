"""The agent's end of ``tasks.bridge``: a persistent child in the framework's environment that answers orders."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.agent.errors import BridgeError
from infrastructure.agent.logs import emptied, log_tail
from infrastructure.agent.processes import exit_text
from tasks.causes import cause
from tasks.redis_traffic import NO_TRAFFIC, OWN_ORDERS, RedisTraffic

ORDER_LIMIT_S = 60.0
"""How long any order but a load may take; a framework's import is part of the first one."""
_END_LIMIT_S = 2.0


class BridgeClient:
    """Hands orders to the bridge, one at a time; starts it when it is first needed, and again when it has died."""

    def __init__(self, python: Path, framework: str, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self._command = [str(python), "-m", "tasks.bridge", framework]
        self.environment = dict(environment)
        self._folder = folder
        self.log = log
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._in_hand = ""
        self._closed = False
        self._traffic = NO_TRAFFIC

    @property
    def redis_traffic(self) -> RedisTraffic | None:
        """What all orders that ask Redis for the lab's own sake have cost it since the agent began; None during one. Of one
        over which the bridge died nothing is known."""
        return None if self._in_hand in OWN_ORDERS else self._traffic

    @property
    def pid(self) -> int | None:
        """The bridge's process, which leads a session of its own; None while there is none."""
        return None if self._process is None else self._process.pid

    async def order(self, operation: str, limit_s: float | None = ORDER_LIMIT_S, **fields: Any) -> dict[str, Any]:
        """The answer to an order. Waits for its turn; an order that has begun is always seen to its end, whatever becomes of
        the caller. Raises BridgeError when the framework refuses, the bridge dies, or ``limit_s`` passes."""
        line = json.dumps({"op": operation, **fields}).encode() + b"\n"
        return await asyncio.shield(asyncio.create_task(self._order(operation, line, limit_s)))

    async def order_soon(self, operation: str, wait_s: float, **fields: Any) -> dict[str, Any] | None:
        """As :meth:`order`, but None if the bridge stays busy with something else for ``wait_s``."""
        try:
            async with asyncio.timeout(wait_s):
                await self._lock.acquire()
        except TimeoutError:
            return None
        self._lock.release()
        return await self.order(operation, **fields)

    def kill(self) -> None:
        """End the bridge at once, and with it the order that it is carrying out."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def poll(self) -> None:
        """Collect the exit status of a bridge that has died."""
        if self._process is not None:
            self._process.poll()

    async def close(self) -> None:
        """End the bridge for good: kindly when it is idle, else at once."""
        self._closed = True
        process = self._process
        if process is not None and process.stdin is not None and not self._lock.locked():
            process.stdin.close()
            try:
                await asyncio.to_thread(process.wait, _END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self.kill()

    async def _order(self, operation: str, line: bytes, limit_s: float | None) -> dict[str, Any]:
        async with self._lock:
            self._in_hand = operation
            try:
                answer = await self._answer(operation, line, limit_s)
                self._traffic += RedisTraffic(**answer.pop("redis", {}))
            finally:
                self._in_hand = ""
        if "error" in answer:
            raise BridgeError(str(answer["error"]))
        return answer

    async def _answer(self, operation: str, line: bytes, limit_s: float | None) -> dict[str, Any]:
        process = self._running()
        try:
            async with asyncio.timeout(limit_s):
                raw = await asyncio.to_thread(_exchange, process, line)
        except TimeoutError:
            self.kill()
            raise BridgeError(
                f"the framework's bridge did not answer {operation!r} within {limit_s} s and was ended; its log ends:\n"
                f"{log_tail(self.log)}"
            ) from None
        if not raw.endswith(b"\n"):
            code = await asyncio.to_thread(process.wait)
            raise BridgeError(f"the framework's bridge {exit_text(code)} over {operation!r}; its log ends:\n{log_tail(self.log)}")
        answer: dict[str, Any] = json.loads(raw)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise BridgeError("the node is shutting down")
        if self._process is None or self._process.poll() is not None:
            with emptied(self.log) as log:
                try:
                    self._process = subprocess.Popen(
                        self._command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        env=self.environment,
                        cwd=self._folder,
                        start_new_session=True,
                    )
                except OSError as error:
                    raise BridgeError(
                        f"the framework's bridge cannot be started ({' '.join(self._command)}): {cause(error)}"
                    ) from error
        return self._process


def _exchange(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send one line and wait for one; what comes is cut short when the bridge dies."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(line)
        process.stdin.flush()
    except (BrokenPipeError, ValueError):
        return b""
    return process.stdout.readline()
