"""Facts that are found out once for a result set, before its first run, and are the same for all its variants.

A scenario names those that it must know (``facts``); they are kept in the manifest and handed to its runs.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.record.rules.disturbance import apart, same_speed
from benchmarks.record.task_table import build_task_tables
from benchmarks.run import mock_api_capacity
from benchmarks.run.labs.lab import Lab, LabError, control_of
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from tasks.loads import Prefilled, only
from tasks.producing import ProduceOrder

QUEUE = "lab-calibration"
RUN, PHASE = 0, 1
"""Runs of a result set count from 1."""
GOES = 100
"""Short ones, of which the best counts: whatever disturbs a task can only make it longer."""
PBKDF2_ITERATIONS = 4_000
PBKDF2_PYTHON_ITERATIONS = 1_000
"""Each about 1 ms on a core of 2020: long against the recorder's microsecond, short against a scheduler's time slice."""


def iterations_per_ms(lab: Lab, workload: str, iterations: int) -> float:
    """How many iterations of a workload a core does in a millisecond, where tasks run: on a worker node, alone, in one process,
    from the recorded service times. Raises LabError when not all tasks ended."""
    with ExitStack() as held:
        frameworks = dict(sorted(lab.variants().items()))
        producers = {
            framework: held.enter_context(NodeClient(lab.producer_url(framework), lab.token, f"producer-{framework}"))
            for framework in sorted(set(frameworks.values()))
        }
        variant = control_of(producer.describe() for producer in producers.values()) or next(iter(frameworks))
        urls = {**lab.worker_urls(), variant: lab.worker_url(variant)}
        nodes = {name: held.enter_context(NodeClient(url, lab.token, f"worker-{name}")) for name, url in urls.items()}
        for node in nodes.values():
            held.enter_context(node.session())
        return _measure(nodes[variant], producers[frameworks[variant]], variant, workload, iterations)


def _measure(node: NodeClient, producer: NodeClient, variant: str, workload: str, iterations: int) -> float:
    for place in (node, producer):
        place.clear_events()
    producer.purge([QUEUE])
    node.start_worker(1, 1, [QUEUE])
    try:
        order = ProduceOrder(RUN, PHASE, variant, QUEUE, only(workload, iterations), Prefilled(GOES))
        node_steps.produce(producer, order)
        node_steps.wait_until_empty(producer, QUEUE)
    finally:
        node.kill_worker()
    services_ns = build_task_tables([producer.events(), node.events()], RUN)[PHASE].service_ns()
    if len(services_ns) < GOES:
        raise LabError(
            f"calibration of {workload}: of {GOES} tasks on {variant} only {len(services_ns)} ended; "
            f"the end of the worker's log:\n{node.worker().log_tail}"
        )
    return float(iterations * NS_PER_MS / services_ns.min())


CALIBRATIONS: Mapping[str, Callable[[Lab], float]] = {
    "mock_api_requests_per_s": mock_api_capacity.requests_per_s,
    "pbkdf2_iterations_per_ms": partial(iterations_per_ms, workload="pbkdf2", iterations=PBKDF2_ITERATIONS),
    "pbkdf2_python_iterations_per_ms": partial(iterations_per_ms, workload="pbkdf2_python", iterations=PBKDF2_PYTHON_ITERATIONS),
}
"""How each fact is found out; a name ends in the fact's unit."""
OF_A_CORE = "_iterations_per_ms"
"""What the names of those facts end in that tell how fast a core works, by the best of many goes: they move with nothing else."""
ATTEMPTS = 3


def found_again(
    known: Mapping[str, float], lab: Lab, calibrations: Mapping[str, Callable[[Lab], float]] = CALIBRATIONS
) -> dict[str, float]:
    """Those of the facts known that tell how fast a core works, found out once more. One that has moved is found out a few times,
    and the nearest counts: a machine that is disturbed for a moment is no other."""
    return {
        name: _nearest(known[name], calibrations[name], lab)
        for name in calibrations
        if name in known and name.endswith(OF_A_CORE)
    }


def _nearest(was: float, find: Callable[[Lab], float], lab: Lab) -> float:
    found: list[float] = []
    while len(found) < ATTEMPTS and not any(same_speed(was, value) for value in found):
        found.append(find(lab))
    return min(found, key=lambda value: apart(was, value))
