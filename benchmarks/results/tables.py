"""The tables of a scenario: a row for every run, and statistics over what is valid of them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.record.enough import group_flags
from benchmarks.record.run_data import RunResult
from benchmarks.record.shared import SHARED_COLUMNS
from benchmarks.record.totals import MACHINE_SPEED, TOTAL_COLUMNS
from benchmarks.results.documents import FORMAT_VERSION
from benchmarks.shares import Share
from benchmarks.statistics import BOOTSTRAP, CONFIDENCE, RESAMPLES, SEED, Description, describe_each

WHOLE_RUN = "whole run"
"""What ``invalid_phases`` says of a run of which nothing stands."""
LEADING_MEASURES = tuple(SHARED_COLUMNS)
"""The measures that stand before ``variant``, ``valid``, ``flags`` and ``invalid_phases`` in a CSV, as far as the scenario has
them."""

WORKER_COLUMNS = ("track", "worker_processes", "worker_concurrency")
"""What its worker was: the first of the run, where a scenario has several."""


EXECUTED = "executed_variant"
"""Which variant ran at a point of a study."""


def csv_columns(measures: Sequence[str], factors: Sequence[str] = (), *, epochs: bool = False) -> list[str]:
    """The header of a scenario's CSV, given its measures in order, and the factors of a study; with the epoch of a row where
    there is more than one."""
    leading = [name for name in LEADING_MEASURES if name in measures]
    further = [name for name in measures if name not in LEADING_MEASURES]
    leads = ["framework", "run", *leading, "variant", "valid", "flags", "invalid_phases", *WORKER_COLUMNS]
    leads += [EXECUTED, *factors] if factors else []
    return [*leads, *(("epoch",) if epochs else ()), *further]


_Rows = Sequence[RunResult]
_Values = Mapping[str, float | int | None]


def with_shares(rows: _Rows, shares: Mapping[str, str], control: str | None) -> list[_Values]:
    """The measures of each row with those that relate it to the control: over the control's of the same repetition, which was
    made near in time, and where there is none over the mean of the control's; all of the same epoch. The control's own are over
    that mean, for they are to show how far its runs lie apart."""
    filled: list[_Values] = [{}] * len(rows)
    for epoch in {row.epoch for row in rows}:
        places = [place for place, row in enumerate(rows) if row.epoch == epoch]
        for place, values in zip(places, _shares_of_one_epoch([rows[p] for p in places], shares, control), strict=True):
            filled[place] = values
    return filled


def shares_of_runs(rows: _Rows, shares: Mapping[str, str], control: str | None) -> dict[str, dict[str, Share]]:
    """For each group of rows but the control's own, the shares that can be taken, by column."""
    found: dict[str, dict[str, Share]] = {}
    for group, epoch in {row.group: row.epoch for row in rows if row.variant != control}.items():
        mine = [row for row in rows if row.group == group]
        others = [row for row in rows if row.variant == control and row.epoch == epoch]
        of_group = {column: Share(_by_round(mine, measure), _by_round(others, measure)) for column, measure in shares.items()}
        found[group] = {
            column: share for column, share in of_group.items() if share.own and share.control and min(share.control.values()) > 0
        }
    return found


def _by_round(rows: _Rows, measure: str) -> dict[int, float]:
    return {row.repetition: float(value) for row in rows if (value := row.value(measure)) is not None}


def _shares_of_one_epoch(rows: _Rows, shares: Mapping[str, str], control: str | None) -> list[_Values]:
    filled = [dict(row.measures) for row in rows]
    for column, measure in shares.items():
        known = {r.repetition: float(v) for r in rows if r.variant == control and (v := r.value(measure))}
        if not known or (mean := sum(known.values()) / len(known)) <= 0:
            continue
        for row, values in zip(rows, filled, strict=True):
            value = row.measures.get(measure)
            against = mean if row.variant == control else known.get(row.repetition, mean)
            if value is not None and against > 0:
                values[column] = value / against
    return list(filled)


def with_machine_speed(measures: Sequence[_Values], speeds: Sequence[Sequence[float]], of_set: Sequence[float]) -> list[_Values]:
    """The measures of each row with the machine's speed: the median at the run's own marks (``speeds``, for each row), over the
    median at all marks of the set."""
    return [
        {**values, MACHINE_SPEED: median(mine) / median(of_set)} if mine else values
        for values, mine in zip(measures, speeds, strict=True)
    ]


def _values(rows: _Rows, measures: Sequence[_Values], name: str) -> list[float]:
    values = [m.get(name) for row, m in zip(rows, measures, strict=True) if row.keeps(name)]
    return [float(value) for value in values if value is not None]


def csv_text(rows: _Rows, measures: Sequence[_Values], columns: Sequence[str], factors: Sequence[str] = ()) -> str:
    """The scenario's CSV. The totals tell of a run whatever became of it: they stand in its row, though in no statistic."""
    data = [
        {
            "framework": row.framework,
            "run": row.run,
            "variant": row.variant,
            "valid": row.valid,
            "invalid_phases": ";".join(phase or WHOLE_RUN for phase in sorted(row.invalid_phases)),
            "flags": ";".join(dict.fromkeys(flag.code for flag in row.flags)),
            **dict(zip(WORKER_COLUMNS, (row.track, row.processes, row.concurrency), strict=True)),
            EXECUTED: row.executed,
            **row.point,
            "epoch": row.epoch,
            **values,
            **{name: row.spoiled[name] for name in TOTAL_COLUMNS if name in row.spoiled and values.get(name) is None},
        }
        for row, values in zip(rows, measures, strict=True)
    ]
    # As objects, so that an integer stays one in a column where a failed run has none.
    header = csv_columns(columns, factors, epochs=any(row.epoch > 1 for row in rows))
    return pd.DataFrame(data, columns=header, dtype=object).to_csv(index=False, lineterminator="\n")


def statistics_of(name: str, manifest: Mapping[str, Any], rows: _Rows, measures: Sequence[_Values]) -> dict[str, Any]:
    """The scenario's statistics, as ``schemas/stats.schema.json`` describes them."""
    scenario = manifest["scenarios"][name]
    shares = shares_of_runs(rows, scenario["shares"], manifest["control"])
    variants = {}
    for variant in sorted({row.group for row in rows}):
        mine = [(row, values) for row, values in zip(rows, measures, strict=True) if row.group == variant]
        own_rows, own_measures = [row for row, _ in mine], [values for _, values in mine]
        headline = _values(own_rows, own_measures, scenario["headline"])
        variants[variant] = {
            "framework": own_rows[0].framework,
            "runs": [
                {
                    "run": row.run,
                    "repetition": row.repetition,
                    "valid": row.valid,
                    "flags": [flag.as_data() for flag in row.flags],
                }
                for row in own_rows
            ],
            "flags": [flag.as_data() for flag in group_flags(scenario["headline"], headline)],
            "measures": {
                **dict(zip(scenario["columns"], _described(own_rows, own_measures, scenario["columns"]), strict=True)),
                **{column: _as_data(share.describe()) for column, share in shares.get(variant, {}).items()},
            },
        }
    return {
        "format_version": FORMAT_VERSION,
        "scenario": name,
        "title": scenario["title"],
        "headline": scenario["headline"],
        "control": manifest["control"],
        "confidence": CONFIDENCE,
        "bootstrap": {"method": BOOTSTRAP, "resamples": RESAMPLES, "seed": SEED},
        "variants": variants,
    }


def _described(rows: _Rows, measures: Sequence[_Values], names: Iterable[str]) -> Iterator[dict[str, float | int | None]]:
    return map(_as_data, describe_each([_values(rows, measures, name) for name in names]))


def _as_data(description: Description) -> dict[str, float | int | None]:
    interval = description.interval
    return {
        "n": description.n,
        "mean": description.mean,
        "median": description.median,
        "sd": description.sd,
        "cv": description.cv,
        "ci_low": None if interval is None else interval.low,
        "ci_high": None if interval is None else interval.high,
    }
