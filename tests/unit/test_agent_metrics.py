"""The text that Prometheus gets from a node."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.model import TreeSample
from infrastructure.agent.counting import EventReader
from infrastructure.agent.metrics import Scrape, WorkerScrape, exposition
from tasks.contract import Depth

SAMPLE = TreeSample(0, 300, 200, 100, 1.5, 3, 4, 5, 6, 7, None, None, None, None)


def scrape(folder: Path, worker: WorkerScrape | None) -> Scrape:
    return Scrape("tiny", EventReader(folder).totals(), agent_cpu_s=0.5, sampling_cpu_s=0.1, worker=worker)


def values(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_living_worker(tmp_path: Path) -> None:
    worker = WorkerScrape("tiny-x", True, 2, SAMPLE, {"lab": Depth(waiting=9, claimed=2, delayed=1)})
    found = values(exposition(scrape(tmp_path, worker), "")[0])
    variant = ("variant", "tiny-x")
    assert found["tiny_worker_up", frozenset({variant})] == 1
    assert found["tiny_worker_memory_bytes", frozenset({variant, ("kind", "uss")})] == 100
    assert found["tiny_worker_cpu_seconds_total", frozenset({variant})] == 1.5
    assert found["tiny_queue_depth", frozenset({variant, ("queue", "lab"), ("state", "claimed")})] == 2
    assert found["tiny_tasks_total", frozenset({variant, ("outcome", "retried")})] == 0


def test_a_worker_that_is_not_there_has_no_memory_but_is_down(tmp_path: Path) -> None:
    found = values(exposition(scrape(tmp_path, WorkerScrape("tiny-x", False, 1, None, {})), "")[0])
    assert found["tiny_worker_up", frozenset({("variant", "tiny-x")})] == 0
    assert found["tiny_worker_processes", frozenset({("variant", "tiny-x")})] == 0
    assert not any(name in ("tiny_worker_memory_bytes", "tiny_worker_cpu_seconds_total") for name, _ in found)


@pytest.mark.parametrize("worker", [None, WorkerScrape("tiny-x", True, 1, SAMPLE, {"lab": Depth(0, 0, 0)})])
def test_names_follow_the_conventions(tmp_path: Path, worker: WorkerScrape | None) -> None:
    text = exposition(scrape(tmp_path, worker), "")[0].decode()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert family.documentation
        assert family.name.startswith(("tiny_", "lab_"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_a_scraper_may_ask_for_openmetrics(tmp_path: Path) -> None:
    text, content_type = exposition(scrape(tmp_path, None), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
