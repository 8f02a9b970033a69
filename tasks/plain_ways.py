"""The ways of :mod:`tasks.ways` that need nothing but Python. Standard library only."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from tasks.ways import AsyncPart, Part


def sequential(part: Part, count: int, at_once: int) -> None:
    """One after another, where the task runs, whatever ``at_once`` says."""
    for number in range(count):
        part(number, time.sleep)


def threads(part: Part, count: int, at_once: int) -> None:
    """In the threads of the standard library's pool, which ends with the task. In a worker that has patched the standard library
    its threads are greenlets."""
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(part, number, time.sleep) for number in range(count)]:
            done.result()


async def coroutines(part: AsyncPart, count: int, at_once: int) -> None:
    """As coroutines on the loop that the task runs on."""
    free = asyncio.Semaphore(at_once)

    async def when_free(number: int) -> None:
        async with free:
            await part(number, asyncio.sleep)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(when_free(number))
