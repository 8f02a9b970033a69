"""Scenario 9 on made-up events."""

import re
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import pandas as pd
import pytest

from benchmarks.record.flags import is_valid
from benchmarks.record.run_data import PhaseData, Produced, RunData
from benchmarks.record.shared import BESIDE_MEMORY
from benchmarks.run.contract import PhasePlan, Places, Scenario
from benchmarks.run.devices.unlistened_lane import NO_RUN, UnlistenedLane
from benchmarks.run.nodes.log import PhaseCounts
from benchmarks.run.nodes.producer import ProducerStatus
from benchmarks.run.nodes.transport import NodeError
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_9_multi_queue import NOT_OVERLOADED, SCENARIO, TASK_MISROUTED
from tasks.contract import Depth, Variant
from tasks.loads import Load, Mix, Paced, Prefilled
from tasks.producing import ProduceOrder
from tests.unit.made_up import MS, Row, S, context, executed, good_run, missing, phase_data, prefilled_rows, sample

QUICK = SCENARIO.sizes["quick"]
SIZES = {**QUICK, "lanes": 4}
HIGH, NORMAL, LOW = 0, 1, 2


def overload_rows(phase: int = 2) -> list[Row]:
    """Five tasks of three lanes sent 10 ms apart and executed one after another, the first low one before its betters."""
    label = {0: LOW, 1: LOW, 2: NORMAL, 3: HIGH, 4: LOW}
    start_ms = {0: 1, 1: 51, 2: 81, 3: 61, 4: 101}
    rows: list[Row] = []
    for sequence in range(5):
        due_ns = sequence * 10 * MS
        wait_ns = start_ms[sequence] * MS - due_ns
        rows += executed(sequence, due_ns, wait_ns=wait_ns, service_ns=20 * MS, phase=phase, label=label[sequence])
    return rows


def labelled(rows: list[Row], lanes: int) -> list[Row]:
    return [(*row[:5], row[7] % lanes if row[0] == 1 else row[5], *row[6:]) for row in rows]


def unlistened(waiting: int = 20, started: int = 0) -> dict[str, pd.DataFrame]:
    row = {"lane": "aside", "acknowledged": 20, "waiting": waiting, "started": started}
    return {"unlistened_lane": pd.DataFrame([row])}


def phase(number: int, name: str, load: Load, rows: list[Row], planned: int, **readings: pd.DataFrame) -> PhaseData:
    return replace(phase_data(number, name, load, rows, planned), readings=readings)


def multi_queue_run(**changed: PhaseData) -> RunData:
    phases = {
        "capacity": phase(1, "capacity", Prefilled(60), prefilled_rows(60, each_ns=20 * MS), 60),
        "overload": phase(2, "overload", Paced(75, 0.07), overload_rows(), 5),
        "many_lanes": phase(3, "many_lanes", Prefilled(80), labelled(prefilled_rows(80, phase=3, each_ns=4 * MS), 4), 80),
        "one_lane": phase(4, "one_lane", Prefilled(80), prefilled_rows(80, phase=4), 80, **unlistened()),
    }
    made = replace(good_run(), context=context(SIZES), samples=[sample(5 * S, memory_mb=80)])
    return replace(made, scenario=SCENARIO.name, phases=phases | changed)


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is scenario


def test_a_good_run_gives_every_measure_in_order() -> None:
    measures = SCENARIO.measures(multi_queue_run())
    assert list(measures) == list(SCENARIO.columns)
    assert missing(measures) == []
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    assert SCENARIO.flags(multi_queue_run()) == []


def test_figures_are_those_of_the_events() -> None:
    measures = SCENARIO.measures(multi_queue_run())
    expected = {
        "task_count": 5,
        "total_time": 0.121,
        "throughput": 5 / 0.121,
        "mean_latency": (21 + 61 + 81 + 51 + 81) / 5,
        "memory_mb": 80,
        "cpu_percent": 100 * 2 / 3,
        "capacity_per_s": 50,
        "offered_per_s": 100,
        "offered_over_capacity_ratio": 2,
        "backlog_tasks": 4,
        "high_mean_ms": 51,
        "normal_max_ms": 81,
        "low_p50_ms": 61,
        "high_task_count": 1,
        "low_task_count": 3,
        "low_ended_by_last_send_share": 1 / 3,
        "high_ended_by_last_send_share": 0,
        "low_over_high_ratio": (21 + 61 + 81) / 3 / 51,
        "inversions": 1,
        "inversion_share": 1 / 4,
        "high_overtaken_mean_tasks": 1,
        "high_overtaken_max_tasks": 1,
        "low_starved_max_ms": 50,
        "unlistened_task_count": 20,
        "misrouted": 0,
        "one_lane_drain_per_s": 1000,
        "many_lanes_drain_per_s": 250,
        "many_lanes_drain_ratio": 0.25,
        "added_lane_us_per_task": 1000,
        "one_lane_redis_commands_per_task": 3,
        "added_lane_redis_commands_per_task": 0,
        "lanes_served_count": 4,
        "attempted": 225,
        "completed": 225,
        "lost": 0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    data = replace(multi_queue_run(), phases={}, samples=[])
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    assert {name for name, value in measures.items() if value is not None} == {
        *("memory_mb", *BESIDE_MEMORY, "attempted", "completed", "failed", "lost", "duplicated")
    }
    assert SCENARIO.flags(data) == []


def test_nothing_executed_gives_no_latency_and_no_rate() -> None:
    phases = {
        p.record.name: phase(
            p.record.number,
            p.record.name,
            p.record.load,
            [row for row in labelled(prefilled_rows(10, phase=p.record.number), 3) if row[0] == 1],
            10,
        )
        for p in multi_queue_run().phases.values()
    }
    data = replace(multi_queue_run(), phases=phases)
    measures = SCENARIO.measures(data)
    assert (measures["task_count"], measures["attempted"], measures["completed"], measures["lanes_served_count"]) == (
        10,
        40,
        0,
        0,
    )
    assert {measures[name] for name in ("throughput", "high_mean_ms", "inversions", "capacity_per_s", "misrouted")} == {None}
    assert SCENARIO.flags(data) == []


@pytest.mark.parametrize(("waiting", "started", "misrouted"), [(19, 0, 1), (20, 2, 2), (18, 1, 2)])
def test_tasks_of_a_lane_that_nobody_listens_to_must_stay(waiting: int, started: int, misrouted: int) -> None:
    one_lane = phase(4, "one_lane", Prefilled(80), prefilled_rows(80, phase=4), 80, **unlistened(waiting, started))
    data = multi_queue_run(one_lane=one_lane)
    assert SCENARIO.measures(data)["misrouted"] == misrouted
    (flag,) = SCENARIO.flags(data)
    assert flag.code == TASK_MISROUTED.code
    assert f"{misrouted} of 20 tasks" in flag.detail
    assert not is_valid([flag])


def test_an_overload_without_a_backlog_is_flagged() -> None:
    rows: list[Row] = []
    for sequence in range(5):
        rows += executed(sequence, sequence * 10 * MS, wait_ns=MS, phase=2, label=sequence % 3)
    data = multi_queue_run(overload=phase(2, "overload", Paced(75, 0.07), rows, 5))
    (flag,) = SCENARIO.flags(data)
    assert flag.code == NOT_OVERLOADED.code
    assert is_valid([flag])
    assert SCENARIO.measures(data)["inversions"] == 0


def plans(capacity: PhaseData, sizes: dict[str, Any] | None = None) -> list[PhasePlan]:
    phases = SCENARIO.phases(context(sizes or {**QUICK}))
    asked = [next(phases)]
    with suppress(StopIteration):
        while True:
            asked.append(phases.send(lambda: capacity))
    return asked


def test_the_overload_follows_the_capacity_measured_over_three_lanes() -> None:
    capacity, overload, *drains = plans(multi_queue_run().phases["capacity"])
    assert (capacity.name, overload.name) == ("capacity", "overload")
    assert {plan.name for plan in drains} == {"many_lanes", "one_lane"}
    assert isinstance(overload.load, Paced)
    assert overload.load.rate_per_s == pytest.approx(1.5 * 50, rel=1e-6)
    assert isinstance(overload.tasks, Mix)
    assert [(c.lane, c.weight, c.label, c.argument) for c in overload.tasks.classes] == [
        ("high", 0.1, 0, 0.02),
        ("normal", 0.3, 1, 0.02),
        ("low", 0.6, 2, 0.02),
    ]
    assert capacity.worker == overload.worker
    assert capacity.worker.lanes_by_priority
    assert capacity.worker.lanes == ("high", "normal", "low", *(f"lane-{n}" for n in range(3, 10)))


def test_one_lane_has_the_same_worker_with_a_lane_aside() -> None:
    made = {plan.name: plan for plan in plans(multi_queue_run().phases["capacity"])}
    many_lanes, one_lane = made["many_lanes"], made["one_lane"]
    assert many_lanes.worker == made["capacity"].worker
    assert one_lane.worker == replace(many_lanes.worker, lanes=("high",))
    assert (one_lane.load, many_lanes.load) == (Prefilled(300), Prefilled(300))
    assert isinstance(many_lanes.tasks, Mix)
    assert isinstance(one_lane.tasks, Mix)
    assert tuple(c.lane for c in many_lanes.tasks.classes) == many_lanes.worker.lanes
    assert [c.lane for c in one_lane.tasks.classes] == ["high"]
    (device,) = one_lane.devices
    assert device == UnlistenedLane("some-variant", "aside", 20)
    assert "aside" not in many_lanes.worker.lanes


def test_without_a_capacity_the_slots_tell_the_rate() -> None:
    nothing = phase(1, "capacity", Prefilled(60), [], 60)
    load = plans(nothing)[1].load
    assert isinstance(load, Paced)
    assert load.rate_per_s == pytest.approx(1.5 * 2 / 0.02)


@pytest.mark.parametrize(
    ("name", "value"), [*((name, 0) for name in QUICK), ("overload_ratio", 1), ("overload_ratio", 0.5), ("lanes", 3)]
)
def test_a_size_that_makes_no_sense_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size {name} of scenario_9_multi_queue")):
        SCENARIO.check({**QUICK, name: value})


def test_a_variant_without_priorities_is_told_apart() -> None:
    lacking = Variant("some-variant", "thread", "made up", lacks={"priorities": "asks its queues in turn"})
    assert SCENARIO.unsupported(lacking) == "asks its queues in turn"
    assert SCENARIO.unsupported(Variant("some-variant", "thread", "made up")) is None


class Node:
    """Stands in for both nodes of a lab."""

    def __init__(self, failed: int = 0) -> None:
        self.name = "producer-some"
        self.failed = failed
        self.did: list[object] = []

    def purge(self, queues: list[str]) -> None:
        self.did.append(("purge", queues))

    def start_producing(self, order: ProduceOrder) -> None:
        self.did.append(order)

    def producer(self) -> ProducerStatus:
        errors = {"OSError: no": self.failed} if self.failed else {}
        return ProducerStatus("done", Produced(20, 20 - self.failed, self.failed, errors, 0, 1, 0.0), None)

    def depth(self, queue: str) -> Depth:
        assert queue == "lab-some-aside"
        return Depth(waiting=18, claimed=0, delayed=0)

    def counts(self, run: int) -> dict[int, PhaseCounts]:
        assert run == NO_RUN
        return {4: PhaseCounts(0, 0, 2, 2, 0, 0, 0, 1)}


@contextmanager
def attached(node: Node) -> Any:
    nodes = cast(Any, node)
    places = Places(worker=nodes, producer=nodes, queue="lab-some", redis_url="", mock_api_url="")
    with UnlistenedLane("some-variant", "aside", 20).attach(places, 7, 4) as read:
        yield read


def test_the_lane_aside_is_filled_read_and_emptied() -> None:
    node = Node()
    with attached(node) as read:
        assert read().to_dict("records") == [{"lane": "aside", "acknowledged": 20, "waiting": 18, "started": 2}]
    first, order, last = node.did
    assert first == last == ("purge", ["lab-some-aside"])
    assert isinstance(order, ProduceOrder)
    assert (order.run, order.phase, order.variant, order.queue, order.load) == (
        *(NO_RUN, 4, "some-variant", "lab-some"),
        Prefilled(20),
    )
    assert [c.lane for c in order.tasks.classes] == ["aside"] if isinstance(order.tasks, Mix) else False


def test_a_lane_aside_that_cannot_be_filled_fails_and_is_emptied() -> None:
    node = Node(failed=3)
    with pytest.raises(NodeError, match="sending to lab-some-aside: 3 sends raised"), attached(node):
        pass
    assert node.did[-1] == ("purge", ["lab-some-aside"])
