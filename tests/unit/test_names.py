"""A framework is named by its own module or folder, and by no other program of the lab."""

import re
from pathlib import Path

import pytest

from tasks.contract import FRAMEWORKS_PATH_VARIABLE, MODULE_SUFFIX, framework_names
from tests.support import CHECKOUT

PROGRAMS = ("benchmarks", "infrastructure", "tasks")
ROUNDING = re.compile(r"\b(math|np|numpy)\.(floor|ceil)\(")
"""A framework may bear the name of a function of arithmetic."""


def named_in(text: str, name: str) -> list[str]:
    """The lines that hold the name as a word, or as a part of an identifier."""
    word = re.compile(rf"(?i:(?<![a-z]){name}(?![a-z]))|{name.capitalize()}(?![a-z])")
    return [line.strip() for line in text.splitlines() if word.search(ROUNDING.sub("", line))]


def own_programs(name: str) -> list[Path]:
    """A framework's module, or those of its folder."""
    module = CHECKOUT / "tasks" / f"{name}{MODULE_SUFFIX}"
    return [path for path in (module.with_suffix(".py"), *module.rglob("*.py")) if path.exists()]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.delenv(FRAMEWORKS_PATH_VARIABLE, raising=False)
    return framework_names()


def test_no_other_program_names_a_framework(names: list[str]) -> None:
    programs = [path for folder in PROGRAMS for path in (CHECKOUT / folder).rglob("*.py")]
    assert len(programs) > len(names) > 1
    assert [
        f"{path.relative_to(CHECKOUT)}: {line}"
        for path in programs
        for name in names
        if path not in own_programs(name)
        for line in named_in(path.read_text(encoding="utf-8"), name)
    ] == []


def test_every_framework_is_named_by_its_own(names: list[str]) -> None:
    for name in names:
        assert any(named_in(path.read_text(encoding="utf-8"), name) for path in own_programs(name))


@pytest.mark.parametrize(
    "line",
    [
        '"floor"',
        "floor_url = 1",
        "class FloorProducer:",
        "the BareFloorWorker",
        "# as the floor does",
        "FLOOR = floor(x)",
        "x = 'floor-2'",
    ],
)
def test_a_name_is_found_wherever_it_stands(line: str) -> None:
    assert named_in(line, "floor") == [line]


@pytest.mark.parametrize("line", ["x = math.floor(y)", "np.floor(y)", "flooring", "a floorboard"])
def test_other_words_are_none(line: str) -> None:
    assert named_in(line, "floor") == []
