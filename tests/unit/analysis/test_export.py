"""Tidy tables of a result set."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.analysis import export as exporting
from benchmarks.analysis.export import export
from benchmarks.results.documents import ResultSetError
from benchmarks.results.result_set import ResultSet
from tests.golden import unpack


@pytest.fixture
def results(tmp_path: Path) -> ResultSet:
    return ResultSet.open(unpack("invalid", tmp_path))


def test_a_row_for_every_measure_of_every_run(results: ResultSet) -> None:
    files = export(results)
    assert [file.name for file in files] == ["runs.csv", "runs.parquet"]
    columns = results.manifest()["scenarios"]["scenario_1_throughput"]["columns"]
    for table in (pd.read_csv(files[0]), pd.read_parquet(files[1])):
        assert len(table) == 9 * len(columns)
        one = table[(table.run == 1) & (table.measure == "drain_per_s")].iloc[0]
        stored = results.stored_runs()[0].result
        assert (one.value, one.variant, one.valid) == (stored.measures["drain_per_s"], stored.variant, True)
        assert one.meaning == columns["drain_per_s"]
        lost = table[(table.variant == "leaky") & (table.measure == "drain_per_s")]
        assert not lost.valid.any()
        assert set(lost["flags"]) == {"task-lost"}


def test_columns_that_need_the_control_are_filled_in(results: ResultSet) -> None:
    table = pd.read_parquet(export(results)[1])
    control = table[(table.variant == "bare") & (table.measure == "drain_share_of_control")]
    assert control.value.mean() == pytest.approx(1)


def test_a_row_for_every_task_and_sample(results: ResultSet) -> None:
    files = {file.name: file for file in export(results, tasks=True)}
    assert set(files) == {f"{name}.{ending}" for name in ("runs", "samples", "tasks") for ending in ("csv", "parquet")}
    expected = pd.concat(run.tasks().assign(run=run.result.run) for run in results.stored_runs() if run.result.failure is None)
    for table in (pd.read_parquet(files["tasks.parquet"]), pd.read_csv(files["tasks.csv"])):
        assert len(table) == len(expected)
        assert table.finished_ns.tolist() == expected.finished_ns.tolist()
        assert table.run.tolist() == expected.run.tolist()
        assert set(table.variant) == {"bare", "swift", "leaky"}
        assert not table[table.variant == "leaky"].valid.any()
    samples = pd.read_parquet(files["samples.parquet"])
    assert len(samples) == sum(len(run.samples()) for run in results.stored_runs())


def test_batches_change_nothing(results: ResultSet, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {file.name: file.read_bytes() for file in export(results, tasks=True) if file.suffix == ".csv"}
    monkeypatch.setattr(exporting, "BATCH_ROWS", 7)
    assert {file.name: file.read_bytes() for file in export(results, tasks=True) if file.suffix == ".csv"} == whole


def test_an_export_that_fails_leaves_what_was_there(results: ResultSet) -> None:
    before = {file: file.read_bytes() for file in export(results, tasks=True)}
    broken = results.stored_runs()[-1].folder / "tasks.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(ResultSetError, match=r"tasks\.parquet cannot be read"):
        export(results, tasks=True)
    assert {file: file.read_bytes() for file in before} == before
    assert {path.name for path in (results.path / "export").iterdir()} == {file.name for file in before}


def test_a_set_without_runs_exports_empty_tables(results: ResultSet, tmp_path: Path) -> None:
    for run in (results.path / "runs").iterdir():
        shutil.rmtree(run)
    for file in export(ResultSet.open(results.path), tasks=True):
        table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
        assert len(table) == 0
        assert {"scenario", "variant", "run"} <= set(table.columns)


def test_raw_data_with_a_column_more_fits_together(results: ResultSet) -> None:
    first = results.stored_runs()[0]
    first.tasks().assign(stage=3).to_parquet(first.folder / "tasks.parquet", index=False)
    table = pd.read_parquet(next(f for f in export(results, tasks=True) if f.name == "tasks.parquet"))
    assert set(table[table.run == 1].stage) == {3}
    assert table[table.run == 2].stage.isna().all()
