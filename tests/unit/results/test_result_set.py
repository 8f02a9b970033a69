"""A result set on disk: whole at every moment, and refused when it is not."""

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import pandas as pd
import pytest

from benchmarks.record.flags import CPU_STEAL, NOTHING_EXECUTED, RUN_FAILED, SWAPPING, TASK_LOST
from benchmarks.record.machine import SpeedReading
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import RunResult
from benchmarks.record.task_table import build_task_tables, tasks_frame
from benchmarks.results import manifest as manifests
from benchmarks.results.documents import ResultSetError, validate
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import FIRST_SPEED, result_from, run_document, samples_frame
from benchmarks.results.tables import WORKER_COLUMNS, csv_columns
from benchmarks.run.host import host_facts
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from benchmarks.statistics import mean_interval
from tests.unit.made_up import RUN, events, good_run, prefilled_rows, sample

SCHEMAS = Path(manifests.__file__).parent / "schemas"
NAME = SCENARIO.name
CONTROL = "bare"
SEED_HEADER = "framework,run,task_count,total_time,throughput,mean_latency,p50,p95,p99,memory_mb,cpu_percent,variant,valid,flags,"


def gathered(**changes: Any) -> dict[str, Any]:
    return {
        "queuelab_version": "0.1.0",
        "git": {"commit": "a" * 40, "dirty": False},
        "command_line": ["lab", "run"],
        "seed": 1,
        "settings": {"runs": 3},
        "scenarios": {NAME: manifests.describe_scenario(SCENARIO)},
        "control": CONTROL,
        "versions": {"redis": {"redis_version": "8.0.2"}},
        "host": {
            "cpu_model": None,
            "logical_cores": 2,
            "memory_bytes": 1,
            "kernel": "Linux",
            "limits": {
                "open_files": None,
                "processes": None,
                "cgroup": dict.fromkeys(("version", "memory_bytes", "cpu_cores", "pids")),
            },
        },
        **changes,
    }


def row(run: int, variant: str = "fast", repetition: int | None = None, **changes: Any) -> RunResult:
    measures: Mapping[str, float | int | None] = dict(SCENARIO.measures(good_run())) | {"drain_per_s": 100.0 * run}
    made = RunResult(NAME, "some", variant, run, repetition or run, valid=True, measures=measures)
    return replace(made, **changes)


def store(results: ResultSet, result: RunResult, record: Mapping[str, Any] | None = None) -> Path:
    tables = build_task_tables(events(prefilled_rows(3)), RUN)
    return results.store_run(result, tasks_frame(tables), samples_frame([sample(1), sample(2)]), record)


@pytest.fixture
def results(tmp_path: Path) -> ResultSet:
    return ResultSet.create(tmp_path / "results", "quick", gathered())


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def table_of(results: ResultSet) -> list[dict[str, str]]:
    results.write_tables()
    return list(csv.DictReader(io.StringIO((results.path / f"{NAME}.csv").read_text(encoding="utf-8"))))


def stats_of(results: ResultSet) -> dict[str, Any]:
    results.write_tables()
    stats: dict[str, Any] = json.loads((results.path / f"{NAME}_stats.json").read_text(encoding="utf-8"))
    return stats


def test_a_new_set_is_named_after_its_time_and_is_the_latest(results: ResultSet) -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z-quick", results.path.name)
    latest = results.path.parent / "latest"
    assert os.readlink(latest) == results.path.name  # noqa: PTH115
    assert ResultSet.open(latest).path == results.path.resolve()
    assert results.manifest()["state"] == "running"
    assert everything(results.path) == {"manifest.json", "runs"}


def test_latest_moves_on_and_no_name_is_taken_twice(tmp_path: Path) -> None:
    made = [ResultSet.create(tmp_path, "quick", gathered()) for _ in range(3)]
    assert len({r.path for r in made}) == 3
    assert (tmp_path / "latest").resolve() == made[-1].path
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("label", ["", "../up", "a b", "A", "-x", "a/b", "a\n", "é"])
def test_a_label_that_is_no_file_name_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(ResultSetError, match="label"):
        ResultSet.create(tmp_path / "results", label, gathered())
    assert not (tmp_path / "results").exists()


def test_a_folder_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(ResultSetError, match="not a link"):
        ResultSet.create(tmp_path, "quick", gathered())
    assert everything(tmp_path) == {"latest"}


def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultSetError, match=r"manifest.*seed"):
        ResultSet.create(tmp_path / "results", "quick", gathered(seed="one"))
    with pytest.raises(ResultSetError, match="JSON"):
        ResultSet.create(tmp_path / "results", "quick", gathered(settings={"x": object()}))
    assert not (tmp_path / "results").exists()


def test_a_run_comes_back_as_it_was_stored(results: ResultSet) -> None:
    data = good_run()
    flag = CPU_STEAL.flag(phase="paced", cores=0.1)
    stored = row(1, flags=(flag,), valid=True)
    folder = store(
        results, stored, {"phases": [phase.record for phase in data.phases.values()], "worker": data.worker, "n": np.int64(3)}
    )
    assert folder.name == f"0001_{NAME}_fast_01"
    (again,) = ResultSet.open(results.path).stored_runs()
    assert again.result == stored
    assert again.record["phases"][0]["load"] == {"count": 200, "many": False, "chunk": 100, "kind": "prefilled"}
    assert again.record["worker"]["settings"] == {"prefetch": 1}
    assert again.record["n"] == 3
    assert again.tasks()["sequence"].tolist() == [0, 1, 2]
    assert again.samples()["at_ns"].tolist() == [1, 2]


def test_a_set_just_written_and_the_same_read_again_are_the_same(results: ResultSet) -> None:
    for number in (2, 1, 3):
        store(results, row(number))
    assert [run.result for run in results.stored_runs()] == [run.result for run in ResultSet.open(results.path).stored_runs()]
    assert [run.result.run for run in results.stored_runs()] == [1, 2, 3]


def test_a_run_that_could_not_be_made_is_stored_too(results: ResultSet) -> None:
    flag = RUN_FAILED.flag(reason="no worker")
    failed = row(1, valid=False, flags=(flag,), measures={}, failure="no worker\nTraceback")
    results.store_run(failed, tasks_frame({}), samples_frame([]))
    (again,) = ResultSet.open(results.path).stored_runs()
    assert again.result == failed
    assert (len(again.tasks()), len(again.samples())) == (0, 0)
    (line,) = table_of(results)
    assert (line["valid"], line["flags"], line["drain_per_s"]) == ("False", "run-failed", "")


def test_what_is_stored_need_not_be_made_again(results: ResultSet) -> None:
    assert (results.completed(), results.next_run()) == (set(), 1)
    store(results, row(1, "fast", 1))
    store(results, row(4, "slow-one", 2, valid=False))
    again = ResultSet.open(results.path, resume=True)
    assert again.completed() == results.completed() == {(NAME, "fast", 1), (NAME, "slow-one", 2)}
    assert again.next_run() == 5


def test_no_run_is_stored_twice(results: ResultSet) -> None:
    store(results, row(1))
    with pytest.raises(ResultSetError, match="run 1 is already stored"):
        store(results, row(1, "slow"))
    with pytest.raises(ResultSetError, match="repetition 1 of"):
        store(results, row(2, "fast", 1))
    assert len(results.stored_runs()) == 1


@pytest.mark.parametrize("variant", ["", "../../up", "a_b", "<b>", "Fast", "a b", "x\n"])
def test_a_hostile_variant_is_refused(results: ResultSet, variant: str) -> None:
    with pytest.raises(ResultSetError, match=r"variant"):
        store(results, row(1, variant))
    assert everything(results.path) == {"manifest.json", "runs"}


def test_an_unknown_scenario_is_refused(results: ResultSet) -> None:
    with pytest.raises(ResultSetError, match="none of this result set's scenarios"):
        store(results, row(1, scenario="scenario_2_other"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measure_that_is_not_a_number_is_refused_by_name(results: ResultSet, value: float) -> None:
    with pytest.raises(ResultSetError, match="drain_per_s is not a number"):
        store(results, row(1, measures={"drain_per_s": value}))


def test_a_crash_while_storing_leaves_no_run(results: ResultSet, monkeypatch: pytest.MonkeyPatch) -> None:
    store(results, row(1))
    before = everything(results.path)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    broken: list[tuple[object, str]] = [(pd.DataFrame, "to_parquet"), (Path, "rename"), (os, "fsync")]
    for target, name in broken:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, crash)
            with pytest.raises(KeyboardInterrupt):
                store(results, row(2))
        assert everything(results.path) == before
    assert len(ResultSet.open(results.path).stored_runs()) == 1
    store(results, row(2))


def test_what_a_kill_left_behind_is_no_run_and_is_removed_on_resuming(results: ResultSet) -> None:
    store(results, row(1))
    results.finish("interrupted")
    before = everything(results.path)
    leftover = results.path / "runs" / f".unfinished-0002_{NAME}_fast_02"
    leftover.mkdir()
    (leftover / "tasks.parquet").write_bytes(b"PAR1")
    (results.path / f".unfinished-{NAME}.csv").write_text("half", encoding="utf-8")
    reader = ResultSet.open(results.path)
    assert (len(reader.stored_runs()), reader.manifest()["state"]) == (1, "interrupted")
    assert leftover.exists()
    resumed = ResultSet.open(results.path, resume=True)
    assert everything(results.path) == before
    assert (resumed.manifest()["state"], resumed.manifest()["finished_utc"]) == ("running", None)


@pytest.mark.parametrize("state", ["complete", "interrupted"])
def test_how_it_ended_is_said(results: ResultSet, state: Literal["complete", "interrupted"]) -> None:
    results.finish(state)
    again = ResultSet.open(results.path).manifest()
    assert again["state"] == state
    assert again["finished_utc"] >= again["created_utc"]


def test_the_csv_begins_as_the_seed_has_it(results: ResultSet) -> None:
    store(results, row(1))
    results.write_tables()
    header = (results.path / f"{NAME}.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith(SEED_HEADER)
    of_the_run = ("framework", "run", "variant", "valid", "flags", "invalid_phases", *WORKER_COLUMNS)
    assert sorted(header.split(",")) == sorted([*of_the_run, *SCENARIO.columns])


def test_the_header_is_there_before_any_run(results: ResultSet) -> None:
    assert table_of(results) == []
    assert (results.path / f"{NAME}.csv").read_text(encoding="utf-8").startswith(SEED_HEADER)
    assert stats_of(results)["variants"] == {}


def test_a_scenario_without_a_leading_measure_leaves_its_column_out() -> None:
    columns = ["framework", "run", "p50", "variant", "valid", "flags", "invalid_phases", *WORKER_COLUMNS, "rate_per_s"]
    assert csv_columns(["p50", "rate_per_s"]) == columns


def test_every_row_says_its_track_and_what_its_worker_was(results: ResultSet) -> None:
    store(results, replace(row(1, "fast-tuned"), track="tuned", processes=2, concurrency=10))
    store(results, replace(row(2, "fast"), processes=2, concurrency=1))
    assert [tuple(line[column] for column in WORKER_COLUMNS) for line in table_of(results)] == [
        ("tuned", "2", "10"),
        ("normalised", "2", "1"),
    ]
    assert [r.track for r in ResultSet.open(results.path).rows(NAME)] == ["tuned", "normalised"]


def test_a_run_of_an_older_set_is_on_the_track_of_the_set_and_its_worker_says_the_rest() -> None:
    worker = {"processes": 2, "slots": 8}
    newer = run_document(row(1), {"worker": worker})
    older = {name: value for name, value in newer.items() if name not in ("track", "processes", "concurrency")}
    read = result_from(older, "tuned")
    assert (read.track, read.processes, read.concurrency) == ("tuned", 2, 4)
    assert result_from({**older, "record": {}}, "normalised").concurrency is None


def test_every_run_has_a_row_with_its_figures_and_flags(results: ResultSet) -> None:
    flags = (TASK_LOST.flag(phase="a", count=1, acknowledged=2, ids="0"), *[SWAPPING.flag(pages=1)] * 2)
    store(results, row(2, "fast", 2, valid=False, flags=flags))
    store(results, row(1, "fast", 1))
    first, second = table_of(results)
    assert (first["framework"], first["run"], first["variant"], first["valid"], first["flags"]) == (
        "some",
        "1",
        "fast",
        "True",
        "",
    )
    assert (first["task_count"], first["drain_per_s"]) == ("200", "100.0")
    assert (second["run"], second["valid"], second["flags"]) == ("2", "False", "task-lost;swapping")


def test_the_totals_of_an_invalid_run_stand_in_its_row_and_in_no_statistic(results: ResultSet) -> None:
    taken = {"lost": 3, "load_1min": 1.5, "drain_per_s": 900.0}
    good = row(1)
    lost = TASK_LOST.flag(phase="capacity", count=3, acknowledged=9, ids="1")
    measures = {**good.measures, **dict.fromkeys(taken)}
    store(results, good)
    store(results, replace(row(2), valid=False, flags=(lost,), measures=measures, spoiled=taken))
    invalid = table_of(results)[1]
    assert (invalid["lost"], invalid["load_1min"], invalid["drain_per_s"]) == ("3", "1.5", "")
    described = stats_of(results)["variants"]["fast"]["measures"]
    assert {described[name]["n"] for name in taken} == {1}


def test_invalid_runs_are_listed_and_in_no_statistic(results: ResultSet) -> None:
    flag = NOTHING_EXECUTED.flag(phase="paced", attempted=3)
    for number in (1, 2, 3, 4):
        store(results, row(number))
    store(results, row(5, valid=False, flags=(flag,), measures={"drain_per_s": 1e9}))
    fast = stats_of(results)["variants"]["fast"]
    described = fast["measures"]["drain_per_s"]
    interval = mean_interval([100.0, 200.0, 300.0, 400.0])
    assert interval is not None
    assert (described["n"], described["mean"], described["median"]) == (4, 250, 250)
    assert described["sd"] == pytest.approx(129.0994)
    assert (described["ci_low"], described["ci_high"]) == (interval.low, interval.high)
    assert [(run["run"], run["valid"]) for run in fast["runs"]] == [(1, True), (2, True), (3, True), (4, True), (5, False)]
    assert fast["runs"][4]["flags"] == [flag.as_data()]
    assert {flag["code"] for flag in fast["flags"]} == {"cv-high", "too-few-runs"}


def test_a_measure_that_was_never_taken_has_no_statistic(results: ResultSet) -> None:
    store(results, row(1, measures={}))
    described = stats_of(results)["variants"]["fast"]["measures"]["p50"]
    assert described == {"n": 0, **dict.fromkeys(("mean", "median", "sd", "cv", "ci_low", "ci_high"))}


def test_shares_are_of_the_controls_valid_runs(results: ResultSet) -> None:
    store(results, row(1, CONTROL, measures={"drain_per_s": 1000.0}))
    store(results, row(2, CONTROL, measures={"drain_per_s": 3000.0}))
    store(results, row(3, CONTROL, measures={"drain_per_s": 9e9}, valid=False))
    store(results, row(4, "fast", measures={"drain_per_s": 500.0}))
    store(results, row(5, "fast", measures={"drain_per_s": None}))
    shares = [line["drain_share_of_control"] for line in table_of(results)]
    assert (shares[0], shares[1], shares[3], shares[4]) == ("0.5", "1.5", "0.25", "")
    assert stats_of(results)["variants"]["fast"]["measures"]["drain_share_of_control"]["mean"] == 0.25


def test_a_run_is_held_against_the_controls_of_the_same_round_and_without_one_against_the_mean(results: ResultSet) -> None:
    """On a machine that became half as fast between two rounds, every variant keeps its share."""
    store(results, row(1, CONTROL, 1, measures={"drain_per_s": 4000.0}))
    store(results, row(2, "fast", 1, measures={"drain_per_s": 1000.0}))
    store(results, row(3, "fast", 2, measures={"drain_per_s": 500.0}))
    store(results, row(4, CONTROL, 2, measures={"drain_per_s": 2000.0}))
    store(results, row(5, CONTROL, 3, measures={"drain_per_s": 7.0}, valid=False))
    store(results, row(6, "fast", 3, measures={"drain_per_s": 750.0}))
    shares = {line["run"]: line["drain_share_of_control"] for line in table_of(results) if line["variant"] == "fast"}
    assert shares == {"2": "0.25", "3": "0.25", "6": "0.25"}


def phases_at(*speeds: float | None) -> Mapping[str, Any]:
    """A run's record with one phase, at whose marks the machine had these speeds."""
    taken = (None if speed is None else SpeedReading(round(speed), (1 / speed,), (1 / speed,)) for speed in speeds)
    marks = zip(("before", "filled", "after"), taken, strict=True)
    return {"phases": [{name: {"host": {"speed": speed}} for name, speed in marks}]}


def test_the_machines_speed_is_that_of_the_runs_marks_over_that_of_all_marks_of_the_set(results: ResultSet) -> None:
    results.store_fact(FIRST_SPEED, 100)
    store(results, row(1), phases_at(90, None, 110))
    store(results, row(2), phases_at(50, 40, 60))
    store(results, row(3, measures={}), {"phases": [{mark: {"host": {}} for mark in ("before", "filled", "after")}]})
    assert results.machine_speeds_per_s() == pytest.approx((100, 90, 110, 50, 40, 60))
    speeds = [line["machine_speed"] for line in table_of(results)]
    assert [float(speed) for speed in speeds[:2]] == pytest.approx([100 / 75, 50 / 75])
    assert speeds[2] == "", "made by a version that did not take it"
    assert ResultSet.open(results.path).rows(NAME)[1].measures["machine_speed"] == pytest.approx(50 / 75)


@pytest.mark.parametrize("control", [CONTROL, None])
def test_without_a_valid_run_of_the_control_there_is_no_share(tmp_path: Path, control: str | None) -> None:
    results = ResultSet.create(tmp_path, "quick", gathered(control=control))
    store(results, row(1, CONTROL, valid=False))
    store(results, row(2, "fast"))
    assert [line["drain_share_of_control"] for line in table_of(results)] == ["", ""]


def test_the_same_runs_give_the_same_bytes(results: ResultSet) -> None:
    for number in (1, 2, 3):
        store(results, row(number))
    first = [path.read_bytes() for path in results.write_tables()]
    assert [path.read_bytes() for path in ResultSet.open(results.path).write_tables()] == first


def test_published_schemas_are_schemas_and_what_is_written_fits_them(results: ResultSet) -> None:
    data = good_run(died="signal 9")
    store(results, row(1, valid=False, flags=run_flags(data)), {"worker": data.worker})
    results.write_tables()
    written = {"manifest": "manifest.json", "run": f"runs/0001_{NAME}_fast_01/run.json", "stats": f"{NAME}_stats.json"}
    for name, file in written.items():
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        document = json.loads((results.path / file).read_text(encoding="utf-8"))
        jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, "surplus": 1}, schema, jsonschema.Draft202012Validator)


def test_what_is_gathered_here_fits_the_schema(tmp_path: Path) -> None:
    manifest = manifests.gather(
        command_line=["lab"],
        seed=3,
        settings={},
        scenarios=[SCENARIO],
        control=None,
        versions={"redis": {"redis_version": "8"}},
        host=host_facts(),
    )
    assert ResultSet.create(tmp_path, "quick", manifest).manifest()["seed"] == 3


def test_a_refusal_says_what_and_where() -> None:
    with pytest.raises(ResultSetError, match=r"somewhere is not a run of a result set: at \$"):
        validate({}, "run", "somewhere")


def test_there_must_be_a_result_set(tmp_path: Path, results: ResultSet) -> None:
    with pytest.raises(ResultSetError, match="there is no result set"):
        ResultSet.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultSetError, match="is not a result set"):
        ResultSet.open(tmp_path / "empty")
    shutil.rmtree(results.path / "runs")
    with pytest.raises(ResultSetError, match="is not a result set"):
        ResultSet.open(results.path)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def test_damaged_files_are_named(results: ResultSet) -> None:
    folder = store(results, row(1))
    _truncate(folder / "tasks.parquet")
    (folder / "samples.parquet").unlink()
    (run,) = ResultSet.open(results.path).stored_runs()
    with pytest.raises(ResultSetError, match=r"tasks\.parquet cannot be read"):
        run.tasks()
    with pytest.raises(ResultSetError, match=r"samples\.parquet cannot be read"):
        run.samples()
    _truncate(folder / "run.json")
    with pytest.raises(ResultSetError, match=r"run\.json is damaged"):
        ResultSet.open(results.path)
    (folder / "run.json").unlink()
    with pytest.raises(ResultSetError, match=r"run\.json is missing"):
        ResultSet.open(results.path)
    shutil.rmtree(folder)
    _truncate(results.path / "manifest.json")
    with pytest.raises(ResultSetError, match=r"manifest\.json is damaged"):
        ResultSet.open(results.path)


@pytest.mark.parametrize("foreign", ["[]", "{}", '{"format": "other"}', '"x"', "null"])
def test_a_foreign_manifest_is_refused(results: ResultSet, foreign: str) -> None:
    (results.path / "manifest.json").write_text(foreign, encoding="utf-8")
    with pytest.raises(ResultSetError, match="is not a manifest"):
        ResultSet.open(results.path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("variant", "<script>", "is not a run"),
        ("variant", "other", "holds another run"),
        ("run", 2, "holds another run"),
        ("measures", {"p50": "fast"}, "is not a run"),
        ("flags", [{"code": "task-lost", "severity": "dire", "detail": "", "advice": ""}], "is not a run"),
    ],
)
def test_a_run_that_was_tampered_with_is_refused(results: ResultSet, field: str, value: object, message: str) -> None:
    file = store(results, row(1)) / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {field: value}), encoding="utf-8")
    with pytest.raises(ResultSetError, match=message):
        ResultSet.open(results.path)


def test_a_flag_that_this_version_does_not_know_is_read_as_it_was_stored(results: ResultSet) -> None:
    file = store(results, row(1)) / "run.json"
    flag = {"code": "of-the-future", "severity": "warning", "phase": "drain", "detail": "seen", "advice": "do this"}
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"flags": [flag]}), encoding="utf-8")
    opened = ResultSet.open(results.path)
    assert [found.as_data() for found in opened.stored_runs()[0].result.flags] == [flag]
    opened.write_tables()
    assert "of-the-future" in (results.path / f"{NAME}.csv").read_text(encoding="utf-8")


def test_a_number_that_json_does_not_have_is_refused(results: ResultSet) -> None:
    file = store(results, row(1)) / "run.json"
    file.write_text(file.read_text(encoding="utf-8").replace("100.0", "NaN"), encoding="utf-8")
    with pytest.raises(ResultSetError, match="damaged"):
        ResultSet.open(results.path)


def test_two_folders_of_one_run_number_are_refused(results: ResultSet) -> None:
    folder = store(results, row(1))
    copy = folder.with_name(f"0001_{NAME}_other_01")
    shutil.copytree(folder, copy)
    document = json.loads((copy / "run.json").read_text(encoding="utf-8")) | {"variant": "other"}
    (copy / "run.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ResultSetError, match="are both run 1"):
        ResultSet.open(results.path)


def test_samples_keep_all_their_fields() -> None:
    frame = samples_frame([sample(5)])
    assert frame.astype(object).where(frame.notna(), None).iloc[0].to_dict() == asdict(sample(5))
    assert list(samples_frame([]).columns) == list(frame.columns)


def test_what_was_found_out_and_what_devices_read_is_kept_beside_the_runs(tmp_path: Path) -> None:
    results = ResultSet.create(tmp_path, "x", gathered())
    results.store_fact("work_per_ms", 12.5)
    reading = pd.DataFrame({"phase": [1, 2], "served": [3, 4]})
    results.store_run(row(1), tasks_frame({}), samples_frame([]), readings={"requests": reading})
    reopened = ResultSet.open(results.path)
    assert reopened.facts() == {"work_per_ms": 12.5}
    pd.testing.assert_frame_equal(reopened.stored_runs()[0].reading("requests"), reading)
