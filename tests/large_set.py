"""Makes a result set of many tasks, to see what a report of it takes: ``python -m tests.large_set FOLDER TASKS [RUNS]``.

Two variants, half of the tasks each, in so many runs each (1 without a third argument).
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record.run_data import PhaseRecord, RunResult
from benchmarks.record.task_table import TaskTable, tasks_frame
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import samples_frame
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tasks.events import Outcome
from tasks.loads import Paced, Prefilled
from tests.golden.make import manifest
from tests.unit.made_up import S, good_run, phase_data, sample

VARIANTS = {"bare": "bare", "swift": "swift"}
EACH_NS = 100_000


def table(count: int, begin_ns: int, wait_ns: int, random: np.random.Generator) -> TaskTable:
    """Tasks due every 0.1 ms that wait about ``wait_ns``."""
    sequence = np.arange(count)
    due_ns = begin_ns + sequence * EACH_NS
    started_ns = due_ns + random.lognormal(np.log(wait_ns), 0.8, count).astype(np.int64)
    ones, zeros = np.ones(count, np.int32), np.zeros(count, np.int32)
    return TaskTable(
        sequence=sequence,
        due_ns=due_ns,
        sent_ns=due_ns + 1000,
        acknowledged_ns=due_ns + 50_000,
        acknowledged=np.ones(count, np.bool_),
        started_ns=started_ns,
        finished_ns=started_ns + 20_000,
        outcome=np.full(count, Outcome.OK, np.uint8),
        label=zeros,
        sends=ones,
        starts=ones,
        finishes_ok=ones,
        finishes_failed=zeros,
        finishes_retried=zeros,
        finishes_skipped=zeros,
        extra_finishes=zeros,
        attempt=ones,
        process=np.full(count, 100),
        thread=np.full(count, 100),
        place=np.zeros(count, np.int16),
        unexpected=np.zeros(0, np.int64),
    )


def phase_of(number: int, name: str, count: int, begin_ns: int) -> PhaseRecord:
    load = Prefilled(count) if name == "capacity" else Paced(S / EACH_NS, count * EACH_NS / S)
    end_ns = begin_ns + (count + 1) * EACH_NS
    record = phase_data(number, name, load, [], count).record
    return replace(record, began_ns=begin_ns, resumed_ns=begin_ns, drained_ns=end_ns)


def make(root: Path, tasks: int, runs: int) -> Path:
    """The result set's folder."""
    results = ResultSet.create(root, "large", manifest(list(VARIANTS), runs, "bare"))
    each = tasks // (len(VARIANTS) * runs * 2)
    span_ns = (each + 1) * EACH_NS
    for repetition in range(1, runs + 1):
        for place, (variant, framework) in enumerate(VARIANTS.items(), 1):
            random = np.random.default_rng([place, repetition])
            phases = [phase_of(1, "capacity", each, S), phase_of(2, "paced", each, S + span_ns)]
            tables = {p.number: table(each, p.began_ns, place * 2_000_000, random) for p in phases}
            samples = [sample(S + i * S // 4, memory_mb=50, cpu_s=i / 10) for i in range(2 * span_ns // (S // 4))]
            measures = dict(SCENARIO.measures(good_run())) | {"drain_per_s": float(10_000 / place * random.lognormal(0, 0.02))}
            row = RunResult(SCENARIO.name, framework, variant, results.next_run(), repetition, valid=True, measures=measures)
            record: dict[str, Any] = {"executed_variant": variant, "worker": good_run().worker, "phases": phases}
            results.store_run(row, tasks_frame(tables), samples_frame(samples), record)
    results.write_tables()
    results.finish("complete")
    return results.path


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1))
