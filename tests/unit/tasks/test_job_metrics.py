"""What the application of jobs tells Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from tasks.job_metrics import CACHED_S, CachedMetrics, JobCounts
from tasks.jobs import Status


def values(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_jobs_and_the_machine_are_told_and_made_anew_once_in_a_second_at_most() -> None:
    background = {Status.PENDING: 3, Status.RUNNING: 1}
    now = 100.0
    counts = JobCounts(lambda: background)
    metrics = CachedMetrics(counts, clock=lambda: now)
    counts.count("one")
    first = metrics.text()
    told = values(first)
    assert told["jobs_submitted_total", "one"] == 1
    assert (told["background_jobs", "pending"], told["background_jobs", "running"]) == (3, 1)
    assert 0 < told[("system_memory_percent",)] <= 100
    assert told[("process_resident_memory_bytes",)] > 1e6
    counts.count("one")
    now += CACHED_S / 2
    assert metrics.text() == first
    now += CACHED_S / 2
    assert values(metrics.text())["jobs_submitted_total", "one"] == 2
