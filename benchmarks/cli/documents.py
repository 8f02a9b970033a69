"""``documents``: the tables in README and docs that say what the code says, written anew from it."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import typer

from benchmarks.checkout import CHECKOUT
from benchmarks.cli.console import UserError, say
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios

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


TABLES: Mapping[Path, Callable[[Iterable[Scenario]], str]] = {
    CHECKOUT / "README.md": questions,
    CHECKOUT / "docs" / "scenarios.md": declarations,
}
"""Each file with what stands in it between ``<!-- scenarios -->`` and ``<!-- /scenarios -->``."""
_MARKED = re.compile(r"(<!-- scenarios -->\n).*?(\n<!-- /scenarios -->)", re.DOTALL)


def with_table(text: str, table: str) -> str:
    """The text with the table between its marks. Raises UserError where there are none."""
    written, count = _MARKED.subn(lambda marks: f"{marks[1]}\n{table}\n{marks[2]}", text)
    if count != 1:
        raise UserError("the text must have the marks <!-- scenarios --> and <!-- /scenarios --> once")
    return written


@documents_app.command()
def documents() -> None:
    """Write the tables of scenarios in README.md and docs/scenarios.md anew from the code."""
    for file, table in TABLES.items():
        file.write_text(with_table(file.read_text(encoding="utf-8"), table(all_scenarios().values())), encoding="utf-8")
        say(str(file))
