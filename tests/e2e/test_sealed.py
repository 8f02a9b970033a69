"""Nothing of a user's environment gets in, and nothing of the lab gets out."""

import os
from typing import Any

import pytest
import redis

from tests.e2e.cli_support import SMALL, Ended, LabCli, sizes
from tests.hostile import hostile

pytestmark = pytest.mark.e2e

VARIANTS = ("asynctasq-async", "celery-prefork", "floor")
GIVEN = {"HOME", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR"}
DATABASES = {"ASYNCTASQ_REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}
SAME_BYTES = 0.02
"""Messages name process ids, and numbers that have more digits or fewer."""
OF_A_MEASURED_RATE = "half"
LIKE_A_USER = "--regid 65534 --clear-groups --inh-caps=-sys_ptrace --bounding-set=-sys_ptrace"


def connections_to(server: redis.Redis) -> int:
    """How many connections a server has had so far."""
    return int(server.info("stats")["total_connections_received"])


def test_a_shell_full_of_hostile_variables_changes_nothing_and_somebodys_redis_is_left_alone(
    lab_cli: LabCli, redis_url: str
) -> None:
    command = ("run", *SMALL, *sizes(300), "--variants", ",".join(VARIANTS), "--seed", "1")
    with redis.Redis.from_url(redis_url) as somebodys:
        somebodys.flushall()
        somebodys.set("precious", "untouched")
        before = connections_to(somebodys)
        ended = lab_cli.run(*command, **hostile(redis_url))
        assert connections_to(somebodys) == before
        assert somebodys.keys() == [b"precious"]
    assert ended.errors == ""

    runs = ended.documents()
    assert sorted(runs) == list(VARIANTS)
    for name, run in runs.items():
        assert run["failure"] is None, name
        assert all(account["completed"] == account["planned"] for account in run["record"]["accounts"].values()), name
        for part in ("worker", "producer"):
            environment = run["record"][part]["environment"]
            assert {n for n in environment if not n.startswith("LAB_")} - DATABASES - GIVEN == set()
            assert "LAB_TOKEN" not in environment

    plain = lab_cli.run(*command)
    assert [list(row) for row in ended.rows()] == [list(row) for row in plain.rows()]
    assert settings_of(ended) == settings_of(plain)
    for name, run in plain.documents().items():
        assert of_no_chance(runs[name]) == of_no_chance(run)
        assert bytes_of_messages(runs[name]) == pytest.approx(bytes_of_messages(run), rel=SAME_BYTES), name


def settings_of(ended: Ended) -> dict[str, Any]:
    """What a set was made by, but for the frameworks' own words, in which each lab's port stands."""
    manifest = ended.results.manifest()
    settings = {name: value for name, value in manifest["settings"].items() if name != "frameworks"}
    return {"settings": settings, **{name: manifest[name] for name in ("scenarios", "control", "versions")}}


def of_no_chance(run: dict[str, Any]) -> dict[str, Any]:
    """What a run of the same seed must have in common with another, however fast the machine was: all but what was measured."""
    record, worker = run["record"], run["record"]["worker"]
    return {
        **{name: run[name] for name in ("variant", "run", "track", "processes", "concurrency", "failure")},
        **{name: record[name] for name in ("sizes", "seed", "phase_names")},
        **{name: worker[name] for name in ("settings", "versions", "slots", "execution", "guarantee")},
        "measures": sorted({**run["measures"], **run["spoiled"]}),
        "variables": set(worker["environment"]) - DATABASES,
        "phases": {
            phase["name"]: (phase["tasks"], phase["planned"], record["accounts"][phase["name"]])
            for phase in record["phases"]
            if phase["name"] != OF_A_MEASURED_RATE
        },
    }


def bytes_of_messages(run: dict[str, Any]) -> int:
    """What Redis received while a paused worker's queue was filled."""
    phase = next(phase for phase in run["record"]["phases"] if phase["name"] == "capacity")
    return int(phase["filled"]["redis"]["input_bytes"]) - int(phase["before"]["redis"]["input_bytes"])


@pytest.mark.parametrize("hidepid", [1, 2])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount /proc anew")
def test_it_runs_where_the_processes_of_others_are_hidden(lab_cli: LabCli, hidepid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root without CAP_SYS_PTRACE and in another group, which is as little as an ordinary user may see."""
    hide = f'mount --make-rprivate / && mount -t proc -o hidepid={hidepid} proc /proc && exec setpriv {LIKE_A_USER} "$@"'
    monkeypatch.setattr(lab_cli, "wrapper", ("unshare", "--mount", "sh", "-c", hide, "sh"))
    ended = lab_cli.run("run", *SMALL, *sizes(200), "--variants", "floor")
    [run] = ended.documents().values()
    assert run["failure"] is None
    assert run["record"]["phases"][0]["after"]["worker"]["processes"] > 1
    assert run["record"]["phases"][0]["after"]["worker"]["pss_bytes"] > 0


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"LC_ALL": "POSIX"}]
)
def test_a_locale_that_lacks_characters_ends_nothing(lab_cli: LabCli, locale: dict[str, str]) -> None:
    ended = lab_cli.run("info", **locale)
    assert (ended.code, ended.errors) == (0, "")
