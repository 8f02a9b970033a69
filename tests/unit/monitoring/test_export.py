"""What is asked of Prometheus, what is kept of it in a result set, and how a service's health is put into words."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from benchmarks.monitoring.export import FILE, MARGIN_S, MOST_POINTS, export_metrics, step_s, time_range_s
from benchmarks.monitoring.health import STALE_S, health_lines
from benchmarks.monitoring.prometheus import Prometheus, Target
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.compose_services import ServiceHealth
from benchmarks.run.labs.lab import LabError
from tests.unit.results.test_result_set import gathered

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def server(answers: dict[str, Any], asked: list[httpx.Request]) -> Prometheus:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        data = answers[request.url.path.removeprefix("/api/v1/")]
        if isinstance(data, Exception):
            raise data
        return httpx.Response(200, json={"status": "success", "data": data} if data is not None else {"status": "error"})

    return Prometheus("http://prometheus", httpx.MockTransport(answer))


@pytest.fixture
def results(tmp_path: Path) -> ResultSet:
    return ResultSet.create(tmp_path, "x", gathered())


def rows(name: str, count: int, **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [[1000.5 + 5 * i, str(i)] for i in range(count)]}


def test_every_series_of_the_time_is_kept_with_its_labels(results: ResultSet) -> None:
    found = [rows("any_tasks_total", 3, job="workers", variant="any-x", outcome="ok"), rows("up", 2, job="redis", instance="r:1")]
    native = {"metric": {"__name__": "any_task_duration_seconds"}, "histograms": [[1, {}]]}
    asked: list[httpx.Request] = []
    answers = {"label/__name__/values": ["any_tasks_total", "up"], "query_range": {"result": [*found, native]}}
    path, count = export_metrics(results, server(answers, asked))
    assert (path, count) == (results.path / FILE, 2)
    kept = pd.read_parquet(path)
    assert len(kept) == 5
    first = kept.iloc[0]
    assert (first.metric, first.job, first.variant, first.value) == ("any_tasks_total", "workers", "any-x", 0.0)
    assert json.loads(first.labels) == {"job": "workers", "outcome": "ok", "variant": "any-x"}
    assert first.time == pd.Timestamp(1000.5, unit="s", tz="UTC")
    assert list(results.path.glob(".unfinished*")) == []
    assert ResultSet.open(results.path).stored_runs() == []


@pytest.mark.parametrize(
    "answers", [{"label/__name__/values": []}, {"label/__name__/values": ["up"], "query_range": {"result": []}}]
)
def test_nothing_is_left_where_prometheus_has_nothing(results: ResultSet, answers: dict[str, Any]) -> None:
    with pytest.raises(LabError, match=r"has no series between .* PROMETHEUS_RETENTION"):
        export_metrics(results, server(answers, []))
    assert list(results.path.glob("*metrics*")) == []


def test_an_export_that_breaks_off_leaves_the_one_before(results: ResultSet) -> None:
    (results.path / FILE).write_text("before")
    answers = {"label/__name__/values": ["up"], "query_range": httpx.ReadTimeout("slow")}
    with pytest.raises(LabError, match="does not answer"):
        export_metrics(results, server(answers, []))
    assert (results.path / FILE).read_text() == "before"
    assert list(results.path.glob(".unfinished*")) == []


def test_the_time_is_that_of_the_result_set_and_a_little_more(results: ResultSet) -> None:
    began_s = datetime.fromisoformat(results.manifest()["created_utc"]).timestamp()
    unfinished = time_range_s(results, NOW)
    assert unfinished == (began_s - MARGIN_S, NOW.timestamp())
    results.finish("complete")
    ended_s = datetime.fromisoformat(results.manifest()["finished_utc"]).timestamp()
    assert time_range_s(results, NOW) == (began_s - MARGIN_S, ended_s + MARGIN_S)


@pytest.mark.parametrize("hours", [0.1, 1, 24, 24 * 14])
def test_no_series_has_more_points_than_prometheus_gives(hours: float) -> None:
    step = step_s(0, hours * 3600)
    assert step % 5 == 0
    assert hours * 3600 / step <= MOST_POINTS


def test_a_refusal_names_the_server_and_the_reason() -> None:
    with pytest.raises(LabError, match=r"http://prometheus refuses query"):
        server({"query": None}, []).value("up", 1)


# ---- health


def service(name: str, up: bool = True) -> ServiceHealth:
    return ServiceHealth(name, up, up, "running, healthy" if up else "not started")


def target(instance: str, job: str = "workers", up: bool = True, age_s: float | None = 3) -> Target:
    scraped_at = None if age_s is None else NOW - timedelta(seconds=age_s)
    return Target(job, instance, up, scraped_at, "" if up else "connection refused")


def test_a_service_is_well_when_it_is_healthy_and_was_scraped_lately() -> None:
    lines = health_lines(
        [
            service("worker-a"),
            service("worker-b"),
            service("worker-c"),
            service("worker-d"),
            service("redis"),
            service("prometheus"),
        ],
        {"10.0.0.1": "worker-a", "10.0.0.2": "worker-b", "10.0.0.4": "worker-d"},
        [
            target("10.0.0.1:8000"),
            target("10.0.0.2:8000", up=False),
            target("10.0.0.4:8000", age_s=STALE_S + 1),
            target("localhost:9090", "prometheus"),
        ],
        {"worker-a", "worker-b", "worker-c", "worker-d", "prometheus"},
        NOW,
    )
    assert [(line.service, line.scraped, line.well) for line in lines] == [
        ("worker-a", "3 s ago", True),
        ("worker-b", "failed 3 s ago: connection refused", False),
        ("worker-c", "not found by Prometheus", False),
        ("worker-d", "31 s ago", False),
        ("redis", "", True),
        ("prometheus", "3 s ago", True),
    ]


def test_a_service_that_was_never_scraped_is_not_well() -> None:
    (line,) = health_lines([service("a")], {"10.0.0.1": "a"}, [target("10.0.0.1:1", age_s=None)], {"a"}, NOW)
    assert (line.scraped, line.well) == ("not yet", False)


def test_without_prometheus_only_docker_is_asked() -> None:
    (line, missing) = health_lines([service("a"), service("b", up=False)], {}, None, {"a", "b"}, NOW)
    assert (line.scraped, line.well) == ("", True)
    assert (missing.condition, missing.scraped, missing.well) == ("not started", "", False)


def test_a_target_before_its_first_scrape_has_no_time() -> None:
    row = {
        "labels": {"job": "workers", "instance": "10.0.0.1:8000"}, "health": "unknown",
        "lastScrape": "0001-01-01T00:00:00Z", "lastError": "",
    }  # fmt: skip
    later = {**row, "health": "up", "lastScrape": "2029-12-31T23:59:57.123456789Z"}
    first, second = server({"targets": {"activeTargets": [row, later]}}, []).targets()
    assert (first.up, first.scraped_at) == (False, None)
    assert second.up
    assert second.scraped_at is not None
    assert 2 < (NOW - second.scraped_at).total_seconds() < 3
