"""Tidy tables of a result set, as CSV and as Parquet: a row for every measure of every run, and, if asked for, for every sample
of the workers' trees and for every task. Tasks go from file to file in batches, so that their number does not matter."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from benchmarks.results.documents import ResultSetError
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from tasks.causes import cause

FOLDER = "export"
BATCH_ROWS = 1 << 18

_NAME = pa.dictionary(pa.int32(), pa.string())
_IDENTITY = pa.schema(
    [
        *(("scenario", _NAME), ("framework", _NAME), ("variant", _NAME)),
        *(("run", pa.int32()), ("repetition", pa.int32()), ("valid", pa.bool_())),
    ]
)
_RUNS = pa.schema(
    [
        *_IDENTITY,
        ("flags", pa.string()),
        ("executed_variant", _NAME),
        ("measure", _NAME),
        ("meaning", _NAME),
        ("value", pa.float64()),
    ]
)


_FACTORS = {"text": _NAME, "integer": pa.int64(), "number": pa.float64()}
"""The columns of what studies vary, by kind."""


def export(results: ResultSet, *, tasks: bool = False) -> list[Path]:
    """Write ``runs`` (a row per run and measure; an invalid run is there with ``valid`` false, a measure that was not taken has
    no value; what studies vary are columns) and, with ``tasks``, ``samples`` and ``tasks`` of all runs, each as ``.csv`` and
    ``.parquet``, into the result set's folder ``export``. Every file is whole or absent. Returns them. Raises ResultSetError for
    raw data that cannot be read."""
    folder = results.path / FOLDER
    folder.mkdir(exist_ok=True)
    factors = {name: factor for s in results.manifest()["scenarios"].values() for name, factor in s.get("factors", {}).items()}
    schema = pa.schema([*_RUNS, *((name, _FACTORS[factor["kind"]]) for name, factor in factors.items())])
    written = _write(folder, "runs", schema, _run_batches(results, schema))
    if tasks:
        for name in ("samples", "tasks"):
            files = [(run, run.folder / f"{name}.parquet") for run in results.stored_runs()]
            schema = _schema([file for _, file in files])
            written += _write(folder, name, schema, _raw_batches(files, schema))
    return written


class _Tables:
    """The same rows into a CSV and a Parquet file, renamed when both are whole."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self.final = [folder / f"{name}.csv", folder / f"{name}.parquet"]
        self._unfinished = [file.with_name(f".unfinished-{file.name}") for file in self.final]
        # The CSV writer knows no dictionaries.
        self._plain = pa.schema([pa.field(f.name, pa.string() if f.type == _NAME else f.type) for f in schema])
        self._csv = pa_csv.CSVWriter(self._unfinished[0], self._plain)
        self._parquet = pq.ParquetWriter(self._unfinished[1], schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([batch])
        self._csv.write_table(table.cast(self._plain))
        self._parquet.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._csv.close()
        self._parquet.close()
        for unfinished, final in zip(self._unfinished, self.final, strict=True):
            if kind is None:
                unfinished.replace(final)
            else:
                unfinished.unlink(missing_ok=True)


def _write(folder: Path, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> list[Path]:
    with _Tables(folder, name, schema) as tables:
        for batch in batches:
            tables.write(batch)
    return tables.final


def _run_batches(results: ResultSet, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for name, scenario in results.manifest()["scenarios"].items():
        rows: list[Mapping[str, Any]] = [
            {
                "scenario": row.scenario,
                "framework": row.framework,
                "variant": row.variant,
                "run": row.run,
                "repetition": row.repetition,
                "valid": row.valid,
                "flags": ";".join(dict.fromkeys(flag.code for flag in row.flags)),
                "executed_variant": row.executed or row.variant,
                "measure": measure,
                "meaning": meaning,
                **row.point,
                "value": None if (value := row.measures.get(measure)) is None else float(value),
            }
            for row in results.rows(name)
            for measure, meaning in scenario["columns"].items()
        ]
        yield pa.RecordBatch.from_pylist(rows, schema)


def _schema(files: Sequence[Path]) -> pa.Schema:
    """The columns of all files together: a run that failed early, or an older one, may lack some or have them empty."""
    schemas = []
    for file in files:
        with _opened(file) as parquet:
            schemas.append(parquet.schema_arrow.remove_metadata())
    try:
        return pa.unify_schemas([_IDENTITY, *schemas], promote_options="permissive")
    except pa.ArrowException as error:
        raise ResultSetError(f"the raw data of the runs does not fit together: {cause(error)}") from error


def _raw_batches(files: Sequence[tuple[StoredRun, Path]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for run, file in files:
        with _opened(file) as parquet:
            try:
                for batch in parquet.iter_batches(BATCH_ROWS):
                    yield _identified(run, batch, schema)
            except (pa.ArrowException, OSError) as error:
                raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise ResultSetError(f"{file} cannot be read: {cause(error)}") from error


def _identified(run: StoredRun, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    result, rows = run.result, batch.num_rows
    identity = {
        name: pa.repeat(pa.scalar(value, _IDENTITY.field(name).type), rows)
        for name, value in {
            "scenario": result.scenario,
            "framework": result.framework,
            "variant": result.group,
            "run": result.run,
            "repetition": result.repetition,
            "valid": result.valid,
        }.items()
    }
    held = set(batch.schema.names)
    columns = [
        identity[f.name]
        if f.name in identity
        else batch.column(f.name).cast(f.type)
        if f.name in held
        else pa.nulls(rows, f.type)
        for f in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
