"""What counts as proof that frameworks keep to databases of their own."""

import io
import socket
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from benchmarks.cli.separation import print_findings
from benchmarks.run import separation
from benchmarks.run.separation import (
    Finding,
    appeared,
    database_number,
    databases_of_connections,
    is_in_handshake,
    overlapping,
)
from tasks.contract import APPLICATION_DATABASE

SEPARATE = Finding("some-variant", "some", allowed=(1, 2), client_databases=(1,), key_databases={1: 3})


def test_all_that_is_seen_must_be_in_the_frameworks_databases() -> None:
    assert SEPARATE.holds
    assert replace(SEPARATE, client_databases=(1, 2), key_databases={1: 3, 2: 1}).holds


@pytest.mark.parametrize(
    "finding",
    [
        replace(SEPARATE, client_databases=(0,)),
        replace(SEPARATE, client_databases=(0, 1)),
        replace(SEPARATE, key_databases={0: 1}),
        replace(SEPARATE, key_databases={1: 3, 7: 1}),
        replace(SEPARATE, allowed=()),
    ],
)
def test_one_connection_or_key_elsewhere_is_one_too_many(finding: Finding) -> None:
    assert not finding.holds


@pytest.mark.parametrize("finding", [replace(SEPARATE, client_databases=()), replace(SEPARATE, key_databases={})])
def test_nothing_seen_proves_nothing(finding: Finding) -> None:
    assert not finding.holds


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("redis://localhost:6379/1", 1),
        ("redis://localhost:6379/12", 12),
        ("redis://localhost:6379", 0),
        ("rediss://user:secret@host:1/3", 3),
        ("redis://localhost:6379/", 0),
        ("redis://localhost:6379/2?protocol=3", 2),
    ],
)
def test_the_database_of_a_url(url: str, number: int) -> None:
    assert database_number(url) == number


def test_only_the_workers_connections_count() -> None:
    clients = [
        {"addr": "127.0.0.1:1", "db": "2", "cmd": "brpop"},
        {"addr": "127.0.0.1:2", "db": "1", "cmd": "client|setinfo"},
        {"addr": "127.0.0.1:3", "db": "2", "cmd": "select"},
        {"addr": "127.0.0.1:10", "db": "9", "cmd": "ping"},
    ]
    assert databases_of_connections(clients, {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}) == (1, 2)
    assert databases_of_connections(clients, {"127.0.0.1:4"}) == ()


@pytest.mark.parametrize("command", ["NULL", "hello", "auth", "client|setinfo", "client|setname", "client"])
def test_a_connection_in_the_middle_of_its_handshake_has_chosen_no_database(command: str) -> None:
    clients = [{"addr": "127.0.0.1:1", "db": "0", "cmd": command}, {"addr": "127.0.0.1:2", "db": "1", "cmd": "brpop"}]
    assert [is_in_handshake(client) for client in clients] == [True, False]
    assert databases_of_connections(clients, {"127.0.0.1:1", "127.0.0.1:2"}) == (1,)


@pytest.mark.parametrize("command", ["select", "brpop", "ping", "info"])
def test_a_connection_that_works_in_the_first_database_has_chosen_it(command: str) -> None:
    assert databases_of_connections([{"addr": "a:1", "db": "0", "cmd": command}], {"a:1"}) == (0,)


def test_what_is_not_decided_is_neither_separate_nor_astray() -> None:
    waiting, astray = replace(SEPARATE, undecided=1), replace(SEPARATE, undecided=1, key_databases={7: 1})
    assert not waiting.holds
    output = io.StringIO()
    print_findings(Console(file=output, width=160), [waiting])
    assert "1; 1 not chosen yet" in output.getvalue()
    assert "NOT separate" not in output.getvalue()
    print_findings(Console(file=output, width=160), [astray])
    assert "NOT separate" in output.getvalue()


class PausedWorker:
    """A worker whose connection is paused in the middle of its handshake, again and again."""

    def __init__(self, url: str, pauses: int) -> None:
        self.calls: list[str] = []
        server = urlsplit(url)
        self._socket = socket.create_connection((server.hostname or "", server.port or 0))
        self._socket.sendall(f"AUTH {server.password}\r\n".encode())
        assert self._socket.recv(100) == b"+OK\r\n"
        self._pauses = pauses

    def pause_worker(self) -> None:
        self.calls.append("pause")
        if self.calls.count("pause") == self._pauses:
            self._socket.sendall(b"SELECT 9\r\n")
            assert self._socket.recv(100) == b"+OK\r\n"

    def resume_worker(self) -> None:
        self.calls.append("resume")

    def close(self) -> None:
        self._socket.close()

    def connections(self) -> list[str]:
        ip, port = self._socket.getsockname()
        return [f"{ip}:{port}"]


def test_it_waits_until_a_connection_has_chosen(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worker: Any = PausedWorker(redis_url, pauses=3)
    (client,) = separation._pause_when_decided(worker, redis_url)
    assert client["db"] == "9"
    assert worker.calls == ["pause", "resume", "pause", "resume", "pause"], "it stands still in the end"
    monkeypatch.setattr(separation, "DECIDED_WITHIN_S", 0.0)
    never: Any = PausedWorker(redis_url, pauses=99)
    (client,) = separation._pause_when_decided(never, redis_url)
    assert is_in_handshake(client)
    for made in (worker, never):
        made.close()


def test_keys_that_were_there_before_do_not_count() -> None:
    before = {0: frozenset({b"old", b"gone"}), 1: frozenset({b"old"})}
    after = {0: frozenset({b"old"}), 1: frozenset({b"old", b"new"}), 2: frozenset({b"old"})}
    assert appeared(before, after) == {1: 1, 2: 1}


def test_frameworks_that_share_a_database_are_named() -> None:
    findings = [
        replace(SEPARATE, framework=framework, allowed=allowed)
        for framework, allowed in (("a", (0, 4)), ("a", (0, 4)), ("c", (2, 4)), ("b", (1, 2)))
    ]
    assert overlapping(findings) == ["a and c share database 4", "b and c share database 2"]
    assert overlapping(findings[:2]) == [], "variants of one framework may"
    astray = replace(SEPARATE, framework="a", allowed=(APPLICATION_DATABASE,))
    assert overlapping([astray]) == [f"a and the application share database {APPLICATION_DATABASE}"]
    output = io.StringIO()
    print_findings(Console(file=output, width=120), findings)
    assert "a and c share database 4" in output.getvalue()


def test_the_table_says_of_each_variant_what_was_seen_and_what_it_proves() -> None:
    output = io.StringIO()
    findings = [SEPARATE, Finding("astray", "some", (1,), (0, 1), {0: 20}), Finding("unseen", "some", (1,), (), {})]
    print_findings(Console(file=output, width=120), findings)
    lines = {line.split("│")[1].strip(): line for line in output.getvalue().splitlines() if line.count("│") > 2}
    assert "separate" in lines["some-variant"]
    assert "NOT" not in lines["some-variant"]
    assert "0 (20)" in lines["astray"]
    assert "NOT separate" in lines["astray"]
    assert lines["unseen"].count("none seen") == 2
    assert "NOT separate" in lines["unseen"]
