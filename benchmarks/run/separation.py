"""Proof that every framework keeps to its own Redis databases, from what Redis reports of keys and clients."""

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

    @property
    def holds(self) -> bool:
        """Whether there was something to see, and all of it in the framework's own databases."""
        seen = {*self.client_databases, *self.key_databases}
        return bool(self.client_databases) and bool(self.key_databases) and seen <= set(self.allowed)


def database_number(url: str) -> int:
    """The database of a Redis URL; 0 where it names none."""
    return int(urlsplit(url).path.strip("/") or 0)


def databases_of_connections(clients: Sequence[Mapping[str, Any]], addresses: set[str]) -> tuple[int, ...]:
    """The databases of those clients (CLIENT LIST) that come from these addresses, ``ip:port`` each."""
    return tuple(sorted({int(c["db"]) for c in clients if c["addr"] in addresses}))


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
        worker.pause_worker()
        before = _keys(lab.redis_url)
        _enqueue(producer, variant, PROBES)
        after = _keys(lab.redis_url)
        with redis.Redis.from_url(lab.redis_url) as client:
            clients: list[dict[str, Any]] = client.client_list()
        findings.append(
            Finding(
                variant=variant,
                framework=framework,
                allowed=tuple(sorted({database_number(d["url"]) for d in description["databases"]})),
                client_databases=databases_of_connections(clients, set(worker.connections())),
                key_databases=appeared(before, after),
            )
        )
        producer.purge([queue_of(variant)])
        if not was_up:
            worker.kill_worker()
    return findings


def _enqueue(producer: NodeClient, variant: str, count: int) -> None:
    node_steps.produce(producer, ProduceOrder(0, 0, variant, queue_of(variant), only("noop"), Prefilled(count)))
