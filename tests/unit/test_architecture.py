"""How the lab is built: which room may import from which, and how large a module may be. docs/architecture.md says why."""

from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from tests.support import CHECKOUT

LAB = "benchmarks"
ROOMS = (
    ("__main__",),
    ("cli",),
    ("report",),
    ("analysis",),
    ("monitoring", "harness"),
    ("studies",),
    ("scenarios",),
    ("run",),
    ("results",),
    ("soak",),
    ("record",),
    ("plan",),
    ("arithmetic", "chart", "checkout", "conclusion", "shares", "statistics", "words"),
)
"""From the top down. A room imports only from rooms below it; those side by side import nothing of one another."""
BOTTOM = len(ROOMS) - 1
"""The tools of all rooms, which may use one another."""
BELOW = {"tasks": (LAB, "infrastructure"), "infrastructure": (LAB,)}
"""Programs that stand without others: what each must not import."""
MOST_LINES = 400


@cache
def graph() -> grimp.ImportGraph:
    """All imports of the programs, those inside functions and for types alone included."""
    return grimp.build_graph(LAB, *BELOW, cache_dir=None)


def imports(of: grimp.ImportGraph) -> Iterator[tuple[str, str, str]]:
    """Importer, imported, and the import in words."""
    for importer in sorted(of.modules):
        for imported in sorted(of.find_modules_directly_imported_by(importer)):
            details = of.get_import_details(importer=importer, imported=imported)
            place = f", line {details[0]['line_number']}: {details[0]['line_contents']}" if details else ""
            yield importer, imported, f"{importer} imports {imported}{place}"


def level(module: str) -> int | None:
    """How far from the top its room is; None for what is no room of the lab, and for the lab's own package."""
    program, _, rest = module.partition(".")
    if program != LAB or not rest:
        return None
    room = rest.partition(".")[0]
    found = next((n for n, rooms in enumerate(ROOMS) if room in rooms), None)
    assert found is not None, f"{module} is in no room: give {room} a place in ROOMS, and in docs/architecture.md"
    return found


def out_of_order(of: grimp.ImportGraph) -> list[str]:
    """Imports from a room that is not below."""
    wrong = []
    for importer, imported, words in imports(of):
        above, below = level(importer), level(imported)
        if above is None or below is None or importer.split(".")[1] == imported.split(".")[1]:
            continue
        if below < above or (below == above and above != BOTTOM):
            wrong.append(f"{words} — {importer.split('.')[1]} lies below or beside {imported.split('.')[1]}")
    return wrong


def across_programs(of: grimp.ImportGraph) -> list[str]:
    """Imports of a program that must stand without the other."""
    return [words for importer, imported, words in imports(of) if imported.split(".")[0] in BELOW.get(importer.split(".")[0], ())]


def circle(of: grimp.ImportGraph) -> list[str]:
    """One circle of modules that import each other; empty where there is none."""
    try:
        TopologicalSorter({module: of.find_modules_directly_imported_by(module) for module in of.modules}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_room_imports_only_from_rooms_below_it() -> None:
    wrong = out_of_order(graph())
    assert not wrong, "\n".join(wrong)


def test_tasks_and_infrastructure_stand_without_the_lab() -> None:
    wrong = across_programs(graph())
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = circle(graph())
    assert not found, f"a circle of imports: {' -> '.join(found)}"


def test_every_room_is_there_and_is_in_the_picture_in_this_order() -> None:
    rooms = [room for side_by_side in ROOMS for room in side_by_side if room != "__main__"]
    assert [room for room in rooms if f"{LAB}.{room}" not in graph().modules] == []
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text.partition("## The rooms")[2].partition("\n## ")[0]
    places = [picture.find(f" {room}/" if (CHECKOUT / LAB / room).is_dir() else f"{room}.py") for room in rooms]
    assert -1 not in places, f"docs/architecture.md does not show {rooms[places.index(-1)]}"
    assert places[: -len(ROOMS[-1])] == sorted(places[: -len(ROOMS[-1])])


@pytest.mark.parametrize("program", [LAB, *BELOW])
def test_no_module_is_too_long_to_read(program: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (CHECKOUT / program).rglob("*.py")}
    assert len(lines) > 10
    assert [f"{path.relative_to(CHECKOUT)}: {count} lines" for path, count in lines.items() if count > MOST_LINES] == []


def made_up(*arrows: tuple[str, str]) -> grimp.ImportGraph:
    found = grimp.ImportGraph()
    for importer, imported in arrows:
        for module in (importer, imported):
            found.add_module(module)
        found.add_import(importer=importer, imported=imported, line_number=7, line_contents=f"from {imported} import x")
    return found


@pytest.mark.parametrize(
    ("importer", "imported", "wrong"),
    [
        ("benchmarks.run.suite", "benchmarks.record.flags", False),
        ("benchmarks.run.suite", "benchmarks.run.contract", False),
        ("benchmarks.record.flags", "benchmarks.run.contract", True),
        ("benchmarks.plan.order", "benchmarks.cli.main", True),
        ("benchmarks.monitoring.board", "benchmarks.harness.cost", True),
        ("benchmarks.words", "benchmarks.statistics", False),
        ("benchmarks.words", "benchmarks.plan.order", True),
        ("benchmarks.record.flags", "tasks.events", False),
    ],
)
def test_an_import_from_a_room_that_is_not_below_is_told_in_words(importer: str, imported: str, wrong: bool) -> None:
    told = out_of_order(made_up((importer, imported)))
    assert bool(told) is wrong
    for words in told:
        assert words.startswith(f"{importer} imports {imported}, line 7: from {imported} import x")


def test_a_module_without_a_room_is_asked_for_its_place() -> None:
    with pytest.raises(AssertionError, match=r"benchmarks\.attic\.old is in no room"):
        out_of_order(made_up(("benchmarks.attic.old", "benchmarks.record.flags")))


def test_an_import_across_programs_is_told_in_words() -> None:
    arrows = [("tasks.a", "benchmarks.plan.order"), ("tasks.a", "infrastructure.b"), ("infrastructure.b", "benchmarks.run.suite")]
    assert [words.partition(",")[0] for words in across_programs(made_up(*arrows, ("infrastructure.b", "tasks.c")))] == [
        "infrastructure.b imports benchmarks.run.suite",
        "tasks.a imports benchmarks.plan.order",
        "tasks.a imports infrastructure.b",
    ]


def test_a_circle_is_found_and_named() -> None:
    found = circle(made_up(("a.x", "a.y"), ("a.y", "a.z"), ("a.z", "a.x")))
    assert set(found) == {"a.x", "a.y", "a.z"}
    assert circle(made_up(("a.x", "a.y"), ("a.y", "a.z"))) == []
