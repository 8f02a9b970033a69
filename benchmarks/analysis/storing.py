"""An analysis as files in its result set: ``analysis.json`` and four tables, each written whole or not at all."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.analysis.expectations import ExpectationResult
from benchmarks.analysis.model import (
    Analysis,
    MeasureDescription,
    PairComparison,
    ScenarioAnalysis,
    TargetResult,
    VariantAnalysis,
)
from benchmarks.conclusion import Conclusion
from benchmarks.record.better import all_written
from benchmarks.results.documents import FORMAT_VERSION, to_json, validate
from benchmarks.results.files import write_text
from benchmarks.statistics import BOOTSTRAP, CONFIDENCE, RESAMPLES, SEED, SIGNIFICANCE, Interval

DOCUMENT = "analysis.json"
PAIRS = "analysis.csv"
MEASURES = "measures.csv"
WARNINGS = "warnings.csv"
TARGETS = "targets.csv"

_DESCRIBED = ("n", "mean", "median", "sd", "cv", "ci_low", "ci_high", "p95", "p95_low", "p95_high", "p99", "p99_low", "p99_high")
_COMPARED = (
    *("measure", "a", "b", "n_a", "n_b", "mean_a", "mean_b", "ratio", "ratio_low", "ratio_high", "welch_p", "holm_p"),
    *("mann_whitney_p", "cohens_d", "cliffs_delta", "effect", "shown", "better", "verdict"),
)
_WARNED = ("severity", "code", "scenario", "variant", "run", "repetition", "measure", "text", "advice")
_JUDGED = (
    *("kind", "name", "scenario", "variant_pattern", "variant", "measure", "comparison", "value", "relative_to", "per", "slots"),
    *("state", "figure", "ci_low", "ci_high", "certain", "text", "source"),
)


def store(analysis: Analysis) -> list[Path]:
    """Write the analysis into its result set's folder; the same analysis always gives the same bytes. Returns the files written.
    Raises OSError where they cannot be."""
    document = document_of(analysis)
    validate(document, "analysis", DOCUMENT)
    texts = {
        DOCUMENT: to_json(document),
        PAIRS: _csv(
            [{"scenario": s["name"], **pair} for s in document["scenarios"] for pair in s["comparisons"]],
            ("scenario", *_COMPARED),
        ),
        MEASURES: _csv(
            [
                {
                    "scenario": scenario["name"],
                    "variant": name,
                    "framework": variant["framework"],
                    "measure": measure,
                    **described,
                }
                for scenario in document["scenarios"]
                for name, variant in scenario["variants"].items()
                for measure, described in variant["measures"].items()
            ],
            ("scenario", "variant", "framework", "measure", *_DESCRIBED),
        ),
        WARNINGS: _csv(document["warnings"], _WARNED),
        TARGETS: _csv(document["targets"], _JUDGED),
    }
    for name, text in texts.items():
        write_text(analysis.path / name, text)
    return [*(analysis.path / name for name in texts), *store_documents(analysis)]


def store_documents(analysis: Analysis) -> list[Path]:
    """Write the files that studies have of their own into the result set's folder. Returns them. Raises OSError where they cannot
    be written."""
    texts = {name: text for scenario in analysis.scenarios for name, text in scenario.documents.items()}
    for name, text in texts.items():
        write_text(analysis.path / name, text)
    return [analysis.path / name for name in texts]


def document_of(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain data, as ``benchmarks/results/schemas/analysis.schema.json`` describes it."""
    return {
        "format_version": FORMAT_VERSION,
        "result_set": analysis.path.name,
        "label": analysis.label,
        "created_utc": analysis.created_utc,
        "state": analysis.state,
        "control": analysis.control,
        "confidence": CONFIDENCE,
        "significance": SIGNIFICANCE,
        "bootstrap": {"method": BOOTSTRAP, "resamples": RESAMPLES, "seed": SEED},
        "scenarios": [_scenario(scenario) for scenario in analysis.scenarios],
        "warnings": [dataclasses.asdict(warning) for warning in analysis.all_warnings()],
        "targets": [_target(result) for result in analysis.targets],
    }


def _scenario(scenario: ScenarioAnalysis) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "number": scenario.number,
        "title": scenario.title,
        "question": scenario.question,
        "headline": scenario.headline,
        "summary": dict(scenario.summary),
        "better": all_written(scenario.better),
        "compared_measures": list(scenario.compared_measures),
        "family_size": scenario.family_size,
        "ranking": [variant.name for variant in scenario.ranked()],
        "variants": {name: _variant(variant) for name, variant in scenario.variants.items()},
        "comparisons": [_comparison(found) for found in scenario.comparisons],
        **({"conclusions": [_conclusion(found) for found in scenario.conclusions]} if scenario.conclusions else {}),
        **({"expectations": [_expectation(found) for found in scenario.expectations]} if scenario.expectations else {}),
    }


def _variant(variant: VariantAnalysis) -> dict[str, Any]:
    return {
        "framework": variant.framework,
        "executed": variant.executed,
        **({"factors": dict(variant.point)} if variant.point else {}),
        "track": variant.track,
        "processes": variant.processes,
        "concurrency": variant.concurrency,
        "made_runs": variant.made_runs,
        "valid_runs": variant.valid_runs,
        "measures": {name: _description(measure) for name, measure in variant.measures.items()},
    }


def _description(measure: MeasureDescription) -> dict[str, Any]:
    return {
        "n": measure.n,
        "mean": measure.mean,
        "median": measure.median,
        "sd": measure.sd,
        "cv": measure.cv,
        **_ends("ci", measure.interval),
        "p95": measure.p95,
        **_ends("p95", measure.p95_interval),
        "p99": measure.p99,
        **_ends("p99", measure.p99_interval),
    }


def _comparison(found: PairComparison) -> dict[str, Any]:
    values = dataclasses.asdict(found) | _ends("ratio", found.interval)
    return {name: values[name] for name in _COMPARED}


def _conclusion(found: Conclusion) -> dict[str, Any]:
    return {
        "question": found.question,
        "text": found.text,
        "decided": found.decided,
        "evidence": [dataclasses.asdict(item) for item in found.evidence],
        "headings": list(found.headings),
        "rows": [list(row) for row in found.rows],
        "missed": list(found.missed),
    }


def _expectation(found: ExpectationResult) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "expected": found.expected,
        "variant": found.variant,
        "n": found.n,
        "ratio": found.ratio,
        **_ends("ratio", found.interval),
        "least": found.least,
        "greatest": found.greatest,
        "judgement": found.judgement.value,
        "text": found.text,
    }


def _target(result: TargetResult) -> dict[str, Any]:
    target = result.target
    return {
        "kind": target.kind.value,
        "name": target.name,
        "scenario": target.scenario,
        "variant_pattern": target.variant,
        "variant": result.variant,
        "measure": target.measure,
        "comparison": target.comparison,
        "value": target.value,
        "relative_to": target.relative_to,
        "per": target.per,
        "slots": target.slots,
        "state": result.state.value,
        "figure": result.figure,
        **_ends("ci", result.interval),
        "certain": result.certain,
        "text": result.text,
        "source": target.source,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    return {f"{name}_low": interval.low if interval else None, f"{name}_high": interval.high if interval else None}


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    # As objects, so that an integer stays one in a column where another row has none.
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\n")
