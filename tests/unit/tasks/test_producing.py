"""The producer: every planned send is recorded exactly once, with its times and its outcome."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.event_log import Events
from tasks import producing
from tasks.contract import AsyncProducer, Producer
from tasks.events import Kind, Outcome, Recorder
from tasks.loads import (
    Burst,
    Chain,
    Load,
    Mix,
    Paced,
    Prefilled,
    Ramp,
    TaskClass,
    Tasks,
    count_of,
    only,
    schedule_ns,
)
from tasks.producing import ProduceOrder, ProduceResult, produce, produce_async
from tasks.workloads import TaskCall
from tests.support import events_in, open_descriptors


class SendError(Exception):
    """What a broker says."""


class FakeBroker:
    """Notes what it is given; fails for the sequence numbers in ``failing``, and for whole chunks with one in ``broken``."""

    def __init__(self, failing: frozenset[int] = frozenset(), broken: frozenset[int] = frozenset()) -> None:
        self.failing = failing
        self.broken = broken
        self.sent: list[TaskCall] = []
        self.queues: set[str] = set()
        self.chunks: list[int] = []
        self.chained: list[tuple[str, Sequence[TaskCall], int, float]] = []

    def take(self, queue: str, call: TaskCall) -> None:
        self.queues.add(queue)
        self.sent.append(call)
        if call[2] in self.failing:
            raise SendError("refused")

    def take_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        self.chained.append((queue, calls, attempts, backoff_s))
        self.take(queue, calls[0])

    def take_many(self, queue: str, calls: Sequence[TaskCall]) -> list[Exception | None]:
        self.chunks.append(len(calls))
        outcomes: list[Exception | None] = []
        for call in calls:
            try:
                self.take(queue, call)
            except SendError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        if any(call[2] in self.broken for call in calls):
            raise ConnectionError("broken")
        return outcomes


class Blocking:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    def enqueue(self, queue: str, call: TaskCall) -> None:
        self._broker.take(queue, call)

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        return self._broker.take_many(queue, calls)

    def close(self) -> None:
        """Nothing to close."""


class Async:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.in_flight = 0
        self.most_in_flight = 0

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            for _ in range(20):
                await asyncio.sleep(0)
            self._broker.take(queue, call)
        finally:
            self.in_flight -= 1

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        await asyncio.sleep(0)
        return self._broker.take_many(queue, calls)

    async def close(self) -> None:
        """Nothing to close."""


Offer = Callable[[FakeBroker, ProduceOrder], tuple[ProduceResult, Events]]


def _recorded(offer: Callable[[], ProduceResult]) -> tuple[ProduceResult, Events]:
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(producing, "recorder", Recorder(folder)):
            result = offer()
        events = events_in(Path(folder))
        for descriptor in open_descriptors(folder):
            os.close(descriptor)
    return result, events


def _blocking(broker: FakeBroker, order: ProduceOrder) -> tuple[ProduceResult, Events]:
    return _recorded(lambda: produce(Blocking(broker), order))


def _async(broker: FakeBroker, order: ProduceOrder) -> tuple[ProduceResult, Events]:
    return _recorded(lambda: asyncio.run(produce_async(Async(broker), order)))


def _order(load: Load, **changes: Any) -> ProduceOrder:
    values: dict[str, Any] = {"run": 5, "phase": 2, "variant": "fake", "queue": "q", "tasks": only("noop", [1, "x"])}
    return ProduceOrder(**{**values, "load": load, **changes})


class BlockingChains(Blocking):
    def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        self._broker.take_chain(queue, calls, attempts, backoff_s)


class AsyncChains(Async):
    async def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        await asyncio.sleep(0)
        self._broker.take_chain(queue, calls, attempts, backoff_s)


def _blocking_chains(broker: FakeBroker, order: ProduceOrder) -> tuple[ProduceResult, Events]:
    return _recorded(lambda: produce(BlockingChains(broker), order))


def _async_chains(broker: FakeBroker, order: ProduceOrder) -> tuple[ProduceResult, Events]:
    return _recorded(lambda: asyncio.run(produce_async(AsyncChains(broker), order)))


both = pytest.mark.parametrize("offer", [_blocking, _async])
PACED_LOADS = [Burst(40), Paced(2000, 0.02), Paced(1500, 0.02, "poisson", 3), Ramp(500, 2500, 0.02), Ramp(2500, 0, 0.02)]
LOADS = [*PACED_LOADS, Prefilled(40), Prefilled(40, many=True, chunk=16)]


def test_the_fakes_meet_the_contract() -> None:
    assert isinstance(Blocking(FakeBroker()), Producer)
    assert isinstance(Async(FakeBroker()), AsyncProducer)


@both
@pytest.mark.parametrize("load", LOADS)
def test_every_planned_task_is_sent_and_recorded_once(offer: Offer, load: Load) -> None:
    broker = FakeBroker(failing=frozenset({103, 107}))
    result, events = offer(broker, _order(load, first_sequence=100))

    planned = list(range(100, 100 + count_of(load)))
    assert sorted(call[2] for call in broker.sent) == sorted(events["sequence"]) == planned
    assert {(call[0], call[1], call[4], *call[5]) for call in broker.sent} == {(5, 2, "noop", 1, "x")}
    assert broker.queues == {"q"}
    assert set(events["kind"]) == {Kind.ENQUEUED}
    assert set(events["run"]) == {5}
    assert set(events["phase"]) == {2}
    assert sorted(events["sequence"][events["outcome"] == Outcome.FAILED]) == [103, 107]
    assert (result.attempted, result.acknowledged, result.failed) == (len(planned), len(planned) - 2, 2)
    assert result.errors == {"SendError: refused": 2}
    assert result.cpu_s >= 0


@both
@pytest.mark.parametrize("load", LOADS)
def test_times_are_in_order_and_the_task_carries_its_due_time(offer: Offer, load: Load) -> None:
    broker = FakeBroker()
    result, events = offer(broker, _order(load))
    due_ns, before_ns, after_ns = events["first_ns"], events["second_ns"], events["third_ns"]
    assert (due_ns <= before_ns).all()
    assert (before_ns <= after_ns).all()
    assert (result.began_ns <= before_ns).all()
    assert (after_ns <= result.ended_ns).all()
    assert {call[2]: call[3] for call in broker.sent} == dict(zip(events["sequence"].tolist(), due_ns.tolist(), strict=True))


@both
@pytest.mark.parametrize("load", PACED_LOADS)
def test_due_times_are_those_of_the_schedule_whatever_the_broker_does(offer: Offer, load: Load) -> None:
    result, events = offer(FakeBroker(failing=frozenset(range(0, 40, 3))), _order(load))
    by_sequence = events[events["sequence"].argsort()]
    assert (by_sequence["first_ns"] - result.began_ns).tolist() == schedule_ns(load).tolist()


@both
@pytest.mark.parametrize("load", [Prefilled(20), Prefilled(20, many=True, chunk=7)])
def test_a_prefilled_task_is_due_when_its_own_send_begins(offer: Offer, load: Prefilled) -> None:
    _, events = offer(FakeBroker(), _order(load))
    # After the send before it has ended, that is, not at the start of the load; the sends of one chunk share their times.
    ends_before = {int(row["first_ns"]): int(row["third_ns"]) for row in events}
    dues = sorted(ends_before)
    assert len(dues) == (3 if load.many else 20)
    assert all(ends_before[earlier] <= later for earlier, later in pairwise(dues))


@both
def test_many_go_in_chunks_of_the_asked_size(offer: Offer) -> None:
    broker = FakeBroker()
    offer(broker, _order(Prefilled(50, many=True, chunk=16)))
    assert broker.chunks == [16, 16, 16, 2]


@both
@given(
    count=st.integers(0, 40),
    many=st.booleans(),
    chunk=st.integers(1, 50),
    failing=st.frozensets(st.integers(0, 40)),
    broken=st.frozensets(st.integers(0, 40), max_size=2),
)
def test_nothing_is_dropped_or_repeated_whatever_fails(
    offer: Offer, count: int, many: bool, chunk: int, failing: frozenset[int], broken: frozenset[int]
) -> None:
    """One failing send of a chunk fails alone; a call that raises fails all that it was given."""
    broker = FakeBroker(failing, broken)
    result, events = offer(broker, _order(Prefilled(count, many, chunk)))
    lost_chunks = {sequence // chunk for sequence in broken if sequence < count} if many else set()
    expected = {s for s in range(count) if s in failing or s // chunk in lost_chunks}
    assert sorted(events["sequence"]) == sorted(call[2] for call in broker.sent) == list(range(count))
    assert set(events["sequence"][events["outcome"] == Outcome.FAILED]) == expected
    assert (result.attempted, result.failed, sum(result.errors.values())) == (count, len(expected), len(expected))


@both
@pytest.mark.parametrize("told", [0, 3, 5])
def test_a_chunk_with_too_few_or_too_many_outcomes_has_failed(offer: Offer, told: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBroker, "take_many", lambda *_: [None] * told)
    result, events = offer(FakeBroker(), _order(Prefilled(4, many=True)))
    assert events["outcome"].tolist() == [Outcome.FAILED] * 4
    assert result.errors == {f"ValueError: enqueue_many told of {told} sends when it was given 4": 4}


@pytest.mark.parametrize("limit", [1, 7])
def test_sends_in_flight_are_bounded(limit: int) -> None:
    producer = Async(FakeBroker())
    result, _ = _recorded(lambda: asyncio.run(produce_async(producer, _order(Burst(60), in_flight_limit=limit))))
    assert producer.most_in_flight == limit
    assert result.acknowledged == 60


def test_an_order_that_could_never_send_is_refused() -> None:
    with pytest.raises(ValueError, match="in_flight_limit must be at least 1, not 0"):
        _order(Burst(1), in_flight_limit=0)


POSTED = Mix((TaskClass("noop", endpoint="/one"), TaskClass("noop", label=1, endpoint="/other")), seed=3)
WEB_URL = "http://127.0.0.1:1"


def test_tasks_are_posted_to_their_endpoints_in_the_place_of_a_queue() -> None:
    endpoints: dict[int, str] = {}

    class Posting(Async):
        async def enqueue(self, queue: str, call: TaskCall) -> None:
            endpoints[call[2]] = queue

    order = _order(Burst(40), tasks=POSTED, web_url=WEB_URL)
    result, events = _recorded(lambda: asyncio.run(produce_async(Posting(FakeBroker()), order)))
    assert result.acknowledged == 40
    assert {endpoints[int(row["sequence"])] for row in events if row["label"] == 0} == {"/one"}
    assert {endpoints[int(row["sequence"])] for row in events if row["label"] == 1} == {"/other"}


@pytest.mark.parametrize(
    ("tasks", "web_url"),
    [
        (POSTED, ""),
        (only("noop"), WEB_URL),
        (Mix((*POSTED.classes, TaskClass("noop"))), WEB_URL),
        (Chain((TaskClass("noop", endpoint="/one"),)), WEB_URL),
    ],
)
def test_either_all_tasks_can_be_posted_or_none(tasks: Mix | Chain, web_url: str) -> None:
    with pytest.raises(ValueError, match="with a web_url every class of a mix needs an endpoint, and without one none may"):
        _order(Burst(1), tasks=tasks, web_url=web_url)


def test_many_at_once_are_posted_to_one_endpoint() -> None:
    with pytest.raises(ValueError, match="many tasks at once must be of one lane or endpoint and no chains"):
        _order(Prefilled(10, many=True), tasks=POSTED, web_url=WEB_URL)


class Cancelling(Async):
    """A client that cancels sends of its own, as one that gives up a connection may."""

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        raise asyncio.CancelledError

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        raise asyncio.CancelledError


@pytest.mark.parametrize("load", [Burst(3), Prefilled(3), Prefilled(3, many=True)])
def test_a_send_that_the_client_itself_cancels_has_failed(load: Load) -> None:
    result, events = _recorded(lambda: asyncio.run(produce_async(Cancelling(FakeBroker()), _order(load))))
    assert result.failed == 3
    assert events["outcome"].tolist() == [Outcome.FAILED] * 3


class Hanging(Async):
    """A client whose sends never end."""

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        await asyncio.Event().wait()

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        await asyncio.Event().wait()
        return []


@pytest.mark.parametrize("load", [Burst(3), Prefilled(3), Prefilled(3, many=True)])
def test_a_load_that_is_cancelled_ends(load: Load) -> None:
    async def main() -> ProduceResult:
        async with asyncio.timeout(0.01):
            return await produce_async(Hanging(FakeBroker()), _order(load))

    with pytest.raises(TimeoutError):
        _recorded(lambda: asyncio.run(main()))


LANES = Mix((TaskClass("noop", "a", 1, 3, "high"), TaskClass("sleep", 0.0, 2, 1, "low")), seed=3)


@both
@pytest.mark.parametrize("load", [Prefilled(40), Paced(2000, 0.02)])
def test_each_task_of_a_mix_goes_to_its_lane_under_its_label(offer: Offer, load: Load) -> None:
    broker = FakeBroker(failing=frozenset({7}))
    _, events = offer(broker, _order(load, tasks=LANES, first_sequence=5))
    drawn = LANES.draw(40)
    assert dict(zip(events["sequence"].tolist(), events["label"].tolist(), strict=True)) == {
        5 + i: LANES.classes[drawn[i]].label for i in range(40)
    }
    assert broker.queues == {"q-high", "q-low"}
    assert {(call[4], call[5]) for call in broker.sent} == {("noop", "a"), ("sleep", 0.0)}


@pytest.mark.parametrize("offer", [_blocking_chains, _async_chains])
@pytest.mark.parametrize("load", [Prefilled(10), Paced(1000, 0.01)])
def test_the_stages_of_a_chain_are_sent_as_one_and_recorded_each(offer: Offer, load: Load) -> None:
    broker = FakeBroker(failing=frozenset({6}))
    tasks = Chain((TaskClass("noop", 1, 11), TaskClass("noop", 2, 12), TaskClass("noop", 3, 13)), attempts=4, backoff_s=0.5)
    result, events = offer(broker, _order(load, tasks=tasks))
    assert (result.attempted, result.failed) == (30, 3)
    assert sorted(events["sequence"][events["outcome"] == Outcome.FAILED]) == [6, 7, 8]
    assert all(label == 11 + sequence % 3 for sequence, label in events[["sequence", "label"]].tolist())
    assert len(broker.chained) == 10
    for queue, calls, attempts, backoff_s in broker.chained:
        assert (queue, attempts, backoff_s) == ("q", 4, 0.5)
        assert [call[2] - calls[0][2] for call in calls] == [0, 1, 2]
        assert [call[5] for call in calls] == [1, 2, 3]
        assert len({call[3] for call in calls}) == 1


@pytest.mark.parametrize("tasks", [LANES, Chain((TaskClass("noop"),))])
def test_many_at_once_are_of_one_lane_and_no_chains(tasks: Tasks) -> None:
    with pytest.raises(ValueError, match="one lane or endpoint and no chains"):
        _order(Prefilled(3, many=True), tasks=tasks)
