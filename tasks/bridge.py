"""The node agent's way into a framework's environment: ``python -m tasks.bridge NAME``.

Reads one JSON order a line on standard input and answers each with one JSON line on standard output, in order:

======================================================================= ==================================================
order                                                                   answer
======================================================================= ==================================================
``{"op": "describe"}``                                                  name, variants, databases, versions, event loop
``{"op": "plan", "request": WorkerRequest}``                            a WorkerPlan, its commands complete with interpreter
``{"op": "connect", "variant": ...}``                                   ``{}``, once a producer for that variant is connected
``{"op": "produce", "order": ProduceOrder}``                            a ProduceResult
``{"op": "purge", "queues": [...]}``                                    ``{}``
``{"op": "depth", "queue": ...}``                                       a Depth
======================================================================= ==================================================

An order that fails, or is none, is answered ``{"error": "what went wrong"}`` and the bridge goes on. End of input ends
it. Whatever a framework prints goes to standard error.
"""

import asyncio
import inspect
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from typing import Any, TextIO, TypeGuard, cast

from benchmarks.loads import load_from
from tasks.contract import AsyncProducer, ConfigurationError, Framework, Producer, WorkerRequest, database_url, load_framework
from tasks.producing import ProduceOrder, produce, produce_async


class Bridge:
    """Carries out orders for one framework; keeps one producer connected between them."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._runner = asyncio.Runner(loop_factory=framework.loop_factory)
        self._producer: Producer | AsyncProducer | None = None
        self._variant = ""
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "describe": self.describe,
            "plan": self.plan,
            "connect": self.connect,
            "produce": self.produce,
            "purge": self.purge,
            "depth": self.depth,
        }

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order; what goes wrong becomes an ``error``."""
        operation = self._operations.get(str(order.get("op")))
        if operation is None:
            return {"error": f"unknown order {order.get('op')!r}; there are {', '.join(self._operations)}"}
        try:
            return operation(order)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def describe(self, _: dict[str, Any]) -> dict[str, Any]:
        """What the framework is, as reported by what is installed here."""
        framework = self._framework
        loop = framework.loop_factory
        return {
            "name": framework.name,
            "variants": [asdict(v) for v in framework.variants],
            "databases": [asdict(d) | {"url": database_url(d)} for d in framework.databases],
            "versions": {"python": platform.python_version(), **{p: metadata.version(p) for p in framework.packages}},
            "producer_loop": "" if loop is None else f"{loop.__module__}.{loop.__qualname__}",
        }

    def plan(self, order: dict[str, Any]) -> dict[str, Any]:
        """How to start a worker."""
        request = order["request"]
        plan = self._framework.worker_plan(WorkerRequest(**{**request, "queues": tuple(request["queues"])}))
        answer = asdict(plan)
        for command in answer["commands"]:
            command["arguments"] = [sys.executable, *command["arguments"]]
        return answer

    def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        """Connect a producer, unless one for this variant is connected already."""
        self._connected(order["variant"])
        return {}

    def produce(self, order: dict[str, Any]) -> dict[str, Any]:
        """Offer a load."""
        data = order["order"]
        produce_order = ProduceOrder(**{**data, "load": load_from(data["load"])})
        producer = self._connected(produce_order.variant)
        if _is_async(producer):
            return asdict(self._runner.run(produce_async(producer, produce_order)))
        return asdict(produce(cast(Producer, producer), produce_order))

    def purge(self, order: dict[str, Any]) -> dict[str, Any]:
        """Empty the queues."""
        self._framework.purge(order["queues"])
        return {}

    def depth(self, order: dict[str, Any]) -> dict[str, Any]:
        """Count a queue's tasks by state."""
        return asdict(self._framework.depth(order["queue"]))

    def close(self) -> None:
        """Let go of the producer and the loop."""
        self._disconnect()
        self._runner.close()

    def _connected(self, variant: str) -> Producer | AsyncProducer:
        if self._producer is None or self._variant != variant:
            self._disconnect()
            self._producer = self._runner.run(self._create(variant))
            self._variant = variant
        return self._producer

    async def _create(self, variant: str) -> Producer | AsyncProducer:
        return self._framework.producer(variant)

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if _is_async(producer):
            self._runner.run(producer.close())
        else:
            cast(Producer, producer).close()


def _is_async(producer: Producer | AsyncProducer) -> TypeGuard[AsyncProducer]:
    return inspect.iscoroutinefunction(producer.enqueue)


def _answer_line(bridge: Bridge, line: str) -> str:
    try:
        order = json.loads(line)
    except ValueError as error:
        return json.dumps({"error": f"an order must be one line of JSON, not {line.strip()[:200]!r}: {error}"})
    if not isinstance(order, dict):
        return json.dumps({"error": f"an order must be a JSON object with an op, not {line.strip()[:200]!r}"})
    answer = bridge.answer(order)
    try:
        return json.dumps(answer)
    except (TypeError, ValueError) as error:
        return json.dumps({"error": f"the answer to {order.get('op')!r} is not plain data: {error}"})


def serve(framework: Framework, orders: TextIO, answers: TextIO) -> None:
    """Answer orders until the input ends."""
    bridge = Bridge(framework)
    try:
        for line in orders:
            answers.write(_answer_line(bridge, line) + "\n")
            answers.flush()
    finally:
        bridge.close()


def main() -> None:
    """Serve the framework named on the command line, keeping its prints out of the answers."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        framework = load_framework(sys.argv[1])
    except ConfigurationError as error:
        sys.exit(str(error))
    serve(framework, sys.stdin, answers)


if __name__ == "__main__":
    main()
