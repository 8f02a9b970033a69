"""Work that waits and then computes."""

import asyncio
import time

import pytest

from tasks import half_work
from tasks.workloads import WORKLOADS

ARGUMENT = {"wait_s": 0.02, "iterations": 3}


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    iterations: list[int] = []
    monkeypatch.setattr(half_work, "derive_in_python", iterations.append)
    return iterations


def test_it_waits_then_computes_in_both_bodies(computed: list[int]) -> None:
    work = WORKLOADS["wait_and_compute"]
    assert work.coroutine is not None
    begun = time.monotonic()
    work.blocking(ARGUMENT, (1, 1, 1, 1))
    asyncio.run(work.coroutine(ARGUMENT, (1, 1, 1, 1)))  # type: ignore[arg-type]
    assert time.monotonic() - begun >= 2 * ARGUMENT["wait_s"]
    assert computed == [3, 3]


def test_it_says_how_long_it_takes_at_most() -> None:
    assert WORKLOADS["wait_and_compute"].longest_s(ARGUMENT) > ARGUMENT["wait_s"]
