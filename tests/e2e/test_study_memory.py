"""Ways to do subtasks on real servers, small: checked for what cannot be otherwise."""

import json

import pytest

from benchmarks.analysis.analyse import analyse, analyse_set
from benchmarks.analysis.storing import store
from benchmarks.record.subtasks.course import SUBTASKS
from benchmarks.record.subtasks.memory import FOOTPRINTS
from benchmarks.report.write import write_own_pictures
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.local import LocalLab
from benchmarks.studies.study_memory import STUDY
from tests.e2e.scenario_support import require_valid, run_study, stored

pytestmark = pytest.mark.e2e

COUNT, AT_ONCE, TIME_S, SIZE_MB = 10, 4, 0.2, 5.0
FORKED, LOOP = "celery-prefork-threads", "asynctasq-async-coroutines"
PATCHED, THREADS = "celery-gevent-threads", "celery-gevent-os-threads"


@pytest.fixture(scope="module")
def results(local_lab: LocalLab, tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    sizes = {"subtasks": COUNT, "size": SIZE_MB, "time": TIME_S, "workers": AT_ONCE}
    levels = {"approach": ("threads", "os-threads", "coroutines")}
    variants = ("celery-prefork", "celery-gevent", "asynctasq-async")
    return run_study(local_lab, tmp_path_factory.mktemp("results"), STUDY.name, variants, levels, sizes)


def test_all_subtasks_are_done_in_no_less_than_their_time_and_occupy_no_less_than_their_data(results: ResultSet) -> None:
    rows = require_valid(results, but={flag.code for flag in STUDY.own_flags})
    assert set(rows) == {FORKED, PATCHED, THREADS, LOOP}
    for row in rows.values():
        found = {name: value or 0 for name, value in row.measures.items()}
        assert (found["subtasks_count"], found["completed"], found["failed"]) == (COUNT, 1, 0)
        assert found["ideal_s"] == pytest.approx(0.6)
        assert found["execution_s"] >= found["ideal_s"]
        assert 1 <= found["in_flight_max"] <= AT_ONCE
        assert found["data_mb"] == SIZE_MB * found["in_flight_max"]
        # The highest that the kernel has counted cannot be less than what there was and what was made of it.
        assert found["high_water_mb"] > found["baseline_vm_mb"] + 0.9 * found["data_mb"]
        assert found["baseline_uss_mb"] <= found["baseline_mb"] <= found["baseline_rss_mb"]
        assert found["between_samples_mb"] >= 0
        assert 0 < found["sampling_cpu_percent"] < 50


def test_threads_of_a_patched_library_are_greenlets_and_others_are_not(results: ResultSet) -> None:
    rows = require_valid(results, but={flag.code for flag in STUDY.own_flags})
    threads = {name: row.measures["os_threads_count"] for name, row in rows.items()}
    assert threads == {FORKED: AT_ONCE, PATCHED: 1, THREADS: AT_ONCE, LOOP: 1}


def test_each_part_and_each_footprint_is_stored(results: ResultSet) -> None:
    run = stored(results, FORKED)
    assert sorted(run.reading(SUBTASKS)["number"]) == list(range(COUNT))
    footprints = run.reading(FOOTPRINTS)
    assert footprints["at_ns"].is_monotonic_increasing
    assert (footprints["vm_hwm_bytes"] >= footprints["vm_rss_bytes"].cummax() * 0.9).all()


def test_the_comparison_lies_in_the_set_as_table_and_picture_where_any_run_is_sound(results: ResultSet) -> None:
    sound = sum(run.result.valid for run in results.stored_runs())
    pictures = write_own_pictures(results, analyse_set(results, ()))
    assert [file.name for file in pictures] == (["memory_comparison.svg", "memory_comparison.png"] if sound else [])
    assert all(file.parent == results.path and file.stat().st_size > 1000 for file in pictures)
    files = {file.name: file for file in store(analyse(results.path))}
    if sound:
        assert len(json.loads(files["memory_comparison.json"].read_text(encoding="utf-8"))["approaches"]) >= 1
    else:
        assert "memory_comparison.json" not in files
