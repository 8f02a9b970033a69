"""The lab measures itself: what its recorder, agent and producer cost, how exactly it paces, how fast it reads, and whether a
queue whose answer is known gives that answer. Every comparison alternates its two sides within one go and is a ratio."""

import json
import multiprocessing
import os
import platform
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import queueing
from benchmarks.checkout import CHECKOUT
from benchmarks.record.percentiles import summarise
from benchmarks.record.task_table import TaskTable, build_task_tables
from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.lab import LabError, control_of
from benchmarks.run.labs.local import BASE_ENVIRONMENT, LocalLab, environment_of, interpreter
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.one_run import SAMPLE_INTERVAL_S
from infrastructure.event_log import EVENT_DTYPE
from infrastructure.janitor import LAB_ID_VARIABLE
from tasks.contract import REDIS_URL_VARIABLE
from tasks.events import EVENTS_DIR_VARIABLE, Kind, Outcome
from tasks.loads import Paced, Prefilled, only
from tasks.producing import ProduceOrder

QUEUE = "lab-harness"
BARE_QUEUE = "lab-harness-bare"
DEPTH_POLL_S = 0.02
SERVICE_S = 0.01
SAMPLED_PROCESSES = 12
SCRAPE_INTERVAL_S = 5.0
WARM_TASKS = 500
WARM_ROUNDS = 2
"""Rounds that warm both workers and find how many tasks take long enough to drain."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. ``wanted`` is the target as a text; ``met`` is None where there is none."""

    name: str
    value: float
    unit: str
    wanted: str
    met: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    recorder_tasks: int
    enqueue_tasks: int
    rounds: int
    drain_s: float
    pace_s: float
    queue_s: float
    reading_events: tuple[int, ...]
    sampling_s: float


FULL = Sizes(200_000, 3_000, 9, 4.0, 10.0, 120.0, (1_000_000, 10_000_000), 60.0)
QUICK = Sizes(20_000, 300, 2, 0.5, 2.0, 4.0, (100_000,), 6.0)

READING_TARGETS_S: Mapping[int, float] = {1_000_000: 2.0, 10_000_000: 25.0}
READING_MEMORY_MB = 1_500


def at_most(name: str, value: float, unit: str, target: float, detail: str = "") -> Figure:
    """A figure that should not exceed its target."""
    return Figure(name, value, unit, f"≤ {target:g}", value <= target, detail)


def at_least(name: str, value: float, unit: str, target: float, detail: str = "") -> Figure:
    """A figure that should reach its target."""
    return Figure(name, value, unit, f"≥ {target:g}", value >= target, detail)


def shown(name: str, value: float, unit: str, detail: str = "") -> Figure:
    """A figure without a target."""
    return Figure(name, value, unit, "", None, detail)


def ratios(lab: Sequence[float], bare: Sequence[float]) -> tuple[float, str]:
    """The median of the pairwise ratios, and their range as text."""
    pairs = [a / b for a, b in zip(lab, bare, strict=True)]
    return statistics.median(pairs), f"{len(pairs)} pairs, {min(pairs):.3f} to {max(pairs):.3f}"


def _self_cost(lab: LocalLab, environment: str, arguments: Sequence[str], more: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [str(interpreter(environment)), "-m", "tasks.self_cost", *arguments],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), LAB_ID_VARIABLE: lab.lab_id, **more},
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
def _bare_worker(lab: LocalLab, framework: str, variant: str, slots: int) -> Iterator[list[psutil.Process]]:
    """The variant's own worker, started as a user would: no agent, no recorder."""
    os.environ[REDIS_URL_VARIABLE] = lab.redis_url
    request = {"variant": variant, "processes": slots, "slots": slots, "queues": [BARE_QUEUE], "track": "normalised"}
    plan = ask_framework(framework, {"op": "plan", "request": request})
    del os.environ[REDIS_URL_VARIABLE]
    workers = [lab.spawn_worker(f"bare-{variant}-{i}", c["arguments"], c["environment"]) for i, c in enumerate(plan["commands"])]
    try:
        yield [psutil.Process(worker.pid) for worker in workers]
    finally:
        for worker in workers:
            _signal_tree(psutil.Process(worker.pid), psutil.Process.kill)
            worker.wait()


def _signal_tree(root: psutil.Process, act: Callable[[psutil.Process], None]) -> None:
    for process in (root, *root.children(recursive=True)):
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


def worker_cost(lab: LocalLab, targets: Mapping[str, float], sizes: Sizes, slots: int) -> Iterator[Figure]:
    """The drain rate of a worker under the agent, recorded and sampled, against the same worker without either."""
    for variant, target in targets.items():
        framework = lab.variants()[variant]
        node = NodeClient(lab.worker_url(variant), lab.token)
        producer = NodeClient(lab.producer_url(framework), lab.token)
        producer.purge([QUEUE, BARE_QUEUE])
        node.start_worker(slots, slots, [QUEUE])
        node.begin_samples(SAMPLE_INTERVAL_S)
        with _bare_worker(lab, framework, variant, slots) as roots:
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


def _offer(producer: NodeClient, node: NodeClient, order: ProduceOrder) -> TaskTable:
    producer.clear_events()
    node.clear_events()
    node_steps.produce(producer, order)
    node_steps.wait_until_empty(producer, QUEUE)
    return build_task_tables([producer.events(), node.events()], 1)[1]


def pacing(lab: LocalLab, variants: Sequence[str], sizes: Sizes) -> Iterator[Figure]:
    """How late sends are against their schedule."""
    for variant in variants:
        node = NodeClient(lab.worker_url(variant), lab.token)
        producer = NodeClient(lab.producer_url(lab.variants()[variant]), lab.token)
        producer.connect_producer(variant)
        node.start_worker(1, 1, [QUEUE])
        for rate_per_s in (100, 1_000):
            order = ProduceOrder(1, 1, variant, QUEUE, only("noop"), Paced(rate_per_s, sizes.pace_s))
            late = summarise(_offer(producer, node, order).lateness_ns())
            if late.p50_ms is None or late.p99_ms is None or late.max_ms is None:
                raise RuntimeError(f"nothing was sent at {rate_per_s}/s")
            detail = f"p99 {late.p99_ms * 1000:.0f} µs, most {late.max_ms * 1000:.0f} µs"
            yield shown(f"lateness at {rate_per_s:,}/s, median, {variant}", late.p50_ms * 1000, "µs", detail)
        node.kill_worker()


def known_queue(lab: LocalLab, variant: str, sizes: Sizes) -> Iterator[Figure]:
    """One server, Poisson arrivals, known service: the recorded wait against Lindley's recursion and Pollaczek-Khinchine."""
    node = NodeClient(lab.worker_url(variant), lab.token)
    producer = NodeClient(lab.producer_url(lab.variants()[variant]), lab.token)
    producer.connect_producer(variant)
    node.start_worker(1, 1, [QUEUE])
    for load_share in (0.5, 0.8):
        rate_per_s = load_share / SERVICE_S
        load = Paced(rate_per_s, sizes.queue_s, "poisson", seed=7)
        order = ProduceOrder(1, 1, variant, QUEUE, only("sleep", SERVICE_S), load)
        table = _offer(producer, node, order)
        by_start = np.argsort(table.started_ns)
        arrivals_s, starts_s, ends_s = (
            column[by_start] / 1e9 for column in (table.acknowledged_ns, table.started_ns, table.finished_ns)
        )
        dispatch_s = queueing.dispatch_s(arrivals_s, starts_s, ends_s)
        occupied_s = (ends_s - starts_s) + float(np.median(dispatch_s))
        waits_s = starts_s - arrivals_s
        mean_s, half_s = queueing.batch_mean_interval(waits_s)
        lindley_s = float(queueing.lindley_waits_s(arrivals_s, occupied_s).mean()) + float(np.median(dispatch_s))
        true_rate_per_s = (len(arrivals_s) - 1) / float(arrivals_s[-1] - arrivals_s[0])
        formula_s = queueing.pollaczek_khinchine_mean_wait_s(true_rate_per_s, occupied_s) + float(np.median(dispatch_s))
        title = f"mean wait at {load_share:.0%} load"
        recorded = f"recorded {mean_s * 1000:.2f} ±{half_s * 1000:.2f} ms over {len(waits_s):,} tasks"
        yield shown(
            f"{title} against Lindley's recursion",
            mean_s / lindley_s,
            "ratio",
            f"{recorded}, recursion {lindley_s * 1000:.2f} ms",
        )
        inside = abs(mean_s - formula_s) <= half_s
        yield Figure(
            f"{title} against Pollaczek-Khinchine", mean_s / formula_s, "ratio", "in its 95 % interval", inside,
            f"{recorded}, formula {formula_s * 1000:.2f} ms",
        )  # fmt: skip
    node.kill_worker()


def made_up_events(count: int) -> np.ndarray[Any, Any]:
    """``count`` events of a run of ``count / 3`` tasks that all went well, in the order in which processes would write them."""
    tasks = count // 3
    events = np.zeros(tasks * 3, EVENT_DTYPE)
    sequence = np.arange(tasks)
    due_ns = sequence * 100_000
    for index, (kind, outcome, offset_ns) in enumerate(
        ((Kind.ENQUEUED, Outcome.OK, 0), (Kind.STARTED, Outcome.NONE, 500_000), (Kind.FINISHED, Outcome.OK, 700_000))
    ):
        part = events[index * tasks : (index + 1) * tasks]
        part["kind"], part["outcome"], part["phase"], part["run"], part["attempt"] = kind, outcome, 1, 1, 1
        part["sequence"], part["process"], part["thread"] = sequence, 100 + sequence % 4, 100 + sequence % 4
        part["first_ns"], part["second_ns"], part["third_ns"] = due_ns + offset_ns, due_ns + 1_000, due_ns + 90_000
    return events


def _read_and_summarise(path: str, answer: "multiprocessing.connection.Connection[Any, Any]") -> None:
    began_s = time.perf_counter()
    table = build_task_tables(np.fromfile(path, EVENT_DTYPE), 1)[1]
    summaries = [
        summarise(part) for part in (table.lateness_ns(), table.queue_wait_ns(), table.service_ns(), table.end_to_end_ns())
    ]
    assert all(s.count == len(table) for s in summaries)
    answer.send((time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def reading(lab: LocalLab, sizes: Sizes) -> Iterator[Figure]:
    """From event files to the percentiles of four latencies, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for count in sizes.reading_events:
        path = lab.folder / "made-up.events"
        made_up_events(count).tofile(path)
        ours, theirs = context.Pipe()
        child = context.Process(target=_read_and_summarise, args=(str(path), theirs))
        child.start()
        seconds, memory_mb = ours.recv()
        child.join()
        path.unlink()
        yield at_most(f"reading and summarising {count:,} events", seconds, "s", READING_TARGETS_S.get(count, 2.0))
        yield at_most(f"memory for {count:,} events", memory_mb, "MB", READING_MEMORY_MB)


def measure(lab: LocalLab, targets: Mapping[str, float], sizes: Sizes) -> Iterator[Figure]:
    """All figures, one at a time as they come."""
    producers = {framework: NodeClient(lab.producer_url(framework), lab.token) for framework in set(lab.variants().values())}
    control = control_of(producer.describe() for producer in producers.values())
    if control is None:
        raise LabError("no framework's variant is marked as the control, which the known queue is measured on")
    slots = len(os.sched_getaffinity(0))
    yield from recorder_cost(lab, sizes)
    yield from reading(lab, sizes)
    yield from enqueue_cost(lab, list(targets), sizes)
    yield from pacing(lab, list(targets), sizes)
    yield from worker_cost(lab, targets, sizes, slots)
    yield from sampling_cost(lab, control, sizes)
    yield from known_queue(lab, control, sizes)


def run(console: Console, targets: Mapping[str, float], output: Path, quick: bool) -> bool:
    """Measure, print each figure as it comes, write them all to a JSON file; whether every target was met."""
    figures = []
    with LocalLab() as lab:
        for figure in measure(lab, targets, QUICK if quick else FULL):
            figures.append(figure)
            console.print(f"{figure.name}: {figure.value:.3g} {figure.unit}", highlight=False)
    table = Table("what", "value", "wanted", "", "detail", title="The lab's own cost and truth", title_justify="left")
    marks = {True: "[green]met[/green]", False: "[bold red]missed[/bold red]", None: ""}
    for f in figures:
        table.add_row(f.name, f"{f.value:.3g} {f.unit}", f.wanted, marks[f.met], f.detail)
    console.print(table)
    now = datetime.now(UTC)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"harness-{now:%Y%m%dT%H%M%SZ}.json"
    content = {"at": now.isoformat(), "machine": platform.platform(), "quick": quick, "figures": [asdict(f) for f in figures]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    console.print(f"Written to {path}")
    return all(f.met is not False for f in figures)
