"""The Compose lab on a real Docker engine."""

import json
import os
import secrets
import time

import httpx
import pytest
import redis

from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import free_port
from tests.compose.conftest import WITHOUT, Up, docker, eventually, execute

pytestmark = pytest.mark.compose


def test_every_service_that_was_not_left_out_is_healthy(up: Up) -> None:
    report = {line.service: line for line in up.compose.health()}
    assert {name for name, line in report.items() if line.healthy} == set(up.names) == report.keys() - set(WITHOUT)
    assert {name for name, line in report.items() if line.up} == set(up.names)


def test_every_worker_is_started_and_stands_still(up: Up) -> None:
    variants = up.lab.variants()
    assert len(variants) == len(up.nodes("worker"))
    workers = {variant: up.lab.worker_url(variant) for variant in variants}
    eventually(
        lambda: {variant: up.get(url, "/worker")["state"] for variant, url in workers.items()}, dict.fromkeys(variants, "paused")
    )
    assert all(up.get(url, "/worker")["pids"] for url in workers.values())


def test_every_framework_with_a_worker_has_a_producer(up: Up) -> None:
    for framework in set(up.lab.variants().values()):
        assert up.get(up.lab.producer_url(framework), "/describe")["name"] == framework


def test_an_agent_wants_the_token(up: Up) -> None:
    for variant in up.lab.variants():
        url = up.lab.worker_url(variant)
        assert httpx.get(f"{url}/worker").status_code == 401
        assert httpx.get(f"{url}/worker", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{url}/metrics").status_code == 200


def test_nodes_share_the_runners_clock(up: Up) -> None:
    url = up.lab.worker_url(next(iter(up.lab.variants())))
    before_ns = time.monotonic_ns()
    clock = up.get(url, "/clock")
    assert before_ns < clock["monotonic_ns"] < time.monotonic_ns()


def test_nothing_is_published_beyond_loopback(up: Up) -> None:
    rows = [json.loads(line) for line in docker("compose", "ps", "--format", "json").splitlines()]
    addresses = {publisher["URL"] for row in rows for publisher in row["Publishers"] if publisher["PublishedPort"]}
    assert addresses == {"127.0.0.1"}


def test_nodes_and_the_mock_api_run_without_rights(up: Up) -> None:
    for service in [*up.nodes(), "mock-api"]:
        status = dict(line.split(":\t", 1) for line in execute(service, "cat", "/proc/self/status").splitlines() if ":\t" in line)
        assert set(status["Uid"].split()) == {"10001"}
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        mounts = [line.split() for line in execute(service, "cat", "/proc/mounts").splitlines()]
        assert next(options.split(",")[0] for _, place, _, options, *_ in mounts if place == "/") == "ro"


def test_event_logs_lie_in_memory(up: Up) -> None:
    for service in up.nodes():
        mounts = {line.split()[1]: line.split()[2] for line in execute(service, "cat", "/proc/mounts").splitlines()}
        assert mounts["/run/lab"] == "tmpfs"


def test_redis_keeps_nothing_on_disk_and_evicts_nothing(up: Up) -> None:
    with redis.Redis.from_url(up.lab.redis_url, decode_responses=True) as client:
        assert client.config_get("save", "appendonly", "maxmemory-policy") == {
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }


def test_redis_lets_nobody_in_without_its_password(up: Up) -> None:
    address = up.lab.redis_url.rpartition("@")[2]
    for url in (f"redis://{address}", f"redis://:wrong@{address}"):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
            client.set("key", "value")


def test_no_process_and_no_log_of_a_container_shows_the_password(up: Up) -> None:
    password = up.compose.redis_password()
    listed = "".join(docker("compose", "top", service) for service in up.names)
    assert "redis-server" in listed
    assert password not in listed
    assert password not in docker("compose", "logs")


def test_nodes_reach_the_mock_api(up: Up) -> None:
    script = (
        "import os, urllib.request as r; print(r.urlopen(os.environ['LAB_MOCK_API_URL'] + '/delay?ms=1&id=from-node').status)"
    )
    assert execute(up.nodes("worker")[0], "/opt/agent/bin/python", "-c", script).strip() == "200"
    assert up.lab.mock_api_url == f"http://127.0.0.1:{os.environ['MOCK_API_PORT']}"
    assert [entry[0] for entry in httpx.get(f"{up.lab.mock_api_url}/log").json()["entries"]] == ["from-node"]


def test_prometheus_scrapes_every_node_and_exporter(up: Up) -> None:
    url = f"http://127.0.0.1:{os.environ['PROMETHEUS_PORT']}/api/v1/query"
    wanted = {"workers": len(up.nodes("worker")), "producers": len(up.nodes("producer"))}
    wanted |= dict.fromkeys(("prometheus", "redis", "host", "mock-api"), 1)

    def found() -> dict[str, int]:
        answer = httpx.get(url, params={"query": "sum by (job) (up)"}).json()["data"]["result"]
        return {sample["metric"]["job"]: int(sample["value"][1]) for sample in answer}

    eventually(found, wanted)


def test_what_does_not_become_healthy_is_removed_and_its_log_shown(own_project: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", f"queuelab-test-{secrets.token_hex(4)}")
        patch.setenv("MOCK_API_PORT", str(free_port()))
        patch.setenv("MOCK_API_LOG_CAPACITY", "-1")
        compose = Compose()
        with pytest.raises(LabError, match=r"mock-api is exited with code 1; the end of its log:\n.*MOCK_API_LOG_CAPACITY='-1'"):
            compose.up(only_services=["mock-api"])
        assert compose.containers() == {}


def test_a_service_left_out_stays_out_though_another_needs_it(own_project: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        project = f"queuelab-test-{secrets.token_hex(4)}"
        patch.setenv("COMPOSE_PROJECT_NAME", project)
        compose = Compose()
        try:
            assert compose.up(only_services=["redis-exporter"], without=["redis"]) == ("redis-exporter",)
            assert compose.containers().keys() == {"redis-exporter"}
        finally:
            compose.down(volumes=True)
        assert compose.containers() == {}
        for kind in ("network", "volume"):
            assert docker(kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}") == ""
