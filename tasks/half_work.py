"""Work that waits and then computes in Python: a task that asks for something and makes something of the answer."""

import asyncio
import time
from collections.abc import Mapping

from tasks.cpu_work import SLOW_PYTHON_ITERATION_S, derive_in_python
from tasks.workloads import TaskId, Workload


def _half(argument: Mapping[str, float], _: TaskId) -> None:
    time.sleep(argument["wait_s"])
    derive_in_python(int(argument["iterations"]))


async def _half_async(argument: Mapping[str, float], _: TaskId) -> None:
    await asyncio.sleep(argument["wait_s"])
    derive_in_python(int(argument["iterations"]))


def _longest_s(argument: Mapping[str, float]) -> float:
    return argument["wait_s"] + argument["iterations"] * SLOW_PYTHON_ITERATION_S


WAIT_AND_COMPUTE = Workload(_half, _half_async, longest_s=_longest_s)
