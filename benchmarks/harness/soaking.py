"""What folding a soak costs: a made-up day of tasks, a minute at a time, and whether its last hour is as cheap as its first."""

import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from benchmarks.harness.figures import Figure, Sizes, at_least, at_most
from benchmarks.record.task_table import Ints
from benchmarks.soak.folding import Fold
from benchmarks.soak.resources import ResourceSample
from benchmarks.soak.task_events import Ends, Sends, Starts, TaskEvents
from tasks.events import Outcome
from tasks.loads import NS_PER_S

WINDOW_S = 60
TASKS_PER_S = 1_000
RETRIED, FAILED, LOST = 0.01, 0.01, 0.0001
DAY_TARGET_S, MEMORY_TARGET_MB, FLAT = 120.0, 400.0, 1.5
_CLASSES = 4
_LONGEST_NS = 20 * NS_PER_S


@dataclass(frozen=True, slots=True)
class _Hour:
    """What one hour of the day took."""

    folding_s: float
    memory_mb: float


class MadeUpDay:
    """Tasks at a constant rate, of four classes, of which some fail, some are tried again and some are lost; in segments as a
    runner would hand them over: the end of a task may come minutes of the log later than its send."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._sent = 0
        self._ends: list[Ints] = []
        self._starts: list[Ints] = []

    def minute(self, number: int) -> TaskEvents:
        """The events of a minute."""
        count = WINDOW_S * TASKS_PER_S
        begin_ns, end_ns = number * WINDOW_S * NS_PER_S, (number + 1) * WINDOW_S * NS_PER_S
        sequence = np.arange(self._sent, self._sent + count)
        self._sent += count
        class_code = sequence % _CLASSES
        due_ns = begin_ns + np.arange(count) * (NS_PER_S // TASKS_PER_S)
        sent_ns = due_ns + self._random.integers(1_000, 200_000, count)
        acknowledged_ns = sent_ns + self._random.integers(50_000, 400_000, count)
        wait_ns = (self._random.lognormal(15, 1.5, count)).astype(np.int64) % _LONGEST_NS
        service_ns = (self._random.lognormal(14 + class_code, 0.5)).astype(np.int64) % _LONGEST_NS
        fate = self._random.random(count)
        outcome = np.full(count, Outcome.OK, np.int64)
        outcome[fate < RETRIED + FAILED] = Outcome.FAILED
        outcome[fate < RETRIED] = Outcome.RETRIED
        started_ns = acknowledged_ns + wait_ns
        ended_ns = started_ns + service_ns
        first = np.ones(count, np.int64)
        began = np.column_stack([sequence, class_code, due_ns, started_ns, first])
        over = np.column_stack([sequence, class_code, due_ns, ended_ns, outcome, first])[fate < 1 - LOST]
        again = over[over[:, 4] == Outcome.RETRIED]
        again_at_ns = again[:, 3] + NS_PER_S
        self._starts += [began, np.column_stack([again[:, :3], again_at_ns, again[:, 5] + 1])]
        again_ok = np.full(len(again), Outcome.OK)
        self._ends += [over, np.column_stack([again[:, :3], again_at_ns + 1_000_000, again_ok, again[:, 5] + 1])]
        starts, self._starts = _until(self._starts, end_ns)
        ends, self._ends = _until(self._ends, end_ns)
        return TaskEvents(
            Sends(sequence, class_code, due_ns, sent_ns, acknowledged_ns),
            Starts(*np.ascontiguousarray(starts.T)),
            _ends(np.ascontiguousarray(ends.T)),
        )


def _until(parts: list[Ints], at_ns: int) -> tuple[Ints, list[Ints]]:
    """The rows whose time (their fourth column) is before, in the order of it, and the others."""
    rows = np.concatenate(parts)
    now = rows[:, 3] < at_ns
    chosen = rows[now]
    return chosen[np.argsort(chosen[:, 3])], [rows[~now]]


def _ends(columns: Ints) -> Ends:
    sequence, class_code, due_ns, ended_ns, outcome, attempt = columns
    return Ends(sequence, class_code, due_ns, ended_ns, outcome.astype(np.uint8), attempt)


def _samples(minute: int) -> list[ResourceSample]:
    at_s = range(minute * WINDOW_S, (minute + 1) * WINDOW_S)
    return [ResourceSample(s * NS_PER_S, 0, {"worker_pss_bytes": 1e8 + s % 7, "worker_cpu_s": s * 0.5}) for s in at_s]


def fold_hours(hours: int, answer: "multiprocessing.connection.Connection[Any, Any]") -> None:
    """Fold so many hours, and tell what each took: the folding alone, and all memory of the process that does it."""
    process = psutil.Process()
    day, fold = MadeUpDay(), Fold(WINDOW_S, 0)
    windows = completed = 0
    for hour in range(hours):
        folding_s, memory = 0.0, 0
        for minute in range(hour * 60, (hour + 1) * 60):
            events, samples = day.minute(minute), _samples(minute)
            began_s = time.process_time()
            fold.take(events)
            fold.take_samples(samples)
            closed = fold.closed_windows((minute + 1) * WINDOW_S * NS_PER_S)
            fold.state()
            folding_s += time.process_time() - began_s
            windows += len(closed)
            completed += sum(window.completed for window in closed)
            memory = max(memory, process.memory_info().rss)
        answer.send(_Hour(folding_s, memory / 1e6))
    totals = fold.totals()
    known = totals.completed + totals.failed + totals.skipped + totals.lost + totals.outstanding + totals.send_failed
    whole = windows == hours * 60 - 1 and totals.attempted == known == hours * 3600 * TASKS_PER_S
    answer.send((whole, completed / totals.completed))


def soak_folding(sizes: Sizes) -> Iterator[Figure]:
    """A day in a process of its own, with the figures of its first hour beside those of its last."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=fold_hours, args=(sizes.soak_hours, theirs))
    child.start()
    hours: list[_Hour] = [ours.recv() for _ in range(sizes.soak_hours)]
    whole, share_in_windows = ours.recv()
    child.join()
    first, last = hours[0], hours[-1]
    tasks = f"{sizes.soak_hours * 3600 * TASKS_PER_S:,} tasks"
    total_s = sum(hour.folding_s for hour in hours)
    yield at_most(f"folding {tasks} of a soak", total_s, "s", DAY_TARGET_S, f"first hour {first.folding_s:.2f} s")
    greatest_mb = max(hour.memory_mb for hour in hours)
    yield at_most(f"memory for folding {tasks}", greatest_mb, "MB", MEMORY_TARGET_MB, f"first hour {first.memory_mb:.0f} MB")
    yield at_most("folding the last hour, over the first", last.folding_s / first.folding_s, "", FLAT)
    yield at_most("memory in the last hour, over the first", last.memory_mb / first.memory_mb, "", FLAT)
    yield at_least("folded tasks that are accounted for", float(whole), "of all", 1.0)
    yield at_least("completed tasks that are in a window that was given out", share_in_windows, "of all", 0.95)
