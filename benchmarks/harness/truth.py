"""Whether the lab tells the truth: how late it sends, and what it says of a queue whose waiting time is known."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.harness import queueing
from benchmarks.harness.figures import QUEUE, Figure, Sizes, shown
from benchmarks.record.percentiles import summarise
from benchmarks.record.task_table import TaskTable, build_task_tables
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes import steps as node_steps
from benchmarks.run.nodes.client import NodeClient
from tasks.loads import Paced, only
from tasks.producing import ProduceOrder

SERVICE_S = 0.01


def offer(producer: NodeClient, node: NodeClient, order: ProduceOrder) -> TaskTable:
    """The tasks of a load, once all have ended."""
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
            late = summarise(offer(producer, node, order).lateness_ns())
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
        table = offer(producer, node, order)
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
