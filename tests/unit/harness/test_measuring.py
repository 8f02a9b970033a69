"""The harness's own arithmetic, and what it makes of missed targets."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from rich.console import Console

from benchmarks.harness import measuring
from benchmarks.harness.figures import Figure, at_least, at_most, ratios, shown
from benchmarks.harness.reading import made_up_events
from benchmarks.record.accounting import account
from benchmarks.record.flags import MACHINE_SHARED
from benchmarks.record.task_table import build_task_tables
from benchmarks.run.labs.lab import LabError


@pytest.mark.parametrize(("value", "met"), [(2.9, True), (3.0, True), (3.1, False)])
def test_at_most_is_met_up_to_its_target(value: float, met: bool) -> None:
    figure = at_most("cost", value, "µs", 3.0, "of a task")
    assert figure == Figure("cost", value, "µs", "≤ 3", met, "of a task")


@pytest.mark.parametrize(("value", "met"), [(0.94, False), (0.95, True), (1.02, True)])
def test_at_least_is_met_from_its_target_on(value: float, met: bool) -> None:
    assert at_least("rate", value, "of bare", 0.95) == Figure("rate", value, "of bare", "≥ 0.95", met, "")


def test_a_figure_without_a_target_is_neither_met_nor_missed() -> None:
    assert shown("lateness", 80, "µs").met is None


def test_ratios_are_paired_and_their_median_counts() -> None:
    assert ratios([1.0, 20.0, 3.0], [2.0, 10.0, 3.0]) == (1.0, "3 pairs, 0.500 to 2.000")
    with pytest.raises(ValueError, match="argument 2 is longer"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize("count", [3, 3_000, 3_001])
def test_made_up_events_are_of_tasks_that_all_went_well(count: int) -> None:
    [(phase, table)] = build_task_tables(made_up_events(count), 1).items()
    books = account(table, count // 3)
    assert (phase, books.completed, books.lost, books.duplicated, books.never_sent) == (1, count // 3, 0, 0, 0)
    assert np.unique(table.service_ns()).tolist() == [200_000]
    assert np.unique(table.end_to_end_ns()).tolist() == [700_000]


class NoLab:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def run(monkeypatch: pytest.MonkeyPatch, output: Path, *figures: Figure | Exception) -> tuple[bool, str]:
    def measure(*_: object) -> Iterator[Figure]:
        for figure in figures:
            if isinstance(figure, Exception):
                raise figure
            yield figure

    monkeypatch.setattr(measuring, "LocalLab", NoLab)
    monkeypatch.setattr(measuring, "measure", measure)
    text = io.StringIO()
    return measuring.run(
        Console(file=text, width=160), {}, output, quick=True, flags=[MACHINE_SHARED.flag(others="one")]
    ), text.getvalue()


def test_all_figures_are_shown_and_kept_and_targets_decide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = [at_most("cost", 2.0, "µs", 3.0), at_least("rate", 0.99, "of bare", 0.95), shown("lateness", 80.0, "µs")]
    met, text = run(monkeypatch, tmp_path / "results", *figures)
    assert met
    assert text.count("met") == 2
    [path] = (tmp_path / "results").iterdir()
    kept: dict[str, Any] = json.loads(path.read_text())
    assert [flag["code"] for flag in kept["flags"]] == [MACHINE_SHARED.code]
    assert [(f["name"], f["value"], f["met"]) for f in kept["figures"]] == [
        ("cost", 2.0, True),
        ("rate", 0.99, True),
        ("lateness", 80.0, None),
    ]
    assert kept["quick"] is True


def test_one_missed_target_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    met, text = run(monkeypatch, tmp_path, at_most("cost", 2.0, "µs", 3.0), at_most("other", 4.0, "µs", 3.0))
    assert not met
    assert "missed" in text


def test_nothing_is_written_when_it_breaks_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LabError):
        run(monkeypatch, tmp_path / "results", shown("lateness", 80.0, "µs"), LabError("no redis"))
    assert not (tmp_path / "results").exists()
