"""What is kept of a run's raw data: the same as a reckoning task by task gives, and an error where it cannot be read."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.percentiles import NS_PER_MS
from benchmarks.report.latency_charts import KEPT_UP, knee_of
from benchmarks.report.recorded import BATCH_ROWS, LEVELS, RampCurve, RunCurves, _levels_ms, _Occupancy, reduce_run
from benchmarks.results.documents import ResultSetError
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from tests.golden import unpack

STAYS = st.lists(st.tuples(st.floats(-5, 15), st.floats(0, 8)), max_size=30)


@given(STAYS, st.integers(1, 12), st.integers(1, 4))
def test_the_occupancy_of_a_bin_is_its_mean_over_time(stays: list[tuple[float, float]], bins: int, batches: int) -> None:
    edges_s = np.linspace(0, 10, bins + 1)
    begins = np.array([begin for begin, _ in stays])
    ends = np.array([begin + stay for begin, stay in stays])
    occupancy = _Occupancy(edges_s)
    for part in np.array_split(np.arange(len(stays)), batches):
        occupancy.enter(begins[part])
        occupancy.leave(ends[part])
    for place, mean in enumerate(occupancy.mean()):
        low, high = edges_s[place], edges_s[place + 1]
        inside = np.clip(np.minimum(ends, high) - np.maximum(begins, low), 0, None).sum() if stays else 0
        assert mean == pytest.approx(inside / (high - low), abs=1e-6)


def test_what_never_leaves_stays_inside() -> None:
    occupancy = _Occupancy(np.linspace(0, 4, 5))
    occupancy.enter(np.array([1.0, 2.5]))
    assert occupancy.mean() == pytest.approx([0, 1, 1.5, 2])


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_latencies_are_kept_at_fixed_levels_as_far_as_their_number_supports(latencies_ns: list[int]) -> None:
    kept = _levels_ms(np.array(latencies_ns))
    supported = (1 - 1 / len(latencies_ns) >= LEVELS - 1e-9) | (LEVELS <= 0.5)
    assert np.isfinite(kept).tolist() == supported.tolist()
    assert kept[supported] == pytest.approx(np.quantile(latencies_ns, LEVELS[supported]) / NS_PER_MS)


def test_the_levels_hold_the_percentiles_that_are_named_on_the_axis() -> None:
    assert np.all(np.diff(LEVELS) > 0)
    for share in (0, 0.5, 0.9, 0.99, 0.999, 0.9999):
        assert np.abs(LEVELS - share).min() < 1e-12


def first_run(results: ResultSet, variant: str) -> StoredRun:
    return next(run for run in results.stored_runs() if run.result.variant == variant)


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    return first_run(ResultSet.open(unpack("good", tmp_path)), "swift")


def test_a_run_is_reduced_to_what_its_tables_say(stored: StoredRun) -> None:
    tasks = stored.tasks()
    curves = reduce_run(stored)
    assert [phase.name for phase in curves.phases] == ["capacity", "bulk", "paced", "half"]
    for number, phase in enumerate(curves.phases, 1):
        mine = tasks[tasks["phase"] == number]
        assert phase.ended == len(mine)
        median_ms = np.median((mine["finished_ns"] - mine["due_ns"]) / NS_PER_MS)
        assert phase.latency_ms[np.abs(LEVELS - 0.5).argmin()] == pytest.approx(median_ms)
    paced = curves.phases[2]
    assert paced.offered_per_s == pytest.approx(100, rel=1e-3)
    timeline = curves.timeline
    assert timeline is not None
    assert timeline.queued.max() == pytest.approx(120)
    assert timeline.queued[-1] == 0
    assert timeline.memory_mb.max() == stored.samples()["pss_bytes"].max() / 1e6
    assert [span.name for span in timeline.phases] == ["capacity", "bulk", "paced", "half"]
    assert all(span.begin_s < span.end_s for span in timeline.phases)


def test_a_second_worker_of_a_run_takes_no_cpu_time_back(stored: StoredRun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(stored.folder, folder)
    samples = stored.samples()
    samples.loc[len(samples) // 2 :, "cpu_s"] -= samples["cpu_s"].max()
    samples.to_parquet(folder / "samples.parquet", index=False)
    before, after = reduce_run(stored).timeline, reduce_run(replace(stored, folder=folder)).timeline
    assert before is not None
    assert after is not None
    assert len(after.cpu_percent) == len(before.cpu_percent) - 1
    assert after.cpu_percent.min() >= 0


def test_it_does_not_matter_in_how_many_batches_a_run_is_read(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(curves: RunCurves) -> list[object]:
        assert curves.timeline is not None
        return [*(phase.latency_ms.tolist() for phase in curves.phases), curves.timeline.queued.tolist()]

    whole = figures(reduce_run(stored))
    assert len(stored.tasks()) < BATCH_ROWS
    monkeypatch.setattr("benchmarks.report.recorded.BATCH_ROWS", 7)
    for a, b in zip(whole, figures(reduce_run(stored)), strict=True):
        assert a == pytest.approx(b, nan_ok=True, abs=1e-9)


@pytest.mark.parametrize("name", ["tasks.parquet", "samples.parquet"])
def test_a_truncated_file_is_named(stored: StoredRun, name: str) -> None:
    file = stored.folder / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ResultSetError, match=name):
        reduce_run(stored)
    file.unlink()
    with pytest.raises(ResultSetError, match=name):
        reduce_run(stored)


@pytest.mark.parametrize(
    ("kept", "knee"),
    [([1, 1, 1, 0, 0], 2), ([1, 0, 1, 0, 0], 2), ([1, 1, 1, 1, 1], None), ([0, 0, 0], None), ([1, 1, 0, 1], None)],
)
def test_the_knee_is_the_last_rate_before_the_system_stays_behind(kept: list[int], knee: int | None) -> None:
    offered = np.linspace(10, 100, len(kept))
    ended = offered * np.where(kept, 1.0, KEPT_UP - 0.1)
    assert knee_of(RampCurve(offered, ended, np.ones(len(kept)))) == knee
