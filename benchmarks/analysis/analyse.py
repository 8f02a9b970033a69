"""From a stored result set to its analysis. Reads ``manifest.json`` and the ``run.json`` files, and nothing else."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.analysis.comparison import compare_pairs, compared_measures
from benchmarks.analysis.conclusions import with_conclusions
from benchmarks.analysis.expectations import hold_against
from benchmarks.analysis.model import Analysis, MeasureDescription, NamedWarning, ScenarioAnalysis, Target, VariantAnalysis
from benchmarks.analysis.targets import judge, read_targets
from benchmarks.analysis.warnings import NO_CONTROL, SET_IN_EPOCHS, SET_INCOMPLETE, SETTINGS_DIFFER, scenario_warnings
from benchmarks.plan.grid import pairs_of
from benchmarks.plan.suite_plan import Entry
from benchmarks.record.better import all_parsed
from benchmarks.record.run_data import RunResult
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from benchmarks.shares import Share
from benchmarks.statistics import Description, describe_each, percentile

WORKER_FACTS = ("processes", "slots", "execution", "guarantee", "settings", "versions")
"""What must be the same in every run of a variant."""


def analyse(path: Path, targets: Sequence[Target] | None = None) -> Analysis:
    """Everything that can be said of the result set in a folder, held against ``targets`` or those of the lab. Raises
    ResultSetError for what is no result set or not whole, TargetsError for targets that cannot be read."""
    return analyse_set(ResultSet.open(path), read_targets() if targets is None else targets)


def analyse_set(results: ResultSet, targets: Sequence[Target]) -> Analysis:
    """Everything that can be said of a result set; the same set always gives the same."""
    manifest = results.manifest()
    found = sorted((_scenario(results, name) for name in manifest["scenarios"]), key=lambda scenario: scenario.order)
    control, created_utc = manifest["control"], manifest["created_utc"]
    scenarios = tuple(with_conclusions(scenario, control, created_utc, results.stored_runs()) for scenario in found)
    return Analysis(
        path=results.path,
        label=manifest["label"],
        created_utc=created_utc,
        state=manifest["state"],
        manifest=manifest,
        control=control,
        scenarios=scenarios,
        warnings=tuple(_set_warnings(results, len(results.stored_runs()))),
        targets=judge(targets, scenarios, control),
    )


def describe_measures(measures: Mapping[str, Sequence[float]]) -> dict[str, MeasureDescription]:
    """Everything that describes the values of each measure."""
    return {
        name: _describe(name, values, description)
        for (name, values), description in zip(measures.items(), describe_each(list(measures.values())), strict=True)
    }


def variants_of(results: ResultSet, scenario: str, measures: Iterable[str]) -> dict[str, VariantAnalysis]:
    """The variants that have runs of a scenario, in the order in which they were entered, with these measures."""
    rows = results.rows(scenario)
    stored = [run for run in results.stored_runs() if run.result.scenario == scenario]
    entered = entered_variants(results.manifest(), scenario)
    names = [*entered, *sorted({row.variant for row in rows} - set(entered))]
    wanted, shares = list(measures), results.shares(scenario)
    return {
        variant: _variant(
            variant,
            [row for row in rows if row.variant == variant],
            [run for run in stored if run.result.group == variant],
            results.manifest()["scenarios"][scenario]["headline"],
            wanted,
            shares.get(variant, {}),
        )
        for variant in names
        if any(row.variant == variant for row in rows)
    }


def entered_variants(manifest: Mapping[str, Any], scenario: str) -> list[str]:
    """The names under which variants were entered in a scenario, in that order; empty where the manifest does not say."""
    names = [entry.get("name") for entry in _entries(manifest, scenario)]
    return [name for name in names if isinstance(name, str)]


def _entries(manifest: Mapping[str, Any], scenario: str) -> list[Mapping[str, Any]]:
    entries = manifest["settings"].get("entries")
    known = (entry for entry in entries if isinstance(entry, Mapping)) if isinstance(entries, list) else ()
    return [entry for entry in known if entry.get("study", "") in ("", scenario)]


def _declared_pairs(manifest: Mapping[str, Any], name: str) -> list[tuple[str, str]] | None:
    """The pairs of a study that are compared; None of a scenario, in which every pair is."""
    described = manifest["scenarios"][name]
    if not described.get("factors"):
        return None
    placed = [Entry(e["name"], e["variant"], point=e["point"]) for e in _entries(manifest, name)]
    return pairs_of(placed, described["factors"], variants_compared=described["variants_compared"])


def measures_to_compare(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a scenario as the manifest describes it: :func:`benchmarks.analysis.comparison.compared_measures`."""
    return compared_measures(described["headline"], list(_summary(described)), described["shares"])


def planned_runs(manifest: Mapping[str, Any]) -> int | None:
    """How many runs each variant was to have at least; None where the manifest does not say."""
    runs = manifest["settings"].get("runs")
    return runs if isinstance(runs, int) and runs > 0 else None


def _describe(measure: str, values: Sequence[float], description: Description) -> MeasureDescription:
    p95, p99 = percentile(values, 0.95), percentile(values, 0.99)
    return MeasureDescription(
        measure=measure,
        n=description.n,
        mean=description.mean,
        median=description.median,
        sd=description.sd,
        cv=description.cv,
        interval=description.interval,
        p95=None if p95 is None else p95.value,
        p95_interval=None if p95 is None else p95.interval,
        p99=None if p99 is None else p99.value,
        p99_interval=None if p99 is None else p99.interval,
        values=tuple(values),
    )


def _scenario(results: ResultSet, name: str) -> ScenarioAnalysis:
    manifest = results.manifest()
    described = manifest["scenarios"][name]
    variants = variants_of(results, name, described["columns"])
    summary = _summary(described)
    compared = measures_to_compare(described)
    better = all_parsed(described.get("better", {}))
    comparisons, family = compare_pairs(
        {measure: {variant: found.measures[measure].values for variant, found in variants.items()} for measure in compared},
        better,
        planned_runs(manifest),
        _declared_pairs(manifest, name),
    )
    return ScenarioAnalysis(
        name=name,
        number=described["number"],
        title=described["title"],
        question=described["question"],
        headline=described["headline"],
        columns=described["columns"],
        summary=summary,
        better=better,
        variants=variants,
        comparisons=comparisons,
        warnings=(
            *scenario_warnings(name, entered_variants(manifest, name), variants, described["headline"], compared),
            *_made_differently(name, [run for run in results.stored_runs() if run.result.scenario == name]),
            *_without_control(name, manifest["control"], variants, described["shares"]),
        ),
        family_size=family,
        compared_measures=compared,
        factors=described.get("factors", {}),
        expectations=hold_against(_expected(described), {variant: found.runs for variant, found in variants.items()}),
    )


def _variant(
    name: str,
    rows: Sequence[RunResult],
    stored: Sequence[StoredRun],
    headline: str,
    measures: Sequence[str],
    shares: Mapping[str, Share],
) -> VariantAnalysis:
    described = describe_measures({measure: _values(rows, measure) for measure in measures if measure not in shares})
    of_control = {column: _describe(column, share.values, share.describe()) for column, share in shares.items()}
    workers = [worker for run in stored if (worker := _mapping(run.record.get("worker")))]
    executed = [asked for run in stored if isinstance(asked := run.record.get("executed_variant"), str)]
    return VariantAnalysis(
        name=name,
        framework=rows[0].framework,
        executed=executed[0] if executed else name,
        runs=tuple(rows),
        headline=headline,
        measures={measure: of_control[measure] if measure in shares else described[measure] for measure in measures},
        worker=workers[0] if workers else {},
    )


def _values(rows: Sequence[RunResult], measure: str) -> list[float]:
    """Over the runs that count for it, in their order."""
    return [float(value) for row in rows if (value := row.value(measure)) is not None]


def _set_warnings(results: ResultSet, made: int) -> Iterable[NamedWarning]:
    manifest = results.manifest()
    if manifest["state"] != "complete":
        runs = planned_runs(manifest)
        entries = sum(len(entered_variants(manifest, name)) for name in manifest["scenarios"])
        planned = "an unknown number" if runs is None or not entries else runs * entries
        command = shlex.join(("just", "benchmark-resume", str(results.path)))
        yield SET_INCOMPLETE.warning(state=manifest["state"], made=made, planned=planned, command=command)
    for later in manifest.get("epochs", []):
        changed = "; ".join(f"{found['what']}: {found['was']} → {found['is_now']}" for found in later["differences"])
        yield SET_IN_EPOCHS.warning(epoch=later["epoch"], changed=changed)


def _made_differently(scenario: str, stored: Sequence[StoredRun]) -> Iterable[NamedWarning]:
    """One warning for each variant of which two runs differ in what must be alike."""
    for variant in dict.fromkeys(run.result.group for run in stored):
        first: tuple[RunResult, Mapping[str, Any]] | None = None
        for run in (run for run in stored if run.result.group == variant and _mapping(run.record.get("worker"))):
            facts = _facts(run)
            if first is None:
                first = (run.result, facts)
            elif different := [what for what in facts if facts[what] != first[1][what]]:
                yield SETTINGS_DIFFER.warning(
                    scenario=scenario, variant=variant, what=" and ".join(different), first=first[0].run, second=run.result.run
                )
                break


def _facts(run: StoredRun) -> Mapping[str, Any]:
    worker = _mapping(run.record.get("worker"))
    return {
        **{fact: worker.get(fact) for fact in WORKER_FACTS},
        "executed variant": run.record.get("executed_variant"),
        "sizes": run.record.get("sizes"),
    }


def _without_control(
    scenario: str, control: str | None, variants: Mapping[str, VariantAnalysis], shares: Mapping[str, str]
) -> Iterable[NamedWarning]:
    if not shares or not variants:
        return
    if control is None:
        yield NO_CONTROL.warning(scenario=scenario, reason="no control was entered")
    elif control not in variants or not variants[control].has_figures:
        yield NO_CONTROL.warning(scenario=scenario, reason=f"the control {control} has no valid run")


def _summary(described: Mapping[str, Any]) -> dict[str, str]:
    return {measure: heading for measure, heading in described["summary"].items() if measure in described["columns"]}


def _expected(described: Mapping[str, Any]) -> dict[str, str]:
    columns = described["columns"]
    return {name: wanted for name, wanted in described.get("expected", {}).items() if name in columns and wanted in columns}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
