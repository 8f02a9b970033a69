"""How services are chosen, and how what Docker says is read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record.machine import QuotaReading
from benchmarks.run.labs import compose_lab
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_lab import ComposeLab
from benchmarks.run.labs.compose_services import (
    ContainerDetails,
    Service,
    builders,
    containers_from,
    registry_images,
    selection,
    services_from,
)
from benchmarks.run.labs.lab import LabError
from tests.support import write_files

CONFIG: dict[str, Any] = {
    "services": {
        "redis": {"image": "redis:8", "labels": {"queuelab.groups": "mock,monitoring"}},
        "worker-x": {
            "image": "lab-x",
            "build": {"args": {"PYTHON_IMAGE": "python:3"}},
            "depends_on": {"redis": {}},
            "environment": {"LAB_TOKEN": "", "LAB_REDIS_URL": ""},
            "labels": {"queuelab.role": "worker", "queuelab.framework": "x", "queuelab.variant": "x-fast"},
        },
        "producer-x": {
            "image": "lab-x",
            "depends_on": {"redis": {}},
            "labels": {"queuelab.role": "producer", "queuelab.framework": "x"},
        },
        "graphs": {"image": "graphs:1", "secrets": [{"source": "password"}], "labels": {"queuelab.groups": "monitoring"}},
    },
    "secrets": {"password": {"environment": "PASSWORD"}},
}
SERVICES = services_from(CONFIG)


def row(service: str, state: str = "running", health: str = "healthy", ports: tuple[tuple[int, int], ...] = ()) -> dict[str, Any]:
    publishers = [{"URL": "127.0.0.1", "TargetPort": target, "PublishedPort": published} for target, published in ports]
    return {"Service": service, "State": state, "Health": health, "ExitCode": 3, "Publishers": publishers}


def listing(*rows: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows))


class FakeCompose(Compose):
    """Answers what Docker would."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self._rows = rows

    def _output(self, *arguments: str) -> str:
        return json.dumps(CONFIG) if arguments[0] == "config" else listing(*self._rows)

    def details(self) -> dict[str, ContainerDetails]:
        return {row["Service"]: ContainerDetails("0" * 64, f"sha256:{row['Service']}", 0) for row in self._rows}

    def token(self) -> str:
        return "token"

    def redis_password(self) -> str:
        return "password"


UP = (row("redis", ports=((6379, 16379),)), row("worker-x", ports=((8000, 32001),)), row("producer-x", ports=((8000, 32002),)))


def test_a_service_is_what_its_labels_say() -> None:
    worker = SERVICES["worker-x"]
    assert (worker.role, worker.framework, worker.variant) == ("worker", "x", "x-fast")
    assert worker.required_variables == {"LAB_TOKEN", "LAB_REDIS_PASSWORD"}
    assert SERVICES["graphs"].required_variables == {"PASSWORD"}
    assert SERVICES["redis"].groups == {"mock", "monitoring"}


def test_all_services_are_chosen_less_those_left_out() -> None:
    assert selection(SERVICES) == ("graphs", "producer-x", "redis", "worker-x")
    assert selection(SERVICES, without=["graphs"]) == ("producer-x", "redis", "worker-x")


def test_services_chosen_bring_what_they_need() -> None:
    assert selection(SERVICES, only=["worker-x"]) == ("redis", "worker-x")


def test_a_service_that_is_left_out_is_not_brought_by_one_that_needs_it() -> None:
    assert selection(SERVICES, only=["worker-x"], without=["redis"]) == ("worker-x",)


@pytest.mark.parametrize("wrong", [{"only": ["redis", "grafana"]}, {"without": ["grafana"]}])
def test_an_unknown_service_is_an_error_that_names_all(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(LabError, match="no service 'grafana': there are graphs, producer-x, redis, worker-x"):
        selection(SERVICES, **wrong)


def test_leaving_out_everything_is_an_error() -> None:
    with pytest.raises(LabError, match="no service is left"):
        selection(SERVICES, only=["redis"], without=["redis"])


def test_an_image_is_built_by_the_service_that_builds_it_even_if_only_another_is_chosen() -> None:
    assert builders(SERVICES, ["producer-x", "redis"]) == ("worker-x",)
    assert builders(SERVICES, ["redis"]) == ()


def test_images_from_a_registry_are_those_not_built_and_what_builds_begin_from() -> None:
    assert registry_images(SERVICES, ["redis", "producer-x"]) == ("python:3", "redis:8")
    assert registry_images(SERVICES, ["redis"]) == ("redis:8",)


def test_containers_are_read_from_lines_and_from_an_array() -> None:
    rows = [row("redis", ports=((6379, 16379), (9999, 0))), row("worker-x", state="exited", health="")]
    containers = containers_from(listing(*rows))
    assert containers == containers_from(json.dumps(rows))
    assert containers["redis"].ports == {6379: 16379}
    assert containers["redis"].healthy
    assert containers["worker-x"].condition == "exited with code 3"
    assert not containers["worker-x"].healthy
    assert containers_from("") == {}


@pytest.mark.parametrize(("health", "healthy"), [("healthy", True), ("", True), ("starting", False), ("unhealthy", False)])
def test_a_running_container_is_healthy_unless_its_check_says_otherwise(health: str, healthy: bool) -> None:
    assert containers_from(listing(row("redis", health=health)))["redis"].healthy is healthy


def test_the_health_report_has_every_service() -> None:
    report = {line.service: line for line in FakeCompose(row("redis"), row("worker-x", health="unhealthy")).health()}
    assert report.keys() == SERVICES.keys()
    assert (report["redis"].up, report["redis"].healthy) == (True, True)
    assert (report["worker-x"].up, report["worker-x"].healthy, report["worker-x"].condition) == (
        True,
        False,
        "running, unhealthy",
    )
    assert (report["graphs"].up, report["graphs"].condition) == (False, "not started")


def test_a_lab_finds_its_nodes_by_their_labels() -> None:
    with ComposeLab(FakeCompose(*UP)) as lab:
        assert lab.redis_url == "redis://:password@127.0.0.1:16379"
        assert lab.mock_api_url == ""
        assert lab.variants() == {"x-fast": "x"}
        assert lab.worker_url("x-fast") == "http://127.0.0.1:32001"
        assert lab.producer_url("x") == "http://127.0.0.1:32002"
        assert lab.worker_urls() == {"x-fast": "http://127.0.0.1:32001"}
        with pytest.raises(LabError, match="no worker node for 'y' is up: there are x-fast; run `just docker-up`"):
            lab.worker_url("y")
        with pytest.raises(LabError, match="no producer node for 'y' is up: there are x"):
            lab.producer_url("y")


def test_a_lab_has_the_log_of_every_part_of_it_or_says_why_not() -> None:
    class Logging(FakeCompose):
        def log_of(self, service: str, tail: int = 0) -> str:
            if service == "mock-api":
                raise LabError("no such container")
            return f"log of {service}"

    with ComposeLab(Logging(*UP)) as lab:
        logs = {part: lab.log_of(part) for part in ("redis", "worker-x-fast", "producer-x", "mock-api", "worker-none")}
    assert logs.pop("mock-api") == "its log cannot be read: no such container"
    assert logs.pop("worker-none").startswith("its log cannot be read: ")
    assert logs == {"redis": "log of redis", "worker-x-fast": "log of worker-x", "producer-x": "log of producer-x"}


def test_the_images_of_a_lab_are_those_of_what_takes_part_in_a_measurement() -> None:
    with ComposeLab(FakeCompose(*UP, row("graphs"))) as lab:
        assert lab.images() == {name: f"sha256:{name}" for name in ("producer-x", "redis", "worker-x")}


def test_a_limit_above_the_containers_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limited = {"cgroup.controllers": "cpu", "lab/cpu.max": "50000 100000", f"lab/{'0' * 64}/cpu.max": "10000 100000"}
    write_files(tmp_path, limited)
    monkeypatch.setattr(compose_lab, "CGROUP_ROOT", tmp_path)
    monkeypatch.setattr(compose_lab, "_memberships", lambda _: f"0::/lab/{'0' * 64}\n")
    with ComposeLab(FakeCompose(*UP)) as lab:
        assert lab.cpu_quotas() == (QuotaReading("/lab", 0.5, 0, 0, 0.0),)
    monkeypatch.setattr(compose_lab, "_memberships", lambda _: "0::/lab\n")
    with ComposeLab(FakeCompose(*UP)) as lab:
        assert lab.cpu_quotas() == (), "a process of the same number, where Docker runs on another machine"


def test_a_lab_knows_the_mock_api_by_its_published_port_where_it_is_up() -> None:
    with ComposeLab(FakeCompose(*UP, row("mock-api", ports=((8080, 18080),)))) as lab:
        assert lab.mock_api_url == "http://127.0.0.1:18080"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ((), "redis of the Compose lab is not started: run `just docker-up`"),
        ((row("redis", state="exited"),), "redis of the Compose lab is exited with code 3"),
        ((UP[0], row("worker-x", health="unhealthy")), "worker-x is running, unhealthy"),
        ((UP[0],), "no worker node of the Compose lab is up"),
        ((row("redis"), UP[1]), "redis of the Compose lab does not publish its port 6379"),
    ],
)
def test_a_lab_that_is_not_up_says_what_is_missing(rows: tuple[dict[str, Any], ...], problem: str) -> None:
    with pytest.raises(LabError, match=problem), ComposeLab(FakeCompose(*rows)):
        pass


def test_a_missing_docker_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="docker is not on the path: install"):
        Compose().containers()


def test_what_docker_says_of_a_failure_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match=r"`docker compose ps` failed \(exit code 1\): Cannot connect to the Docker daemon"):
        Compose().containers()


def test_the_token_is_that_of_the_environment_or_else_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAB_TOKEN", raising=False)
    compose = Compose(tmp_path)
    with pytest.raises(LabError, match=r"LAB_TOKEN: no value in the environment nor in \.env; `just init` writes one"):
        compose.token()
    (tmp_path / ".env").write_text("LAB_TOKEN=from-file\n")
    assert compose.token() == "from-file"
    monkeypatch.setenv("LAB_TOKEN", "from-environment")
    assert compose.token() == "from-environment"


@pytest.mark.parametrize("value", ["a b", "p@ss", "a/b", "a:b", "ü", "$x"])
def test_a_password_that_would_break_a_url_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LAB_REDIS_PASSWORD", value)
    with pytest.raises(LabError, match="LAB_REDIS_PASSWORD may hold letters, digits, - and _ only") as refused:
        Compose().redis_password()
    assert f"{value!r}" not in str(refused.value)
    monkeypatch.setenv("LAB_REDIS_PASSWORD", "Good-1_")
    assert Compose().redis_password() == "Good-1_"


def test_services_left_out_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAB_WITHOUT", raising=False)
    compose = Compose(tmp_path)
    assert compose.left_out() == ()
    (tmp_path / ".env").write_text("LAB_WITHOUT=a,b\n")
    assert compose.left_out() == ("a", "b")
    monkeypatch.setenv("LAB_WITHOUT", "c, d e")
    assert compose.left_out() == ("c", "d", "e")


def test_a_service_that_lacks_a_secret_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstartable(FakeCompose):
        def _run(self, *arguments: str) -> None:
            raise AssertionError(arguments)

        def _variable(self, name: str) -> str:
            return ""

    with pytest.raises(LabError, match="LAB_REDIS_PASSWORD, LAB_TOKEN, PASSWORD: no value"):
        Unstartable().up()
    monkeypatch.setattr(Unstartable, "_run", lambda *_: None)
    assert Unstartable().up(only_services=["redis"]) == ("redis",)


def test_a_service_without_labels_is_no_node() -> None:
    assert services_from({"services": {"a": {"image": "a:1"}}})["a"] == Service(
        "a", "a:1", None, frozenset(), frozenset(), frozenset(), "", "", ""
    )
