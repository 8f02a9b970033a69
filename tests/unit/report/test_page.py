"""The report and the pictures in a result set's folder: whole, self-contained, escaped, and every number linked to its row."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

from benchmarks.cli.main import main
from benchmarks.record.flags import UNSUPPORTED
from benchmarks.report.own_charts import ScenarioCharts
from benchmarks.report.write import MARKDOWN, PAGE, write_pictures, write_report
from benchmarks.results.documents import ResultSetError
from benchmarks.words import number
from tests.golden import unpack
from tests.unit.analysis.test_expectations import expecting

LIMIT_BYTES = 15_000_000
VOID = {"meta", "link", "input", "br", "img", "circle", "rect", "path", "line"}


@dataclass
class Link:
    href: str
    text: str = ""


@dataclass
class Page(HTMLParser):
    """What a test asks of a page."""

    links: list[Link] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(Link(values["href"]))
        if "id" in values:
            self.ids.append(values["id"])
        self.sources += [values[name] for name in ("src", "srcset", "data", "poster") if name in values]
        self.handlers += [name for name in values if name.startswith("on")]
        if tag == "link" and values.get("rel") != "icon":
            self.sources.append(values["href"])
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        within = self._open[-1] if self._open else ""
        if within == "script":
            self.scripts[-1] += data
        elif within != "style":
            self.words.append(data)
            if "a" in self._open:
                self.links[-1].text += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def parsed(folder: Path) -> Page:
    page = Page()
    page.feed((folder / PAGE).read_text(encoding="utf-8"))
    assert page._open == []
    return page


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = unpack("good", tmp_path_factory.mktemp("good"))
    write_pictures(folder)
    write_report(folder)
    return folder


@pytest.fixture
def single(tmp_path: Path) -> Path:
    return unpack("single", tmp_path)


def test_the_page_is_one_file_that_fetches_nothing(good: Path) -> None:
    page = parsed(good)
    assert page.sources == []
    assert (good / PAGE).stat().st_size < LIMIT_BYTES
    assert sum("plotly.js v" in script for script in page.scripts) == 1


def test_every_id_stands_once_and_every_link_leads_somewhere(good: Path) -> None:
    page = parsed(good)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        file, fragment = urldefrag(link.href)
        if file:
            assert (good / unquote(file)).is_file(), link
        else:
            assert fragment in page.ids, link


def test_scenarios_and_variants_can_be_linked_to(good: Path) -> None:
    ids = set(parsed(good).ids)
    assert {"scenario-1", "variant-swift", "variant-bare", "scenario-1-variant-swift", "scenario-1-charts"} <= ids


def numbers_of(folder: Path, file: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The linked numbers with the row that each is said to come from."""
    with (folder / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    for link in parsed(folder).links:
        if link.href.startswith(f"{file}#row="):
            row = rows[int(link.href.partition("=")[2]) - 1]
            yield link.text, dict(zip(rows[0], row, strict=True))


def test_every_mean_links_to_the_row_that_holds_it(good: Path) -> None:
    found = list(numbers_of(good, "measures.csv"))
    assert len(found) > 300
    for text, row in found:
        mean = float(row["mean"])
        assert text in (number(mean), f"{number(100 * mean)} %")


def test_every_ratio_links_to_the_row_that_holds_it(good: Path) -> None:
    ratios = [(text, row) for text, row in numbers_of(good, "analysis.csv") if "times" not in text and "%" not in text]
    assert len(ratios) > 30
    for text, row in ratios:
        assert text == (number(float(row["ratio"])) if row["ratio"] else number(None))


def test_every_run_links_to_its_row(good: Path) -> None:
    numbers = {text for text, row in numbers_of(good, "scenario_1_throughput.csv") if text == row["run"]}
    assert {str(run) for run in range(1, 33)} <= numbers


def test_every_chart_is_there_with_its_pictures(good: Path) -> None:
    page = parsed(good)
    pictures = {path.name for path in (good / "pictures").iterdir()}
    linked = {link.href.removeprefix("pictures/") for link in page.links if link.href.startswith("pictures/")}
    assert linked == pictures
    for name in pictures:
        chart = name.removeprefix("scenario_1_throughput-").partition(".")[0]
        assert f"scenario-1-{chart}" in page.ids


def test_what_is_asked_where_it_ran_and_what_was_found_stand_at_the_top(good: Path) -> None:
    text = parsed(good).text
    top = text[: text.index("1. Basic throughput How many tasks") + 3000]
    for words in ("What was asked", "How many tasks a second", "On what it ran", "Made-up Processor", "no difference shown:"):
        assert words in top


def test_the_same_warnings_are_shown_as_in_the_table(good: Path) -> None:
    text = parsed(good).text
    with (good / "warnings.csv").open(encoding="utf-8", newline="") as stream:
        warnings = list(csv.DictReader(stream))
    assert warnings
    for warning in warnings:
        assert " ".join(warning["text"].split()) in text
        assert warning["advice"] in text


def test_a_set_with_invalid_runs_says_which_and_leaves_them_out(tmp_path: Path) -> None:
    folder = unpack("invalid", tmp_path)
    write_pictures(folder)
    write_report(folder)
    text = parsed(folder).text
    assert "This result set is not complete (interrupted)" in text
    assert "4 runs are invalid and in none of the figures" in text
    assert "the worker did not answer within 10 s" in text
    assert "task-lost" in text
    assert "0 of 3 runs valid" in text
    assert "**interrupted: not complete**" in (folder / MARKDOWN).read_text(encoding="utf-8")


def test_what_made_a_run_invalid_is_said_without_what_is_only_noted_of_it(tmp_path: Path) -> None:
    folder = unpack("invalid", tmp_path)
    noted = {"code": "producer-bound", "severity": "note", "phase": "paced", "detail": "x", "advice": "y"}
    for path in folder.glob("runs/*/run.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**document, "flags": [*document["flags"], noted]}), encoding="utf-8")
    write_pictures(folder)
    write_report(folder)
    text = parsed(folder).text
    assert "producer-bound" in text, "in the table of runs"
    start = text.index("runs are invalid and in none of the figures")
    banner = text[start : text.index("What was asked")]
    assert "task-lost" in banner
    assert "producer-bound" not in banner


def test_a_set_with_a_single_run_makes_sense(single: Path) -> None:
    write_report(single)
    page = parsed(single)
    assert "nothing to compare it with" in page.text
    assert "1 of 1 runs valid" in page.text
    assert not any("None" in word or "nan" in word.split() for word in page.words)


def change_json(file: Path, **changes: Any) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(document | changes), encoding="utf-8")


def invalidate(folder: Path) -> None:
    for run in (folder / "runs").glob("*/run.json"):
        change_json(run, valid=False)


def test_without_any_valid_run_the_report_says_so_and_there_is_nothing_to_draw(single: Path) -> None:
    invalidate(single)
    write_report(single)
    assert "Not one run is valid" in parsed(single).text
    with pytest.raises(ResultSetError, match="no valid run"):
        write_pictures(single)


def test_a_result_set_older_than_directions_still_has_a_report(single: Path) -> None:
    manifest = json.loads((single / "manifest.json").read_text(encoding="utf-8"))
    for scenario in manifest["scenarios"].values():
        del scenario["better"]
    change_json(single / "manifest.json", **manifest)
    write_report(single)
    assert "scenario-1-throughput" in parsed(single).ids


def test_what_was_expected_is_listed_and_drawn(tmp_path: Path) -> None:
    folder = expecting(tmp_path)
    write_pictures(folder)
    write_report(folder)
    page = parsed(folder)
    assert {"scenario-1-expectations", "scenario-1-expected"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert (folder / "pictures" / "scenario_1_throughput-expected.svg").is_file()
    assert "pictures/scenario_1_throughput-expected.png" in {link.href for link in page.links}
    for words in ("As expected?", "Measured and expected", "1.3 times (1.3 to 1.3)", "the interval reaches across"):
        assert words in page.text
    assert "was expected: **off**, 1.3 times" in (folder / MARKDOWN).read_text(encoding="utf-8")


def test_where_nothing_was_expected_there_is_no_word_of_it(good: Path) -> None:
    assert {"scenario-1-expectations", "scenario-1-expected"}.isdisjoint(parsed(good).ids)
    assert "expected:" not in (good / MARKDOWN).read_text(encoding="utf-8")
    assert not list((good / "pictures").glob("*-expected.*"))


HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7*7 }} | \\ `code` [a](javascript:alert(1)) <!--"


def test_profiles_are_linked(single: Path) -> None:
    (single / "profiles").mkdir()
    (single / "profiles" / "one & only.svg").write_text("<svg/>")
    write_report(single)
    assert "profiles/one & only.svg" in {link.href for link in parsed(single).links}


def test_hostile_words_are_shown_as_they_are(single: Path) -> None:
    manifest = json.loads((single / "manifest.json").read_text(encoding="utf-8"))
    (scenario,) = manifest["scenarios"].values()
    scenario |= {"title": HOSTILE, "question": HOSTILE, "summary": dict.fromkeys(scenario["summary"], HOSTILE)}
    scenario["columns"] = dict.fromkeys(scenario["columns"], HOSTILE)
    manifest["versions"] = {HOSTILE: {HOSTILE: HOSTILE}}
    manifest["host"] |= {"cpu_model": HOSTILE, "kernel": HOSTILE}
    manifest["settings"] |= {"preset": HOSTILE, "lab": HOSTILE, "concurrency": HOSTILE}
    change_json(single / "manifest.json", **manifest)
    for file in (single / "runs").glob("*/run.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        document["failure"] = HOSTILE
        document["record"]["worker"]["settings"] = {HOSTILE: [HOSTILE, {HOSTILE: True}]}
        document["record"]["phases"][2]["name"] = HOSTILE
        change_json(file, **document)
    write_pictures(single)
    write_report(single)
    page = parsed(single)
    assert page.sources == []
    assert page.handlers == []
    assert not any("javascript:" in link.href for link in page.links)
    assert " ".join(HOSTILE.split()) in page.text
    assert "<img" not in "".join(page.scripts[:-2])
    short = (single / MARKDOWN).read_text(encoding="utf-8")
    assert "<img" not in short.replace("\\<", "")
    assert "](" not in short.replace("\\](", "")


def test_the_short_form_has_a_table_of_the_variants(good: Path) -> None:
    lines = (good / MARKDOWN).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert rows[2].split("|")[1].strip() == "bare (control)"
    assert len(rows) == 2 + 4


def test_pictures_of_an_earlier_version_go(single: Path) -> None:
    left = single / "pictures" / "scenario_1_throughput-of-old.svg"
    left.parent.mkdir()
    left.write_text("old")
    assert left not in write_pictures(single).files
    assert not left.exists()


def test_a_report_that_cannot_be_finished_leaves_the_earlier_one(single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(single)
    before = (single / PAGE).read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(single)
    assert (single / PAGE).read_bytes() == before
    assert not [path for path in single.iterdir() if "summary_report" in path.name and path.name != PAGE]


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["lab", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def empty(folder: Path) -> None:
    for run in (folder / "runs").iterdir():
        for file in run.iterdir():
            file.unlink()
        run.rmdir()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a manifest that ends early": (lambda folder: truncate(folder / "manifest.json"), "manifest.json"),
    "a foreign manifest": (lambda folder: (folder / "manifest.json").write_text("{}"), "is not a manifest"),
    "a run that ends early": (lambda folder: truncate(next((folder / "runs").glob("*/run.json"))), "run.json"),
    "tasks that end early": (lambda folder: truncate(next((folder / "runs").glob("*/tasks.parquet"))), "tasks.parquet"),
    "no runs": (empty, "holds no run yet"),
}


@pytest.mark.parametrize("command", ["report", "visualize"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_shown_is_one_clear_error(
    single: Path, name: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, words = BROKEN[name]
    spoil(single)
    assert run_cli(monkeypatch, command, str(single)) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert words in said or words in said.replace(" ", "")
    assert "Traceback" not in said
    assert not (single / PAGE).exists()
    assert not (single / "pictures").exists()


def test_the_commands_write_into_the_result_set(
    single: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(monkeypatch, "visualize", str(single)) == 0
    assert run_cli(monkeypatch, "report", str(single)) == 0
    said = "".join(capsys.readouterr().out.split())
    assert str(single / PAGE) in said
    assert str(single / "pictures") in said


def test_a_variant_that_cannot_do_it_stands_there_with_the_word_for_it(tmp_path: Path) -> None:
    folder = unpack("good", tmp_path)
    for file in folder.glob("runs/*_swift_*/run.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        flag = UNSUPPORTED.flag(reason="it lacks chains").as_data()
        file.write_text(json.dumps(document | {"valid": False, "flags": [flag], "measures": {}}), encoding="utf-8")
    write_report(folder)
    assert "it lacks chains" in parsed(folder).text
    row = next(line for line in (folder / MARKDOWN).read_text(encoding="utf-8").splitlines() if line.startswith("| swift "))
    assert "| unsupported |" in row


def test_a_scenario_with_figures_and_no_picture_is_not_said_to_have_none(single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmarks.report.write._charts", lambda _, analysis, *__: {s.name: ScenarioCharts(()) for s in analysis.scenarios}
    )
    write_report(single)
    assert "Not one run" not in parsed(single).text
    invalidate(single)
    write_report(single)
    assert "Not one run of this scenario is valid" in parsed(single).text
