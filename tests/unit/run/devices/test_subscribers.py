"""Receipts and emissions, from the recorder to the tables that scenarios read."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record.event_stream import UNKNOWN
from benchmarks.run.devices.subscribers import emissions, receipts
from infrastructure.agent.counting import EventReader
from tasks import subscriber
from tasks.events import Kind, NullRecorder, Recorder, Streamed
from tasks.streaming import EVENTS_VARIABLE, EventSource, emits_events, identity_key
from tests.support import events_in, open_descriptors

RUN, PHASE = 7, 3


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Recorder]:
    yield Recorder(tmp_path)
    for descriptor in open_descriptors(str(tmp_path)):
        os.close(descriptor)


def test_a_receipt_is_joined_to_its_task_by_the_frameworks_own_name(log: Recorder, tmp_path: Path) -> None:
    for sequence, name in ((4, "d7-b"), (2, "a1-f"), (9, "zz")):
        log.started(RUN, PHASE, sequence, due_ns=0, identity=identity_key(name))
    log.started(RUN, PHASE + 1, 1, due_ns=0, identity=identity_key("of another phase"))
    log.received(RUN, PHASE, 1, Streamed.NOTHING, 50)
    for at_ns, name in ((100, "a1-f"), (200, "zz"), (300, "d7-b"), (400, "of another phase"), (500, "never heard of")):
        log.received(RUN, PHASE, 1, Streamed.FINISHED, at_ns, at_ns - 10, identity_key(name))
    log.received(RUN, PHASE + 1, 0, Streamed.STARTED, 600, 590, identity_key("zz"))
    log.received(RUN + 1, PHASE, 0, Streamed.STARTED, 600, 590, identity_key("zz"))
    frame = receipts(events_in(tmp_path), events_in(tmp_path), RUN, PHASE)
    assert frame.to_dict("list") == {
        "subscriber": [1] * 6,
        "what": [Streamed.NOTHING, *[Streamed.FINISHED] * 5],
        "sequence": [UNKNOWN, 2, 9, 4, UNKNOWN, UNKNOWN],
        "occurred_ns": [0, 90, 190, 290, 390, 490],
        "received_ns": [50, 100, 200, 300, 400, 500],
    }


def test_receipts_of_a_phase_without_tasks_are_all_unknown(log: Recorder, tmp_path: Path) -> None:
    log.received(RUN, PHASE, 0, Streamed.STARTED, 1, 1, identity_key("x"))
    frame = receipts(events_in(tmp_path), events_in(tmp_path)[:0], RUN, PHASE)
    assert frame.sequence.tolist() == [UNKNOWN]


def test_emissions_are_those_since_the_phase_began(log: Recorder, tmp_path: Path) -> None:
    log.emitted(time.monotonic_ns() - 5_000_000)
    since_ns = time.monotonic_ns()
    log.emitted(since_ns, events=24)
    ended_ns = time.monotonic_ns()
    frame = emissions(events_in(tmp_path), since_ns)
    assert frame[["began_ns", "events"]].to_dict("records") == [{"began_ns": since_ns, "events": 24}]
    assert 0 <= frame.took_ns[0] <= ended_ns - since_ns


def test_the_agent_counts_them_and_knows_how_long_emission_took(log: Recorder, tmp_path: Path) -> None:
    began_ns = time.monotonic_ns() - 7_000_000
    log.emitted(began_ns)
    for what in (Streamed.NOTHING, Streamed.STARTED, Streamed.STARTED):
        log.received(RUN, PHASE, 0, what, 1)
    reader = EventReader(tmp_path)
    assert reader.by_outcome(Kind.RECEIVED, RUN, PHASE) == {Streamed.NOTHING: 1, Streamed.STARTED: 2}
    assert reader.by_outcome(Kind.RECEIVED, RUN, PHASE + 1) == {}
    assert sum(reader.by_outcome(Kind.EMITTED, 0, 0).values()) == 1
    emission = reader.totals().emission
    assert emission.cumulative[-1] == 1
    assert 0.007 <= emission.sum_s < 60


def test_names_get_keys_of_their_own_that_the_event_log_can_hold() -> None:
    keys = {identity_key(f"{sequence:08x}-aaaa") for sequence in range(10_000)}
    assert len(keys) == 10_000
    assert min(keys) < 0 < max(keys)
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert identity_key("a") == identity_key("a")


def test_a_worker_emits_only_where_it_was_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EVENTS_VARIABLE, raising=False)
    assert not emits_events()
    monkeypatch.setenv(EVENTS_VARIABLE, "on")
    assert emits_events()


def test_a_subscriber_records_in_the_monotonic_clock_and_a_slow_one_takes_its_time(
    log: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "recorder", log)
    received = subscriber.receiver(RUN, PHASE, number=2, delay_s=0.05)
    received(Streamed.NOTHING, "", 0.0)
    began_ns = time.monotonic_ns()
    received(Streamed.STARTED, "x", time.time() - 1)
    assert time.monotonic_ns() - began_ns >= 50_000_000
    ready, started = events_in(tmp_path)
    assert (ready["label"], ready["outcome"], ready["second_ns"], ready["third_ns"]) == (2, Streamed.NOTHING, 0, 0)
    assert started["third_ns"] == identity_key("x")
    assert (started["first_ns"] - started["second_ns"]) / 1e9 == pytest.approx(1, abs=0.2)


def test_without_a_folder_nothing_is_recorded() -> None:
    silent: Any = NullRecorder()
    silent.emitted(1, events=2)
    silent.received(RUN, PHASE, 0, Streamed.STARTED, 1)


def test_what_has_an_event_stream_is_a_source_of_events() -> None:
    class Source:
        def event_stream(self, received: object) -> None:
            """None."""

    assert isinstance(Source(), EventSource)
    assert not isinstance(object(), EventSource)
