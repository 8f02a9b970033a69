"""Nothing of a user's environment gets in, and nothing of the lab gets out."""

import pytest
import redis

from tests.e2e.cli_support import SMALL, LabCli, sizes
from tests.hostile import hostile

pytestmark = pytest.mark.e2e

VARIANTS = ("asynctasq-async", "celery-prefork", "floor")
GIVEN = {"HOME", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR"}
DATABASES = {"ASYNCTASQ_REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}


def connections_to(server: redis.Redis) -> int:
    """How many connections a server has had so far."""
    return int(server.info("stats")["total_connections_received"])


def test_a_shell_full_of_hostile_variables_changes_nothing_and_somebodys_redis_is_left_alone(
    lab_cli: LabCli, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as somebodys:
        somebodys.flushall()
        somebodys.set("precious", "untouched")
        before = connections_to(somebodys)
        ended = lab_cli.run("run", *SMALL, *sizes(300), "--variants", ",".join(VARIANTS), **hostile(redis_url))
        assert connections_to(somebodys) == before
        assert somebodys.keys() == [b"precious"]
    assert ended.errors == ""

    runs = ended.documents()
    assert sorted(runs) == list(VARIANTS)
    for name, run in runs.items():
        assert run["failure"] is None, name
        assert all(account["completed"] == account["planned"] for account in run["record"]["accounts"].values()), name
        environment = run["record"]["worker"]["environment"]
        assert {n for n in environment if not n.startswith("LAB_")} - DATABASES - GIVEN == set()
        assert "LAB_TOKEN" not in environment


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"LC_ALL": "POSIX"}]
)
def test_a_locale_that_lacks_characters_ends_nothing(lab_cli: LabCli, locale: dict[str, str]) -> None:
    ended = lab_cli.run("info", **locale)
    assert (ended.code, ended.errors) == (0, "")
