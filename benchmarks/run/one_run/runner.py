"""Makes runs in a lab."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Self

from benchmarks.plan.queues import queue_of
from benchmarks.run.contract import Places
from benchmarks.run.labs.lab import Lab
from benchmarks.run.machine.watch import MachineWatch
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError, Session
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.lab_faults import fault_of
from benchmarks.run.one_run.life_cycle import make
from benchmarks.run.one_run.spec import RecordedRun, RunSpec
from benchmarks.run.redis_server import RedisServer
from benchmarks.run.watching import Observer
from tasks.causes import cause
from tasks.contract import Variant


class Runner:
    """Makes runs in one lab, as a context manager.

    It holds a session on every worker node that is up, for as long as it lasts: a worker that a node has started by itself is
    ended by that, so that nothing but the variant under test runs, and whatever a node has started ends with the runner.
    """

    def __init__(self, lab: Lab, observer: Observer) -> None:
        self._lab = lab
        self._observer = observer
        self._machine = MachineWatch(lab.owns, lab.cpu_quotas)
        self._stack = ExitStack()
        self._nodes: dict[str, tuple[NodeClient, Session]] = {}

    def __enter__(self) -> Self:
        for variant, url in self._lab.worker_urls().items():
            self._hold(f"worker-{variant}", url)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def variant(self, framework: str, name: str) -> Variant:
        """A variant, as its framework declares it."""
        description = self._hold(f"producer-{framework}", self._lab.producer_url(framework)).describe()
        return next(Variant(**v) for v in description["variants"] if v["name"] == name)

    def make(self, spec: RunSpec) -> RecordedRun:
        """Make a run. One that cannot be made comes back with its failure, and with what is broken of the lab itself, if that is
        why."""
        try:
            with self.begun(spec) as run:
                recorded = make(run)
        except NodeError as error:
            recorded = RecordedRun.never_begun(spec, cause(error))
        if recorded.failure is None:
            return recorded
        nodes = {
            f"worker-{spec.variant}": self._lab.worker_url(spec.variant),
            f"producer-{spec.framework}": self._lab.producer_url(spec.framework),
        }
        fault = fault_of(self._lab, nodes)
        if fault is None:
            return recorded
        logs = {**recorded.logs, fault.part: fault.log}
        return replace(recorded, failure=f"{recorded.failure}\n{fault.text}", logs=logs, lab_fault=fault)

    @contextmanager
    def begun(self, spec: RunSpec) -> Iterator[RunInProgress]:
        """A run whose nodes are held, and on which nothing else runs. Raises NodeError."""
        worker = self._hold(f"worker-{spec.variant}", self._lab.worker_url(spec.variant))
        producer = self._hold(f"producer-{spec.framework}", self._lab.producer_url(spec.framework))
        self._require_alone(spec.variant)
        server = RedisServer(self._lab.redis_url)
        places = Places(worker, producer, queue_of(spec.variant), self._lab.redis_url, self._lab.mock_api_url)
        deadline_s = time.monotonic() + spec.timeout_s
        try:
            yield RunInProgress(spec, places, server, self._machine, self._observer, deadline_s, queues=[places.queue])
        finally:
            server.close()

    def _hold(self, name: str, url: str) -> NodeClient:
        if name not in self._nodes:
            node = self._stack.enter_context(NodeClient(url, self._lab.token, name))
            self._nodes[name] = (node, self._stack.enter_context(node.session()))
        node, session = self._nodes[name]
        try:
            session.check()
        except NodeError:
            # This run is lost; the next one asks whether the node is there again.
            del self._nodes[name]
            raise
        return node

    def _require_alone(self, variant: str) -> None:
        """While one variant is measured, no other worker runs. A node that is gone has none."""
        for other, url in self._lab.worker_urls().items():
            if other != variant and (state := self._state_of(f"worker-{other}", url)) == "running":
                raise NodeError(f"worker-{other}", "being still", f"its worker is {state} while {variant} is to be measured")

    def _state_of(self, name: str, url: str) -> str:
        try:
            return self._hold(name, url).worker().state
        except NodeError:
            return "gone"
