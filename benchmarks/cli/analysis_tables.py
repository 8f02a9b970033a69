"""Analyses, comparisons and lists in a terminal. What comes out of a result set is shown as text: it is never read as markup, and
control characters are made visible."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmarks.analysis.comparison import equals_p
from benchmarks.analysis.expectations import Judgement
from benchmarks.analysis.listing import Listed
from benchmarks.analysis.model import (
    Analysis,
    Change,
    MeasureDescription,
    NamedWarning,
    PairComparison,
    ScenarioAnalysis,
    SetComparison,
    Target,
    TargetKind,
    TargetResult,
    TargetState,
)
from benchmarks.analysis.storing import PAIRS
from benchmarks.cli.summary import NARROWEST, STYLES
from benchmarks.conclusion import Conclusion
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.shares import FEWEST_PAIRS
from benchmarks.words import from_to, number, p_value, percent, plus_minus

STATE_STYLES = {TargetState.MET: "green", TargetState.MISSED: "bold red", TargetState.NOT_MEASURED: "dim"}
JUDGEMENT_STYLES = {Judgement.AS_EXPECTED: "green", Judgement.OFF: "yellow", Judgement.NOT_DECIDED: "dim"}
ORDER = list(TargetState)


def clean(text: object, style: str = "") -> Text:
    """Text from elsewhere as it is, with control characters escaped."""
    return Text("".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text)), style=style)


def print_analysis(console: Console, analysis: Analysis) -> None:
    """What fits a terminal: figures and pairs of the headline per scenario, all warnings, all targets."""
    host = analysis.manifest["host"]
    machine = f"{host['cpu_model'] or 'unknown processor'}, {host['logical_cores']} cores, {host['kernel']}"
    console.print(clean(f"{analysis.label}, {analysis.created_utc}, {analysis.state}", "bold"))
    console.print(clean(machine, "dim"))
    for scenario in analysis.scenarios:
        console.print()
        console.print(clean(scenario.titled, "bold"))
        console.print(clean(scenario.question))
        print_conclusions(console, scenario.conclusions)
        if scenario.variants:
            console.print(_figures(scenario))
        _print_pairs(console, scenario)
        _print_expectations(console, scenario)
    print_warnings(console, analysis.all_warnings())
    print_targets(console, analysis.targets)


def print_conclusions(console: Console, conclusions: Sequence[Conclusion]) -> None:
    """What a study answers: each question with its table and its answer."""
    for found in conclusions:
        console.print()
        console.print(clean(found.question, "bold"), soft_wrap=True)
        if found.rows:
            table = _table("")
            for place, heading in enumerate(found.headings):
                table.add_column(clean(heading), overflow="fold", no_wrap=place == 0)
            for row in found.rows:
                table.add_row(*map(clean, row))
            console.print(table)
        console.print(clean(found.text, "" if found.decided else "yellow"), soft_wrap=True)


def print_warnings(console: Console, warnings: Sequence[NamedWarning]) -> None:
    """By kind, each kind with its advice once."""
    if not warnings:
        console.print("\nNo warnings.")
        return
    console.print("\nWarnings", style="bold")
    kinds = list(dict.fromkeys(warning.code for warning in warnings))
    for _, kind in groupby(sorted(warnings, key=lambda w: kinds.index(w.code)), key=lambda w: w.code):
        alike = list(kind)
        console.print(clean(f"{alike[0].code} ({alike[0].severity})", STYLES[alike[0].severity]))
        for warning in alike:
            console.print(clean(f"  {warning.subject}: {warning.text}"), soft_wrap=True)
        for advice in dict.fromkeys(warning.advice for warning in alike):
            console.print(clean(f"  → {advice}", "italic"), soft_wrap=True)


def print_targets(console: Console, targets: Sequence[TargetResult]) -> None:
    """A line for each target and state: met, then missed, then not measured."""
    if not targets:
        return
    console.print("\nTargets", style="bold")
    groups: dict[tuple[TargetState, Target, str], list[TargetResult]] = {}
    for result in sorted(targets, key=lambda r: ORDER.index(r.state)):
        reason = result.text if result.state is TargetState.NOT_MEASURED else ""
        groups.setdefault((result.state, result.target, reason), []).append(result)
    for (state, target, reason), results in groups.items():
        kind = "" if target.kind is TargetKind.TARGET else f" ({target.kind})"
        figures = ", ".join(f"{r.variant} {_judged(r)}" for r in results) if not reason else _unmeasured(results, reason)
        line = clean(f"{state.value:<13}", STATE_STYLES[state])
        line.append_text(clean(f"{target.name}{kind}, {target.comparison} {number(target.value)}: {figures}"))
        console.print(line, soft_wrap=True)
    if any(r.state is not TargetState.NOT_MEASURED and not r.certain for r in targets):
        console.print("? the interval reaches across the value, or there are too few runs for one", style="dim", highlight=False)


def _judged(result: TargetResult) -> str:
    ends = f" ({from_to(result.interval)})" if result.interval is not None else ""
    return f"{number(result.figure)}{ends}{'' if result.certain else '?'}"


def _unmeasured(results: Sequence[TargetResult], reason: str) -> str:
    names = ", ".join(r.variant for r in results if r.variant is not None)
    return f"{names}: {reason}" if names else reason


def print_check(console: Console, failures: Sequence[str]) -> None:
    """Whether a check passed, and every reason why not."""
    if not failures:
        console.print("\nCheck passed: no target missed, no run invalid.", style="green")
        return
    console.print(f"\nCheck failed ({len(failures)}):", style="bold red")
    for failure in failures:
        console.print(clean(f"  {failure}"), soft_wrap=True)


def print_comparison(console: Console, found: SetComparison) -> None:
    """What was different about the two result sets, then what changed from A to B."""
    console.print(clean(f"A: {found.a}"), soft_wrap=True)
    console.print(clean(f"B: {found.b}"), soft_wrap=True)
    if found.differences:
        table = _table("Made differently")
        for heading in ("what", "A", "B"):
            table.add_column(heading, overflow="fold")
        for difference in found.differences:
            table.add_row(clean(difference.what), clean(difference.a), clean(difference.b))
        console.print(table)
    else:
        console.print("Made alike: same machine, versions and settings.")
    for obstacle in found.obstacles:
        console.print(clean(f"Not like with like: {obstacle}", "bold red"), soft_wrap=True)
    console.print()
    for line in control_in_words(found):
        console.print(clean(line), soft_wrap=True)
    for scenario, of_scenario in groupby(found.changes, key=lambda change: change.scenario):
        console.print()
        console.print(_changes_table(found, scenario, list(of_scenario)))
    for left in found.left_out:
        console.print(clean(left, "dim"), soft_wrap=True)
    changes = (*found.control_changes, *found.changes)
    shown = sum(change.comparison.shown for change in changes)
    console.print(f"{shown} of {len(changes)} differences are shown; p is Holm's, over all of them.")


def control_in_words(found: SetComparison) -> list[str]:
    """Whether what is beneath all variants moved from A to B, and so what is judged."""
    if found.control is None:
        return [
            "The sets have no control in common: figures are judged as they are, and a difference may be the machine's as well "
            "as the variant's."
        ]
    lines = []
    for change in found.control_changes:
        pair = change.comparison
        name = f"{change.scenario}, {found.headings[change.scenario].get(pair.measure, pair.measure)}"
        lines.append(f"  {name}: {number(pair.mean_b)} → {number(pair.mean_a)}, {pair.verdict}")
    moved = sum(change.comparison.shown for change in found.control_changes)
    head = f"The control, {found.control}, moved" if moved else f"That the control, {found.control}, moved is not shown"
    judged = "Variants are judged by their shares of it where a measure has one; the figures themselves stand below, in brackets."
    by_themselves = (
        f"What is not called a share (the measure has none, or a set fewer than {FEWEST_PAIRS} rounds with both) is judged as it "
        "is: a difference there may be the machine's."
    )
    return [f"{head}:", *lines, judged, *([by_themselves] if any(c.share_of is None for c in found.changes) else [])]


def _changes_table(found: SetComparison, scenario: str, changes: Sequence[Change]) -> Table:
    table = _table(scenario)
    for heading in ("variant", "measure", "A", "B", "B / A (95 %)", "p", "shown"):
        table.add_column(heading, justify="right" if heading in ("A", "B", "p") else "left")
    for change in changes:
        pair, headings = change.comparison, found.headings[scenario]
        measure = change.share_of or pair.measure
        heading = headings.get(measure, measure)
        if change.share_of is not None:
            heading = f"{heading}, share of {found.control}"
        a, b = _before_and_after(change)
        cells = (clean(_ratio(pair)), clean(p_value(pair.holm_p)), clean(_outcome(pair), "bold" if pair.shown else "dim"))
        table.add_row(clean(change.variant), clean(heading), a, b, *cells)
    return table


def _before_and_after(change: Change) -> tuple[Text, Text]:
    """The two means; of shares with the figures themselves below."""
    means = (change.comparison.mean_b, change.comparison.mean_a)
    if change.share_of is None:
        a, b = (clean(number(mean)) for mean in means)
    else:
        absolute = (change.absolute_a, change.absolute_b)
        a, b = (
            Text("\n").join([clean(percent(share or 0.0)), clean(f"({number(figure)})", "dim")])
            for share, figure in zip(means, absolute, strict=True)
        )
    return a, b


def print_list(console: Console, listed: Iterable[Listed]) -> None:
    """Of each folder its name, and below that when, where and how soundly it was made, and what is in it."""
    sets = list(listed)
    for found in sets:
        console.print(clean(found.path.name + (" (latest)" if found.latest else ""), "bold"), soft_wrap=True)
        console.print(Padding(_listed(found), (0, 0, 0, 2)))
    if not sets:
        console.print("There are no result sets yet.")


def _listed(found: Listed) -> Text:
    if found.problem is not None:
        return clean(f"no result set: {found.problem}", "yellow")
    complete = found.state == "complete" and 0 < found.made_runs == found.valid_runs
    made = found.created_utc.removesuffix("+00:00").replace("T", " ")
    what = "scenarios" if all(name.isdecimal() for name in found.scenarios) else "measured"
    facts = clean(f"{made} UTC, lab {found.lab}, label {found.label}, ")
    facts.append_text(clean(f"{found.valid_runs} of {found.made_runs} runs valid, {found.state}", "" if complete else "yellow"))
    names = f"{len(found.variants)}: {', '.join(found.variants)}" if found.variants else "none"
    return Text("\n").join([facts, clean(f"{what} {', '.join(found.scenarios)}; variants {names}", "dim")])


def _figures(scenario: ScenarioAnalysis) -> Table:
    table = _table("")
    table.add_column("variant", no_wrap=True)
    table.add_column("valid", justify="right", no_wrap=True)
    for heading in scenario.summary.values():
        table.add_column(clean(heading), justify="right", min_width=NARROWEST)
    for variant in scenario.ranked():
        cells = [clean(_figure(variant.measures[measure])) for measure in scenario.summary]
        count = f"{variant.valid_runs}/{variant.made_runs}" if variant.excluded is None else variant.excluded.code
        style = "" if variant.valid_runs == variant.made_runs else "yellow"
        table.add_row(clean(variant.name), count, *cells, style=style)
    return table


def _figure(description: MeasureDescription) -> str:
    beside = from_to(description.reach) if description.is_range else plus_minus(description.reach)
    return f"{number(description.mean)} {beside}".strip()


def _print_pairs(console: Console, scenario: ScenarioAnalysis) -> None:
    """Those of the headline; the others are in the CSV."""
    pairs = [pair for pair in scenario.comparisons if pair.measure == scenario.headline]
    if not pairs:
        return
    if not any(pair.holm_p is not None for pair in pairs):
        text = f"No difference is shown between any two: it takes {FEWEST_RUNS} valid runs of each."
        console.print(text, style="yellow", highlight=False)
        return
    text = f"{scenario.headline}, every pair (Holm's p over {scenario.family_size} tests; every measure is in {PAIRS}):"
    console.print(clean(text, "bold"), soft_wrap=True)
    for pair in sorted(pairs, key=lambda pair: not pair.shown):
        console.print(clean(f"  {_pair(pair)}", "" if pair.shown else "dim"), soft_wrap=True)


def _print_expectations(console: Console, scenario: ScenarioAnalysis) -> None:
    """A line for each that was measured."""
    for found in scenario.expectations:
        measures = scenario.variants[found.variant].measures
        heading = scenario.summary.get(found.measure, found.measure)
        means = f"{number(measures[found.measure].mean)}, expected {number(measures[found.expected].mean)}"
        line = clean(f"{found.judgement.value:<13}", JUDGEMENT_STYLES[found.judgement])
        line.append_text(clean(f"{found.variant}, {heading}: {means}; {found.text}"))
        console.print(line, soft_wrap=True)


def _pair(pair: PairComparison) -> str:
    if not pair.shown:
        return f"{pair.a} and {pair.b}: {pair.verdict}"
    return f"{pair.verdict}; ratio {_ratio(pair)}, p {equals_p(pair.holm_p)}, d = {number(pair.cohens_d)}"


def _outcome(pair: PairComparison) -> str:
    if not pair.shown:
        return "no"
    if pair.better is not None:
        return "better" if pair.better == pair.a else "worse"
    return "higher" if (pair.mean_a or 0) > (pair.mean_b or 0) else "lower"


def _ratio(pair: PairComparison) -> str:
    ends = f" ({from_to(pair.interval)})" if pair.interval is not None else ""
    return f"{number(pair.ratio)}{ends}"


def _table(title: str) -> Table:
    return Table(title=clean(title, "bold") if title else None, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
