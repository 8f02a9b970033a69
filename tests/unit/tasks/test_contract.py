"""What the lab and a framework have agreed on: databases, shapes of workers, where modules are found."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.contract import (
    FRAMEWORKS_PATH_VARIABLE,
    REDIS_URL_VARIABLE,
    Database,
    Shape,
    Variant,
    database_url,
    framework_folders,
    framework_names,
    load_framework,
    without_credentials,
)
from tests.support import CHECKOUT

DATABASE = Database(purpose="queue", variable="SOME_REDIS_URL", number=4)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (REDIS_URL_VARIABLE, FRAMEWORKS_PATH_VARIABLE, DATABASE.variable):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield
    for added in set(sys.modules) - modules:
        if added.partition(".")[0].endswith("_tasks"):
            del sys.modules[added]


@pytest.mark.parametrize(
    ("lab", "configured", "url"),
    [
        ("", "", "redis://localhost:6379/4"),
        ("", "redis://broker:7000/9", "redis://broker:7000/9"),
        ("", "redis://broker:7000", "redis://broker:7000"),
        ("", "rediss://:secret@broker/2", "rediss://:secret@broker/2"),
        ("redis://127.0.0.1:5555", "", "redis://127.0.0.1:5555/4"),
        ("redis://127.0.0.1:5555/", "", "redis://127.0.0.1:5555/4"),
        ("redis://127.0.0.1:5555", "redis://broker:7000/9", "redis://127.0.0.1:5555/9"),
        ("redis://127.0.0.1:5555", "redis://broker:7000/9/", "redis://127.0.0.1:5555/9"),
        ("redis://127.0.0.1:5555", "redis://broker:7000", "redis://127.0.0.1:5555/4"),
        ("redis://127.0.0.1:5555", "redis://broker:7000/0", "redis://127.0.0.1:5555/0"),
    ],
)
def test_a_labs_own_server_always_wins_and_the_variable_gives_the_number(
    monkeypatch: pytest.MonkeyPatch, lab: str, configured: str, url: str
) -> None:
    monkeypatch.setenv(REDIS_URL_VARIABLE, lab)
    monkeypatch.setenv(DATABASE.variable, configured)
    assert database_url(DATABASE) == url


@pytest.mark.parametrize("lab", ["", "redis://127.0.0.1:5555"])
@pytest.mark.parametrize(
    "configured",
    ["localhost:6379/1", "http://localhost/1", "redis://localhost/first", "redis://localhost/²", "amqp://guest@host//"],
)
def test_what_is_no_redis_url_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, lab: str, configured: str) -> None:
    monkeypatch.setenv(REDIS_URL_VARIABLE, lab)
    monkeypatch.setenv(DATABASE.variable, configured)
    with pytest.raises(ValueError, match=r"^SOME_REDIS_URL=.* is not a Redis URL such as redis://localhost:6379/4$") as raised:
        database_url(DATABASE)
    assert configured.rpartition("@")[2] in str(raised.value)


@pytest.mark.parametrize(
    ("configured", "shown"),
    [
        ("redis://user:pass/w@rd@broker/first", "redis://***@broker/first"),
        ("http://:pass@broker/1", "http://***@broker/1"),
        ("user:pass@broker/1", "***@broker/1"),
        ("redis://:pass@[::1/x", "redis://***@[::1/x"),
    ],
)
def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, configured: str, shown: str) -> None:
    monkeypatch.setenv(DATABASE.variable, configured)
    with pytest.raises(ValueError, match=re.escape(f"SOME_REDIS_URL='{shown}' is not")):
        database_url(DATABASE)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pass@127.0.0.1:5555/4", "redis://127.0.0.1:5555/4"),
        ("rediss://user:p@ss@broker/1", "rediss://broker/1"),
        ("redis://127.0.0.1:5555", "redis://127.0.0.1:5555"),
    ],
)
def test_what_is_shown_of_a_url_leads_to_the_same_server(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@given(st.integers(1, 100), st.integers(1, 100), st.none() | st.integers(1, 100))
def test_a_wish_is_granted_as_far_as_one_process_can_execute_so_many(processes: int, concurrency: int, limit: int | None) -> None:
    shape = Variant("some", "thread", "made up", concurrency_limit=limit).shape(processes, concurrency)
    assert shape == Shape(processes, min(concurrency, limit or concurrency))
    assert shape.slots == shape.processes * shape.concurrency


def test_every_framework_has_a_module_or_a_package_in_the_tasks_folder() -> None:
    folder = CHECKOUT / "tasks"
    assert framework_folders() == [folder]
    modules = [path.stem for path in folder.glob("*_tasks.py")]
    packages = [path.parent.name for path in folder.glob("*_tasks/__init__.py")]
    assert framework_names() == sorted(module.removesuffix("_tasks") for module in (*modules, *packages))


def test_extra_folders_are_searched_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = framework_names()
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in ((first, "extra"), (second, "another")):
        folder.mkdir()
        (folder / f"{name}_tasks.py").write_text(f"FRAMEWORK = {name!r}\n")
        (folder / "unrelated.py").write_text("raise SystemExit\n")
    folders = [str(first), "", str(tmp_path / "missing"), str(second)]
    monkeypatch.setenv(FRAMEWORKS_PATH_VARIABLE, os.pathsep.join(folders))
    assert framework_names() == sorted([*own, "extra", "another"])
    assert str(load_framework("extra")) == "extra"
    assert str(load_framework("another")) == "another"


def test_a_framework_may_be_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = framework_names()
    for path, source in (
        ("packed_tasks/__init__.py", "from packed_tasks.parts import FRAMEWORK\n"),
        ("packed_tasks/parts.py", "FRAMEWORK = 'packed'\n"),
        ("packed_tasks/inner_tasks.py", "raise SystemExit\n"),
        ("left_behind_tasks/__pycache__/parts.pyc", ""),
        ("some_tasks_of_mine/__init__.py", "raise SystemExit\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    monkeypatch.setenv(FRAMEWORKS_PATH_VARIABLE, str(tmp_path))
    assert framework_names() == sorted([*own, "packed"])
    assert str(load_framework("packed")) == "packed"


def test_a_framework_of_the_project_is_loaded_from_its_package() -> None:
    framework = load_framework("floor")
    assert framework.name == "floor"
    assert type(framework).__module__ == "tasks.floor_tasks"


def test_an_unknown_framework_is_an_error_that_lists_those_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "extra_tasks.py").touch()
    monkeypatch.setenv(FRAMEWORKS_PATH_VARIABLE, str(tmp_path))
    with pytest.raises(LookupError) as raised:
        load_framework("nonesuch")
    assert "'nonesuch'" in str(raised.value)
    for name in framework_names():
        assert name in str(raised.value)
