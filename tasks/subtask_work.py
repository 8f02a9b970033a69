"""A task that has many parts, each of which makes a data object, works on it for a while and gives it up. Standard library only.

The object is a list of rows, as a task has them that reads a table: each a ``bytes`` of its own, written in full when it is made.
Working on it goes over all of it once, a portion at a time, and waits after each until so much of the part's time is over. The
checksum of what was gone over must be that which the producer has reckoned without making the object.
"""

import asyncio
import functools
import importlib
import random
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from tasks.loads import NS_PER_S
from tasks.workloads import TaskId, Workload, recorder

ROW_BYTES = 991
"""Contents of a row: with what Python adds to them 1,024 bytes."""
POINTER_BYTES = 8
PORTIONS = 10
_SOURCE_BYTES = 1 << 16
_ROW_STEP, _PART_STEP = 7_919, 104_729
"""Primes, so that rows and parts differ."""
SLOW_BYTES_PER_S = 2e6
"""What a slow core makes and goes over, with others beside it."""


@functools.cache
def _source() -> bytes:
    return random.Random("rows").randbytes(_SOURCE_BYTES)


def row_count(size_bytes: int) -> int:
    """How many rows an object of this size has, at least 1."""
    return max(1, round(size_bytes / (sys.getsizeof(bytes(ROW_BYTES)) + POINTER_BYTES)))


def _offset(number: int, row: int) -> int:
    return (_ROW_STEP * row + _PART_STEP * number) % (_SOURCE_BYTES - ROW_BYTES)


def data_object(size_bytes: int, number: int) -> list[bytes]:
    """The object of a part: rows whose objects and pointers have this size together."""
    source = _source()
    return [source[(at := _offset(number, row)) : at + ROW_BYTES] for row in range(row_count(size_bytes))]


@functools.lru_cache(maxsize=1024)
def expected_checksum(size_bytes: int, number: int) -> int:
    """The CRC-32 of all rows of it in order, without making it."""
    source, checksum = memoryview(_source()), 0
    for row in range(row_count(size_bytes)):
        at = _offset(number, row)
        checksum = zlib.crc32(source[at : at + ROW_BYTES], checksum)
    return checksum


def _prepare(order: Mapping[str, Any]) -> dict[str, Any]:
    return {**order, "checksums": [expected_checksum(order["size_bytes"], number) for number in range(order["subtasks"])]}


def _steps(order: Mapping[str, Any], number: int, task_id: TaskId) -> Iterator[float]:
    """One part: yields how long it is to wait next, s. Raises ValueError where the checksum is not the expected one."""
    run, phase, sequence, _ = task_id
    began_ns = time.monotonic_ns()
    rows = data_object(order["size_bytes"], number)
    checksum = 0
    for portion in range(PORTIONS):
        for row in range(portion * len(rows) // PORTIONS, (portion + 1) * len(rows) // PORTIONS):
            checksum = zlib.crc32(rows[row], checksum)
        due_ns = began_ns + int(order["time_s"] * NS_PER_S) * (portion + 1) // PORTIONS
        # Some sleeps end a moment early.
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            yield left_ns / NS_PER_S
    if checksum != order["checksums"][number]:
        raise ValueError(f"the data of part {number} has the checksum {checksum}, and not {order['checksums'][number]}")
    recorder.subtask(run, phase, sequence, number, began_ns)


def _do(order: Mapping[str, Any], task_id: TaskId, number: int, sleep: Callable[[float], Any]) -> None:
    for wait_s in _steps(order, number, task_id):
        sleep(wait_s)


async def _do_async(order: Mapping[str, Any], task_id: TaskId, number: int, sleep: Callable[[float], Awaitable[Any]]) -> None:
    for wait_s in _steps(order, number, task_id):
        await sleep(wait_s)


def _way(order: Mapping[str, Any]) -> Callable[..., Any]:
    module, _, function = order["way"].partition(":")
    way: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return way


def _all(order: Mapping[str, Any], task_id: TaskId) -> None:
    _way(order)(functools.partial(_do, order, task_id), order["subtasks"], order["at_once"])


async def _all_async(order: Mapping[str, Any], task_id: TaskId) -> None:
    await _way(order)(functools.partial(_do_async, order, task_id), order["subtasks"], order["at_once"])


def _one(order: Mapping[str, Any], task_id: TaskId) -> None:
    _do(order, task_id, task_id[2] % order["subtasks"], time.sleep)


async def _one_async(order: Mapping[str, Any], task_id: TaskId) -> None:
    await _do_async(order, task_id, task_id[2] % order["subtasks"], asyncio.sleep)


def _longest_part_s(order: Mapping[str, Any]) -> float:
    """Alone it takes its time; of several at once each may have to wait for the others to make theirs."""
    longest_s: float = order["time_s"] + order["at_once"] * order["size_bytes"] / SLOW_BYTES_PER_S
    return longest_s


def _longest_s(order: Mapping[str, Any]) -> float:
    return int(order["subtasks"]) * _longest_part_s(order)


SUBTASKS = Workload(_all, _all_async, prepare=_prepare, longest_s=_longest_s)
"""All parts in one task, in the way ``way`` and ``at_once`` at the same time: ``subtasks`` of ``size_bytes`` and ``time_s``."""
ONE_SUBTASK = Workload(_one, _one_async, prepare=_prepare, longest_s=_longest_part_s)
"""One of the parts, by its task's number: as many tasks as there are parts do all of them."""
