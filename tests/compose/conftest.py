"""One Compose lab for all tests of this folder: a project of its own on free ports, so that a lab that is up is left alone.

Services that cannot be had where the tests run are left out by LAB_WITHOUT, as in ``just docker-up``.
"""

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from benchmarks.checkout import CHECKOUT
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_lab import ComposeLab
from benchmarks.run.labs.local import free_port

PUBLISHED = ("REDIS_PORT", "MOCK_API_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
WITHOUT = Compose().left_out()
SETTLED_WITHIN_S = 60


@dataclass(frozen=True)
class Up:
    """The lab under test."""

    compose: Compose
    lab: ComposeLab
    names: tuple[str, ...]

    def nodes(self, role: str = "") -> list[str]:
        """Services that are nodes."""
        services = self.compose.services()
        return [name for name in self.names if services[name].role and role in ("", services[name].role)]

    def get(self, url: str, path: str) -> Any:
        """What a node's agent answers."""
        answer = httpx.get(f"{url}{path}", headers={"Authorization": f"Bearer {self.lab.token}"}, timeout=30)
        answer.raise_for_status()
        return answer.json()


def eventually[T](look: Callable[[], T], wanted: T) -> None:
    """Hold that ``look`` comes to see what is wanted, before long."""
    give_up_at = time.monotonic() + SETTLED_WITHIN_S
    while (seen := look()) != wanted and time.monotonic() < give_up_at:
        time.sleep(0.5)
    assert seen == wanted


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def execute(service: str, *command: str) -> str:
    return docker("compose", "exec", "-T", service, *command)


@pytest.fixture(scope="session")
def own_project() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", f"queuelab-test-{secrets.token_hex(4)}")
        patch.setenv("LAB_TOKEN", secrets.token_hex(16))
        patch.setenv("LAB_REDIS_PASSWORD", secrets.token_hex(16))
        patch.setenv("GRAFANA_ADMIN_PASSWORD", secrets.token_hex(16))
        for name in PUBLISHED:
            patch.setenv(name, str(free_port()))
        yield patch


@pytest.fixture(scope="session")
def up(own_project: pytest.MonkeyPatch) -> Iterator[Up]:
    compose = Compose()
    try:
        names = compose.up(without=WITHOUT)
        with ComposeLab(compose) as lab:
            yield Up(compose, lab, names)
    finally:
        compose.down(volumes=True)
