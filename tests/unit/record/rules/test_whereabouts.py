"""All that a producer sent must have reached the lab's own Redis."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.flags import Flag
from benchmarks.record.rules.whereabouts import whereabouts_flags
from benchmarks.record.run_data import PhaseData
from tasks.loads import Burst, Chain, Load, Mix, Prefilled, TaskClass, Tasks, only
from tests.unit.made_up import paced_rows, phase_data

SENT = 30


def phase(
    *,
    load: Load | None = None,
    tasks: Tasks | None = None,
    queued: int | None = None,
    blocked: int = 0,
    puts: tuple[int | None, int | None] = (5, 5 + SENT),
    filled: int | None = None,
    acknowledged: int = SENT,
    failed: int = 0,
) -> PhaseData:
    """A phase of 30 sends of which Redis saw so many: ``puts`` as counted before and after, ``filled`` in between."""
    made = phase_data(1, "some", load or Burst(SENT), paced_rows(SENT, 100, phase=1), SENT)
    record = made.record
    return replace(
        made,
        record=replace(
            record,
            tasks=tasks or only("noop"),
            queued=queued,
            produced=replace(record.produced, acknowledged=acknowledged, failed=failed),
            before=replace(record.before, redis=replace(record.before.redis, puts=puts[0], blocked_clients=blocked)),
            filled=replace(record.filled, redis=replace(record.filled.redis, puts=puts[1] if filled is None else filled)),
            after=replace(record.after, redis=replace(record.after.redis, puts=puts[1])),
        ),
    )


def seen(data: PhaseData) -> list[Flag]:
    return list(whereabouts_flags(data, ()))


@given(queued=st.integers(0, 2 * SENT), blocked=st.integers(0, 3), failed=st.integers(0, 3))
def test_of_many_sent_at_once_all_lie_in_the_queues_but_for_one_in_each_waiting_hand(
    queued: int, blocked: int, failed: int
) -> None:
    flags = seen(phase(load=Prefilled(SENT, many=True), queued=queued, blocked=blocked, failed=failed, puts=(7, 8)))
    assert bool(flags) != (SENT - blocked <= queued <= SENT + failed)
    for flag in flags:
        assert f"some: {queued} messages reached the lab's Redis" in flag.detail


@given(added=st.integers(0, 2 * SENT), failed=st.integers(0, 3))
def test_queues_that_no_worker_took_from_meanwhile_were_put_just_as_many_into_as_were_acknowledged(
    added: int, failed: int
) -> None:
    flags = seen(phase(load=Prefilled(SENT), puts=(7, 7 + 3 * SENT), filled=7 + added, failed=failed))
    assert bool(flags) != (SENT <= added <= SENT + failed)


@pytest.mark.parametrize(("added", "sound"), [(0, False), (SENT - 1, False), (SENT, True), (3 * SENT, True)])
def test_beside_a_worker_at_least_as_many_were_put_into_queues_as_were_acknowledged(added: int, sound: bool) -> None:
    assert (seen(phase(puts=(7, 7 + added))) == []) == sound


def test_a_chain_is_one_message() -> None:
    chain = Chain((TaskClass("noop"),) * 3, attempts=1, backoff_s=0)
    assert seen(phase(tasks=chain, puts=(0, SENT // 3))) == []
    assert seen(phase(tasks=chain, puts=(0, SENT // 3 - 1)))


@pytest.mark.parametrize(("endpoint", "messages"), [("/dispatch", SENT), ("/wait", SENT), ("/background", 0), ("/nothing", 0)])
def test_only_what_a_web_application_dispatches_is_a_message(endpoint: str, messages: int) -> None:
    tasks = Mix((TaskClass("noop", endpoint=endpoint),))
    assert seen(phase(tasks=tasks, puts=(0, messages))) == []
    assert bool(seen(phase(tasks=tasks, puts=(0, 0)))) == (messages > 0)


def test_it_says_what_else_something_was_connected_to_and_is_silent_on_what_was_not_read() -> None:
    [flag] = whereabouts_flags(phase(puts=(0, 0)), ("10.0.0.7:6379",))
    assert "connections to 10.0.0.7:6379" in flag.detail
    assert flag.phase == "some"
    assert seen(phase(puts=(None, None))) == []
