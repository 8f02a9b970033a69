"""Proof that every framework keeps to its own Redis databases, from what Redis reports of keys and clients."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

import redis

from benchmarks.plan.queues import queue_of
from benchmarks.run.labs.lab import Lab
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from tasks.contract import APPLICATION_DATABASE
from tasks.loads import Prefilled, only
from tasks.producing import ProduceOrder

PROBES = 20
DECIDED_WITHIN_S = 10.0
_LET_GO_FOR_S = 0.2
_HANDSHAKE = ("null", "hello", "auth", "client")
"""What a client sends before SELECT, if it does; ``null`` is nothing yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What Redis reports of one variant: which databases its worker's connections and its tasks' keys are in."""

    variant: str
    framework: str
    allowed: tuple[int, ...]
    client_databases: tuple[int, ...]
    """Database of each connection of the worker's processes."""
    key_databases: Mapping[int, int]
    """Keys that appeared when tasks were enqueued, counted by database."""
    undecided: int = 0
    """Connections of the worker that had not chosen a database yet, however long they were waited for: they prove nothing."""

    @property
    def agrees(self) -> bool:
        """Whether there was something to see, and all of it that had a database in the framework's own."""
        seen = {*self.client_databases, *self.key_databases}
        return bool(self.client_databases) and bool(self.key_databases) and seen <= set(self.allowed)

    @property
    def holds(self) -> bool:
        """Whether that is so of all that was seen."""
        return self.agrees and not self.undecided


def database_number(url: str) -> int:
    """The database of a Redis URL; 0 where it names none."""
    return int(urlsplit(url).path.strip("/") or 0)


def databases_of_connections(clients: Sequence[Mapping[str, Any]], addresses: set[str]) -> tuple[int, ...]:
    """The databases of those clients (CLIENT LIST) that come from these addresses, ``ip:port`` each."""
    return tuple(sorted({int(c["db"]) for c in clients if c["addr"] in addresses and not is_in_handshake(c)}))


def is_in_handshake(client: Mapping[str, Any]) -> bool:
    """Whether a client (CLIENT LIST) has not chosen its database yet: it stands in the first, where every connection begins, and
    has done nothing but say who it is."""
    return int(client["db"]) == 0 and str(client["cmd"]).partition("|")[0].lower() in _HANDSHAKE


def appeared(before: Mapping[int, frozenset[bytes]], after: Mapping[int, frozenset[bytes]]) -> dict[int, int]:
    """Keys that are there now and were not before, counted by database."""
    new = {number: len(keys - before.get(number, frozenset())) for number, keys in after.items()}
    return {number: count for number, count in new.items() if count}


def overlapping(findings: Iterable[Finding]) -> list[str]:
    """Pairs of frameworks, and of a framework and what tasks work on, that may use the same database, as text."""
    allowed = {finding.framework: set(finding.allowed) for finding in findings} | {"the application": {APPLICATION_DATABASE}}
    return [
        f"{a} and {b} share database {', '.join(map(str, sorted(allowed[a] & allowed[b])))}"
        for a, b in combinations(sorted(allowed), 2)
        if allowed[a] & allowed[b]
    ]


def _keys(url: str) -> dict[int, frozenset[bytes]]:
    with redis.Redis.from_url(url) as client:
        info: dict[str, Any] = client.info("keyspace")
    keys = {}
    for name in info:
        number = int(name.removeprefix("db"))
        with redis.Redis.from_url(f"{url}/{number}") as client:
            keys[number] = frozenset(client.scan_iter(count=1000))
    return keys


def examine(lab: Lab) -> list[Finding]:
    """Enqueue a few tasks for every variant while its worker is paused, and read Redis. Workers that are up are used as they
    are, others are started for it. Raises NodeError when a node does not answer."""
    findings = []
    for variant, framework in sorted(lab.variants().items()):
        worker, producer = NodeClient(lab.worker_url(variant), lab.token), NodeClient(lab.producer_url(framework), lab.token)
        description = producer.describe()
        was_up = worker.worker().state in ("running", "paused")
        if not was_up:
            worker.start_worker(processes=1, concurrency=1, queues=[queue_of(variant)])
            _enqueue(producer, variant, count=1)
            node_steps.wait_until_empty(producer, queue_of(variant))
        clients = _pause_when_decided(worker, lab.redis_url)
        before = _keys(lab.redis_url)
        _enqueue(producer, variant, PROBES)
        after = _keys(lab.redis_url)
        findings.append(
            Finding(
                variant=variant,
                framework=framework,
                allowed=tuple(sorted({database_number(d["url"]) for d in description["databases"]})),
                client_databases=databases_of_connections(clients, {c["addr"] for c in clients}),
                key_databases=appeared(before, after),
                undecided=sum(map(is_in_handshake, clients)),
            )
        )
        producer.purge([queue_of(variant)])
        if not was_up:
            worker.kill_worker()
    return findings


def _pause_when_decided(worker: NodeClient, url: str) -> list[dict[str, Any]]:
    """Have the worker stand still with no connection in the middle of its handshake, as far as that can be waited for; its
    connections then, as Redis lists them."""
    give_up_at = time.monotonic() + DECIDED_WITHIN_S
    while True:
        worker.pause_worker()
        addresses = set(worker.connections())
        with redis.Redis.from_url(url) as client:
            clients = [c for c in client.client_list() if c["addr"] in addresses]
        if not any(map(is_in_handshake, clients)) or time.monotonic() > give_up_at:
            return clients
        worker.resume_worker()
        time.sleep(_LET_GO_FOR_S)


def _enqueue(producer: NodeClient, variant: str, count: int) -> None:
    node_steps.produce(producer, ProduceOrder(0, 0, variant, queue_of(variant), only("noop"), Prefilled(count)))
