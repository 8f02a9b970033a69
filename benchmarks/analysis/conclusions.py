"""What a study answers, asked of its code with the figures of a stored set: pure arithmetic, so the same set gives the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.analysis.model import ScenarioAnalysis
from benchmarks.conclusion import Conclusion
from benchmarks.results.chart_data import ChartData
from benchmarks.results.stored_run import StoredRun
from benchmarks.studies import all_studies
from benchmarks.studies.study import Study
from tasks.causes import named_cause


def chart_data(analysis: ScenarioAnalysis, control: str | None, stored: Sequence[StoredRun]) -> ChartData:
    """What a scenario or a study gets to draw and conclude from, of all the stored runs of its result set."""
    drawn = [variant for variant in analysis.ranked() if variant.has_figures]
    valid = [run for run in stored if run.result.scenario == analysis.name and run.result.valid]
    return ChartData(
        variants=tuple(variant.name for variant in drawn),
        control=control,
        measured={v.name: {name: measure.values for name, measure in v.measures.items()} for v in drawn},
        runs={v.name: tuple(run for run in valid if run.result.group == v.name) for v in drawn},
        points={v.name: v.point for v in drawn if v.point},
        executed={v.name: v.executed for v in drawn},
    )


def with_conclusions(
    analysis: ScenarioAnalysis,
    control: str | None,
    created_utc: str,
    stored: Sequence[StoredRun],
    studies: Mapping[str, Study] | None = None,
) -> ScenarioAnalysis:
    """The same with what the study of that name answers, and its files, where this version has it and any of its runs counts. A
    study that fails at it, as one may that has changed since the set was made, says so in the place of its answer."""
    study = (all_studies() if studies is None else studies).get(analysis.name)
    data = chart_data(analysis, control, stored)
    if study is None or not data.variants:
        return analysis
    try:
        return replace(analysis, conclusions=tuple(study.conclusions(data)), documents=study.documents(data, created_utc))
    except Exception as error:
        failed = f"This version cannot answer it from this result set: {named_cause(error)}."
        return replace(analysis, conclusions=(Conclusion(study.question, failed, decided=False),))
