"""Connections to anything but the lab's servers."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infrastructure.agent.elsewhere import addresses_of, foreign_connections
from tests.support import run_script

LISTENERS = {"version 4": (socket.AF_INET, "127.0.0.1"), "version 6": (socket.AF_INET6, "::1")}


@pytest.fixture(params=LISTENERS)
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A server of somebody's, which is no descriptor of this process's table of interest."""
    family, host = LISTENERS[request.param]
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no loopback of {request.param}")
    with server:
        yield server


LOOK = """
import os, socket, sys
from infrastructure.agent.elsewhere import addresses_of, foreign_connections
held = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print(foreign_connections([os.getpid()], addresses_of(sys.argv[3]) if sys.argv[3] else set()))
"""


def test_a_connection_is_named_by_its_remote_end_unless_it_leads_to_a_server_of_the_lab(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    url_host = f"[{host}]" if ":" in host else host
    assert run_script(LOOK, host, str(port), "") == f"['{host}:{port}']\n"
    assert run_script(LOOK, host, str(port), f"redis://{url_host}:{port}") == "[]\n"
    assert run_script(LOOK, host, str(port), f"redis://{url_host}:{port + 1 if port < 65_535 else 1}") == f"['{host}:{port}']\n"


@pytest.mark.parametrize("still_listens", [True, False])
def test_what_processes_have_with_each_other_is_their_own_affair(still_listens: bool) -> None:
    with ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = opened.enter_context(socket.create_connection(server.getsockname()))
        opened.enter_context(server.accept()[0])
        ports = {server.getsockname()[1], client.getsockname()[1]}
        if not still_listens:
            server.close()
        found = foreign_connections([os.getpid()], set())
        assert not [address for address in found if int(address.rpartition(":")[2]) in ports]


def test_a_name_that_stands_for_nothing_is_no_address() -> None:
    assert addresses_of("http://nowhere.invalid:80") == set()
    assert addresses_of("redis://127.0.0.1:6379") == {("127.0.0.1", 6379)}
