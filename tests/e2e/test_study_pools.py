"""The study of pools on real servers, small: three points, checked for sense."""

import pytest
from rich.console import Console

from benchmarks.analysis.analyse import analyse
from benchmarks.cli.progress import PlainDisplay
from benchmarks.plan.suite_plan import SuitePlan
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.suite import Suite
from benchmarks.studies.study_pools import STUDY
from tests.e2e.scenario_support import require_valid, run_study

pytestmark = pytest.mark.e2e

TASK_MS = 50.0
POINTS = {"celery-threads-waits-1", "celery-threads-waits-8", "celery-solo-waits-1"}


@pytest.fixture(scope="module")
def results(local_lab: LocalLab, tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    sizes = {"task_ms": TASK_MS, "drain_s": 0.3, "offered_s": 0.5}
    levels = {"task": ("waits",), "concurrency": (1, 8)}
    root = tmp_path_factory.mktemp("results")
    return run_study(local_lab, root, STUDY.name, ("celery-threads", "celery-solo"), levels, sizes)


def test_a_run_of_each_point_that_makes_sense_with_its_factors(results: ResultSet) -> None:
    rows = require_valid(results)
    assert set(rows) == POINTS
    assert {(row.executed, row.point["concurrency"]) for row in rows.values()} == {
        ("celery-threads", 1),
        ("celery-threads", 8),
        ("celery-solo", 1),
    }
    assert {row.measures["slots_count"] for row in rows.values()} == {1, 8}


def test_slots_that_wait_are_no_faster_than_their_tasks_and_more_of_them_are_faster_than_one_could_be(results: ResultSet) -> None:
    rows = require_valid(results)
    bound_per_s = 1000 / TASK_MS
    for row in rows.values():
        rate, slots, p50 = row.measures["throughput"], row.measures["slots_count"], row.measures["p50"]
        assert rate is not None and slots is not None and p50 is not None
        assert 0 < rate <= slots * bound_per_s
        assert p50 >= TASK_MS
    assert (rows["celery-threads-waits-8"].measures["throughput"] or 0) > bound_per_s


def test_it_is_resumed_by_its_points(local_lab: LocalLab, results: ResultSet) -> None:
    again = ResultSet.open(results.path, resume=True)
    plan = SuitePlan.from_json(again.manifest()["settings"])
    Suite(plan, [STUDY], local_lab, again, PlainDisplay(Console(stderr=True))).execute()
    again.finish("complete")
    assert {run.result.variant for run in again.stored_runs()} == POINTS
    assert len(again.stored_runs()) == len(POINTS), "what was made is not made again"


def test_its_answer_names_a_worker_and_how_to_start_it_or_says_that_no_run_is_sound(results: ResultSet) -> None:
    (scenario,) = analyse(results.path).scenarios
    sound = [variant for variant in scenario.variants.values() if variant.measures["throughput"].n]
    assert len(scenario.conclusions) == bool(sound)
    for answer in scenario.conclusions:
        assert not answer.decided, "one run of each point decides nothing"
        assert len(answer.rows) == len({variant.executed for variant in sound})
    for run in results.stored_runs():
        pool, at_once = run.result.executed.removeprefix("celery-"), run.result.point["concurrency"]
        command = run.record["worker"]["settings"]["command"]
        assert command == f"celery --app=APP worker --pool={pool} --concurrency={at_once}"
