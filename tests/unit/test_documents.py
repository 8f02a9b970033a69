"""What documents say of the code is so: links lead somewhere, tables are the code's own."""

import importlib
import re
from pathlib import Path

import pytest

from benchmarks.cli.console import UserError
from benchmarks.cli.documents import TABLES, Marked, with_table
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies, short_name
from tests.support import CHECKOUT

DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
DEFINITION = re.compile(r"\[`(?P<dotted>(?:benchmarks|tasks|infrastructure)(?:\.\w+)+)`\]\((?P<target>[^)\s]+)\)")
MOST_HOPS = 12


def section(heading: str) -> str:
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = [found["target"] for found in LINK.finditer(document.read_text(encoding="utf-8"))]
    files = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    assert [target for target in files if not (document.parent / target).exists()] == []


def test_following_one_number_takes_few_hops_and_each_is_a_definition_in_the_file_that_it_links_to() -> None:
    hops = re.findall(r"^\d+\. ", section("Follow one number"), re.MULTILINE)
    linked = list(DEFINITION.finditer(section("Follow one number")))
    assert 5 < len(hops) == len(linked) <= MOST_HOPS
    for hop in linked:
        module_name, _, name = hop["dotted"].rpartition(".")
        module = importlib.import_module(module_name)
        assert getattr(module, name).__module__ == module_name, hop["dotted"]
        assert Path(module.__file__ or "") == (CHECKOUT / "docs" / hop["target"]).resolve(), hop["dotted"]


def test_every_kind_of_thing_has_its_place_with_a_link() -> None:
    things = section("Where do I put ...").split("\n- ")[1:]
    names = ["measure", "flag", "reading", "variant", "lab", "statistic", "picture", "recipe", "fault", "metric"]
    assert [re.match(r"\*\*an? (\w+)", thing)[1] for thing in things] == names  # type: ignore[index]
    assert all(LINK.search(thing) for thing in things)


@pytest.mark.parametrize("marked", TABLES, ids=lambda marked: f"{marked.file.name}-{marked.name}")
def test_a_table_is_the_codes_own(marked: Marked) -> None:
    text = marked.file.read_text(encoding="utf-8")
    assert text == with_table(text, marked), "write it anew with: just documents"


def test_a_text_without_the_marks_is_refused() -> None:
    with pytest.raises(UserError, match="<!-- scenarios -->"):
        with_table("no table here", TABLES[0])


def test_every_study_has_its_page() -> None:
    text = (CHECKOUT / "docs" / "studies.md").read_text(encoding="utf-8")
    for study in all_studies().values():
        assert f"\n## {short_name(study)}\n" in text, f"docs/studies.md says nothing of {study.name}"


def test_every_scenario_has_its_page() -> None:
    text = (CHECKOUT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    for scenario in all_scenarios().values():
        assert re.search(rf"^## {scenario.number}\. ", text, re.MULTILINE), f"docs/scenarios.md says nothing of {scenario.name}"
