"""Where the application of jobs listens, and which one a monitor is for."""

import socket

import pytest

from benchmarks.cli.api import api
from benchmarks.run.job_api import ADDRESS, Place, chosen_place, port_to_listen_on
from benchmarks.run.labs.lab import LabError


def place(port: int) -> Place:
    return Place("one", port, "redis://:secret@127.0.0.1:1", f"lab-{port}", "/folder")


def test_a_port_that_somebody_has_is_refused_with_what_to_do() -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LabError, match=rf"^port {port} "):
            api("one", port=port)
        with pytest.raises(LabError, match=rf"^port {port} of 127\.0\.0\.1 cannot be had \(address already in use\): .* --port$"):
            port_to_listen_on(port)
    assert port_to_listen_on(port) == port
    assert port_to_listen_on(0) > 0


def test_the_only_one_is_meant_or_that_on_the_port() -> None:
    assert chosen_place([place(8000)], None).port == 8000
    assert chosen_place([place(8000), place(8001)], 8001).port == 8001


@pytest.mark.parametrize(
    ("ports", "asked", "told"),
    [
        ([], None, "no `just api` runs: start it"),
        ([], 8000, "no `just api` runs: start it"),
        ([8001, 8000], None, "runs on the ports 8000, 8001: name one of them by --api-port"),
        ([8000], 8002, "runs on the ports 8000: name one"),
    ],
)
def test_where_that_is_none_or_many_it_is_said(ports: list[int], asked: int | None, told: str) -> None:
    with pytest.raises(LabError) as error:
        chosen_place([place(port) for port in ports], asked)
    assert told in str(error.value)
    assert "secret" not in str(error.value)
