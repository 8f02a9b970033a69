"""Runs the node agent until it is told to end, or its parent ends."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop

from infrastructure.agent.http import create_app
from infrastructure.agent.node import Node
from infrastructure.agent.processes import become_subreaper
from infrastructure.agent.settings import AgentSettings, SettingsError, settings_from
from tasks.causes import cause

_BAD_SETTINGS = 2
_SILENT_CLIENT_LIMIT_MS = 10_000
_KEEP_ALIVE_S = 600
_LAST_ANSWERS_S = 2


class _Server(uvicorn.Server):
    """Leaves the signals to :func:`serve`, which must end the node's children before the process ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections break when the other side is silent: a session's host may have lost its power.
    Raises OSError."""
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_CLIENT_LIMIT_MS)
    return listener


async def serve(settings: AgentSettings, listener: socket.socket) -> None:
    """Serve the node until a signal comes or its parent ends; then end all that it started."""
    node = Node(settings, os.environ)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, node.closing.set)
    server = _Server(
        uvicorn.Config(
            create_app(node),
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.create_task(node.watch())
    closing = asyncio.create_task(node.closing.wait())
    if settings.port_file is not None:
        _write(settings.port_file, str(listener.getsockname()[1]))
    node.begin()
    try:
        ended, _ = await asyncio.wait((serving, watching, closing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await node.close()
        server.should_exit = True
        await serving
        if settings.port_file is not None:
            settings.port_file.unlink(missing_ok=True)
    for task in ended:
        task.result()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main() -> int:
    """The exit code: 0 after an end that was asked for, 2 for settings that make no node, 1 for what else went wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = settings_from(os.environ)
    except SettingsError as error:
        print(f"lab agent: {cause(error)}", file=sys.stderr)
        return _BAD_SETTINGS
    try:
        become_subreaper()
        listener = listen(settings.host, settings.port)
    except OSError as error:
        print(f"lab agent: cannot listen on {settings.host}:{settings.port}: {cause(error)}", file=sys.stderr)
        return 1
    uvloop.run(serve(settings, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
