"""The node agent's way into a framework's environment: ``python -m tasks.bridge NAME``.

Reads one JSON order a line on standard input and answers each with one JSON line on standard output, in order:

======================================================================= ==================================================
order                                                                   answer
======================================================================= ==================================================
``{"op": "describe"}``                                                  name, variants, databases, versions, event loop
``{"op": "plan", "request": WorkerRequest}``                            a WorkerPlan, its commands complete with interpreter
``{"op": "connect", "variant": ..., "serializer": ...}``                ``{}``, once a producer for that variant is connected
``{"op": "produce", "order": ProduceOrder}``                            a ProduceResult
``{"op": "read_messages", "order": ReadOrder}``                         a MessageTimes
``{"op": "purge", "queues": [...]}``                                    ``{}``
``{"op": "depth", "queue": ...}``                                       a Depth
``{"op": "folders"}``                                                   folders from which this Python imports
``{"op": "job_worker", "slots": ...}``                                  a WorkerCommand, complete with interpreter
``{"op": "job_monitor", "port": ...}``                                  a JobMonitor
``{"op": "bare_start"}``                                                seconds that this Python takes to start and to end
``{"op": "imported"}``                                                  its memory with the framework (``tasks.imported``)
======================================================================= ==================================================

An order that fails, or is none, is answered ``{"error": "what went wrong"}`` and the bridge goes on. End of input ends
it. Whatever a framework prints goes to standard error.

``purge`` and ``depth`` are asked for the lab's own sake. What they cost Redis is in their answers, also where they fail:
``"redis"``, a :class:`tasks.redis_traffic.RedisTraffic`.
"""

import asyncio
import inspect
import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeGuard, cast

from tasks.causes import cause, named_cause
from tasks.contract import (
    OPTIONAL_PATH_VARIABLE,
    AsyncProducer,
    ConfigurationError,
    Framework,
    Producer,
    SerializingFramework,
    WorkerRequest,
    database_url,
    load_framework,
    without_credentials,
)
from tasks.jobs import JobFramework, MonitoredJobFramework
from tasks.loads import load_from, tasks_from
from tasks.producing import ProduceOrder, produce, produce_async
from tasks.reading import ReadOrder, read_messages
from tasks.redis_traffic import OWN_ORDERS, metered

if TYPE_CHECKING:
    from tasks.web_client import WebClient


class Bridge:
    """Carries out orders for one framework; keeps one producer connected between them."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._runner = asyncio.Runner(loop_factory=framework.loop_factory)
        self._producer: Producer | AsyncProducer | None = None
        self._web_runner = asyncio.Runner()
        self._web_client: WebClient | None = None
        self._connected_for = ("", "")
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "describe": self.describe,
            "plan": self.plan,
            "connect": self.connect,
            "produce": self.produce,
            "read_messages": self.read_messages,
            "purge": self.purge,
            "depth": self.depth,
            "folders": self.folders,
            "job_worker": self.job_worker,
            "job_monitor": self.job_monitor,
            "bare_start": self.bare_start,
            "imported": self.imported,
        }

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order; what goes wrong becomes an ``error``."""
        name = str(order.get("op"))
        operation = self._operations.get(name)
        if operation is None:
            return {"error": f"unknown order {order.get('op')!r}; there are {', '.join(self._operations)}"}
        if name not in OWN_ORDERS:
            return _carried_out(operation, order)
        with metered() as meter:
            answer = _carried_out(operation, order)
        return {**answer, "redis": asdict(meter.traffic)}

    def describe(self, _: dict[str, Any]) -> dict[str, Any]:
        """What the framework is, as reported by what is installed here."""
        framework = self._framework
        loop = framework.loop_factory
        return {
            "name": framework.name,
            "variants": [asdict(v) for v in framework.variants],
            "databases": [asdict(d) | {"url": without_credentials(database_url(d))} for d in framework.databases],
            "puts": framework.puts,
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
        """Connect a producer, unless one for this variant is connected already. Without a serializer it sends in the default
        one."""
        self._connected(order["variant"], order.get("serializer", ""))
        return {}

    def produce(self, order: dict[str, Any]) -> dict[str, Any]:
        """Offer a load."""
        data = order["order"]
        produce_order = ProduceOrder(**{**data, "tasks": tasks_from(data["tasks"]), "load": load_from(data["load"])})
        if produce_order.web_url:
            web_client = self._web_client_of(produce_order.web_url)
            return asdict(self._web_runner.run(produce_async(web_client, produce_order)))
        producer = self._connected(produce_order.variant, produce_order.serializer)
        if _is_async(producer):
            return asdict(self._runner.run(produce_async(producer, produce_order)))
        return asdict(produce(cast(Producer, producer), produce_order))

    def read_messages(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send messages, and read them as a worker would."""
        read_order = ReadOrder(**order["order"])
        producer = self._connected(read_order.variant, read_order.serializer)
        framework = cast(SerializingFramework, self._framework)
        reader = framework.message_reader(read_order.variant, read_order.serializer)
        self._framework.purge([read_order.queue])
        return asdict(self._runner.run(read_messages(producer, reader, read_order)))

    def purge(self, order: dict[str, Any]) -> dict[str, Any]:
        """Empty the queues."""
        self._framework.purge(order["queues"])
        return {}

    def depth(self, order: dict[str, Any]) -> dict[str, Any]:
        """Count a queue's tasks by state."""
        return asdict(self._framework.depth(order["queue"]))

    def folders(self, _: dict[str, Any]) -> dict[str, Any]:
        """The standard library, the installed packages, and the lab's own tasks."""
        installed = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        return {"folders": sorted({*installed, str(Path(__file__).resolve().parent)})}

    def job_worker(self, order: dict[str, Any]) -> dict[str, Any]:
        """How to start a worker of an application's jobs."""
        if isinstance(self._framework, JobFramework):
            command = self._framework.job_worker(order["slots"])
            return asdict(command) | {"arguments": [sys.executable, *command.arguments]}
        raise LookupError(f"{self._framework.name} offers nothing for an application's jobs (tasks.jobs.JobFramework)")

    def job_monitor(self, order: dict[str, Any]) -> dict[str, Any]:
        """How to start the monitor of that worker."""
        if isinstance(self._framework, MonitoredJobFramework):
            return asdict(self._framework.job_monitor(order["port"]))
        raise LookupError(f"{self._framework.name} offers no monitor of its own (tasks.jobs.MonitoredJobFramework)")

    def bare_start(self, _: dict[str, Any]) -> dict[str, Any]:
        """Start the interpreter with nothing to do."""
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True, stdin=subprocess.DEVNULL)
        return {"took_s": time.perf_counter() - began_s}

    def imported(self, _: dict[str, Any]) -> dict[str, Any]:
        """Start an interpreter that imports the framework and says what memory it has then."""
        command = [sys.executable, "-m", "tasks.imported", self._framework.name]
        ended = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        # A framework may print at its import; what is asked for comes last.
        memory: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return memory

    def close(self) -> None:
        """Let go of the producers and the loops."""
        self._disconnect()
        self._disconnect_web()
        self._runner.close()
        self._web_runner.close()

    def _web_client_of(self, url: str) -> "WebClient":
        """The client of this web application; it is kept with its connections. Its event loop is the same for every framework,
        so that requests cost the same on the way."""
        if self._web_client is None or self._web_client.url != url:
            self._disconnect_web()
            self._web_client = self._web_runner.run(_web_client(url))
        return self._web_client

    def _disconnect_web(self) -> None:
        web_client, self._web_client = self._web_client, None
        if web_client is not None:
            self._web_runner.run(web_client.close())

    def _connected(self, variant: str, serializer: str) -> Producer | AsyncProducer:
        if self._producer is None or self._connected_for != (variant, serializer):
            self._disconnect()
            self._producer = self._runner.run(self._create(variant, serializer))
            self._connected_for = (variant, serializer)
        return self._producer

    async def _create(self, variant: str, serializer: str) -> Producer | AsyncProducer:
        if serializer:
            return cast(SerializingFramework, self._framework).serializing_producer(variant, serializer)
        return self._framework.producer(variant)

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if _is_async(producer):
            self._runner.run(producer.close())
        else:
            cast(Producer, producer).close()


def _carried_out(operation: Callable[[dict[str, Any]], dict[str, Any]], order: dict[str, Any]) -> dict[str, Any]:
    try:
        return operation(order)
    except Exception as error:
        return {"error": f"{named_cause(error)}"}


async def _web_client(url: str) -> "WebClient":
    from tasks.web_client import WebClient

    return WebClient(url)


def _is_async(producer: Producer | AsyncProducer) -> TypeGuard[AsyncProducer]:
    return inspect.iscoroutinefunction(producer.enqueue)


def _answer_line(bridge: Bridge, line: str) -> str:
    try:
        order = json.loads(line)
    except ValueError as error:
        return json.dumps({"error": f"an order must be one line of JSON, not {line.strip()[:200]!r}: {cause(error)}"})
    if not isinstance(order, dict):
        return json.dumps({"error": f"an order must be a JSON object with an op, not {line.strip()[:200]!r}"})
    answer = bridge.answer(order)
    try:
        return json.dumps(answer)
    except (TypeError, ValueError) as error:
        return json.dumps({"error": f"the answer to {order.get('op')!r} is not plain data: {cause(error)}"})


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
    if optional := os.environ.get(OPTIONAL_PATH_VARIABLE):
        sys.path.append(optional)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        framework = load_framework(sys.argv[1])
    except ConfigurationError as error:
        sys.exit(cause(error))
    serve(framework, sys.stdin, answers)


if __name__ == "__main__":
    main()
