"""What must hold of docker-compose.yml, the files that it uses and .env.example, whatever services there are."""

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grimp
import pytest
import redis
import yaml

from benchmarks.cli.settings import Settings
from benchmarks.run.labs.compose_services import (
    AGENT_PORT,
    BASE_IMAGE_ARGUMENT,
    MOCK_API_PORT,
    MOCK_API_SERVICE,
    REDIS_PORT,
    REDIS_SERVICE,
)
from benchmarks.run.labs.local import free_port
from infrastructure.environment import NODE_VARIABLES_VARIABLE, OWN_PREFIX
from tasks.contract import framework_names
from tests.support import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
NODES = {name: service for name, service in SERVICES.items() if "queuelab.role" in service.get("labels", {})}
DOCKERFILE = (CHECKOUT / "docker" / "Dockerfile").read_text()
OVERRIDABLE = re.compile(r"^\$\{[A-Z_]+_IMAGE:-(?P<image>[^}]+)\}$")
LOCAL_IMAGE = re.compile(r"^queuelab-[a-z0-9-]+$")


def label(service: Mapping[str, Any], name: str) -> str | None:
    value: str | None = service["labels"].get(f"queuelab.{name}")
    return value


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SERVICES[request.param]


@pytest.fixture(params=NODES)
def node(request: pytest.FixtureRequest) -> dict[str, Any]:
    return NODES[request.param]


def test_everything_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_an_image_is_built_here_or_pinned_by_tag_and_overridable(service: dict[str, Any]) -> None:
    if LOCAL_IMAGE.match(service["image"]):
        assert any(other["image"] == service["image"] and "build" in other for other in SERVICES.values())
        return
    found = OVERRIDABLE.match(service["image"])
    assert found, service["image"]
    _, _, tag = found["image"].partition(":")
    assert re.search(r"\d+\.\d+", tag)
    assert "@" not in tag


@pytest.mark.parametrize(("image", "program"), [("mock-api", "infrastructure.mock_api"), ("node", "infrastructure.agent")])
def test_an_image_holds_every_module_that_its_program_imports(image: str, program: str) -> None:
    stage = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    [own] = [part for part in stage if part.partition("\n")[0].endswith(f" AS {image}")]
    copied = [source for line in re.findall(r"^COPY (?!--)(.+) \S+$", own, re.MULTILINE) for source in line.split()]
    graph = grimp.build_graph("infrastructure", "tasks", cache_dir=None)
    modules = {program, *graph.find_descendants(program)}
    modules |= {above for module in modules for above in graph.find_upstream_modules(module)}
    files = {found for module in modules for found in files_of(module)}
    assert len(files) > 5
    assert {str(file) for file in files if not any(file.is_relative_to(source) for source in copied)} == set()


def files_of(module: str) -> Iterator[Path]:
    """The file of a module, and those of the packages that it lies in, below the checkout."""
    path = Path(*module.split("."))
    yield path / "__init__.py" if (CHECKOUT / path).is_dir() else path.with_suffix(".py")
    yield from (package / "__init__.py" for package in path.parents if package.parts)


def test_a_variable_of_a_framework_reaches_its_processes(node: dict[str, Any]) -> None:
    environment = node["environment"]
    of_framework = {name for name in environment if not name.startswith(OWN_PREFIX)}
    assert set(environment.get(NODE_VARIABLES_VARIABLE, "").split()) == of_framework


def test_an_image_that_services_share_is_built_by_one_of_them() -> None:
    built = Counter(service["image"] for service in SERVICES.values() if "build" in service)
    assert set(built.values()) == {1}


def test_the_image_that_builds_begin_from_is_visible_and_the_same_as_in_the_dockerfile(service: dict[str, Any]) -> None:
    if "build" in service:
        found = OVERRIDABLE.match(service["build"]["args"][BASE_IMAGE_ARGUMENT])
        assert found
        assert f"ARG {BASE_IMAGE_ARGUMENT}={found['image']}" in DOCKERFILE


def test_every_service_has_a_check_that_is_quick_at_the_start_and_rare_later(service: dict[str, Any]) -> None:
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert check["start_interval"].endswith("ms")
    assert check["interval"].endswith("m")


def test_no_service_gains_privileges(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys()


def test_what_is_built_here_has_a_read_only_root_and_an_init() -> None:
    for service in SERVICES.values():
        if LOCAL_IMAGE.match(service["image"]):
            assert service["read_only"] is True
            assert service["init"] is True


def test_what_is_built_here_does_not_run_as_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    for target in targets:
        (stage,) = [stage for stage in stages if stage.splitlines()[0].endswith(f" AS {target}")]
        assert "\nUSER lab\n" in stage


def test_a_nodes_labels_and_environment_say_the_same(node: dict[str, Any]) -> None:
    environment = node["environment"]
    for name in ("role", "framework", "variant"):
        assert label(node, name) == environment.get(f"LAB_{name.upper()}")
    assert node["image"] == f"queuelab-worker-{label(node, 'framework')}"


def test_a_node_is_found_by_its_roles_name_and_on_the_agents_port(node: dict[str, Any]) -> None:
    assert node["networks"]["default"]["aliases"] == [f"{label(node, 'role')}-nodes"]
    assert node["ports"] == [f"127.0.0.1::{AGENT_PORT}"]
    assert f"LAB_AGENT_PORT={AGENT_PORT}" in DOCKERFILE


def test_worker_and_producer_nodes_stand_for_every_framework_once() -> None:
    workers = [node for node in NODES.values() if label(node, "role") == "worker"]
    producers = [label(node, "framework") for node in NODES.values() if label(node, "role") == "producer"]
    assert sorted(filter(None, producers)) == framework_names()
    assert sorted({label(node, "framework") or "" for node in workers}) == framework_names()
    variants = Counter(label(node, "variant") for node in workers)
    assert None not in variants
    assert set(variants.values()) == {1}
    assert {name for name, node in NODES.items() if node in workers} == {f"worker-{variant}" for variant in variants}


def test_nodes_need_nothing_but_redis(node: dict[str, Any]) -> None:
    assert set(node["depends_on"]) == {REDIS_SERVICE}


def test_redis_and_the_mock_api_have_the_ports_that_the_lab_expects() -> None:
    for name, port in ((REDIS_SERVICE, REDIS_PORT), (MOCK_API_SERVICE, MOCK_API_PORT)):
        (published,) = SERVICES[name]["ports"]
        assert published.endswith(f":{port}")


def test_redis_starts_as_the_file_says_and_lets_in_who_has_the_password(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not on the path")
    shell, option, script = SERVICES[REDIS_SERVICE]["command"]
    repository = shlex.quote(str(CHECKOUT / "infrastructure/redis/redis.conf"))
    for there, here in (("$$", "$"), ("/usr/local/etc/redis/redis.conf", repository), ("/run/lab", str(tmp_path))):
        script = script.replace(there, here)
    port = free_port()
    command, path = [shell, option, f"{script} --port {port} --bind 127.0.0.1"], {"PATH": os.environ["PATH"]}
    without = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    assert (without.returncode, "LAB_REDIS_PASSWORD is empty" in without.stderr) == (1, True)
    process = subprocess.Popen(command, env={**path, "LAB_REDIS_PASSWORD": "word"}, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password="word") as client:
            wait_for(lambda: answers(client), "redis-server to answer")
            assert client.config_get("save")
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert "word" not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert (tmp_path / "redis.conf").stat().st_mode & 0o777 == 0o600
    finally:
        process.kill()
        process.wait()


def answers(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ConnectionError:
        return False
    return True


def test_nodes_know_the_mock_api_by_its_service(node: dict[str, Any]) -> None:
    assert node["environment"]["LAB_MOCK_API_URL"] == f"http://{MOCK_API_SERVICE}:{MOCK_API_PORT}"


def test_prometheus_finds_every_service_that_has_metrics_by_its_name() -> None:
    config = yaml.safe_load((CHECKOUT / "infrastructure/prometheus/prometheus.yml").read_text())
    names = {name for job in config["scrape_configs"] for sd in job.get("dns_sd_configs", ()) for name in sd["names"]}
    aliases = {alias for node in NODES.values() for alias in node["networks"]["default"]["aliases"]}
    assert names == aliases | {MOCK_API_SERVICE, "redis-exporter", "node-exporter"}
    assert names - aliases <= SERVICES.keys()


def test_env_example_documents_every_variable_that_is_read() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    documented = Counter(found[1] for line in lines if (found := re.match(r"#?([A-Z][A-Z0-9_]*)=", line)))
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT)) | {secret["environment"] for secret in FILE["secrets"].values()}
    passed_on = {name for node in NODES.values() for name, value in node["environment"].items() if value is None}
    settings = {name.upper() for name in Settings.model_fields}
    assert used | passed_on | settings | {"LAB_WITHOUT"} == documented.keys()
    assert set(documented.values()) == {1}


def test_env_example_holds_the_defaults_and_no_secret() -> None:
    examples = dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), flags=re.MULTILINE))
    for name, default in re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", TEXT):
        assert examples[name] == default
    assert examples["LAB_TOKEN"] == examples["LAB_REDIS_PASSWORD"] == examples["GRAFANA_ADMIN_PASSWORD"] == ""


def test_redis_is_open_to_nobody_without_the_password() -> None:
    server = SERVICES[REDIS_SERVICE]
    assert "requirepass $$LAB_REDIS_PASSWORD" in server["command"][-1]
    assert "$${LAB" not in TEXT, "no shell but that in the container puts the value into a command"
    holders = {name for name, service in SERVICES.items() if "${LAB_REDIS_PASSWORD:-}" in str(service.get("environment", {}))}
    assert holders == {REDIS_SERVICE, "redis-exporter", *NODES}
