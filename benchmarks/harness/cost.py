"""What the recorder, the producer, the agent and its sampling cost. Every comparison alternates its two sides and is a ratio."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.checkout import CHECKOUT
from benchmarks.harness.figures import QUEUE, Figure, Sizes, at_least, at_most, ratios
from benchmarks.run.environment import lab_environment
from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.local import BASE_ENVIRONMENT, LocalLab, environment_of, interpreter
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.one_run.workers import SAMPLE_INTERVAL_S
from infrastructure.agent.processes import below
from infrastructure.janitor import LAB_ID_VARIABLE
from tasks.contract import REDIS_URL_VARIABLE
from tasks.events import EVENTS_DIR_VARIABLE
from tasks.loads import Prefilled, only
from tasks.producing import ProduceOrder

BARE_QUEUE = "lab-harness-bare"
DEPTH_POLL_S = 0.02
SAMPLED_PROCESSES = 12
SCRAPE_INTERVAL_S = 5.0
WARM_TASKS = 500
WARM_ROUNDS = 2
"""Rounds that warm both workers and find how many tasks take long enough to drain."""


def _self_cost(lab: LocalLab, environment: str, arguments: Sequence[str], more: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [str(interpreter(environment)), "-m", "tasks.self_cost", *arguments],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=lab_environment({LAB_ID_VARIABLE: lab.lab_id, **more}),
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def recorder_cost(lab: LocalLab, sizes: Sizes) -> Iterator[Figure]:
    """Both stamps of a task."""
    events = {EVENTS_DIR_VARIABLE: str(lab.folder / "recorder-cost")}
    answer = _self_cost(lab, BASE_ENVIRONMENT, ["recorder", str(sizes.recorder_tasks)], events)
    detail = f"{sizes.recorder_tasks:,} tasks, chunks of them {answer['min_us']:.2f} to {answer['max_us']:.2f}"
    yield at_most("recorder, both stamps of a task", answer["median_us"], "µs", 3.0, detail)


def enqueue_cost(lab: LocalLab, variants: Sequence[str], sizes: Sizes) -> Iterator[Figure]:
    """The lab's producer against a bare loop around the same call."""
    for variant in variants:
        framework = lab.variants()[variant]
        arguments = ["enqueue", framework, variant, str(sizes.enqueue_tasks), str(sizes.rounds)]
        more = {REDIS_URL_VARIABLE: lab.redis_url, EVENTS_DIR_VARIABLE: str(lab.folder / "enqueue-cost")}
        answer = _self_cost(lab, environment_of(framework), arguments, more)
        ratio, detail = ratios(answer["lab_per_s"], answer["bare_per_s"])
        yield at_least(f"enqueue rate through the lab, {variant}", ratio, "of a bare loop", 0.95, detail)


@contextmanager
def _bare_worker(lab: LocalLab, framework: str, variant: str, processes: int) -> Iterator[list[psutil.Process]]:
    """The variant's own worker, started as a user would: no agent, no recorder."""
    request = {"variant": variant, "processes": processes, "concurrency": 1, "queues": [BARE_QUEUE], "track": "normalised"}
    plan = ask_framework(framework, {"op": "plan", "request": request}, {REDIS_URL_VARIABLE: lab.redis_url})
    workers = [lab.spawn_worker(f"bare-{variant}-{i}", c["arguments"], c["environment"]) for i, c in enumerate(plan["commands"])]
    try:
        yield [psutil.Process(worker.pid) for worker in workers]
    finally:
        for worker in workers:
            _signal_tree(psutil.Process(worker.pid), psutil.Process.kill)
            worker.wait()


def _signal_tree(root: psutil.Process, act: Callable[[psutil.Process], None]) -> None:
    for process in (root, *below(root.pid)):
        act(process)


def _drain_s(producer: NodeClient, queue: str, resume: Callable[[], None], watch: Callable[[], object]) -> float:
    """Seconds from the workers' release until the queue is empty; ``watch`` is what the lab does meanwhile."""
    began_s = time.perf_counter()
    next_watch_s = began_s
    resume()
    while True:
        depth = producer.depth(queue)
        now_s = time.perf_counter()
        if depth.waiting + depth.claimed == 0:
            return now_s - began_s
        if now_s >= next_watch_s:
            watch()
            next_watch_s = now_s + node_steps.look_interval_s(now_s - began_s)
        time.sleep(DEPTH_POLL_S)


def _fill(producer: NodeClient, variant: str, queue: str, count: int) -> None:
    node_steps.produce(producer, ProduceOrder(1, 1, variant, queue, only("noop"), Prefilled(count, many=True)))


def worker_cost(lab: LocalLab, targets: Mapping[str, float], sizes: Sizes, processes: int) -> Iterator[Figure]:
    """The drain rate of a worker under the agent, recorded and sampled, against the same worker without either."""
    for variant, target in targets.items():
        framework = lab.variants()[variant]
        node = NodeClient(lab.worker_url(variant), lab.token)
        producer = NodeClient(lab.producer_url(framework), lab.token)
        producer.purge([QUEUE, BARE_QUEUE])
        node.start_worker(processes, 1, [QUEUE])
        node.begin_samples(SAMPLE_INTERVAL_S)
        with _bare_worker(lab, framework, variant, processes) as roots:
            lab_rates, bare_rates, count = _alternate(node, producer, variant, roots, sizes)
        node.kill_worker()
        ratio, detail = ratios(lab_rates, bare_rates)
        yield at_least(f"drain rate under the lab, {variant}", ratio, "of a bare worker", target, f"{detail}, {count:,} tasks")


def _alternate(
    node: NodeClient, producer: NodeClient, variant: str, roots: Sequence[psutil.Process], sizes: Sizes
) -> tuple[list[float], list[float], int]:
    """Drain rates under the lab and bare, in turn, each while the other worker is paused; and how many tasks a drain was."""

    def set_bare(act: Callable[[psutil.Process], None]) -> None:
        for root in roots:
            _signal_tree(root, act)

    count = WARM_TASKS
    lab_rates, bare_rates = [], []
    for turn in range(WARM_ROUNDS + sizes.rounds):
        node.pause_worker()
        set_bare(psutil.Process.suspend)
        _fill(producer, variant, QUEUE, count)
        lab_s = _drain_s(producer, QUEUE, node.resume_worker, lambda: (node.counts(1), node.worker()))
        node.pause_worker()
        _fill(producer, variant, BARE_QUEUE, count)
        bare_s = _drain_s(producer, BARE_QUEUE, lambda: set_bare(psutil.Process.resume), node_steps.nothing)
        if turn < WARM_ROUNDS:
            count = max(WARM_TASKS, int(count / bare_s * sizes.drain_s))
            continue
        lab_rates.append(count / lab_s)
        bare_rates.append(count / bare_s)
    return lab_rates, bare_rates, count


def sampling_cost(lab: LocalLab, variant: str, sizes: Sizes) -> Iterator[Figure]:
    """What sampling takes of a core, at the interval of a run and scraped as Prometheus does, and the whole agent with it."""
    node = NodeClient(lab.worker_url(variant), lab.token)
    node.start_worker(SAMPLED_PROCESSES, SAMPLED_PROCESSES, [QUEUE])
    while len(node.worker().pids) < SAMPLED_PROCESSES:
        time.sleep(DEPTH_POLL_S)
    node.begin_samples(SAMPLE_INTERVAL_S)
    before, began_s = _agent_cpu_s(node), time.monotonic()
    while (left_s := began_s + sizes.sampling_s - time.monotonic()) > 0:
        time.sleep(min(left_s, SCRAPE_INTERVAL_S))
        after, now_s = _agent_cpu_s(node), time.monotonic()
    processes = node.take_sample().processes
    node.kill_worker()
    sampling, agent = ((b - a) / (now_s - began_s) * 100 for a, b in zip(before, after, strict=True))
    detail = f"{len(node.samples())} samples in {now_s - began_s:.0f} s, the whole agent {agent:.2f} %"
    yield at_most(f"sampling {processes} processes under one agent", sampling, "% of a core", 1.0, detail)


def _agent_cpu_s(node: NodeClient) -> tuple[float, float]:
    """CPU time that the agent has taken by now: for sampling, and in all."""
    counters = re.findall(r"^lab_agent_(sampling_)?cpu_seconds_total(?:\{.*\})? (\S+)$", node.metrics(), re.MULTILINE)
    seconds = {name: float(value) for name, value in counters}
    return seconds["sampling_"], seconds[""]
