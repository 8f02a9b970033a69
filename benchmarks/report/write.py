"""Pictures and reports into a result set's folder: each file is written beside its place and renamed when it is whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.analysis.analyse import analyse_set
from benchmarks.analysis.conclusions import chart_data
from benchmarks.analysis.model import Analysis, ScenarioAnalysis
from benchmarks.analysis.storing import store
from benchmarks.analysis.targets import read_targets
from benchmarks.chart import Chart
from benchmarks.checkout import lab_command
from benchmarks.report.charts import charts_of
from benchmarks.report.own_charts import ScenarioCharts, with_own
from benchmarks.report.page import Linked, render_html, render_markdown, scenario_views
from benchmarks.report.pictures import draw
from benchmarks.report.recorded import RunCurves, reduce_run
from benchmarks.report.scenario_data import scenario_data
from benchmarks.report.style import Style, styles
from benchmarks.results.documents import ResultSetError
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies

PICTURES = "pictures"
PAGE = "summary_report.html"
MARKDOWN = "report.md"
"""The files' names within the result set."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and in words what was left out of it: charts of a scenario's own that could not be drawn."""

    files: list[Path]
    left_out: tuple[str, ...]


def write_pictures(path: Path, scenarios: Mapping[str, Scenario] | None = None) -> Written:
    """Draw every chart of the result set into its folder ``pictures``: ``SCENARIO-CHART.svg`` and ``.png``. Pictures that an
    earlier version left there go. ``scenarios`` by name are asked for charts of their own; those of this version if not given.
    Raises ResultSetError for what is no result set, or holds no valid run; OSError where nothing
    can be written."""
    results, analysis = _read(path)
    look = _styles(analysis)
    titles = _titles(analysis)
    written: list[Path] = []
    found = _charts(results, analysis, look, _known() if scenarios is None else scenarios)
    for scenario, charts in found.items():
        for chart in charts.all():
            for ending, content in draw(chart, titles[scenario], look).items():
                written.append(_write(results.path, f"{PICTURES}/{scenario}-{chart.name}.{ending}", content))
    if not written:
        raise ResultSetError(f"{results.path} holds no valid run: there is nothing to draw (`just report` says what went wrong)")
    for left in (results.path / PICTURES).iterdir():
        if left not in written:
            left.unlink()
    written += _write_files(results.path, found, titles, look)
    return Written(written, _left_out(found))


def write_own_pictures(results: ResultSet, analysis: Analysis) -> list[Path]:
    """Draw the charts that have a file of their own into the result set's folder, where any run is sound. Raises OSError where
    nothing can be written."""
    look = _styles(analysis)
    return _write_files(results.path, _charts(results, analysis, look, _known()), _titles(analysis), look)


def write_report(path: Path, scenarios: Mapping[str, Scenario] | None = None) -> Written:
    """Write ``summary_report.html`` and ``report.md``, and the tables that they link to. ``scenarios`` as for
    :func:`write_pictures`. Raises ResultSetError for what is no result set, or holds no run; OSError where nothing can be
    written."""
    results, analysis = _read(path)
    if not all((results.path / f"{name}.csv").is_file() for name in results.manifest()["scenarios"]):
        results.write_tables()
    look, linked = _styles(analysis), _linked(results.path)
    charts = _charts(results, analysis, look, _known() if scenarios is None else scenarios)
    store(analysis)
    views = scenario_views(analysis, charts, look, linked)
    files = [
        _write(results.path, PAGE, render_html(analysis, views, look, linked).encode()),
        _write(results.path, MARKDOWN, render_markdown(analysis, views, linked).encode()),
        *_write_files(results.path, charts, _titles(analysis), look),
    ]
    return Written(files, _left_out(charts))


def _titles(analysis: Analysis) -> dict[str, str]:
    return {scenario.name: scenario.title for scenario in analysis.scenarios}


def _write_files(
    folder: Path, charts: Mapping[str, ScenarioCharts], titles: Mapping[str, str], look: Mapping[str, Style]
) -> list[Path]:
    """The charts that have a file of their own."""
    return [
        _write(folder, f"{chart.file}.{ending}", content)
        for scenario, found in charts.items()
        for chart in found.own
        if chart.file
        for ending, content in draw(chart, titles[scenario], look).items()
    ]


def _read(path: Path) -> tuple[ResultSet, Analysis]:
    results = ResultSet.open(path)
    if not results.stored_runs():
        raise ResultSetError(f"{results.path} holds no run yet: make some with `{lab_command('benchmark-resume', results.path)}`")
    return results, analyse_set(results, read_targets())


def _styles(analysis: Analysis) -> dict[str, Style]:
    """A point of a study looks like the variant that ran there."""
    found = [v for scenario in analysis.scenarios for v in scenario.variants.values()]
    of_variants = styles({v.executed if v.point else v.name: v.framework for v in found})
    return of_variants | {v.name: of_variants[v.executed] for v in found if v.point}


def _charts(
    results: ResultSet, analysis: Analysis, look: Mapping[str, Style], scenarios: Mapping[str, Scenario]
) -> Mapping[str, ScenarioCharts]:
    """By scenario; one run's raw data is read at a time."""
    charts = {}
    for scenario in analysis.scenarios:
        general = () if scenario.factors else _general(results, analysis, scenario)
        data = chart_data(scenario, analysis.control, results.stored_runs())
        charts[scenario.name] = with_own(general, scenarios.get(scenario.name), data, look, scenario.drawn_frameworks())
    return charts


def _general(results: ResultSet, analysis: Analysis, scenario: ScenarioAnalysis) -> Sequence[Chart]:
    """Those that every scenario gets. They have a line or a bar for each variant: the points of a study, which draws its own, are
    too many for that."""
    curves: dict[str, list[RunCurves]] = {}
    for stored in results.stored_runs():
        if stored.result.scenario == scenario.name and "" not in stored.result.invalid_phases:
            curves.setdefault(stored.result.group, []).append(reduce_run(stored))
    return charts_of(scenario_data(analysis, scenario, curves))


def _known() -> dict[str, Scenario]:
    return {**all_scenarios(), **all_studies()}


def _left_out(charts: Mapping[str, ScenarioCharts]) -> tuple[str, ...]:
    return tuple(f"{name}: {undrawn}" for name, found in charts.items() for undrawn in found.undrawn)


def _linked(folder: Path) -> Linked:
    def below(name: str) -> Iterator[str]:
        return (str(file.relative_to(folder)) for file in sorted((folder / name).glob("*")) if file.is_file())

    return Linked(
        pictures=frozenset(below(PICTURES)),
        profiles=tuple(below("profiles")),
    )


def _write(folder: Path, name: str, content: bytes) -> Path:
    final = folder / name
    final.parent.mkdir(exist_ok=True)
    unfinished = folder / f".unfinished-{final.name}"
    try:
        unfinished.write_bytes(content)
        unfinished.replace(final)
    finally:
        unfinished.unlink(missing_ok=True)
    return final
