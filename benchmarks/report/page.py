"""The report as one HTML file and, in short, as Markdown: what the templates are given, and their rendering."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from benchmarks import words
from benchmarks.analysis.expectations import ratio_words
from benchmarks.analysis.model import (
    Analysis,
    MeasureDescription,
    NamedWarning,
    PairComparison,
    ScenarioAnalysis,
    TargetKind,
    TargetState,
)
from benchmarks.analysis.storing import DOCUMENT, MEASURES, PAIRS, TARGETS, WARNINGS
from benchmarks.chart import Chart
from benchmarks.record.flags import Severity, exclusion
from benchmarks.record.machine_moved import machine_moved
from benchmarks.report.decision import answers
from benchmarks.report.findings import findings, standings, too_small
from benchmarks.report.interactive import figures
from benchmarks.report.own_charts import ScenarioCharts, Undrawn
from benchmarks.report.scenario_data import heading
from benchmarks.report.style import DASHES, Style
from benchmarks.statistics import BOOTSTRAP

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class WarningGroup:
    """The same warning, as often as it was raised: what was seen, and of which subjects."""

    first: NamedWarning
    seen: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart in the page. ``figures`` are JSON documents; ``pictures`` link to the same as files, where there are any."""

    chart: Chart
    id: str
    figures: tuple[Markup, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScenarioView:
    """A scenario's section."""

    analysis: ScenarioAnalysis
    anchor: str
    csv: str
    described_rows: Mapping[tuple[str, str], int]
    """The row of each variant and measure in the table of all means. Rows count from 1, the header included (RFC 7111)."""
    pair_rows: Mapping[tuple[str, str, str], int]
    """The row of each measure and pair in the table of all comparisons."""
    run_rows: Mapping[int, int]
    """The row of each run in the scenario's CSV."""
    charts: tuple[ChartView, ...]
    timelines: Mapping[str, tuple[ChartView, ...]]
    """The charts that are of one variant alone, by its name."""
    undrawn: tuple[Undrawn, ...]
    warnings: tuple[WarningGroup, ...]

    @property
    def name(self) -> str:
        """How other sections call it."""
        number = self.analysis.number
        return self.analysis.name if number is None else f"scenario {number}"

    def link(self, variant: str, measure: str) -> str:
        """Where the mean is."""
        return f"{MEASURES}#row={self.described_rows[variant, measure]}"

    def pair_link(self, pair: PairComparison) -> str:
        """Where a comparison is."""
        return f"{PAIRS}#row={self.pair_rows[pair.measure, pair.a, pair.b]}"

    def run_link(self, run: int) -> str:
        """Where a run is."""
        return f"{self.csv}#row={self.run_rows[run]}"

    def heading(self, measure: str) -> str:
        """A measure's heading."""
        return heading(self.analysis, measure)


@dataclass(frozen=True, slots=True)
class Linked:
    """What else lies in the result set, by file name relative to it."""

    pictures: frozenset[str]
    profiles: tuple[str, ...]


def scenario_views(
    analysis: Analysis, charts: Mapping[str, ScenarioCharts], styles: Mapping[str, Style], linked: Linked
) -> list[ScenarioView]:
    """What the page shows of each scenario."""
    described = [(s.name, v.name, measure) for s in analysis.scenarios for v in s.variants.values() for measure in v.measures]
    pairs = [(s.name, pair.measure, pair.a, pair.b) for s in analysis.scenarios for pair in s.comparisons]
    return [
        _scenario_view(
            scenario,
            charts[scenario.name],
            styles,
            linked,
            {(variant, measure): row for row, (name, variant, measure) in enumerate(described, 2) if name == scenario.name},
            {(measure, a, b): row for row, (name, measure, a, b) in enumerate(pairs, 2) if name == scenario.name},
        )
        for scenario in analysis.scenarios
    ]


def _scenario_view(
    scenario: ScenarioAnalysis,
    charts: ScenarioCharts,
    styles: Mapping[str, Style],
    linked: Linked,
    described_rows: Mapping[tuple[str, str], int],
    pair_rows: Mapping[tuple[str, str, str], int],
) -> ScenarioView:
    frameworks = scenario.drawn_frameworks()
    runs = sorted(run.run for variant in scenario.variants.values() for run in variant.runs)
    anchor = f"scenario-{scenario.number}" if scenario.number is not None else scenario.name.replace("_", "-")
    # A chart of the scenario's own may be called as a part of its section is.
    ids = [f"{anchor}-{chart.name}" for chart in charts.general] + [f"{anchor}-own-{chart.name}" for chart in charts.own]
    views = [_chart_view(scenario, id_, chart, styles, frameworks, linked) for id_, chart in zip(ids, charts.all(), strict=True)]
    alone = dict.fromkeys(view.chart.only for view in views if view.chart.only is not None)
    return ScenarioView(
        analysis=scenario,
        anchor=anchor,
        csv=f"{scenario.name}.csv",
        described_rows=described_rows,
        pair_rows=pair_rows,
        run_rows={run: row for row, run in enumerate(runs, 2)},
        charts=tuple(view for view in views if view.chart.only is None),
        timelines={name: tuple(view for view in views if view.chart.only == name) for name in alone},
        undrawn=charts.undrawn,
        warnings=tuple(_grouped(scenario.warnings)),
    )


def _chart_view(
    scenario: ScenarioAnalysis,
    id_: str,
    chart: Chart,
    styles: Mapping[str, Style],
    frameworks: Mapping[str, str],
    linked: Linked,
) -> ChartView:
    documents = tuple(Markup(_script_safe(figure)) for figure in figures(chart, styles, frameworks))
    names = [f"pictures/{scenario.name}-{chart.name}.{ending}" for ending in ("svg", "png")]
    return ChartView(chart, id_, documents, tuple(name for name in names if name in linked.pictures))


def _script_safe(document: str) -> str:
    """JSON that cannot end the script element that it stands in."""
    return document.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _grouped(found: Sequence[NamedWarning]) -> Iterator[WarningGroup]:
    """Those of the same code and advice together, the gravest first."""
    groups: dict[tuple[str, str], list[NamedWarning]] = {}
    for warning in sorted(found, key=lambda w: list(Severity).index(w.severity)):
        groups.setdefault((warning.code, warning.advice), []).append(warning)
    for group in groups.values():
        seen: dict[str, tuple[str, ...]] = {}
        for warning in group:
            seen[warning.text] = (*seen.get(warning.text, ()), _subject(warning))
        yield WarningGroup(group[0], seen)


def _subject(warning: NamedWarning) -> str:
    """Within its scenario's section."""
    if warning.variant is None:
        return "all variants" if warning.scenario else "result set"
    return warning.variant if warning.repetition is None else f"{warning.variant} #{warning.repetition}"


def render_html(analysis: Analysis, views: Sequence[ScenarioView], styles: Mapping[str, Style], linked: Linked) -> str:
    """The page, whole: styles, scripts and data in one file."""
    return (
        _environment()
        .get_template("summary_report.html.j2")
        .render(
            **_facts(analysis, linked),
            views=views,
            variants=_variants(views),
            styles=styles,
            dashes={dash.plotly: _svg_dash(dash.matplotlib) for dash in DASHES},
            plotly=Markup(get_plotlyjs()),
            bootstrap=BOOTSTRAP,
            manifest_json=json.dumps(analysis.manifest, indent=2, ensure_ascii=False),
        )
    )


def render_markdown(analysis: Analysis, views: Sequence[ScenarioView], linked: Linked) -> str:
    """The short form for a pull request."""
    environment = _environment().overlay(autoescape=False)
    return environment.get_template("report.md.j2").render(
        **_facts(analysis, linked),
        warnings=list(_grouped(analysis.all_warnings())),
        undrawn={view.analysis.name: view.undrawn for view in views},
    )


def _variants(views: Sequence[ScenarioView]) -> dict[str, list[ScenarioView]]:
    """Every variant, by framework and name, with the scenarios that it ran in."""
    frameworks = {name: variant.framework for view in views for name, variant in view.analysis.variants.items()}
    names = sorted(frameworks, key=lambda name: (frameworks[name], name))
    return {name: [view for view in views if name in view.analysis.variants] for name in names}


def _svg_dash(dash: str | tuple[int, tuple[int, ...]]) -> str:
    return "none" if isinstance(dash, str) else " ".join(map(str, dash[1]))


def _facts(analysis: Analysis, linked: Linked) -> dict[str, Any]:
    """What both forms of the report are given."""
    variants = [variant for scenario in analysis.scenarios for variant in scenario.variants.values()]
    frameworks = {v.framework for scenario in analysis.scenarios for v in scenario.variants.values()}
    measured = [t for t in analysis.targets if t.state is not TargetState.NOT_MEASURED]
    judged = sorted(measured, key=lambda result: result.state is TargetState.MET)

    def shown(scenario: ScenarioAnalysis, measure: str, value: float | None) -> str:
        """A value of a measure in words; shares of the control as percentages."""
        is_share = measure in analysis.manifest["scenarios"][scenario.name]["shares"]
        return words.percent(value) if is_share and value is not None else words.number(value)

    def spread(scenario: ScenarioAnalysis, described: MeasureDescription) -> str:
        """What is shown beside a mean, in the same words: half the width of its interval, or the range of a few runs."""
        reach, measure = described.reach, described.measure
        if reach is None:
            return ""
        if described.is_range:
            return f"{shown(scenario, measure, reach.low)} to {shown(scenario, measure, reach.high)}"
        return f"±{shown(scenario, measure, (reach.high - reach.low) / 2)}"

    invalid = analysis.invalid_runs()
    return {
        "analysis": analysis,
        "spread": spread,
        "linked": linked,
        "files": {"document": DOCUMENT, "measures": MEASURES, "pairs": PAIRS, "targets": TARGETS, "warnings": WARNINGS},
        "findings": list(findings(analysis)),
        "standings": standings(analysis),
        "too_small": too_small(analysis),
        "answers": [answer for scenario in analysis.scenarios for answer in answers(scenario, analysis.control)],
        "frameworks": sorted(frameworks),
        "asked": list(_asked(analysis)),
        "machine": list(_machine(analysis)),
        "made_runs": sum(variant.made_runs for variant in variants),
        "valid_runs": sum(variant.valid_runs for variant in variants),
        "has_figures": any(variant.has_figures for variant in variants),
        "spoiled_runs": [run for run in invalid if not run.has_figures],
        "partly_spoiled_runs": [run for run in invalid if run.has_figures],
        "own_warnings": list(_grouped(analysis.warnings)),
        "targets": [t for t in judged if t.target.kind is TargetKind.TARGET],
        "anti_patterns": [t for t in judged if t.target.kind is TargetKind.ANTI_PATTERN],
        "shown": shown,
        "not_measured": len(analysis.targets) - len(judged),
    }


def _asked(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """What this invocation was asked to measure, as far as its manifest says."""
    settings = analysis.manifest["settings"]
    rows = {
        "runs of each variant": ("{}", "runs"),
        "at most": ("{}", "max_runs"),
        "worker": ("{} processes", "processes"),
        "tasks at once within a process": ("{} on the normalised track", "concurrency"),
        "warm-up": ("{} s", "warmup_s"),
        "where": ("lab {}, preset {}", "lab", "preset"),
    }
    for label, (words_, *names) in rows.items():
        if all(settings.get(name) is not None for name in names):
            yield label, words_.format(*(settings[name] for name in names))
    yield "track", " and ".join(sorted({v.track for scenario in analysis.scenarios for v in scenario.variants.values()}))
    if analysis.control is not None:
        yield "control", analysis.control
    yield "seed", str(analysis.manifest["seed"])


def _machine(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """On what it ran, as far as the manifest says, and how far that moved."""
    manifest = analysis.manifest
    host, git = manifest["host"], manifest["git"]
    cores = host.get("usable_cores") or host["logical_cores"]
    yield "CPU", f"{host['cpu_model'] or 'unknown'}, {cores or '?'} cores"
    yield "memory", f"{host['memory_bytes'] / 2**30:.1f} GiB"
    yield "system", ", ".join(part for part in (host.get("os"), host["kernel"]) if part)
    if host.get("hypervisor"):
        yield "virtual machine", "yes"
    runs = (run for scenario in analysis.scenarios for variant in scenario.variants.values() for run in variant.runs)
    if (moved := machine_moved(runs)) is not None:
        yield "speed", moved
    yield "measured", ", ".join(_version(component, versions) for component, versions in sorted(manifest["versions"].items()))
    if git is not None:
        yield "commit", git["commit"][:12] + (" with local changes" if git["dirty"] else "")
    yield "lab's version", str(manifest["queuelab_version"])


def _version(component: str, versions: Mapping[str, str]) -> str:
    """A component with its own version, where it is among those that it reports."""
    own = versions.get(component) or versions.get(f"{component}_version")
    return component if own is None else f"{component} {own}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "worker": lambda variant: words.worker(variant.processes, variant.concurrency),
        "percent": words.percent,
        "plus_minus": words.plus_minus,
        "from_to": words.from_to,
        "ratio": ratio_words,
        "p_value": words.p_value,
        "plain": _plain,
        "sentence": lambda words_: f"{str(words_)[:1].upper()}{str(words_)[1:]}.",
        "cell": _markdown_cell,
        "is_excluded": lambda run: exclusion(run.flags) is not None,
        "invalid_phases": lambda run: ", ".join(phase or "whole run" for phase in sorted(run.invalid_phases)),
        "reasons": lambda run: ", ".join(dict.fromkeys(f.code for f in run.flags if f.severity is Severity.INVALID)),
        "flag_codes": lambda run: ", ".join(dict.fromkeys(flag.code for flag in run.flags)),
    }
    return environment


def _plain(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(_plain(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items()) or "none"
    return words.MISSING if value is None else str(value)


def _markdown_cell(text: object) -> str:
    """Text that can be neither markup nor the end of a table's cell."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>#|~&" else c for c in str(text))
    return " ".join(escaped.split())
