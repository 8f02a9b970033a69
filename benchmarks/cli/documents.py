"""``documents``: the tables in README and docs that say what the code says, written anew from it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import typer

from benchmarks.checkout import CHECKOUT
from benchmarks.cli.console import UserError, say
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies, short_name
from benchmarks.studies.study import Study

documents_app = typer.Typer()


def questions(scenarios: Iterable[Scenario]) -> str:
    """What each scenario asks, as a Markdown table."""
    rows = (f"| {s.number} | {s.title} | {s.question} |" for s in scenarios)
    return "\n".join(("| | scenario | what it asks |", "|---|---|---|", *rows))


def declarations(scenarios: Iterable[Scenario]) -> str:
    """What each scenario asks, decides by and may say against a run, as a Markdown table."""
    rows = (f"| {s.number} | {s.title} | {s.question} | `{s.headline}` | {_codes(s)} |" for s in scenarios)
    return "\n".join(("| | scenario | asks | decides by | flags of its own |", "|---|---|---|---|---|", *rows))


def _codes(scenario: Scenario) -> str:
    return ", ".join(f"`{kind.code}`" for kind in scenario.own_flags) or "–"


def study_questions(studies: Iterable[Study]) -> str:
    """What each study asks, as a Markdown table."""
    rows = (f"| `{short_name(s)}` | {s.title} | {s.question} |" for s in studies)
    return "\n".join(("| study | | what it asks |", "|---|---|---|", *rows))


def study_declarations(studies: Iterable[Study]) -> str:
    """What each study asks, varies and decides by, as a Markdown table."""
    rows = (f"| `{short_name(s)}` | {s.question} | {_factors(s)} | `{s.headline}` | {_codes(s)} |" for s in studies)
    return "\n".join(("| study | asks | varies | decides by | flags of its own |", "|---|---|---|---|---|", *rows))


def _factors(study: Study) -> str:
    return ", ".join(f"`{factor.name}`: {factor.words}" for factor in study.factors)


@dataclass(frozen=True, slots=True)
class Marked:
    """A table in a file, between the marks ``<!-- NAME -->`` and ``<!-- /NAME -->``."""

    file: Path
    name: str
    table: Callable[[], str]


README, DOCS = CHECKOUT / "README.md", CHECKOUT / "docs"
TABLES = (
    Marked(README, "scenarios", lambda: questions(all_scenarios().values())),
    Marked(README, "studies", lambda: study_questions(all_studies().values())),
    Marked(DOCS / "scenarios.md", "scenarios", lambda: declarations(all_scenarios().values())),
    Marked(DOCS / "studies.md", "studies", lambda: study_declarations(all_studies().values())),
)


def with_table(text: str, marked: Marked) -> str:
    """The text with the table between its marks. Raises UserError where there are none."""
    begin, end = f"<!-- {marked.name} -->", f"<!-- /{marked.name} -->"
    table = f"{begin}\n\n{marked.table()}\n\n{end}"
    written, count = re.subn(f"{begin}\n.*?{end}", lambda _: table, text, flags=re.DOTALL)
    if count != 1:
        raise UserError(f"the text must have the marks {begin} and {end} once")
    return written


@documents_app.command()
def documents() -> None:
    """Write the tables of scenarios and studies in README.md and docs/ anew from the code."""
    for marked in TABLES:
        marked.file.write_text(with_table(marked.file.read_text(encoding="utf-8"), marked), encoding="utf-8")
    for file in dict.fromkeys(marked.file for marked in TABLES):
        say(str(file))
