"""The password of a lab's Redis: nobody gets in without it, and it stands nowhere but where its owner alone can read."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from benchmarks.run.frameworks import ask_framework
from benchmarks.run.labs.local import LocalLab
from tasks.contract import framework_names
from tests.e2e.cli_support import SMALL, Ended, LabCli, StartedLab, sizes

pytestmark = pytest.mark.e2e

SHORT = ("--size", "paced_s=0.2", "--size", "half_s=0.2")


def chosen_variants() -> list[str]:
    """Of each framework one variant for each place that its tasks run in: their workers are started differently."""
    chosen: dict[tuple[str, str], str] = {}
    for framework in framework_names():
        for variant in ask_framework(framework, {"op": "describe"})["variants"]:
            place = "child-process" if variant["execution"] == "child-process" else "the worker itself"
            chosen.setdefault((framework, place), variant["name"])
    return list(chosen.values())


def command_lines(lab: StartedLab) -> set[str]:
    found = set()
    for process in lab.processes():
        try:
            found.add(Path(f"/proc/{process}/cmdline").read_text(errors="replace"))
        except OSError:
            continue
    return found


def logs(lab: StartedLab) -> set[str]:
    found = set()
    for path in lab.folder.rglob("*.log"):
        try:
            found.add(path.read_text(errors="replace"))
        except OSError:
            continue
    return found


def password_of(lab: StartedLab) -> str:
    configuration = lab.folder / "redis.conf"
    assert configuration.stat().st_mode & 0o777 == 0o600
    [password] = re.findall(r"^requirepass (\S+)$", configuration.read_text(), re.MULTILINE)
    assert len(password) >= 32
    return str(password)


@pytest.fixture(scope="module")
def seen(lab_cli: LabCli) -> tuple[str, set[str], Ended]:
    """The password of a lab that measured, all that could be seen of it meanwhile, and what it left."""
    variants = chosen_variants()
    command = lab_cli.begin("run", *SMALL, *SHORT, *sizes(100), "--variants", ",".join(variants), until="Writing to")
    [lab] = command.labs
    password, visible = password_of(lab), set[str]()
    while command.process.poll() is None:
        visible |= command_lines(lab) | logs(lab)
        command.watch(0.2)
    ended = command.end()
    assert {row["variant"] for row in ended.rows()} == set(variants)
    assert all(document["failure"] is None for document in ended.documents().values())
    return password, visible, ended


def test_no_process_list_and_no_log_shows_it(seen: tuple[str, set[str], Ended]) -> None:
    password, visible, ended = seen
    assert any("redis-server" in text for text in visible)
    assert len([text for text in visible if "worker" in text]) > 2
    assert [text for text in visible if password in text] == []
    assert password not in ended.output + ended.errors


def test_no_result_holds_it(seen: tuple[str, set[str], Ended]) -> None:
    password, _, ended = seen
    files = [path for path in ended.results.path.rglob("*") if path.is_file()]
    assert any(b"redis://127.0.0.1:" in path.read_bytes() for path in files), "the databases of frameworks are described"
    assert [str(path) for path in files if password.encode() in path.read_bytes()] == []


def test_who_has_no_password_or_a_wrong_one_is_refused(local_lab: LocalLab) -> None:
    server = urlsplit(local_lab.redis_url)
    for given in (None, "wrong", ""):
        with (
            redis.Redis(server.hostname or "", server.port or 0, password=given) as client,
            pytest.raises(redis.AuthenticationError) as told,
        ):
            client.set("key", "value")
        assert str(server.password) not in str(told.value)
    with redis.Redis.from_url(local_lab.redis_url) as client:
        assert client.ping()


def test_every_lab_has_another() -> None:
    with LocalLab() as one, LocalLab() as two:
        assert urlsplit(one.redis_url).password != urlsplit(two.redis_url).password
