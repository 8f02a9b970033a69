"""What the application of jobs says of itself and of its machine, as Prometheus reads it. Made anew once in a second at most."""

import time
from collections.abc import Callable, Iterator, Mapping

import psutil
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tasks.jobs import Status

CACHED_S = 1.0


class JobCounts(Collector):
    """Jobs by implementation, and the load of the machine. Of a queue's jobs only what this process knows of itself: how many it
    has submitted."""

    def __init__(self, background: Callable[[], Mapping[Status, int]]) -> None:
        self._background = background
        self.submitted: dict[str, int] = {}
        psutil.cpu_percent()  # the first reading has nothing to compare with

    def count(self, implementation: str) -> None:
        """One job more was accepted."""
        self.submitted[implementation] = self.submitted.get(implementation, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The metric families."""
        submitted = CounterMetricFamily("jobs_submitted", "Jobs accepted by this process", labels=["implementation"])
        for implementation, count in sorted(self.submitted.items()):
            submitted.add_metric([implementation], count)
        yield submitted
        background = GaugeMetricFamily("background_jobs", "Background tasks on record, by status", labels=["status"])
        for status, count in self._background().items():
            background.add_metric([status.value], count)
        yield background
        yield GaugeMetricFamily(
            "system_cpu_percent", "CPU of the machine in use since the last reading", value=psutil.cpu_percent()
        )
        memory = psutil.virtual_memory().percent
        yield GaugeMetricFamily("system_memory_percent", "Memory of the machine in use", value=memory)


class CachedMetrics:
    """The text of all metrics, those of this process included."""

    def __init__(self, counts: JobCounts, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(counts)
        ProcessCollector(registry=self._registry)
        self._clock = clock
        self._made_at = -CACHED_S
        self._text = b""

    def text(self) -> bytes:
        """In the text format of Prometheus; the same as before within a second."""
        now = self._clock()
        if now - self._made_at >= CACHED_S:
            self._text, self._made_at = generate_latest(self._registry), now
        return self._text
