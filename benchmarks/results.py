"""A result set: the folder of everything that one invocation produced, whole at every moment.

::

    results/20261120T213000Z-quick/
        manifest.json                          on what it was made; state: running, complete or interrupted
        scenario_1_throughput.csv              a row for every run, valid or not
        scenario_1_throughput_stats.json       per variant and measure, over the valid runs
        runs/0001_scenario_1_throughput_VARIANT_01/
            run.json  tasks.parquet  samples.parquet  and a parquet file for each device that read something

Everything is written under a temporary name beside its place and renamed when it is complete and on disk, so that a crash at any
moment leaves only whole runs. The tables are made from the ``run.json`` files and the manifest alone, and can be made again at
any time. The JSON Schemas are in ``benchmarks/schemas``.
"""

import dataclasses
import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import pandas as pd

from benchmarks.record.enough import group_flags
from benchmarks.record.flags import Flag
from benchmarks.record.run_data import RunResult
from benchmarks.statistics import BOOTSTRAP, CONFIDENCE, RESAMPLES, SEED, describe
from infrastructure.readings import TreeSample

FORMAT = "queuelab-result-set"
FORMAT_VERSION = 1
LEADING_MEASURES = ("task_count", "total_time", "throughput", "mean_latency", "p50", "p95", "p99", "memory_mb", "cpu_percent")
"""The measures that stand before ``variant``, ``valid`` and ``flags`` in a CSV, as far as the scenario has them."""
LATEST = "latest"

_SCHEMAS = Path(__file__).parent / "schemas"
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]*")
_SCENARIO = re.compile(r"scenario_[0-9]+_[a-z0-9_]+")
_RUN_FOLDER = re.compile(
    r"(?P<run>\d{4,})_(?P<scenario>scenario_[0-9]+_[a-z0-9_]+)_(?P<variant>[a-z0-9-]+)_(?P<repetition>\d{2,})"
)
_UNFINISHED = ".unfinished-"


class ResultSetError(Exception):
    """A result set that cannot be read or written as asked. The message names it and says what to do."""


def validate(document: Any, schema: Literal["manifest", "run", "stats", "analysis"], source: str) -> None:
    """Hold a document against a published schema. Raises ResultSetError naming ``source`` and the place that does not fit."""
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(document))
    if error is not None:
        raise ResultSetError(f"{source} is not a {schema} of a result set: at {error.json_path}, {error.message[:300]}")


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((_SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as stored: its row, its folder with the raw data, and what else was kept of it."""

    result: RunResult
    folder: Path
    record: Mapping[str, Any]

    def tasks(self) -> pd.DataFrame:
        """One row per task: the columns of :class:`benchmarks.record.task_table.TaskTable` after ``phase``."""
        return _read_parquet(self.folder / "tasks.parquet")

    def reading(self, device: str) -> pd.DataFrame:
        """What a device read, with the phase's number as first column."""
        return _read_parquet(self.folder / f"{device}.parquet")

    def samples(self) -> pd.DataFrame:
        """One row per sample of the worker's tree: the fields of :class:`infrastructure.readings.TreeSample`."""
        return _read_parquet(self.folder / "samples.parquet")


class ResultSet:
    """A result set on disk. One process may write to it; any number may read meanwhile."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self._path = path
        self._manifest = manifest
        self._runs: dict[int, StoredRun] = {}

    @classmethod
    def create(cls, root: Path, label: str, manifest: Mapping[str, Any]) -> "ResultSet":
        """A new result set below ``root``, named after the time (UTC) and ``label``, in state *running*; ``root/latest`` points
        to it. ``manifest`` is what :func:`benchmarks.manifest.gather` gives. Raises ResultSetError for a label that
        cannot be part of a file name, or a manifest that does not fit its schema."""
        if not _LABEL.fullmatch(label):
            raise ResultSetError(f"label {label!r} cannot be part of a file name: use small letters, digits and -")
        link = root / LATEST
        if link.exists() and not link.is_symlink():
            raise ResultSetError(f"{link} is not a link: move it away, the lab keeps a link to the newest result set there")
        now = datetime.now(UTC)
        text = to_json(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "label": label,
                "state": "running",
                "created_utc": now.isoformat(timespec="seconds"),
                "finished_utc": None,
                **manifest,
            }
        )
        complete = json.loads(text)
        validate(complete, "manifest", "the new manifest")
        root.mkdir(parents=True, exist_ok=True)
        unfinished = root / f"{_UNFINISHED}{os.getpid()}"
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / "runs").mkdir(parents=True)
        try:
            write_text(unfinished / "manifest.json", text)
            path = _free_name(root, f"{now:%Y%m%dT%H%M%SZ}-{label}")
            unfinished.rename(path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _point_latest(root, path.name)
        return cls(path, complete)

    @classmethod
    def open(cls, path: Path, *, resume: bool = False) -> "ResultSet":
        """An existing result set, or ``latest``, with all its runs. With ``resume`` it is opened for more of them: what a crash
        left unfinished is removed and its state is *running* again; without, nothing is touched. Raises ResultSetError if it
        is not one, or not whole."""
        path = path.resolve()
        if not path.is_dir():
            raise ResultSetError(f"there is no result set {path}: name a folder below results/, or results/{LATEST}")
        if not (path / "manifest.json").is_file() or not (path / "runs").is_dir():
            raise ResultSetError(f"{path} is not a result set: it must hold manifest.json and a folder runs")
        opened = cls(path, _read_json(path / "manifest.json", "manifest"))
        for folder in (path / "runs").iterdir():
            if _RUN_FOLDER.fullmatch(folder.name):
                opened._remember(_read_json(folder / "run.json", "run"), folder)
        if resume:
            for leftover in [*path.glob(f"{_UNFINISHED}*"), *(path / "runs").glob(f"{_UNFINISHED}*")]:
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
            opened._change_manifest(state="running", finished_utc=None)
        return opened

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._path

    def manifest(self) -> Mapping[str, Any]:
        """On what it was made, and its state."""
        return self._manifest

    def stored_runs(self) -> list[StoredRun]:
        """All stored runs, by number."""
        return [run for _, run in sorted(self._runs.items())]

    def next_run(self) -> int:
        """The first number that no stored run has; from 1."""
        return max(self._runs, default=0) + 1

    def completed(self) -> set[tuple[str, str, int]]:
        """Scenario, variant and repetition of every stored run, valid or not: what need not be made again."""
        return {(run.result.scenario, run.result.variant, run.result.repetition) for run in self._runs.values()}

    def facts(self) -> dict[str, float]:
        """What has been found out for it (:mod:`benchmarks.calibration`)."""
        return dict(self._manifest.get("facts", {}))

    def store_fact(self, name: str, value: float) -> None:
        """Keep what was found out."""
        self._change_manifest(facts={**self.facts(), name: value})

    def store_run(
        self,
        result: RunResult,
        tasks: pd.DataFrame,
        samples: pd.DataFrame,
        record: Mapping[str, Any] | None = None,
        readings: Mapping[str, pd.DataFrame] | None = None,
    ) -> Path:
        """Store a run: whole, or not at all. ``record`` is whatever else is to be kept of it: plain data, dataclasses, mappings
        and sequences of these; ``readings`` is what devices read, by device. Returns its folder. Raises ResultSetError for a
        name that is not allowed, a scenario that the manifest does not list, a run that is already stored, or a value that JSON
        cannot hold."""
        if result.scenario not in self._manifest["scenarios"]:
            raise ResultSetError(
                f"{result.scenario} is none of this result set's scenarios: {', '.join(self._manifest['scenarios'])}"
            )
        if result.run in self._runs:
            raise ResultSetError(f"run {result.run} is already stored, in {self._runs[result.run].folder}")
        if (result.scenario, result.variant, result.repetition) in self.completed():
            raise ResultSetError(f"repetition {result.repetition} of {result.scenario} on {result.variant} is already stored")
        text = to_json(_run_document(result, record or {}))
        document = json.loads(text)
        validate(document, "run", f"run {result.run}")
        name = _run_name(document)
        if not _RUN_FOLDER.fullmatch(name):
            raise ResultSetError(f"variant {result.variant!r} or scenario {result.scenario!r} cannot be part of a folder's name")
        final = self._path / "runs" / name
        unfinished = final.with_name(f"{_UNFINISHED}{final.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            tasks.to_parquet(unfinished / "tasks.parquet", index=False, compression="zstd")
            samples.to_parquet(unfinished / "samples.parquet", index=False, compression="zstd")
            for device, frame in (readings or {}).items():
                frame.to_parquet(unfinished / f"{device}.parquet", index=False, compression="zstd")
            for file in unfinished.iterdir():
                _to_disk(file)
            write_text(unfinished / "run.json", text)
            unfinished.rename(final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _to_disk(final.parent)
        self._remember(document, final)
        return final

    def rows(self, scenario: str) -> list[RunResult]:
        """The rows of a scenario by run number, with the columns filled in that relate a run to the control's."""
        manifest = self.manifest()
        rows = [run.result for run in self.stored_runs() if run.result.scenario == scenario]
        measures = _with_shares(rows, manifest["scenarios"][scenario]["shares"], manifest["control"])
        return [dataclasses.replace(row, measures=values) for row, values in zip(rows, measures, strict=True)]

    def write_tables(self) -> list[Path]:
        """Write the CSV and the statistics of every scenario anew, from the manifest and the ``run.json`` files alone; the same
        runs always give the same bytes. Returns the files written."""
        written = []
        for name, scenario in self._manifest["scenarios"].items():
            rows = [run.result for run in self.stored_runs() if run.result.scenario == name]
            measures = _with_shares(rows, scenario["shares"], self._manifest["control"])
            table, stats = self._path / f"{name}.csv", self._path / f"{name}_stats.json"
            write_text(table, _csv(rows, measures, list(scenario["columns"])))
            document = _statistics(name, self._manifest, rows, measures)
            validate(document, "stats", stats.name)
            write_text(stats, to_json(document))
            written += [table, stats]
        return written

    def finish(self, state: Literal["complete", "interrupted"]) -> None:
        """Say how it ended."""
        self._change_manifest(state=state, finished_utc=datetime.now(UTC).isoformat(timespec="seconds"))

    def _change_manifest(self, **changes: Any) -> None:
        self._manifest |= changes
        write_text(self._path / "manifest.json", to_json(self._manifest))

    def _remember(self, document: Mapping[str, Any], folder: Path) -> None:
        """Keep a run as its file has it, so that a set just written and the same set read again give the same tables."""
        if folder.name != _run_name(document):
            raise ResultSetError(f"{folder} holds another run, {_run_name(document)}: it was renamed or changed")
        result = _result_from(document)
        if result.run in self._runs:
            raise ResultSetError(f"{folder} and {self._runs[result.run].folder.name} are both run {result.run}: remove one")
        self._runs[result.run] = StoredRun(result, folder, document["record"])


def samples_frame(samples: Sequence[TreeSample]) -> pd.DataFrame:
    """Samples as a frame, for Parquet."""
    names = [field.name for field in fields(TreeSample)]
    return pd.DataFrame([[getattr(sample, name) for name in names] for sample in samples], columns=names)


def csv_columns(measures: Sequence[str]) -> list[str]:
    """The header of a scenario's CSV, given its measures in order."""
    leading = [name for name in LEADING_MEASURES if name in measures]
    further = [name for name in measures if name not in LEADING_MEASURES]
    return ["framework", "run", *leading, "variant", "valid", "flags", *further]


_Rows = Sequence[RunResult]
_Values = Mapping[str, float | int | None]


def _with_shares(rows: _Rows, shares: Mapping[str, str], control: str | None) -> list[_Values]:
    """The measures of each row, with the columns that relate it to the control filled in."""
    means: dict[str, float] = {}
    for column, measure in shares.items():
        values = _valid_values(
            [r for r in rows if r.variant == control], [r.measures for r in rows if r.variant == control], measure
        )
        if values and (mean := sum(values) / len(values)) > 0:
            means[column] = mean
    filled: list[_Values] = []
    for row in rows:
        known = {column: row.measures.get(shares[column]) for column in means}
        filled.append({**row.measures, **{c: value / means[c] for c, value in known.items() if value is not None}})
    return filled


def _valid_values(rows: _Rows, measures: Sequence[_Values], name: str) -> list[float]:
    values = [m.get(name) for row, m in zip(rows, measures, strict=True) if row.valid]
    return [float(value) for value in values if value is not None]


def _csv(rows: _Rows, measures: Sequence[_Values], columns: Sequence[str]) -> str:
    data = [
        {
            "framework": row.framework,
            "run": row.run,
            "variant": row.variant,
            "valid": row.valid,
            "flags": ";".join(dict.fromkeys(flag.code for flag in row.flags)),
            **values,
        }
        for row, values in zip(rows, measures, strict=True)
    ]
    # As objects, so that an integer stays one in a column where a failed run has none.
    return pd.DataFrame(data, columns=csv_columns(columns), dtype=object).to_csv(index=False, lineterminator="\n")


def _statistics(name: str, manifest: Mapping[str, Any], rows: _Rows, measures: Sequence[_Values]) -> dict[str, Any]:
    scenario = manifest["scenarios"][name]
    variants = {}
    for variant in sorted({row.variant for row in rows}):
        mine = [(row, values) for row, values in zip(rows, measures, strict=True) if row.variant == variant]
        own_rows, own_measures = [row for row, _ in mine], [values for _, values in mine]
        headline = _valid_values(own_rows, own_measures, scenario["headline"])
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
            "measures": {m: _described(_valid_values(own_rows, own_measures, m)) for m in scenario["columns"]},
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


def _described(values: Sequence[float]) -> dict[str, float | int | None]:
    description = describe(values)
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


def _run_document(result: RunResult, record: Mapping[str, Any]) -> dict[str, Any]:
    bad = [name for name, value in result.measures.items() if value is not None and not math.isfinite(value)]
    if bad:
        raise ResultSetError(
            f"run {result.run}: {', '.join(bad)} is not a number; a measure that could not be taken must be None"
        )
    return {
        "format_version": FORMAT_VERSION,
        "scenario": result.scenario,
        "framework": result.framework,
        "variant": result.variant,
        "run": result.run,
        "repetition": result.repetition,
        "valid": result.valid,
        "flags": [flag.as_data() for flag in result.flags],
        "failure": result.failure,
        "measures": dict(result.measures),
        "record": dict(record),
    }


def _run_name(document: Mapping[str, Any]) -> str:
    return f"{document['run']:04d}_{document['scenario']}_{document['variant']}_{document['repetition']:02d}"


def _result_from(document: Mapping[str, Any]) -> RunResult:
    return RunResult(
        scenario=document["scenario"],
        framework=document["framework"],
        variant=document["variant"],
        run=document["run"],
        repetition=document["repetition"],
        valid=document["valid"],
        flags=tuple(Flag.from_data(flag) for flag in document["flags"]),
        measures=document["measures"],
        failure=document["failure"],
    )


def to_json(document: Any) -> str:
    """Plain data, dataclasses, mappings and paths as JSON text. Raises ResultSetError for what JSON cannot hold, as NaN."""
    try:
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"
    except (TypeError, ValueError) as error:
        raise ResultSetError(f"cannot be stored as JSON: {error}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is not plain data")


def _read_json(file: Path, schema: Literal["manifest", "run"]) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError as error:
        raise ResultSetError(f"{file} is missing: the result set is not whole") from error
    except ValueError as error:
        raise ResultSetError(f"{file} is damaged: {error}") from error
    validate(document, schema, str(file))
    return document


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ResultSetError(f"{file} cannot be read: {error}") from error


def write_text(file: Path, text: str) -> None:
    """Write a file under a temporary name and rename it when it is on disk: it is whole, or as it was before."""
    unfinished = file.with_name(f"{_UNFINISHED}{file.name}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    _to_disk(unfinished)
    unfinished.replace(file)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_name(root: Path, name: str) -> Path:
    candidate, number = root / name, 1
    while candidate.exists():
        number += 1
        candidate = root / f"{name}-{number}"
    return candidate


def _point_latest(root: Path, name: str) -> None:
    unfinished = root / f"{_UNFINISHED}{LATEST}-{os.getpid()}"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(name, target_is_directory=True)
    unfinished.replace(root / LATEST)
