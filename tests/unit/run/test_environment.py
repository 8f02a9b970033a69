"""What the runner heeds of its user's environment."""

import pytest

from benchmarks.run.environment import documented, lab_environment, runner_environment
from tests.hostile import hostile
from tests.support import CHECKOUT

OWN = {"PYTHONPATH": str(CHECKOUT), "MPLCONFIGDIR": str(CHECKOUT / ".cache" / "matplotlib")}


def test_of_a_hostile_environment_only_documented_variables_are_left() -> None:
    kept = runner_environment({**hostile("redis://elsewhere:6379"), "PATH": "/bin", "TERM": "dumb"})
    assert kept.keys() - documented().keys() == {"PATH", "TERM", *OWN}
    assert kept.items() >= OWN.items()


def test_it_is_made_once_and_for_all() -> None:
    once = runner_environment(hostile("redis://elsewhere:6379"))
    assert runner_environment(once) == once


def test_what_a_cluster_says_of_its_services_is_no_port_of_ours() -> None:
    said = {"REDIS_PORT": "tcp://10.96.12.7:6379", "PROMETHEUS_PORT": "9091"}
    assert runner_environment(said).keys() & said.keys() == {"PROMETHEUS_PORT"}


def test_a_process_of_the_lab_has_nothing_of_the_runners_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    before = lab_environment({"LAB_ID": "7"})
    for name, value in hostile("redis://elsewhere:6379").items():
        monkeypatch.setenv(name, value)
    assert lab_environment({"LAB_ID": "7"}) == before
