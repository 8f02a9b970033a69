"""Scenario 5 on made-up events."""

import re
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest

from benchmarks.plan.payloads import CHANGE_LABEL, ORDER_LABELS, Payload
from benchmarks.record.flags import is_valid
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.run.devices.messages import COLUMNS, Messages
from benchmarks.run.devices.orders_seen import OrdersSeen
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_5_serialization import ORDER_UNCHANGED, PAYLOAD_DAMAGED, PAYLOADS_LEFT_OUT, SCENARIO
from tasks.contract import Variant
from tasks.loads import Mix, Paced, Prefilled, count_of
from tests.unit.made_up import (
    MS,
    Row,
    S,
    context,
    executed,
    finished,
    good_run,
    phase_data,
    prefilled_rows,
    sample,
    sent,
    started,
)

QUICK = SCENARIO.sizes["quick"]
THOROUGH = {**QUICK, "others": 1}
BY_HAND = Variant("some-variant", "main-thread", "made up", serializers=("json",))
BY_VALUE = replace(BY_HAND, serializers=("json", "pickle", "yaml"), model_serializer="pickle")
BY_REFERENCE = replace(BY_HAND, serializers=("refs",), model_serializer="refs")
TEXT_1KB = Payload("text", 1_000)


def messages(*rows: tuple[str, str, int, int, float, float]) -> pd.DataFrame:
    """Serializer, kind, size, message bytes, send and decode µs of messages with two samples, the second a twentieth slower."""
    samples = [
        (serializer, kind, size, sample, message_bytes, send_us * factor, decode_us * factor)
        for serializer, kind, size, message_bytes, send_us, decode_us in rows
        for sample, factor in enumerate((1.0, 1.05))
    ]
    return pd.DataFrame(samples, columns=list(COLUMNS))


def messages_of(*serializers: str, slow: tuple[str, ...] = ()) -> pd.DataFrame:
    """All messages of the quick sizes; those of a slow serializer take as long as all that a phase may."""
    return messages(
        *(
            (name, kind, size, 500 + size, 1e5 if name in slow else 100, 4e5 if name in slow else size / 50)
            for name in serializers
            for kind in ("nested", "text", "bytes")
            for size in (1_000, 100_000)
        ),
        *((name, "nothing", 0, 400, 50, 10) for name in serializers),
        *((name, "model", 0, 500, 90, 1000) for name in serializers),
        *((name, "dict", 0, 2400, 90, 100) for name in serializers),
        *((name, "id", 0, 410, 90, 20) for name in serializers),
    )


def seen(*rows: tuple[str, int, int]) -> pd.DataFrame:
    """What tasks saw: way, version seen, version in the database."""
    columns = ["sequence", "way", "sent_version", "seen_version", "row_version"]
    return pd.DataFrame([(i, way, 1, at, row) for i, (way, at, row) in enumerate(rows)], columns=columns)


def phase(number: int, name: str, load: Paced | Prefilled, rows: list[Row], planned: int, **readings: pd.DataFrame) -> PhaseData:
    return replace(phase_data(number, name, load, rows, planned), readings=readings)


def paced(number: int, name: str, waits_ms: dict[int, int]) -> PhaseData:
    """Two tasks of each label, 25 ms apart, that end after so long."""
    labels = [label for label in waits_ms for _ in range(2)]
    rows = [
        row
        for i, label in enumerate(labels)
        for row in executed(i, i * 25 * MS, wait_ns=(waits_ms[label] - 1) * MS, phase=number, label=label)
    ]
    return phase(number, name, Paced(40, len(labels) / 40), rows, len(labels))


def filled(number: int, serializer: str, payload: Payload) -> PhaseData:
    return phase(number, f"filled_{serializer}_{payload.name}", Prefilled(40), prefilled_rows(40, phase=number), 40)


def stale(number: int, serializer: str, reading: pd.DataFrame, **readings: pd.DataFrame) -> PhaseData:
    """A change and then the tasks that looked."""
    count = len(reading) + 1
    rows = [
        row
        for i in range(count)
        for row in executed(i, i * MS, wait_ns=S, phase=number, label=ORDER_LABELS["dict"] if i else CHANGE_LABEL)
    ]
    return phase(number, f"stale_{serializer}", Prefilled(count), rows, count, orders_seen=reading, **readings)


SMALL_MS = {Payload("nested", 1_000).label: 3, TEXT_1KB.label: 5, Payload("bytes", 1_000).label: 4} | {
    ORDER_LABELS["dict"]: 30,
    ORDER_LABELS["id"]: 60,
}
LARGE_MS = {Payload(kind, 100_000).label: 9 for kind in ("nested", "text", "bytes")}
BY_HAND_SEEN = seen(("dict", 1, 2), ("id", 2, 2), ("dict", 1, 3), ("id", 3, 3))


def run_of(variant: Variant, *phases: PhaseData, sizes: dict[str, float | int] | None = None) -> RunData:
    made = replace(good_run(), scenario=SCENARIO.name, context=context(sizes or dict(QUICK), variant=variant))
    return replace(made, phases={p.record.name: p for p in phases}, samples=[sample(5 * S, memory_mb=80)])


def complete(variant: Variant = BY_VALUE) -> RunData:
    payloads = [Payload(kind, size) for kind in ("nested", "text", "bytes") for size in (1_000, 100_000)]
    by_value = seen(("model", 1, 2), ("model", 1, 3))
    return run_of(
        variant,
        stale(1, "json", BY_HAND_SEEN, messages=messages_of(*variant.serializers)),
        paced(2, "paced_json", SMALL_MS),
        paced(3, "paced_large_json", LARGE_MS),
        *(filled(4 + i, "json", payload) for i, payload in enumerate(payloads)),
        stale(10, "pickle", by_value),
    )


def plans(variant: Variant, sizes: dict[str, float | int], frame: pd.DataFrame) -> list[PhasePlan]:
    """The phases that are asked for when the messages are read like this."""

    def look() -> PhaseData:
        return stale(1, variant.serializers[0], BY_HAND_SEEN, messages=frame)

    asked = []
    generator = SCENARIO.phases(context(sizes, variant=variant))
    plan = next(generator)
    while True:
        asked.append(plan)
        try:
            plan = generator.send(look)
        except StopIteration:
            return asked


def test_it_is_found_by_its_file_and_meets_the_protocol() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()["scenario_5_serialization"] is SCENARIO
    assert {scenario.headline, *scenario.summary, *scenario.better} <= set(scenario.columns)
    assert all(scenario.columns.values())
    assert len(scenario.columns) < 120
    assert len({frozenset(sizes) for sizes in scenario.sizes.values()}) == 1
    for sizes in scenario.sizes.values():
        scenario.check(sizes)


def test_a_variant_without_serializers_is_unsupported() -> None:
    without = Variant("some-variant", "main-thread", "made up")
    assert SCENARIO.unsupported(without) == "its module declares no serializers"
    assert SCENARIO.unsupported(replace(without, lacks={"serializers": "plain text only"})) == "plain text only"
    assert SCENARIO.unsupported(BY_HAND) is None


def test_figures_are_those_of_the_events_and_readings() -> None:
    measures = SCENARIO.measures(complete())
    assert list(measures) == list(SCENARIO.columns)
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    expected = {
        "task_count": 10,
        "mean_latency": 4,
        "p50": 4,
        "memory_mb": 80,
        "default_nested_1kb_message_bytes": 1_500,
        "default_nested_1kb_wire_bytes": 450,
        "default_nested_1kb_memory_bytes": 500,
        "default_nested_1kb_enqueue_us": 0.01,
        "default_nested_1kb_decode_us": 20 * 1.025,
        "default_nested_1kb_end_to_end_ms": 3,
        "default_nested_100kb_end_to_end_ms": 9,
        "pickle_nested_100kb_message_bytes": 100_500,
        "pickle_nested_100kb_decode_us": 2_050,
        "orm_payload_reduction_share": 0.95,
        "orm_id_payload_reduction_share": 0.995,
        "orm_message_reduction_share": 1 - 500 / 2400,
        "orm_model_message_bytes": 500,
        "orm_model_decode_us": 1_025,
        "orm_dict_end_to_end_ms": 30,
        "orm_id_end_to_end_ms": 60,
        "orm_model_stale_share": 1,
        "orm_dict_stale_share": 1,
        "orm_id_stale_share": 0,
        "orm_changed_count": 6,
        "attempted": 10 + 6 + 6 * 40 + 5 + 3,
        "failed": 0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_what_was_not_measured_is_none() -> None:
    measures = SCENARIO.measures(complete())
    unmeasured = (
        *("default_nested_1mb_message_bytes", "default_nested_10kb_decode_us", "default_nested_100b_end_to_end_ms"),
        *("pickle_nested_1kb_enqueue_us", "pickle_nested_1kb_wire_bytes", "msgpack_nested_1kb_message_bytes"),
        "orm_model_end_to_end_ms",
    )
    assert {measures[name] for name in unmeasured} == {None}
    early = SCENARIO.measures(replace(complete(), phases={}, samples=[]))
    assert list(early) == list(SCENARIO.columns)
    assert {value for name, value in early.items() if name.endswith(("_us", "_ms", "_bytes", "_share", "p50"))} == {None}


def test_a_row_that_had_not_changed_yet_is_not_counted() -> None:
    by_hand = run_of(BY_HAND, stale(2, "json", seen(("dict", 1, 1), ("dict", 1, 2), ("dict", 2, 2), ("id", 1, 1))))
    measures = SCENARIO.measures(by_hand)
    assert (measures["orm_dict_stale_share"], measures["orm_id_stale_share"], measures["orm_changed_count"]) == (0.5, None, 2)


def test_an_order_that_was_not_changed_in_time_makes_the_run_invalid() -> None:
    by_hand = run_of(BY_HAND, stale(2, "json", seen(("dict", 1, 1), ("dict", 1, 2))))
    (flag,) = SCENARIO.flags(by_hand)
    assert flag.code == ORDER_UNCHANGED.code
    assert "stale_json: only 1 of 2 tasks" in flag.detail
    assert not is_valid([flag])


def test_a_payload_that_does_not_arrive_as_it_was_sent_makes_the_run_invalid() -> None:
    rows = [sent(0), started(0, MS), finished(0, 2 * MS, 2), *executed(1, 0)]
    (flag,) = SCENARIO.flags(run_of(BY_HAND, phase(1, "filled_json_text_1kb", Prefilled(2), rows, 2)))
    assert (flag.code, is_valid([flag])) == (PAYLOAD_DAMAGED.code, False)
    assert "filled_json_text_1kb: 1 of 2" in flag.detail


def test_what_took_too_long_is_noted_and_a_complete_run_has_no_flag() -> None:
    assert SCENARIO.flags(complete()) == ()
    (flag,) = SCENARIO.flags(replace(complete(), context=context(THOROUGH, variant=BY_VALUE)))
    assert flag.code == PAYLOADS_LEFT_OUT.code
    assert "pickle nested_100kb at a rate, pickle nested_100kb in a queue of its own, pickle nested_1kb at a rate" in flag.detail
    without = messages_of(*BY_VALUE.serializers)
    without = without[~((without["serializer"] == "yaml") & (without["size_bytes"] == 100_000))]
    run = complete()
    run = replace(run, phases={**run.phases, "stale_json": stale(1, "json", BY_HAND_SEEN, messages=without)})
    (flag,) = SCENARIO.flags(run)
    assert flag.detail.endswith("yaml bytes_100kb, yaml nested_100kb, yaml text_100kb")


def test_quick_gives_every_serializer_a_reading_and_the_default_one_a_worker() -> None:
    asked = plans(BY_VALUE, dict(QUICK), messages_of(*BY_VALUE.serializers))
    assert asked[0].name == "stale_json"
    assert sorted(plan.name for plan in asked[1:]) == sorted(
        [
            *("paced_json", "paced_large_json", "stale_pickle"),
            *(f"filled_json_{kind}_{size}" for kind in ("nested", "text", "bytes") for size in ("1kb", "100kb")),
        ]
    )
    _, device = asked[0].devices
    assert isinstance(device, Messages)
    assert {m.serializer for m in device.messages} == set(BY_VALUE.serializers)
    assert {m.kind for m in device.messages if m.serializer == "yaml"} == {"nested", "text", "bytes", "nothing"}
    assert {m.kind for m in device.messages if m.serializer == "pickle"} == {"nested", "text", "bytes", "model", "nothing"}
    assert {m.kind for m in device.messages if m.serializer == "json"} == {"nested", "text", "bytes", "dict", "id", "nothing"}


def test_a_worker_has_one_serializer_one_slot_and_a_new_database() -> None:
    asked = plans(BY_VALUE, THOROUGH, messages_of(*BY_VALUE.serializers))
    for plan in asked:
        assert plan.worker.serializer in plan.name.split("_")
        assert (plan.worker.processes, plan.worker.concurrency, plan.worker.optional_packages) == (1, 1, True)
        assert [c.workload for c in plan.worker.warm.classes] == ["model_reset"]
    workers = [plan.worker for plan in asked]
    assert sum(a != b for a, b in pairwise(workers)) == len(BY_VALUE.serializers) - 1


def test_a_slow_serializer_is_left_out_where_it_takes_too_long() -> None:
    asked = plans(BY_VALUE, THOROUGH, messages_of(*BY_VALUE.serializers, slow=("yaml",)))
    names = [plan.name for plan in asked]
    assert [name for name in names if "yaml" in name] == []
    pickled = [name for name in names if "pickle" in name]
    assert pickled[0] == "stale_pickle"
    assert set(pickled[1:3]) == {"paced_pickle", "paced_large_pickle"}
    assert set(pickled[3:]) == {"filled_pickle_nested_1kb", "filled_pickle_nested_100kb"}


def test_a_paced_phase_leaves_the_slowest_message_alone_and_has_so_many_of_each() -> None:
    frame = messages_of("json")
    frame.loc[(frame["kind"] == "text") & (frame["size_bytes"] == 100_000), ["send_us", "decode_us"]] = 20_000
    loads = {plan.name: plan for plan in plans(BY_HAND, dict(QUICK), frame) if plan.name.startswith("paced")}
    small, large = loads["paced_json"], loads["paced_large_json"]
    assert isinstance(small.load, Paced)
    assert isinstance(large.load, Paced)
    assert (small.load.rate_per_s, count_of(small.load)) == (60, 8 * 5)
    assert large.load.rate_per_s == pytest.approx(1 / (2 * 0.04))
    assert count_of(large.load) == 5 * 3
    frame.loc[(frame["kind"] == "text") & (frame["size_bytes"] == 100_000), "decode_us"] = 90_000
    (without,) = [plan for plan in plans(BY_HAND, dict(QUICK), frame) if plan.name == "paced_large_json"]
    assert count_of(without.load) == 5 * 2


def test_phases_hold_no_more_than_their_time_and_redis_allow() -> None:
    def tasks_of(sizes: dict[str, float | int], name: str) -> int:
        (load,) = [p.load for p in plans(BY_HAND, {**QUICK, **sizes}, messages_of("json")) if p.name == name]
        assert isinstance(load, Prefilled)
        return load.count

    assert tasks_of({}, "filled_json_nested_1kb") == 40
    assert tasks_of({"tasks": 10_000, "phase_s": 100}, "filled_json_nested_100kb") == 200
    assert tasks_of({"tasks": 10_000, "phase_s": 0.21525}, "filled_json_nested_100kb") == 100


def test_the_order_is_changed_before_anyone_looks_and_again_before_each_round() -> None:
    (plan,) = [p for p in plans(BY_REFERENCE, dict(QUICK), messages_of("refs")) if p.name == "stale_refs"]
    assert isinstance(plan.tasks, Mix)
    assert isinstance(plan.load, Prefilled)
    labels = [plan.tasks.classes[i].label for i in plan.tasks.draw(plan.load.count)]
    assert labels == [CHANGE_LABEL, *(ORDER_LABELS[way] for way in ("model", "dict", "id"))] * int(QUICK["seen"])
    assert plan.devices[0] == OrdersSeen()


@pytest.mark.parametrize(
    ("name", "value"),
    [("tasks", 0), ("each", -1), ("samples", 0), ("size_step", 1), ("smallest_bytes", 7), ("largest_bytes", 5)],
)
def test_a_size_that_makes_no_sense_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=re.escape(name)):
        SCENARIO.check({**QUICK, name: value})
