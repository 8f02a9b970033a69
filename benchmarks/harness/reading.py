"""How fast events are read, and in how much memory."""

import multiprocessing
import resource
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.harness.figures import Figure, Sizes, at_most
from benchmarks.record.percentiles import summarise
from benchmarks.record.task_table import build_task_tables
from benchmarks.run.labs.local import LocalLab
from infrastructure.event_log import EVENT_DTYPE
from tasks.events import Kind, Outcome

READING_TARGETS_S: Mapping[int, float] = {1_000_000: 2.0, 10_000_000: 25.0}


READING_MEMORY_MB = 1_500


def made_up_events(count: int) -> np.ndarray[Any, Any]:
    """``count`` events of a run of ``count / 3`` tasks that all went well, in the order in which processes would write them."""
    tasks = count // 3
    events = np.zeros(tasks * 3, EVENT_DTYPE)
    sequence = np.arange(tasks)
    due_ns = sequence * 100_000
    for index, (kind, outcome, offset_ns) in enumerate(
        ((Kind.ENQUEUED, Outcome.OK, 0), (Kind.STARTED, Outcome.NONE, 500_000), (Kind.FINISHED, Outcome.OK, 700_000))
    ):
        part = events[index * tasks : (index + 1) * tasks]
        part["kind"], part["outcome"], part["phase"], part["run"], part["attempt"] = kind, outcome, 1, 1, 1
        part["sequence"], part["process"], part["thread"] = sequence, 100 + sequence % 4, 100 + sequence % 4
        part["first_ns"], part["second_ns"], part["third_ns"] = due_ns + offset_ns, due_ns + 1_000, due_ns + 90_000
    return events


def _read_and_summarise(path: str, answer: "multiprocessing.connection.Connection[Any, Any]") -> None:
    began_s = time.perf_counter()
    table = build_task_tables(np.fromfile(path, EVENT_DTYPE), 1)[1]
    summaries = [
        summarise(part) for part in (table.lateness_ns(), table.queue_wait_ns(), table.service_ns(), table.end_to_end_ns())
    ]
    assert all(s.count == len(table) for s in summaries)
    answer.send((time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def reading(lab: LocalLab, sizes: Sizes) -> Iterator[Figure]:
    """From event files to the percentiles of four latencies, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for count in sizes.reading_events:
        path = lab.folder / "made-up.events"
        made_up_events(count).tofile(path)
        ours, theirs = context.Pipe()
        child = context.Process(target=_read_and_summarise, args=(str(path), theirs))
        child.start()
        seconds, memory_mb = ours.recv()
        child.join()
        path.unlink()
        yield at_most(f"reading and summarising {count:,} events", seconds, "s", READING_TARGETS_S.get(count, 2.0))
        yield at_most(f"memory for {count:,} events", memory_mb, "MB", READING_MEMORY_MB)
