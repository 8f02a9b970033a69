"""The node's Prometheus metrics: a pure function of what was read for one scrape."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from benchmarks.model import TreeSample
from infrastructure.agent.counting import BUCKETS_S, EventTotals, HistogramReading
from tasks.contract import Depth

_SENDS = ("ok", "failed")
_ENDS = ("ok", "failed", "retried")


@dataclass(frozen=True, slots=True)
class WorkerScrape:
    """A worker node at a scrape: whether its worker lives, a sample of its tree if so, and depths of its queues if known."""

    variant: str
    up: bool
    starts: int
    sample: TreeSample | None
    depths: Mapping[str, Depth]


@dataclass(frozen=True, slots=True)
class Scrape:
    """A node at a scrape; ``worker`` is None on a producer node."""

    framework: str
    events: EventTotals
    agent_cpu_s: float
    sampling_cpu_s: float
    worker: WorkerScrape | None


class _Once(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """The text that a scraper which accepts ``accept`` gets, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(families(scrape)))
    encode: Callable[[Collector], bytes]
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def families(scrape: Scrape) -> list[Metric]:
    """All metrics of a node, each name beginning with the framework's, except the agent's own."""
    role = _producer_families(scrape) if scrape.worker is None else _worker_families(scrape, scrape.worker)
    return [*role, *_agent_families(scrape)]


def _agent_families(scrape: Scrape) -> list[Metric]:
    return [
        CounterMetricFamily("lab_agent_cpu_seconds", "CPU time of the node agent itself.", scrape.agent_cpu_s),
        CounterMetricFamily(
            "lab_agent_sampling_cpu_seconds", "CPU time of the node agent for sampling the worker.", scrape.sampling_cpu_s
        ),
        GaugeMetricFamily("lab_event_log_bytes", "Size of the node's event log.", scrape.events.log_bytes),
    ]


def _producer_families(scrape: Scrape) -> list[Metric]:
    name = scrape.framework
    sent = CounterMetricFamily(f"{name}_tasks_enqueued", "Sends by outcome.", labels=["outcome"])
    for outcome in _SENDS:
        sent.add_metric([outcome], scrape.events.counts[f"enqueued_{outcome}"])
    lateness = HistogramMetricFamily(
        f"{name}_producer_lateness_seconds", "How long after a task was due its enqueue call began.", labels=[]
    )
    _fill(lateness, [], scrape.events.lateness)
    return [sent, lateness]


def _worker_families(scrape: Scrape, worker: WorkerScrape) -> list[Metric]:
    name = scrape.framework
    label = [worker.variant]
    events = scrape.events
    ended = CounterMetricFamily(
        f"{name}_tasks", "Executions of tasks that have ended, by outcome.", labels=["variant", "outcome"]
    )
    for outcome in _ENDS:
        ended.add_metric([worker.variant, outcome], events.counts[f"finished_{outcome}"])
    service = HistogramMetricFamily(f"{name}_task_duration_seconds", "Time in a task's body.", labels=["variant"])
    _fill(service, label, events.service)
    wait = HistogramMetricFamily(
        f"{name}_task_queue_wait_seconds", "From when a task was due to its first start.", labels=["variant"]
    )
    _fill(wait, label, events.queue_wait)
    end_to_end = HistogramMetricFamily(
        f"{name}_task_end_to_end_seconds", "From when a task was due to its end, well or failed.", labels=["variant"]
    )
    _fill(end_to_end, label, events.end_to_end)
    depth = GaugeMetricFamily(
        f"{name}_queue_depth", "Tasks in a queue by state: waiting, claimed, delayed.", labels=["variant", "queue", "state"]
    )
    for queue, found in worker.depths.items():
        depth.add_metric([worker.variant, queue, "waiting"], found.waiting)
        depth.add_metric([worker.variant, queue, "claimed"], found.claimed)
        depth.add_metric([worker.variant, queue, "delayed"], found.delayed)
    up = GaugeMetricFamily(f"{name}_worker_up", "1 while the worker lives, running or paused.", labels=["variant"])
    up.add_metric(label, int(worker.up))
    starts = CounterMetricFamily(f"{name}_worker_starts", "Workers started by the node.", labels=["variant"])
    starts.add_metric(label, worker.starts)
    return [ended, service, wait, end_to_end, depth, up, starts, *_tree_families(name, label, worker.sample)]


def _tree_families(name: str, label: list[str], sample: TreeSample | None) -> list[Metric]:
    processes = GaugeMetricFamily(f"{name}_worker_processes", "Processes in the worker's tree.", labels=["variant"])
    memory = GaugeMetricFamily(
        f"{name}_worker_memory_bytes", "Memory of the worker's tree: RSS, PSS and USS, summed.", labels=["variant", "kind"]
    )
    cpu = CounterMetricFamily(
        f"{name}_worker_cpu_seconds", "CPU time of the worker's tree, ended children included.", labels=["variant"]
    )
    processes.add_metric(label, 0 if sample is None else sample.processes)
    if sample is not None:
        memory.add_metric([*label, "rss"], sample.rss_bytes)
        memory.add_metric([*label, "pss"], sample.pss_bytes)
        memory.add_metric([*label, "uss"], sample.uss_bytes)
        cpu.add_metric(label, sample.cpu_s)
    return [processes, memory, cpu]


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: HistogramReading) -> None:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    family.add_metric(labels, list(zip(bounds, map(float, histogram.cumulative), strict=True)), histogram.sum_s)
