"""The node's Prometheus metrics: a pure function of what was read for one scrape.

Labels have few values, so that the number of series does not grow with the time that the lab runs: a variant, an outcome, a
state. Scenario and run, of which a long watch sees many, are told by two series of their own, ``lab_run_info`` and
``lab_phase_start_time_seconds``; a query joins them on ``variant``, as the recording rules do.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from infrastructure.agent.cgroup import NetworkReading
from infrastructure.agent.counting import BUCKETS_S, EventTotals, HistogramReading
from infrastructure.agent.requests import LabState
from infrastructure.readings import TreeSample
from tasks.contract import Depth

_SENDS = ("ok", "failed")
_ENDS = ("ok", "failed", "retried")


@dataclass(frozen=True, slots=True)
class WorkerScrape:
    """A worker node at a scrape: whether its worker lives, a sample of its tree if so, and depths of its queues if known."""

    variant: str
    up: bool
    starts: int
    deaths: int
    sample: TreeSample | None
    depths: Mapping[str, Depth]


@dataclass(frozen=True, slots=True)
class ProducerScrape:
    """A producer node at a scrape: the rate that its load asks for now."""

    offered_per_s: float


@dataclass(frozen=True, slots=True)
class AgentScrape:
    """What the agent itself takes, and the space left for the event log; ``network`` is that of the node, None where it is not
    the node's own."""

    cpu_s: float
    sampling_cpu_s: float
    memory_bytes: int
    log_available_bytes: int
    network: NetworkReading | None


@dataclass(frozen=True, slots=True)
class Scrape:
    """A node at a scrape; ``lab`` is what the runner does, on the one node that it tells."""

    framework: str
    events: EventTotals
    agent: AgentScrape
    role: WorkerScrape | ProducerScrape
    lab: LabState | None


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
    """All metrics of a node: those of its role, each name beginning with the framework's, and the lab's own."""
    match scrape.role:
        case WorkerScrape():
            role = _worker_families(scrape, scrape.role)
        case ProducerScrape():
            role = _producer_families(scrape, scrape.role)
    return [*role, *_node_families(scrape), *([] if scrape.lab is None else _lab_families(scrape.lab))]


def _counter(name: str, text: str, label: str, values: Mapping[str, float], variant: str = "") -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[*(["variant"] if variant else []), label])
    for key, value in values.items():
        family.add_metric([*([variant] if variant else []), key], value)
    return family


def _node_families(scrape: Scrape) -> list[Metric]:
    agent, events = scrape.agent, scrape.events
    match scrape.role:
        case WorkerScrape(variant=variant):
            which = {"role": "worker", "framework": scrape.framework, "variant": variant}
        case ProducerScrape():
            which = {"role": "producer", "framework": scrape.framework, "variant": ""}

    def gauge(name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=list(which))
        family.add_metric(list(which.values()), value)
        return family

    def counter(name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(name, text, labels=list(which))
        family.add_metric(list(which.values()), value)
        return family

    found = [
        gauge("lab_node_info", "What the node is.", 1),
        counter("lab_agent_cpu_seconds", "CPU time of the node agent itself.", agent.cpu_s),
        counter("lab_agent_sampling_cpu_seconds", "CPU time of the node agent for sampling the worker.", agent.sampling_cpu_s),
        gauge("lab_agent_resident_memory_bytes", "RSS of the node agent itself.", agent.memory_bytes),
        gauge("lab_event_log_bytes", "Size of the node's event log.", events.log_bytes),
        gauge("lab_event_log_available_bytes", "Space left where the node's event log lies.", agent.log_available_bytes),
    ]
    if agent.network is not None:
        received, sent = agent.network.received_bytes, agent.network.sent_bytes
        found += [
            counter("lab_node_network_receive_bytes", "Bytes that the node's container has received.", received),
            counter("lab_node_network_transmit_bytes", "Bytes that the node's container has sent.", sent),
        ]
    return found


def _producer_families(scrape: Scrape, producer: ProducerScrape) -> list[Metric]:
    name = scrape.framework
    sent = {outcome: scrape.events.counts[f"enqueued_{outcome}"] for outcome in _SENDS}
    lateness = HistogramMetricFamily(
        f"{name}_producer_lateness_seconds", "How long after a task was due its enqueue call began.", labels=[]
    )
    _fill(lateness, [], scrape.events.lateness)
    return [
        _counter(f"{name}_tasks_enqueued", "Sends by outcome; their rate is the rate that was achieved.", "outcome", sent),
        GaugeMetricFamily(
            f"{name}_producer_offered_rate",
            "Tasks a second that the load being offered wants sent now; 0 where it is none or has no rate of its own.",
            producer.offered_per_s,
        ),
        lateness,
    ]


def _worker_families(scrape: Scrape, worker: WorkerScrape) -> list[Metric]:
    name, label, events = scrape.framework, [worker.variant], scrape.events
    ended = {outcome: events.counts[f"finished_{outcome}"] for outcome in _ENDS}
    durations = {
        "task_duration": ("Time in a task's body.", events.service),
        "task_queue_wait": ("From when a task was due to its first start.", events.queue_wait),
        "task_end_to_end": ("From when a task was due to its end, well or failed.", events.end_to_end),
        "event_emission_duration": ("Time that a worker takes to hand events of the framework's own to Redis.", events.emission),
    }
    histograms = []
    for what, (text, reading) in durations.items():
        family = HistogramMetricFamily(f"{name}_{what}_seconds", text, labels=["variant"])
        _fill(family, label, reading)
        histograms.append(family)
    depth = GaugeMetricFamily(
        f"{name}_queue_depth", "Tasks in a queue by state: waiting, claimed, delayed.", labels=["variant", "queue", "state"]
    )
    for queue, found in worker.depths.items():
        depth.add_metric([worker.variant, queue, "waiting"], found.waiting)
        depth.add_metric([worker.variant, queue, "claimed"], found.claimed)
        depth.add_metric([worker.variant, queue, "delayed"], found.delayed)

    def gauge(what: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"{name}_{what}", text, labels=["variant"])
        family.add_metric(label, value)
        return family

    def counter(what: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(f"{name}_{what}", text, labels=["variant"])
        family.add_metric(label, value)
        return family

    return [
        _counter(f"{name}_tasks", "Executions of tasks that have ended, by outcome.", "outcome", ended, worker.variant),
        *histograms,
        depth,
        gauge("tasks_in_flight", "Tasks that a living process has begun and not ended.", events.in_flight),
        gauge("worker_up", "1 while the worker lives, running or paused.", int(worker.up)),
        counter("worker_starts", "Workers started by the node.", worker.starts),
        counter("worker_restarts", "Workers started by the node after its first.", max(0, worker.starts - 1)),
        counter("worker_deaths", "Workers that have ended without being asked to.", worker.deaths),
        *_tree_families(name, label, worker.sample),
    ]


def _tree_families(name: str, label: list[str], sample: TreeSample | None) -> list[Metric]:
    processes = GaugeMetricFamily(f"{name}_worker_processes", "Processes in the worker's tree.", labels=["variant"])
    processes.add_metric(label, 0 if sample is None else sample.processes)
    if sample is None:
        return [processes]
    memory = GaugeMetricFamily(
        f"{name}_worker_memory_bytes", "Memory of the worker's tree: RSS, PSS and USS, summed.", labels=["variant", "kind"]
    )
    for kind, size in {"rss": sample.rss_bytes, "pss": sample.pss_bytes, "uss": sample.uss_bytes}.items():
        memory.add_metric([*label, kind], size)
    found: list[Metric] = [processes, memory]
    for what, text, value in (
        ("worker_threads", "Threads of the worker's tree.", sample.threads),
        ("worker_open_fds", "Open file descriptors of the worker's tree.", sample.fds),
        ("cgroup_memory_bytes", "Memory of the node's cgroup, page cache and event log included.", sample.cgroup_memory_bytes),
        ("cgroup_memory_peak_bytes", "Highest memory of the node's cgroup since its start.", sample.cgroup_memory_peak_bytes),
    ):
        if value is not None:
            gauge = GaugeMetricFamily(f"{name}_{what}", text, labels=["variant"])
            gauge.add_metric(label, value)
            found.append(gauge)
    for what, text, seconds in (
        ("worker_cpu_seconds", "CPU time of the worker's tree, ended children included.", sample.cpu_s),
        ("cgroup_cpu_seconds", "CPU time of the node's cgroup, the agent's included.", sample.cgroup_cpu_s),
        ("cgroup_throttled_seconds", "Time for which the node's cgroup was kept off the CPU.", sample.cgroup_throttled_s),
    ):
        if seconds is not None:
            counter = CounterMetricFamily(f"{name}_{what}", text, labels=["variant"])
            counter.add_metric(label, seconds)
            found.append(counter)
    return found


def _lab_families(lab: LabState) -> list[Metric]:
    runs = {"valid": lab.runs_valid, "invalid": lab.runs_invalid}
    return [
        *(_run_families(lab) if lab.running else []),
        GaugeMetricFamily("lab_suite_runs", "Runs that the suite will have made, as far as is known.", lab.runs_planned),
        _counter("lab_runs", "Runs of the suite that have ended, by whether they count.", "outcome", runs),
    ]


def _run_families(lab: LabState) -> list[Metric]:
    run = GaugeMetricFamily(
        "lab_run_info",
        "The run that is being made; one series at a time.",
        labels=["scenario", "framework", "variant", "run", "repetition"],
    )
    run.add_metric([lab.scenario, lab.framework, lab.variant, str(lab.run), str(lab.repetition)], 1)
    phase = GaugeMetricFamily(
        "lab_phase_start_time_seconds",
        "When the phase began that the run is in, in seconds since 1970; one series at a time.",
        labels=["scenario", "variant", "run", "phase"],
    )
    phase.add_metric([lab.scenario, lab.variant, str(lab.run), lab.phase], lab.phase_began_unix_s)
    progress = GaugeMetricFamily(
        "lab_progress_tasks", "Tasks of the phase: planned (0 where that is open) and done.", labels=["state"]
    )
    progress.add_metric(["planned"], lab.planned)
    progress.add_metric(["done"], lab.done)
    return [run, phase, progress]


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: HistogramReading) -> None:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    family.add_metric(labels, list(zip(bounds, map(float, histogram.cumulative), strict=True)), histogram.sum_s)
