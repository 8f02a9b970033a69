"""Both tracks in one set: the same processes, and on each its own tasks at once within them."""

from pathlib import Path

import pytest

from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import run_scenario, stored

pytestmark = pytest.mark.e2e

SIZES = {"tasks": 100, "paced_s": 0.5, "half_s": 0.5}


def test_a_variant_runs_on_both_tracks_and_the_control_on_one(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(
        local_lab, tmp_path, 1, ["floor", "asynctasq-async@4", "celery-threads"], SIZES, tracks=("normalised", "tuned")
    )
    made = {s.result.variant: s.result for s in results.stored_runs()}
    assert {name: (run.track, run.processes, run.concurrency) for name, run in made.items() if "threads" not in name} == {
        "floor": ("normalised", 2, 1),
        "asynctasq-async-4": ("normalised", 2, 4),
        "asynctasq-async-4-tuned": ("tuned", 2, 4),
    }
    for name, run in made.items():
        record = stored(results, name).record["worker"]
        assert run.failure is None, f"{name}: {run.failure}"
        assert (record["slots"], "documentation" in record["settings"]) == (
            (run.processes or 0) * (run.concurrency or 0),
            run.track == "tuned",
        )
    assert made["celery-threads-tuned"].measures["working_threads"] != 0
    assert results.manifest()["control"] == "floor"
