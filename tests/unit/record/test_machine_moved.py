"""How far the machine moved, in words."""

from dataclasses import replace

import pytest

from benchmarks.record.flags import MACHINE_SPEED_MOVED, TASK_LOST
from benchmarks.record.machine_moved import machine_moved
from benchmarks.record.run_data import RunResult

MOVED = MACHINE_SPEED_MOVED.flag(phase="paced", low=0.5, high=1.0, of="run")
LOST = TASK_LOST.flag(phase="paced", count=1, acknowledged=9, ids="3")
ROW = RunResult("scenario_1_throughput", "some", "fast", 1, 1, valid=True)


@pytest.mark.parametrize(
    ("flags", "words"),
    [([], "no phase is"), ([LOST], "no phase is"), ([MOVED, LOST], "1 phase is"), ([MOVED] * 3, "3 phases are")],
)
def test_it_says_how_far_and_how_many_phases_that_cost(flags: list[object], words: str) -> None:
    rows = [replace(ROW, measures={"machine_speed": speed}) for speed in (1.0, 0.914, 1.077, None)]
    rows.append(replace(ROW, valid=False, flags=tuple(flags)))  # type: ignore[arg-type]
    between = "the machine's speed lay between 0.91 and 1.08 of the set's median, run by run; "
    assert machine_moved(rows) == f"{between}{words} invalid by it"


def test_a_set_of_a_version_that_did_not_take_it_says_nothing() -> None:
    assert machine_moved([ROW]) is None
    assert machine_moved([]) is None
