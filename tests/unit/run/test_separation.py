"""What counts as proof that frameworks keep to databases of their own."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.cli.separation import print_findings
from benchmarks.run.separation import Finding, appeared, database_number, databases_of_connections, overlapping
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
        {"addr": "127.0.0.1:1", "db": "2"},
        {"addr": "127.0.0.1:2", "db": "1"},
        {"addr": "127.0.0.1:3", "db": "2"},
        {"addr": "127.0.0.1:10", "db": "9"},
    ]
    assert databases_of_connections(clients, {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}) == (1, 2)
    assert databases_of_connections(clients, {"127.0.0.1:4"}) == ()


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
