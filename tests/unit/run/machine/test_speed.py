"""The speed of the machine by a fixed piece of work."""

import os

import pytest

from benchmarks.results.stored_run import FIRST_SPEED
from benchmarks.run.machine.speed import first_speeds, read_speed


def test_every_core_is_timed_alone_and_together_and_the_process_keeps_its_cores() -> None:
    cores = os.sched_getaffinity(0)
    reading = read_speed()
    assert len(reading.alone_s) == len(reading.together_s) == len(cores)
    assert min(*reading.alone_s, *reading.together_s) > 0
    assert os.sched_getaffinity(0) == cores


def test_the_speed_is_pieces_of_work_a_second_and_core() -> None:
    reading = read_speed()
    times = [*reading.alone_s, *reading.together_s]
    assert reading.per_s == pytest.approx(len(times) / sum(times))


def test_the_first_speeds_are_facts_of_a_set() -> None:
    facts = first_speeds()
    assert FIRST_SPEED in facts
    assert all(name.endswith("_per_s") and value > 0 for name, value in facts.items())
    assert len(facts) == 3
