"""The job-queue suite on real servers, small: all its parts in one run, one of them alone in another."""

import json

import pytest

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.storing import store
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.local import LocalLab
from benchmarks.studies.queue_answers import TARGETS
from benchmarks.studies.study_queue import STUDY
from tests.e2e.scenario_support import require_valid, run_study

pytestmark = pytest.mark.e2e

ALL, MEMORY = "celery-prefork-2-all", "celery-prefork-2-memory"
OF_MEMORY = ("worker_baseline_mb", "worker_idle_mb", "worker_processing_mb", "worker_overhead_mb", "redis_kb_per_task")
TASKS = 200


@pytest.fixture(scope="module")
def results(local_lab: LocalLab, tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    sizes = {"tasks": TASKS, "memory_tasks": 100, "latency_s": 0.5, "imports": 1}
    levels = {"workers": (2,), "only": ("all", "memory")}
    return run_study(local_lab, tmp_path_factory.mktemp("results"), STUDY.name, ("celery-prefork",), levels, sizes)


def test_each_part_has_its_figures_and_alone_no_others(results: ResultSet) -> None:
    rows = require_valid(results)
    assert set(rows) == {ALL, MEMORY}
    whole, alone = rows[ALL].measures, rows[MEMORY].measures
    assert (whole["task_count"], whole["attempted"], alone["attempted"]) == (TASKS, TASKS + 100 + 50, 100)
    assert all((whole[name] or 0) > 0 for name in ("submit_per_s", "throughput", "enqueue_to_start_p95_ms", "total_time"))
    assert [alone[name] for name in ("submit_per_s", "throughput", "enqueue_to_start_p95_ms")] == [None] * 3
    assert (whole["start_to_complete_p95_ms"] or 0) < (whole["enqueue_to_start_p95_ms"] or 0), "the tasks are empty"
    for row in (whole, alone):
        baseline_mb, idle_mb, processing_mb, overhead_mb, redis_kb = (row[name] or 0 for name in OF_MEMORY)
        assert baseline_mb > 15
        assert 15 < idle_mb <= processing_mb
        assert overhead_mb == pytest.approx(processing_mb - baseline_mb)
        assert 0.1 < redis_kb < 5


def test_the_document_lies_in_the_set_and_says_of_each_target_whether_it_is_met(results: ResultSet) -> None:
    analysis = analyse(results.path)
    sound = [run for run in results.stored_runs() if run.result.has_figures]
    documents = [file for file in store(analysis) if file.name.startswith("benchmark_results_")]
    assert len(documents) == bool(sound), "a set in which nothing counts has no document"
    for file in documents:
        document = json.loads(file.read_text(encoding="utf-8"))
        assert document["variant"] == "celery-prefork"
        assert {target["target"] for target in document["targets"]} <= {target.source for target in TARGETS}
        assert not any(target["certain"] for target in document["targets"]), "one run of each point is certain of nothing"
