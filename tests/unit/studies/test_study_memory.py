"""The study of memory: its grid, its phase, its measures on made-up events, its answers, its files."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chart import Chart
from benchmarks.conclusion import Conclusion
from benchmarks.record.run_data import RunData
from benchmarks.record.subtasks.course import SUBTASKS
from benchmarks.record.subtasks.memory import FOOTPRINTS
from benchmarks.results.chart_data import ChartData
from benchmarks.run.devices.subtasks import parts_of
from benchmarks.studies.expectation import require_fits
from benchmarks.studies.memory_answers import memory_conclusions
from benchmarks.studies.memory_document import memory_documents
from benchmarks.studies.study import Growth, Place
from benchmarks.studies.study_memory import SAMPLED_SELDOM, STUDY
from infrastructure.readings import Footprint
from tasks.contract import Variant
from tasks.loads import Mix, Prefilled
from tests.unit.made_up import S, context, events, executed, good_run, missing, phase_data, reading, sample
from tests.unit.record.subtasks.test_subtasks import part

MB = 1_000_000
OWN = {"greenlets": "some.ways:pool", "os-threads": "some.ways:os_threads"}
GREEN = Variant("some-green", "greenlet", "made up", ways=OWN)
FORKED = Variant("some-forked", "child-process", "made up", concurrency_limit=1)
LOOP = Variant("some-loop", "coroutine", "made up")
ONE = Variant("some-one", "main-thread", "made up", concurrency_limit=1)


def place(variant: Variant, preset: str = "standard", **changes: float) -> Place:
    return Place(variant, 2, {**STUDY.sizes[preset], **changes}, preset)


def approaches(variant: Variant, preset: str, **changes: float) -> list[object]:
    return [entry.point["approach"] for entry in STUDY.grid([place(variant, preset, **changes)], {}).entries]


def test_every_variant_has_the_ways_that_it_offers_and_subtasks_as_tasks_where_it_takes_several() -> None:
    assert approaches(GREEN, "standard") == ["sequential", "threads", "os-threads", "greenlets", "tasks"]
    assert approaches(FORKED, "standard") == ["sequential", "threads", "tasks"]
    assert approaches(LOOP, "full") == ["coroutines", "tasks"]
    assert approaches(ONE, "full") == ["sequential", "threads"]


def test_the_preset_quick_has_several_at_once_within_a_task_and_all_of_one_with_processes() -> None:
    assert approaches(GREEN, "quick") == ["threads", "os-threads", "greenlets"]
    assert approaches(FORKED, "quick") == ["sequential", "threads", "tasks"]
    assert (approaches(LOOP, "quick"), approaches(ONE, "quick")) == (["coroutines"], ["threads"])


def test_what_a_variant_cannot_do_is_left_out_with_the_nearest_that_works() -> None:
    asked = {"approach": ("greenlets", "tasks", "threads")}
    grid = STUDY.grid([place(ONE)], asked)
    assert [entry.name for entry in grid.entries] == ["some-one-threads"]
    assert grid.left_out == (
        "some-one-greenlets: its tasks have no such way: it has sequential, threads, tasks",
        "some-one-tasks: a process of it takes 1 at once and no more: the nearest that works is --workers 1",
    )
    refused = STUDY.objection(place(ONE, concurrency=4), {"approach": "threads"})
    assert refused is not None
    assert refused.endswith("the nearest that works is --concurrency 1")


@pytest.mark.parametrize(
    ("variant", "approach", "sent", "worker", "at_once"),
    [
        (FORKED, "threads", 1, (2, 1), 4),
        (FORKED, "sequential", 1, (2, 1), 1),
        (FORKED, "tasks", 10, (4, 1), 4),
        (GREEN, "greenlets", 1, (1, 2), 4),
        (GREEN, "tasks", 10, (1, 4), 4),
    ],
)
def test_one_task_has_all_subtasks_or_each_is_one(
    variant: Variant, approach: str, sent: int, worker: tuple[int, int], at_once: int
) -> None:
    sizes = {**STUDY.sizes["standard"], "concurrency": 2}
    (plan,) = STUDY.phases(context(sizes, variant=variant, point={"approach": approach}))
    assert isinstance(plan.tasks, Mix)
    assert plan.load == Prefilled(sent)
    assert (plan.worker.processes, plan.worker.concurrency) == worker
    (tasks,) = plan.tasks.classes
    assert tasks.argument["size_bytes"] == 20 * MB
    assert (tasks.argument["at_once"], tasks.argument["time_s"], tasks.argument["subtasks"]) == (at_once, 0.5, 10)
    assert tasks.argument["way"] == ("" if approach == "tasks" else OWN.get(approach, f"tasks.plain_ways:{approach}"))
    (warm,) = plan.worker.warm.classes
    assert (warm.workload, warm.argument["way"], warm.argument["time_s"]) == (tasks.workload, tasks.argument["way"], 0)
    assert warm.argument["size_bytes"] < MB, "the worker must not have had its data before"
    assert {device.name for device in plan.devices} == {SUBTASKS, FOOTPRINTS}


def test_what_does_not_fit_the_machine_is_refused_with_the_size_that_does() -> None:
    grid = STUDY.grid([place(FORKED, size=1000)], {"approach": ("sequential", "threads")})
    with pytest.raises(ValueError, match=r"some-forked-threads needs about 4,520 MB.*--size 630 all do$"):
        require_fits(grid, timeout_s=600, available_bytes=2.9e9)
    fits = STUDY.grid([place(FORKED, size=630)], {"approach": ("sequential", "threads")})
    require_fits(fits, timeout_s=600, available_bytes=2.9e9)
    with pytest.raises(ValueError, match=r"not one point of it fits$"):
        require_fits(grid, timeout_s=600, available_bytes=1e8)
    with pytest.raises(ValueError, match="the limit of a run"):
        require_fits(STUDY.grid([place(FORKED, time=3600)], {}), timeout_s=600, available_bytes=1e11)


@given(value=st.floats(1, 1e5), each_bytes=st.floats(1e6, 1e8), fixed_bytes=st.floats(0, 1e9), share=st.floats(0.001, 1))
def test_a_size_that_fits_does_so_and_is_not_much_less_than_could_be(
    value: float, each_bytes: float, fixed_bytes: float, share: float
) -> None:
    needed_bytes = fixed_bytes + value * each_bytes
    limit_bytes = share * needed_bytes
    fits = Growth("size", value, each_bytes, 0.01).fitting(needed_bytes, limit_bytes)
    possible = (limit_bytes - fixed_bytes) / each_bytes
    if fits is None:
        assert possible < 0.011
    else:
        assert 0.899 * possible < fits <= possible * (1 + 1e-6) + 1e-6


def run_of(
    approach: str, *, footprints: Sequence[tuple[float, float]], pss_mb: Mapping[float, float], variant: Variant = GREEN
) -> RunData:
    """A task let go at 1 s, that does 4 subtasks of 1 s, two at once, from 2 s to 4 s."""
    phase = phase_data(1, SUBTASKS, Prefilled(1), executed(0, S, wait_ns=S - S // 10, service_ns=2 * S + S // 5), 1)
    rows = [part(number, (2 + number // 2) * S, (3 + number // 2) * S, thread=7 + number % 2) for number in range(4)]
    read = [Footprint(int(at_s * S), int(mb * MB), int(150 * MB), True, 1, at_s / 100, None, None) for at_s, mb in footprints]
    before, after = (
        replace(reading(int(at_s * S)), worker=sample(int(at_s * S), memory_mb=mb))
        for at_s, mb in pss_mb.items()
        if at_s in (0, 6)
    )
    record = replace(phase.record, before=before, after=after)
    readings = {SUBTASKS: parts_of(events(rows), 7, 1), FOOTPRINTS: pd.DataFrame([asdict(row) for row in read])}
    sizes = {"subtasks": 4, "size": 20.0, "time": 1.0, "workers": 2, "concurrency": 1}
    return replace(
        good_run(),
        scenario=STUDY.name,
        context=context(sizes, variant=variant, point={"approach": approach}),
        phases={SUBTASKS: replace(phase, record=record, readings=readings)},
        samples=[sample(int(at_s * S), memory_mb=mb) for at_s, mb in pss_mb.items() if at_s not in (0, 6)],
    )


OFTEN = [(0.5, 60.0), *((1 + 0.04 * step, 105.0 if 2 <= 1 + 0.04 * step <= 4 else 60.0) for step in range(100)), (6, 75.0)]
WATCHED = {0: 40.0, 1.5: 200.0, 2.5: 70.0, 3.5: 85.0, 4.5: 300.0, 6: 52.0}


def test_memory_is_measured_before_meanwhile_and_after_in_kinds_that_are_not_mixed() -> None:
    found = STUDY.measures(run_of("greenlets", footprints=OFTEN, pss_mb=WATCHED))
    assert (found["baseline_vm_mb"], found["peak_vm_mb"], found["retained_vm_mb"]) == (60, 105, 15)
    assert (found["baseline_mb"], found["peak_mb"], found["retained_mb"]) == (40, 85, 12), "of samples while it ran"
    assert (found["peak_rss_mb"], found["peak_uss_mb"], found["pss_samples_count"]) == (170, 42.5, 2)
    assert (found["in_flight_max"], found["data_mb"], found["added_mb"], found["beyond_data_mb"]) == (2, 40, 45, 5)
    assert (found["high_water_mb"], found["between_samples_mb"]) == (150, 45)
    assert found["peak_lasted_s"] == pytest.approx(2, abs=0.1)
    assert (found["os_threads_count"], found["working_processes_count"], found["subtasks_count"]) == (2, 1, 4)
    assert (found["execution_s"], found["ideal_s"]) == pytest.approx((2.2, 2))
    assert found["of_ideal"] == pytest.approx(1.1)
    assert found["samples_per_s"] == pytest.approx(25, rel=0.05)
    assert found["task_count"] == 1
    assert {name for name in missing(found) if "cgroup" not in name} == set()
    assert found["peak_cgroup_mb"] is found["high_water_cgroup_mb"] is None, "it has none of its own"


def test_one_after_another_the_ideal_is_all_of_their_time() -> None:
    found = STUDY.measures(run_of("sequential", footprints=OFTEN, pss_mb=WATCHED))
    assert found["ideal_s"] == 4


def test_a_peak_is_none_where_no_sample_was_taken_while_the_task_ran() -> None:
    found = STUDY.measures(run_of("greenlets", footprints=OFTEN, pss_mb={0: 40, 1.5: 200, 6: 52}))
    assert found["peak_mb"] is found["peak_uss_mb"] is found["peak_rss_mb"] is None
    assert (found["pss_samples_count"], found["retained_mb"]) == (0, 12)


def test_memory_that_was_looked_at_too_seldom_is_said_so() -> None:
    assert STUDY.flags(run_of("threads", footprints=OFTEN, pss_mb=WATCHED)) == ()
    (flag,) = STUDY.flags(run_of("threads", footprints=OFTEN[::3], pss_mb=WATCHED))
    assert flag.code == SAMPLED_SELDOM.code
    assert flag.phase == SUBTASKS


MEASURES = {
    "some-forked-sequential": {"added_mb": 20.0, "execution_s": 5.0, "retained_vm_mb": 15.0, "in_flight_max": 1},
    "some-forked-threads": {"added_mb": 81.0, "execution_s": 1.6, "retained_vm_mb": 0.5},
    "some-forked-tasks": {
        "added_mb": 80.5,
        "execution_s": 1.55,
        "retained_vm_mb": 60.0,
        "processes_count": 5,
        "baseline_mb": 140.0,
        "baseline_rss_mb": 280.0,
        "peak_vm_mb": 300.0,
        "peak_lasted_s": 1.2,
    },
    "some-green-threads": {"added_mb": 90.0, "execution_s": 1.7, "retained_vm_mb": 40.0, "os_threads_count": 1},
}
SAME = {
    "in_flight_max": 4,
    "data_mb": 80.0,
    "ideal_s": 1.5,
    "os_threads_count": 4,
    "baseline_mb": 50.0,
    "baseline_rss_mb": 60.0,
    "baseline_uss_mb": 45.0,
    "processes_count": 1,
    "peak_vm_mb": 140.0,
    "peak_lasted_s": 1.4,
    "high_water_mb": 141.0,
    "between_samples_mb": 0.2,
    "samples_per_s": 24.5,
    "longest_gap_ms": 45.0,
    "sampling_cpu_percent": 1.2,
    "pss_samples_count": 2,
}


def chart_data(runs: int = 4, *, without: Sequence[str] = ()) -> ChartData:
    draw = np.random.default_rng(1)

    def spread(measure: str, value: float) -> tuple[float, ...]:
        return (value,) * runs if measure.endswith(("_count", "_max")) else tuple(value * draw.uniform(0.999, 1.001, runs))

    measured = {name: {m: spread(m, v) for m, v in {**SAME, **own}.items() if m not in without} for name, own in MEASURES.items()}
    points = {name: {"approach": name.rpartition("-")[2]} for name in MEASURES}
    executed_ = {name: name.rpartition("-")[0] for name in MEASURES}
    return ChartData(tuple(MEASURES), None, measured, {}, points, executed_)


def answer(data: ChartData, question: str) -> Conclusion:
    (found,) = [found for found in memory_conclusions(data) if question in found.question]
    return found


def test_the_least_memory_and_the_least_of_those_that_are_soon_done_are_named() -> None:
    found = answer(chart_data(), "how much memory")
    assert found.decided
    assert found.text.startswith("Least memory is added by some-forked with sequential: 20 MB (")
    assert "Of those done within 10 % of the least time, it is some-forked with tasks: 80.5 MB (" in found.text
    assert "Most is added by some-green with threads: 90 MB (" in found.text
    assert "With its worker some-forked with sequential takes least: 50 MB before (PSS), 20 MB added to it." in found.text
    assert found.rows[0][:2] == ("some-forked", "sequential")
    assert len(found.rows) == len(found.evidence) == 4


def test_threads_that_are_greenlets_are_said_to_be() -> None:
    assert answer(chart_data(), "how much memory").text.endswith(
        "With some-green the threads of the standard library were greenlets: one thread did all subtasks."
    )


def test_rss_of_forks_is_held_against_their_pss() -> None:
    found = answer(chart_data(), "summed RSS")
    assert "some-forked with tasks waits in 5 processes: their RSS adds up to 280 MB, their PSS to 140 MB." in found.text
    assert "140 MB that are not there" in found.text
    assert found.rows[0] == ("some-forked", "tasks", "5", "280", "140", "45")


def test_what_is_kept_is_said_of_the_one_that_keeps_most_and_of_the_least() -> None:
    found = answer(chart_data(), "keep")
    assert found.text.startswith("some-forked with tasks still has 60 of the 80.5 MB that it added (74.5 %)")
    assert found.text.endswith("Least is kept by some-forked with threads: 0.5 MB.")


def test_a_peak_that_is_missed_is_said_with_how_often_one_looks() -> None:
    found = answer(chart_data(), "between two samples")
    assert found.text.startswith("some-forked with tasks is at its peak for 1.2 s: one who looks every 15 s")
    assert "meets it in 8 % of such tasks" in found.text
    assert "are no higher than these show" in found.text
    assert "Samples of PSS, which cost more, while a task ran: 2." in found.text
    stays = answer(chart_data(without=("peak_lasted_s",)), "between two samples")
    assert stays.text.startswith("With every approach memory is still at its peak when the task is over.")
    unmarked = answer(chart_data(without=("between_samples_mb", "high_water_mb")), "between two samples")
    assert not unmarked.decided
    assert "could not be had" in unmarked.text


@pytest.mark.parametrize("runs", [1, 3])
def test_few_runs_decide_nothing(runs: int) -> None:
    found = memory_conclusions(chart_data(runs))
    assert len(found) == 4
    for answered in found:
        assert not answered.decided
        assert answered.text.endswith("Fewer than 4 runs of a point decide nothing.")
    assert all(answered.decided for answered in memory_conclusions(chart_data(4)))


@pytest.mark.parametrize("lacking", [*SAME, "added_mb", "execution_s", "retained_vm_mb"])
def test_a_set_without_a_measure_has_the_answers_that_do_without_it(lacking: str) -> None:
    assert len(memory_conclusions(chart_data(without=(lacking,)))) >= 2
    assert memory_documents(chart_data(without=(lacking,)), "2026-11-20T10:00:00+00:00", {"added_mb": "words"})


def test_the_files_have_every_point_with_its_means_and_intervals() -> None:
    meanings = {"added_mb": "what is added", "peak_cgroup_mb": "none here"}
    files = memory_documents(chart_data(), "2026-11-20T10:00:00+00:00", meanings)
    assert set(files) == {"memory_comparison.csv", "memory_comparison.json"}
    rows = list(csv.DictReader(files["memory_comparison.csv"].splitlines()))
    assert [(row["variant"], row["approach"]) for row in rows][:2] == [("some-forked", "sequential"), ("some-forked", "threads")]
    assert float(rows[0]["added_mb"]) == pytest.approx(20, rel=0.01)
    assert rows[0]["peak_cgroup_mb"] == ""
    document = json.loads(files["memory_comparison.json"])
    assert document["timestamp"] == "2026-11-20T10:00:00"
    (found,) = document["approaches"][0]["measures"].values()
    assert found["runs"] == 4
    assert found["interval"]["low"] < found["mean"] < found["interval"]["high"]


def test_nothing_measured_is_no_file() -> None:
    assert memory_documents(ChartData((), None, {}, {}), "2026-11-20T10:00:00+00:00", {}) == {}


class Stored:
    """A run of a set: two subtasks one after another, and footprints that say how much it had added."""

    def __init__(self, added_mb: float, order: Mapping[str, object] | None) -> None:
        self.result = SimpleNamespace(value={"added_mb": added_mb, "baseline_vm_mb": 60.0}.get)
        self.record = {"phases": [{"tasks": {"classes": [{"argument": order}]}}]}
        self._added_mb = added_mb

    def reading(self, device: str) -> pd.DataFrame:
        if device == SUBTASKS:
            return parts_of(events([part(0, 2 * S, 3 * S), part(1, 3 * S, 4 * S)]), 7, 1)
        rows = {1.0: 60.0, 1.9: 60.0, 2.5: 60 + self._added_mb, 4.3: 60.0, 9.0: 60.0}
        return pd.DataFrame([{"at_ns": int(at_s * S), "vm_rss_bytes": int(mb * MB)} for at_s, mb in rows.items()])


ORDER = {"subtasks": 2, "at_once": 1, "size_bytes": 20 * MB, "time_s": 1.0}


def drawn(runs: Sequence[Stored], approach: str = "sequential") -> list[Chart]:
    return list(
        STUDY.charts(
            ChartData(
                *(("one",), None, {"one": {}}),
                *({"one": tuple(runs)}, {"one": {"approach": approach}}, {"one": "some-variant"}),  # type: ignore[arg-type]
            )
        )
    )


def test_the_picture_has_a_panel_for_each_approach_the_typical_run_of_each_variant_and_the_ideal() -> None:
    (chart,) = drawn([Stored(20, ORDER), Stored(90, ORDER), Stored(21, ORDER)])
    assert (chart.name, chart.file) == ("memory-comparison", "memory_comparison")
    (panel,) = chart.panels
    (line,), (ideal,) = panel.series, panel.guides
    assert line.variant == "some-variant"
    assert [round(value, 3) for value in line.x] == [-0.1, 0.5, 2.3], "from a moment before the first to a moment after the last"
    assert [round(float(value), 3) for value in line.y] == [0, 21, 0], "of the run nearest the median"
    assert (ideal.label, [*ideal.x], [*ideal.y]) == ("ideal", [0, 0, 1, 1, 2, 2], [0, 20, 20, 20, 20, 0])


def test_without_a_sound_run_or_its_order_there_is_no_picture() -> None:
    assert drawn([]) == []
    assert drawn([Stored(20, None)]) == []
    assert drawn([Stored(20, ORDER)], "unheard-of") == []
