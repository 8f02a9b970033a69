"""The text that Prometheus gets from a node."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.agent.cgroup import NetworkReading
from infrastructure.agent.counting import EventReader
from infrastructure.agent.metrics import AgentScrape, ProducerScrape, Scrape, WorkerScrape, exposition
from infrastructure.agent.requests import LabState
from infrastructure.readings import TreeSample
from tasks.contract import Depth
from tasks.events import RECORD, Kind

SAMPLE = TreeSample(0, 300, 200, 100, 1.5, 3, 4, 5, 6, 7, None, None, None, None)
IN_CONTAINER = replace(SAMPLE, cgroup_memory_bytes=900, cgroup_memory_peak_bytes=950, cgroup_cpu_s=2.5, cgroup_throttled_s=0.25)
WORKER = WorkerScrape("tiny-x", True, 3, 1, SAMPLE, {"lab": Depth(waiting=9, claimed=2, delayed=1)})
PRODUCER = ProducerScrape(offered_per_s=12.5)
NODE = frozenset({("role", "worker"), ("framework", "tiny"), ("variant", "tiny-x")})
AGENT = AgentScrape(cpu_s=0.5, sampling_cpu_s=0.1, memory_bytes=7, log_available_bytes=8, network=None)
STATE = LabState(
    running=True, scenario="scenario_1_throughput", framework="tiny", variant="tiny-x", run=4, repetition=2, phase="paced",
    phase_began_unix_s=1.5e9, planned=100, done=40, runs_planned=6, runs_valid=2, runs_invalid=1,
)  # fmt: skip


def scrape(folder: Path, role: WorkerScrape | ProducerScrape, lab: LabState | None = None, agent: AgentScrape = AGENT) -> Scrape:
    return Scrape("tiny", EventReader(folder).totals(), agent, role, lab)


def values(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_living_worker(tmp_path: Path) -> None:
    found = values(exposition(scrape(tmp_path, WORKER), "")[0])
    variant = ("variant", "tiny-x")
    assert found["tiny_worker_up", frozenset({variant})] == 1
    assert found["tiny_worker_starts_total", frozenset({variant})] == 3
    assert found["tiny_worker_restarts_total", frozenset({variant})] == 2
    assert found["tiny_worker_deaths_total", frozenset({variant})] == 1
    assert found["tiny_worker_memory_bytes", frozenset({variant, ("kind", "uss")})] == 100
    assert found["tiny_worker_cpu_seconds_total", frozenset({variant})] == 1.5
    assert found["tiny_worker_threads", frozenset({variant})] == 4
    assert found["tiny_worker_open_fds", frozenset({variant})] == 5
    assert found["tiny_queue_depth", frozenset({variant, ("queue", "lab"), ("state", "claimed")})] == 2
    assert found["tiny_tasks_total", frozenset({variant, ("outcome", "retried")})] == 0
    assert found["tiny_tasks_in_flight", frozenset({variant})] == 0
    assert found["lab_node_info", NODE] == 1
    assert found["lab_agent_resident_memory_bytes", NODE] == 7
    assert found["lab_event_log_available_bytes", NODE] == 8


def test_a_container_has_its_own_memory_throttling_and_network(tmp_path: Path) -> None:
    agent = replace(AGENT, network=NetworkReading(11, 22))
    inside = values(exposition(scrape(tmp_path, replace(WORKER, sample=IN_CONTAINER), agent=agent), "")[0])
    variant = frozenset({("variant", "tiny-x")})
    assert inside["tiny_cgroup_memory_bytes", variant] == 900
    assert inside["tiny_cgroup_memory_peak_bytes", variant] == 950
    assert inside["tiny_cgroup_cpu_seconds_total", variant] == 2.5
    assert inside["tiny_cgroup_throttled_seconds_total", variant] == 0.25
    assert inside["lab_node_network_receive_bytes_total", NODE] == 11
    assert inside["lab_node_network_transmit_bytes_total", NODE] == 22
    outside = values(exposition(scrape(tmp_path, WORKER), "")[0])
    assert not any("cgroup" in name or "network" in name for name, _ in outside)


def test_a_worker_that_is_not_there_has_no_memory_but_is_down(tmp_path: Path) -> None:
    found = values(exposition(scrape(tmp_path, WorkerScrape("tiny-x", False, 0, 0, None, {})), "")[0])
    assert found["tiny_worker_up", frozenset({("variant", "tiny-x")})] == 0
    assert found["tiny_worker_restarts_total", frozenset({("variant", "tiny-x")})] == 0
    assert found["tiny_worker_processes", frozenset({("variant", "tiny-x")})] == 0
    assert not any(name in ("tiny_worker_memory_bytes", "tiny_worker_cpu_seconds_total") for name, _ in found)


def test_a_producer_tells_what_its_load_asks_for(tmp_path: Path) -> None:
    found = values(exposition(scrape(tmp_path, PRODUCER), "")[0])
    assert found["tiny_producer_offered_rate", frozenset()] == 12.5
    assert found["lab_node_info", frozenset({("role", "producer"), ("framework", "tiny"), ("variant", "")})] == 1


def test_what_the_runner_does_is_told_by_the_node_that_it_tells(tmp_path: Path) -> None:
    found = values(exposition(scrape(tmp_path, WORKER, STATE), "")[0])
    run = {("scenario", "scenario_1_throughput"), ("framework", "tiny"), ("variant", "tiny-x"), ("run", "4"), ("repetition", "2")}
    assert found["lab_run_info", frozenset(run)] == 1
    (began,) = [value for (name, _), value in found.items() if name == "lab_phase_start_time_seconds"]
    assert began == 1.5e9
    assert found["lab_progress_tasks", frozenset({("state", "done")})] == 40
    assert found["lab_suite_runs", frozenset()] == 6
    assert found["lab_runs_total", frozenset({("outcome", "invalid")})] == 1
    between = values(exposition(scrape(tmp_path, WORKER, STATE.model_copy(update={"running": False})), "")[0])
    assert {name for name, _ in found} - {name for name, _ in between} == {
        "lab_run_info", "lab_phase_start_time_seconds", "lab_progress_tasks",
    }  # fmt: skip
    assert not any(name.startswith(("lab_run", "lab_suite")) for name, _ in values(exposition(scrape(tmp_path, WORKER), "")[0]))


def test_the_number_of_series_does_not_depend_on_what_has_run(tmp_path: Path) -> None:
    """But for the queues that a worker serves, and one series each for a run and for a phase at a time."""
    counts = set()
    for run in (1, 2, 5000):
        state = STATE.model_copy(update={"run": run, "scenario": f"scenario_{run}_x", "phase": f"p{run}"})
        counts.add(len(values(exposition(scrape(tmp_path, WORKER, state), "")[0])))
    assert len(counts) == 1


@pytest.mark.parametrize("role", [PRODUCER, WORKER, replace(WORKER, sample=IN_CONTAINER)])
def test_names_follow_the_conventions(tmp_path: Path, role: WorkerScrape | ProducerScrape) -> None:
    text = exposition(scrape(tmp_path, role, STATE), "")[0].decode()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert family.documentation.endswith(".")
        assert family.name.startswith(("tiny_", "lab_"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_a_scraper_may_ask_for_openmetrics(tmp_path: Path) -> None:
    text, content_type = exposition(scrape(tmp_path, PRODUCER), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_what_emission_takes_is_told_and_nothing_while_events_are_off(tmp_path: Path) -> None:
    name, variant = "tiny_event_emission_duration_seconds", frozenset({("variant", "tiny-x")})
    off = values(exposition(scrape(tmp_path, WORKER), "")[0])
    assert off[f"{name}_count", variant] == 0
    with (tmp_path / "1-1.events").open("wb") as file:
        for took_ns in (200_000, 3_000_000):
            file.write(RECORD.pack(Kind.EMITTED, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1_000, 1_000 + took_ns, 0))
    on = values(exposition(scrape(tmp_path, WORKER), "")[0])
    assert on[f"{name}_count", variant] == 2
    assert on[f"{name}_sum", variant] == pytest.approx(0.0032)
    assert on[f"{name}_bucket", variant | {("le", "0.00025")}] == 1
    assert on["tiny_tasks_in_flight", variant] == 0
