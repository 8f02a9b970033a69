"""The commands: what they read, write and exit with."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli.main import app
from benchmarks.results.soak_folder import SoakFolder
from benchmarks.soak.summary import SoakSummary
from tests.golden import Golden, unpack
from tests.unit.soak.test_summary import SUMMARY, with_totals

runner = CliRunner()


def invoke(*arguments: str | Path) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(("name", "code"), [("good", 1), ("invalid", 1), ("single", 0)])
def test_a_check_exits_with_its_outcome(tmp_path: Path, name: Golden, code: int) -> None:
    folder = unpack(name, tmp_path)
    assert invoke("analyze", folder).exit_code == 0
    checked = invoke("analyze", folder, "--check")
    assert checked.exit_code == code
    assert ("Check passed" if code == 0 else "Check failed") in checked.output
    assert (folder / "analysis.json").is_file()


def test_a_check_against_other_targets(tmp_path: Path) -> None:
    folder = unpack("good", tmp_path)
    targets = tmp_path / "mine.toml"
    targets.write_text(
        '[[target]]\nname = "n"\nscenario = 1\nvariant = "swift"\nmeasure = "drain_per_s"\n'
        'comparison = "at least"\nvalue = 5000\nsource = "ours"\n',
        encoding="utf-8",
    )
    assert invoke("analyze", folder, "--check", "--targets", targets).exit_code == 0
    targets.write_text(targets.read_text(encoding="utf-8").replace("5000", "50000"), encoding="utf-8")
    missed = invoke("analyze", folder, "--check", "--targets", targets)
    assert missed.exit_code == 1
    assert "missed: n, swift" in missed.output


def test_without_a_name_it_is_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpack("single", tmp_path)
    (tmp_path / "latest").symlink_to(folder.name)
    monkeypatch.setenv("BENCHMARK_OUTPUT_DIR", str(tmp_path))
    assert invoke("analyze").exit_code == 0
    assert (folder / "analysis.csv").is_file()
    assert invoke("export", "--tasks").exit_code == 0
    assert (folder / "export" / "tasks.parquet").is_file()
    listed = invoke("list")
    assert listed.exit_code == 0
    assert "(latest)" in listed.output


def test_two_sets_are_compared(tmp_path: Path) -> None:
    a, b = unpack("good", tmp_path), unpack("invalid", tmp_path)
    compared = invoke("compare", a, b)
    assert compared.exit_code == 0
    assert "differences are shown" in compared.output


@pytest.mark.parametrize(("summary", "code"), [(SUMMARY, 0), (with_totals(lost=2, lost_ranges=((7, 8),)), 1)])
def test_a_set_of_soaks_is_shown_and_checked(tmp_path: Path, summary: SoakSummary, code: int) -> None:
    folder = unpack("good", tmp_path)
    for run in (folder / "runs").iterdir():
        shutil.rmtree(run)
    SoakFolder.create(folder, "v").store(summary)
    shown = invoke("analyze", folder, "--check")
    assert "bursts made up for" in shown.output
    assert ("numbers 7-8" in shown.output) == bool(code)
    assert shown.exit_code == code
    assert invoke("analyze", folder).exit_code == 0


def test_two_sets_of_soaks_stand_side_by_side(tmp_path: Path) -> None:
    folders = [unpack("good", tmp_path / name) for name in "ab"]
    for folder, summary in zip(folders, (SUMMARY, with_totals(lost=2, lost_ranges=((7, 8),))), strict=True):
        for run in (folder / "runs").iterdir():
            shutil.rmtree(run)
        SoakFolder.create(folder, "v").store(summary)
    compared = invoke("compare", *folders)
    assert compared.exit_code == 0
    assert "v (A)" in compared.output
    assert "v (B): 2 of 1,000 tasks were lost" in compared.output


def test_the_report_of_a_set_of_soaks_is_a_page_of_its_own(tmp_path: Path) -> None:
    folder = unpack("good", tmp_path)
    SoakFolder.create(folder, "v").store(SUMMARY)
    assert invoke("report", folder).exit_code == 0
    assert (folder / "summary_report.html").is_file()
    (folder / "summary_report.html").unlink()
    for run in (folder / "runs").iterdir():
        shutil.rmtree(run)
    assert invoke("report", folder).exit_code == 0
    assert (folder / "soak_report.html").is_file()
    assert not (folder / "summary_report.html").exists()
