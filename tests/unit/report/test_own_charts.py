"""Pictures that a scenario brings itself: drawn as all others are, and what becomes of one that cannot be drawn."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.chart import Axis, Chart, Guide, HeatMap, Panel, Scale, Series, Shape
from benchmarks.cli.main import main
from benchmarks.report.write import MARKDOWN, PAGE, Written, write_pictures, write_report
from benchmarks.results.chart_data import ChartData
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Scenario
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from benchmarks.statistics import mean_interval
from tests.golden import Golden, unpack
from tests.unit.report.test_page import parsed

NAME = SCENARIO.name


class Drawing(type(SCENARIO)):  # type: ignore[misc]
    """As scenario 1, with charts of its own."""

    def __init__(self, draw: Callable[[ChartData], Sequence[Chart]]) -> None:
        self.charts = draw


def drawing(draw: Callable[[ChartData], Sequence[Chart]]) -> Mapping[str, Scenario]:
    return {NAME: Drawing(draw)}


def service_times(data: ChartData, name: str = "service-times", only: str | None = None) -> Chart:
    """From the tasks of every valid run."""
    series = []
    for variant in data.variants:
        tasks = [run.tasks() for run in data.runs[variant]]
        medians_ms = np.array([float((t["finished_ns"] - t["started_ns"]).median()) / 1e6 for t in tasks])
        series.append(Series(variant, Shape.DOTS, medians_ms, [variant] * len(medians_ms)))
    shown = [one for one in series if only in (None, one.variant)]
    y = Axis("", Scale.CATEGORY, data.variants)
    panel = Panel("", Axis("service, ms", Scale.LINEAR, from_zero=True), y, tuple(shown))
    return Chart(name, "Service <times>", "Of single runs & none of them twice.", (panel,), only=only)


def rates(data: ChartData) -> Chart:
    """From the measures."""
    series = [
        Series(name, Shape.BARS, np.array([data.mean(name, "drain_per_s")]), (name,), words=(f"{name}!",))
        for name in data.variants
    ]
    panel = Panel("", Axis("1/s", Scale.LINEAR, from_zero=True), Axis("", Scale.CATEGORY, data.variants), tuple(series))
    return Chart("results", "Rates of its own", "", (panel,))


def squares(data: ChartData) -> Chart:
    rows = len(data.variants)
    return Chart("squares", "Squares", "", heat_map=HeatMap(data.variants, ("a",), np.ones((rows, 1)), (("1",),) * rows))


def files(folder: Path) -> set[str]:
    return {file.name.removeprefix(f"{NAME}-") for file in (folder / "pictures").iterdir()}


def unpacked(folder: Path, name: Golden = "single") -> Path:
    return unpack(name, folder)


def test_its_pictures_stand_after_the_others_on_paper_and_in_the_page(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, "good")
    scenarios = drawing(lambda data: [service_times(data), rates(data), squares(data), service_times(data, "swifts", "swift")])
    pictures = write_pictures(folder, scenarios)
    report = write_report(folder, scenarios)
    assert (pictures.left_out, report.left_out) == ((), ())
    for name in ("service-times", "results", "squares", "swifts"):
        assert f"{name}.png" in files(folder)
        assert ElementTree.parse(folder / "pictures" / f"{NAME}-{name}.svg").getroot().tag.endswith("svg")
    page = parsed(folder)
    ids = ["scenario-1-throughput", "scenario-1-heat-map", "scenario-1-own-service-times", "scenario-1-own-results"]
    assert [id_ for id_ in page.ids if id_ in ids] == ids
    assert len(page.ids) == len(set(page.ids))
    assert page.ids.index("scenario-1-variant-swift") < page.ids.index("scenario-1-own-swifts")
    assert "scenario-1-timeline-swift" in page.ids
    assert "Service <times>" in page.text
    assert {f"pictures/{NAME}-service-times.svg", f"pictures/{NAME}-results.png"} <= {link.href for link in page.links}
    assert "could not be drawn" not in page.text


def limited(data: ChartData) -> Chart:
    """A line for each variant, and one that is none's."""
    steps = np.arange(3.0)
    lines = tuple(Series(variant, Shape.LINE, steps, steps) for variant in data.variants)
    panel = Panel("", Axis("s", Scale.LINEAR), Axis("MB", Scale.LINEAR), lines, guides=(Guide("the best", steps, steps / 2),))
    return Chart("growth", "Growth", "", (panel,), file="growth_over_time")


@pytest.mark.parametrize("write", [write_pictures, write_report])
def test_a_chart_with_a_file_lies_in_the_set_as_well_and_its_guide_is_named_in_page_and_picture(
    tmp_path: Path, write: Callable[..., Written]
) -> None:
    folder = unpacked(tmp_path, "good")
    written = write(folder, drawing(lambda data: [limited(data)]))
    assert written.left_out == ()
    both = {folder / "growth_over_time.svg", folder / "growth_over_time.png"}
    assert both <= set(written.files)
    assert "the best" in (folder / "growth_over_time.svg").read_text(encoding="utf-8")
    if write is write_pictures:
        assert (folder / "pictures" / f"{NAME}-growth.svg").read_bytes() == (folder / "growth_over_time.svg").read_bytes()
    else:
        assert '"name":"the best"' in (folder / PAGE).read_text(encoding="utf-8")


def test_what_it_draws_from_is_of_valid_runs_alone_and_the_best_stands_first(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, "invalid")
    seen: list[ChartData] = []

    def look(data: ChartData) -> Sequence[Chart]:
        seen.append(data)
        return ()

    write_report(folder, drawing(look))
    (data,) = seen
    assert (data.variants, data.control) == (("bare", "swift"), "bare")
    stored = [run for run in ResultSet.open(folder).stored_runs() if run.result.valid and run.result.variant == "swift"]
    assert [run.result.run for run in data.runs["swift"]] == [run.result.run for run in stored]
    values = [float(run.result.measures["drain_per_s"] or 0) for run in stored]
    assert data.values("swift", "drain_per_s") == tuple(values)
    assert data.mean("swift", "drain_per_s") == pytest.approx(np.mean(values))
    assert data.interval("swift", "drain_per_s") == mean_interval(values)
    assert len(data.runs["swift"][0].tasks()) > 0
    assert len(data.runs["swift"][0].samples()) > 0
    assert data.values("swift", "not_measured_then") == data.values("leaky", "drain_per_s") == ()
    assert data.mean("leaky", "drain_per_s") is None
    assert data.interval("leaky", "drain_per_s") is None


def fails(_: ChartData) -> Iterable[Chart]:
    raise KeyError("ledger")


def named(name: str) -> Callable[[ChartData], Iterable[Chart]]:
    return lambda data: [service_times(data, name)]


def ragged(data: ChartData) -> Iterable[Chart]:
    x, y = np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    panel = Panel("", Axis("x", Scale.LINEAR), Axis("y", Scale.LINEAR), (Series(data.variants[0], Shape.LINE, x, y),))
    return [Chart("ragged", "t", "c", (panel,))]


def of_another(data: ChartData) -> Iterable[Chart]:
    heat_map = HeatMap(("rabbit",), ("a",), np.ones((1, 1)), (("1",),))
    return [Chart("other", "t", "c", heat_map=heat_map)]


WRONG: Sequence[tuple[Callable[[ChartData], Iterable[object]], str]] = (
    (lambda _: ["<b>"], "could not be drawn: str is no chart."),
    (lambda _: [Chart("none", "t", "c")], "none of the scenario's own could not be drawn: it has neither"),
    (named("throughput"), "The chart throughput of the scenario's own could not be drawn: there is another chart"),
    (named("squares"), "The chart squares of the scenario's own could not be drawn: there is another chart"),
    (named("../Up"), "The chart ../Up of the scenario's own could not be drawn: its name must be of small letters"),
    (ragged, "The chart ragged of the scenario's own could not be drawn: ValueError:"),
    (of_another, "could not be drawn: it is of rabbit, of which there is no valid run."),
    (fails, "Charts of the scenario's own could not be drawn: KeyError: 'ledger'."),
)
"""What may be wrong with a chart, each with what is said of it; after the last no other comes."""


def all_wrong(data: ChartData) -> Iterator[object]:
    yield squares(data)
    for draw, _ in WRONG:
        yield from draw(data)


def test_each_that_cannot_be_drawn_is_said_and_loses_no_other(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    scenarios = drawing(all_wrong)  # type: ignore[arg-type]
    pictures, report = write_pictures(folder, scenarios), write_report(folder, scenarios)
    assert pictures.left_out == report.left_out
    page = parsed(folder)
    for (_, words), left_out in zip(WRONG, pictures.left_out, strict=True):
        assert words.lower().rstrip(".") in left_out.lower()
        assert words in page.text
    assert ".." not in page.text.replace("../Up", "")
    assert {"scenario-1-throughput", "scenario-1-own-squares"} <= set(page.ids)
    assert {"throughput.svg", "squares.svg", "squares.png"} <= files(folder)
    assert "could not be drawn" in (folder / MARKDOWN).read_text(encoding="utf-8")


def test_what_an_error_says_is_neither_markup_nor_endless(tmp_path: Path) -> None:
    def hostile(data: ChartData) -> Sequence[Chart]:
        raise ValueError("<img src=x onerror=alert(1)>" * 100)

    folder = unpacked(tmp_path)
    report = write_report(folder, drawing(hostile))
    assert len(report.left_out[0]) < 500
    page = parsed(folder)
    assert page.sources == []
    assert "ValueError: <img src=x" in page.text
    assert "<img" not in (folder / MARKDOWN).read_text(encoding="utf-8").replace("\\<", "")


def test_a_scenario_that_this_version_does_not_know_is_reported_without(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    assert write_report(folder, {}).left_out == ()
    assert "scenario-1-throughput" in parsed(folder).ids


def test_without_a_valid_run_it_is_not_asked(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    for file in (folder / "runs").glob("*/run.json"):
        file.write_text(file.read_text(encoding="utf-8").replace('"valid": true', '"valid": false'), encoding="utf-8")
    assert write_report(folder, drawing(fails)).left_out == ()  # type: ignore[arg-type]


def test_the_commands_say_what_they_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = unpacked(tmp_path)
    monkeypatch.setattr("benchmarks.report.write.all_scenarios", lambda: drawing(fails))  # type: ignore[arg-type]
    for command in ("visualize", "report"):
        monkeypatch.setattr("sys.argv", ["lab", command, str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        assert "charts of the scenario's own could not be drawn: KeyError: 'ledger'" in " ".join(capsys.readouterr().out.split())
