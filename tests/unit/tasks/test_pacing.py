"""Waiting for a due time: never too short, and without keeping others from running."""

import asyncio
import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn
from unittest import mock

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tasks import pacing
from tasks.pacing import SPIN_AT_MOST_NS, AsyncTimer, monotonic_ns, spin_stretch_ns, wait_until
from tests.support import open_descriptors

AHEAD_NS = [0, 1_000, 80_000, 600_000, 3_000_000]
SPINS_NS = [0, 50_000, SPIN_AT_MOST_NS]
GAPS_NS = st.floats(0, 1e12)
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

on_both_loops = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])


@pytest.mark.parametrize("spin_ns", SPINS_NS)
@pytest.mark.parametrize("ahead_ns", AHEAD_NS)
def test_waiting_never_ends_before_the_due_time(ahead_ns: int, spin_ns: int) -> None:
    due_ns = monotonic_ns() + ahead_ns
    wait_until(due_ns, spin_ns)
    assert monotonic_ns() >= due_ns


def test_what_is_overdue_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: float) -> NoReturn:
        raise AssertionError("slept although it was overdue")

    monkeypatch.setattr(time, "sleep", refuse)
    wait_until(monotonic_ns() - 1, 0)
    wait_until(0, SPIN_AT_MOST_NS)


def test_the_spin_stretch_is_left_out_of_the_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    slept_s: list[float] = []
    monkeypatch.setattr(time, "sleep", slept_s.append)
    wait_until(monotonic_ns() + 1_000_000, 400_000)
    assert 0 < slept_s[0] <= 600_000 / 1e9


@given(GAPS_NS)
def test_spinning_takes_at_most_a_tenth_of_the_gap(gap_ns: float) -> None:
    with mock.patch.object(os, "sched_getaffinity", return_value={0, 1}):
        assert 0 <= spin_stretch_ns(gap_ns) <= min(SPIN_AT_MOST_NS, 0.1 * gap_ns)
        assert spin_stretch_ns(1e9) == SPIN_AT_MOST_NS


@given(GAPS_NS)
def test_nothing_is_spun_on_a_single_core(gap_ns: float) -> None:
    with mock.patch.object(os, "sched_getaffinity", return_value={3}):
        assert spin_stretch_ns(gap_ns) == 0


def test_timers_are_sharpened_to_a_microsecond() -> None:
    slack_ns: list[int] = []

    def sharpen() -> None:
        pacing.sharpen_timers()
        slack_ns.append(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0))  # PR_GET_TIMERSLACK

    thread = threading.Thread(target=sharpen)  # the slack is the thread's own
    thread.start()
    thread.join()
    assert slack_ns == [1000]


@on_both_loops
def test_an_async_wait_never_ends_before_the_due_time(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        timer = AsyncTimer()
        for ahead_ns in AHEAD_NS:
            for spin_ns in SPINS_NS:
                due_ns = monotonic_ns() + ahead_ns
                await timer.wait_until(due_ns, spin_ns)
                assert monotonic_ns() >= due_ns
        timer.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@on_both_loops
def test_an_async_wait_lets_other_coroutines_run(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        steps = 0

        async def other() -> None:
            nonlocal steps
            for _ in range(5):
                await asyncio.sleep(0)
                steps += 1

        timer = AsyncTimer()
        task = asyncio.create_task(other())
        await timer.wait_until(monotonic_ns() + 20_000_000, 0)
        assert steps == 5
        await task
        timer.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_an_async_wait_for_what_is_overdue_does_not_even_yield() -> None:
    async def main() -> None:
        timer = AsyncTimer()
        with pytest.raises(StopIteration):
            timer.wait_until(monotonic_ns() - 1, 0).send(None)
        timer.close()

    asyncio.run(main())


def test_a_wait_after_a_cancelled_one_ends_at_its_own_time() -> None:
    async def main() -> None:
        timer = AsyncTimer()
        for first_ahead_ns in (0, 2_000_000, 3_600_000_000_000):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await timer.wait_until(monotonic_ns() + first_ahead_ns + 1_000_000, 0)
            due_ns = monotonic_ns() + 1_000_000
            await timer.wait_until(due_ns, 0)
            assert monotonic_ns() >= due_ns
        timer.close()

    asyncio.run(main())


def test_closing_gives_the_descriptor_back_and_may_be_repeated() -> None:
    async def main() -> None:
        timer = AsyncTimer()
        await timer.wait_until(monotonic_ns() + 100_000, 0)
        timer.close()
        timer.close()

    before = open_descriptors("anon_inode:[timerfd]")
    asyncio.run(main())
    assert open_descriptors("anon_inode:[timerfd]") == before
