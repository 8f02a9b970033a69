"""What the lab's own code costs inside a framework's environment: ``python -m tasks.self_cost``. Prints one JSON object.

- ``recorder COUNT``: microseconds that the two stamps of a task take, into ``LAB_EVENTS_DIR``.
- ``enqueue FRAMEWORK VARIANT COUNT ROUNDS``: tasks per second of a bare loop around the framework's own enqueue call, and of the
  lab's producer, in turn; each round on an empty queue.
"""

import asyncio
import json
import sys
import time
from typing import Any

from tasks.contract import Framework, load_framework
from tasks.loads import Prefilled, only
from tasks.producing import ProduceOrder, produce, produce_async
from tasks.workloads import TaskCall, recorder

QUEUE = "lab-self-cost"


def recorder_us(count: int) -> dict[str, Any]:
    """Both stamps of ``count`` tasks, in chunks; the median chunk counts, as the others contain stalls of the machine."""
    chunk = max(1, count // 50)
    costs = []
    for first in range(0, count, chunk):
        began_ns = time.perf_counter_ns()
        for sequence in range(first, first + chunk):
            recorder.started(1, 1, sequence, 0)
            recorder.finished(1, 1, sequence, 0)
        costs.append((time.perf_counter_ns() - began_ns) / chunk / 1000)
    return {"median_us": sorted(costs)[len(costs) // 2], "min_us": min(costs), "max_us": max(costs)}


def enqueue_rates(framework: Framework, variant: str, count: int, rounds: int) -> dict[str, Any]:
    """Rates of the bare loop and of the lab's producer, a pair for each round."""
    with asyncio.Runner(loop_factory=framework.loop_factory) as runner:
        pairs = runner.run(_enqueue_rates(framework, variant, count, rounds))
    return {"bare_per_s": [bare for bare, _ in pairs], "lab_per_s": [lab for _, lab in pairs]}


async def _enqueue_rates(framework: Framework, variant: str, count: int, rounds: int) -> list[tuple[float, float]]:
    producer: Any = framework.producer(variant)
    is_async = asyncio.iscoroutinefunction(producer.enqueue)
    order = ProduceOrder(1, 1, variant, QUEUE, only("noop"), Prefilled(count))
    pairs = []
    for turn in range(rounds + 1):
        framework.purge([QUEUE])
        calls: list[TaskCall] = [(1, 1, sequence, time.monotonic_ns(), "noop", None) for sequence in range(count)]
        began_s = time.perf_counter()
        if is_async:
            for call in calls:
                await producer.enqueue(QUEUE, call)
        else:
            for call in calls:
                producer.enqueue(QUEUE, call)
        bare_per_s = count / (time.perf_counter() - began_s)
        framework.purge([QUEUE])
        result = await produce_async(producer, order) if is_async else produce(producer, order)
        if turn > 0:  # the first round warms up
            pairs.append((bare_per_s, count / ((result.ended_ns - result.began_ns) / 1e9)))
    framework.purge([QUEUE])
    closed = producer.close()
    if closed is not None:
        await closed
    return pairs


def main() -> None:
    """Measure what the command line names."""
    what, *arguments = sys.argv[1:]
    if what == "recorder":
        answer = recorder_us(int(arguments[0]))
    elif what == "enqueue":
        name, variant, count, rounds = arguments
        answer = enqueue_rates(load_framework(name), variant, int(count), int(rounds))
    else:
        raise SystemExit(__doc__)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
