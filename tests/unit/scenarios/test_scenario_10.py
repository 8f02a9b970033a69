"""Scenario 10 on made-up events."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.record.flags import is_valid
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.run.contract import PhasePlan, Scenario
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.scenario_10_event_streaming import (
    EVENT_LOST,
    EVENT_UNKNOWN,
    NO_EVENTS,
    SCENARIO,
    SLOW_SUBSCRIBER_BEHIND,
)
from tasks.contract import Variant
from tasks.events import Streamed
from tasks.loads import Paced, Prefilled
from tests.unit.made_up import MS, RUN, S, context, missing, paced_rows, phase_data, prefilled_rows, reading, sample, worker

QUICK = SCENARIO.sizes["quick"]
TASKS, EACH_NS = 100, MS
NOTHING, STARTED, FINISHED = Streamed.NOTHING, Streamed.STARTED, Streamed.FINISHED
Receipt = tuple[int, int, int, int, int]


def subscribed(subscriber: int) -> Receipt:
    return (subscriber, NOTHING, -1, 0, 5)


def told(sequence: int, *, subscriber: int = 0, after_ns: int = 2 * MS, begun_ns: int = S) -> list[Receipt]:
    """Both events of a task of a drain, received ``after_ns`` after its start and its end, dated 0.5 ms after."""
    start_ns = begun_ns + sequence * EACH_NS
    end_ns = start_ns + EACH_NS
    return [
        (subscriber, STARTED, sequence, start_ns + MS // 2, start_ns + after_ns),
        (subscriber, FINISHED, sequence, end_ns + MS // 2, end_ns + after_ns),
    ]


def frame(rows: Iterable[Receipt]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["subscriber", "what", "sequence", "occurred_ns", "received_ns"], dtype="int64")


def all_told(subscribers: int, **changes: int) -> list[Receipt]:
    rows = [subscribed(s) for s in range(subscribers)]
    return rows + [row for s in range(subscribers) for i in range(TASKS) for row in told(i, subscriber=s, **changes)]


EMITTED = pd.DataFrame({"began_ns": range(50), "took_ns": [100_000] * 49 + [900_000], "events": [4] * 50})


def drain(number: int, name: str, each_ns: int, worker_cpu_s: float, rows: list[Receipt] | None) -> PhaseData:
    end = reading(number * 10 * S + 3 * S, worker_cpu_s=1 + worker_cpu_s, commands=3 * TASKS)
    events = prefilled_rows(TASKS, phase=number, each_ns=each_ns)
    phase = phase_data(number, name, Prefilled(TASKS), events, TASKS, after=end)
    readings = {} if name == "off" else {"emissions": EMITTED}
    return replace(phase, readings=readings | ({} if rows is None else {"receipts": frame(rows)}))


def good_run(**changed: PhaseData) -> RunData:
    """Events off: 1,000/s for 1 ms of CPU; on: as fast where there are subscribers, half as fast without, for 3 ms of CPU."""
    phases = {
        "off": drain(1, "off", MS, TASKS / 1000, None),
        "on_0": drain(2, "on_0", 2 * MS, 3 * TASKS / 1000, None),
        "on_1": drain(3, "on_1", EACH_NS, 0.1, all_told(1)),
        "on_5": drain(4, "on_5", EACH_NS, 0.1, all_told(5)),
        "on_slow": drain(5, "on_slow", EACH_NS, 0.1, all_told(1, after_ns=S)),
        "paced": phase_data(6, "paced", Paced(100, 0.1), paced_rows(10, 100, phase=6), 10),
    }
    first = [sample(5 * S, memory_mb=60), sample(6 * S, memory_mb=90)]
    made = RunData(SCENARIO.name, "some-variant", RUN, context(QUICK), worker(), phases | changed, first)
    return made


def planned() -> Iterator[PhasePlan]:
    yield from SCENARIO.phases(context(QUICK))


def codes(data: RunData) -> list[str]:
    return [flag.code for flag in SCENARIO.flags(data)]


def test_it_meets_the_protocol_and_is_found_by_its_file() -> None:
    scenario: Scenario = SCENARIO
    assert all_scenarios()[scenario.name] is scenario


def test_events_are_on_in_all_but_one_drain_and_the_subscribers_are_none_one_five_and_a_slow_one() -> None:
    plans = {plan.name: plan for plan in planned()}
    assert list(plans)[-1] == "paced"
    assert {name for name, plan in plans.items() if not plan.worker.events} == {"off"}
    assert len({plan.worker for name, plan in plans.items() if name != "off"}) == 1
    counts = {name: {d.name: getattr(d, "count", None) for d in plan.devices} for name, plan in plans.items()}
    receipts = {name: of.get("receipts") for name, of in counts.items()}
    assert receipts == {"off": None, "on_0": None, "on_1": 1, "on_5": 5, "on_slow": 1, "paced": 1}
    assert all("emissions" in counts[name] for name in counts if name != "off")
    slow = next(d for d in plans["on_slow"].devices if d.name == "receipts")
    assert getattr(slow, "delay_s", None) == QUICK["slow_delay_ms"] / 1000


def test_a_good_run_gives_every_measure_in_order_and_no_flag() -> None:
    data = good_run()
    measures = SCENARIO.measures(data)
    assert list(measures) == list(SCENARIO.columns)
    lacking = set(missing(measures)) - set(SCENARIO.shares)
    assert lacking == {name for name in missing(dict.fromkeys(SCENARIO.columns)) if name.startswith("paced_")}, (
        "its receipts are not made up here"
    )
    assert all(type(value) in (int, float, type(None)) for value in measures.values())
    assert codes(data) == []
    assert is_valid(run_flags(data))


def test_figures_are_those_of_the_events() -> None:
    expected = {
        "task_count": TASKS,
        "total_time": 0.1,
        "throughput": 1000,
        "mean_latency": 3,
        "memory_mb": 90,
        "off_drain_per_s": 1000,
        "on_0_drain_per_s": 500,
        "on_0_drain_share": 0.5,
        "on_1_drain_share": 1,
        "off_worker_cpu_s_per_1000": 1,
        "emission_cpu_us_per_task": 2000,
        "emission_events_per_task": 2,
        "emission_calls_per_task": 0.5,
        "emission_p50_us": 100,
        "on_1_events_owed": 2 * TASKS,
        "on_1_events_received": 2 * TASKS,
        "on_1_events_lost": 0,
        "on_1_events_duplicated": 0,
        "on_5_events_owed": 10 * TASKS,
        "on_1_delivery_p50_ms": 2,
        "on_1_start_delivery_p99_ms": 2,
        "on_1_transit_p50_ms": 1.5,
        "on_slow_delivery_p99_ms": 1000,
        "attempted": 5 * TASKS + 10,
    }
    measures = SCENARIO.measures(good_run())
    assert {name: measures[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_events_that_never_came_are_lost_and_those_that_came_again_are_not_counted_twice() -> None:
    rows = all_told(5)
    short = [row for row in rows if row[:3] not in {(0, FINISHED, 7), (3, STARTED, 9)}]
    again = [row for row in rows if row[:3] in {(1, FINISHED, 5), (2, FINISHED, 5), (2, STARTED, 5)}]
    data = good_run(on_5=drain(4, "on_5", EACH_NS, 0.1, short + again + [subscribed(3)]))
    measures = SCENARIO.measures(data)
    names = ("owed", "received", "lost", "duplicated")
    assert [measures[f"on_5_events_{name}"] for name in names] == [10 * TASKS, 10 * TASKS - 2, 2, 3]
    assert measures["on_5_connections_broken"] == 1
    (flag,) = SCENARIO.flags(data)
    assert flag.code == EVENT_LOST.code
    assert "2 of 1000 events owed to 5 subscribers did not arrive; connections broken: 1" in flag.detail
    assert is_valid([flag])


def test_a_slow_subscriber_that_is_behind_is_explained_and_no_loss() -> None:
    data = good_run(on_slow=drain(5, "on_slow", EACH_NS, 0.1, all_told(1)[:101]))
    assert codes(data) == [SLOW_SUBSCRIBER_BEHIND.code]
    assert SCENARIO.measures(data)["on_slow_events_lost"] == 100


def test_a_subscriber_that_got_nothing_is_owed_all_the_same() -> None:
    measures = SCENARIO.measures(good_run(on_1=drain(3, "on_1", EACH_NS, 0.1, [subscribed(0)])))
    assert (measures["on_1_events_owed"], measures["on_1_events_lost"]) == (2 * TASKS, 2 * TASKS)
    assert (measures["on_1_delivery_p50_ms"], measures["on_1_transit_p99_ms"]) == (None, None)


def test_an_event_of_a_task_that_the_phase_has_not_run_is_told_apart() -> None:
    stranger = (0, FINISHED, -1, S, S)
    data = good_run(on_1=drain(3, "on_1", EACH_NS, 0.1, [*all_told(1), stranger]))
    assert codes(data) == [EVENT_UNKNOWN.code]
    measures = SCENARIO.measures(data)
    assert (measures["on_1_events_received"], measures["on_1_events_lost"]) == (2 * TASKS, 0)


def test_events_that_are_on_and_not_emitted_make_the_run_invalid() -> None:
    silent = replace(good_run().phases["on_0"], readings={"emissions": EMITTED[:0]})
    data = good_run(on_0=silent)
    assert codes(data) == [NO_EVENTS.code]
    assert not is_valid(SCENARIO.flags(data))
    assert SCENARIO.measures(data)["emission_p50_us"] is None


def test_a_run_that_ended_early_gives_what_it_has() -> None:
    data = good_run()
    nothing = SCENARIO.measures(replace(data, phases={}, samples=[]))
    assert list(nothing) == list(SCENARIO.columns)
    assert {nothing[name] for name in ("off_drain_per_s", "on_1_drain_share", "p50", "emission_cpu_us_per_task")} == {None}
    assert SCENARIO.flags(replace(data, phases={})) == []
    silent = phase_data(3, "on_1", Prefilled(TASKS), [], TASKS)
    empty = replace(data, phases={"on_1": replace(silent, readings={"receipts": frame([]), "emissions": EMITTED[:0]})})
    measures = SCENARIO.measures(empty)
    assert (measures["throughput"], measures["on_1_events_owed"], measures["on_1_delivery_p50_ms"]) == (None, 0, None)
    assert NO_EVENTS.code not in codes(empty), "a task that was not run owes no event"


def test_a_framework_without_events_is_unsupported() -> None:
    assert SCENARIO.unsupported(Variant("x", "thread", "x")) is None
    assert SCENARIO.unsupported(Variant("x", "thread", "x", lacks={"events": "has none"})) == "has none"


@pytest.mark.parametrize("name", QUICK)
def test_a_size_that_makes_no_sense_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size {name}")):
        SCENARIO.check({**QUICK, name: 0})
