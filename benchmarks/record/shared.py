"""The nine columns that stand first in every scenario's table, those beside them, and how most scenarios fill them. Pure
arithmetic.

Most are of one drain, latencies of one paced phase; a scenario that means something else by one says so in its columns.
"""

from collections.abc import Mapping

from benchmarks.arithmetic import ratio
from benchmarks.record.percentiles import summarise
from benchmarks.record.resources import WorkerMemory, cpu_percent, drain_cpu_s, worker_memory
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.record.task_table import Ints
from tasks.loads import NS_PER_S

Values = dict[str, float | int | None]
"""Measures in the making."""

SHARED_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks prefilled for the drain",
    "total_time": "s from letting the workers go on the full queue to the last end of a task",
    "throughput": "tasks ended over total_time, 1/s",
    "mean_latency": "mean end to end latency of the paced phase, ms, from the intended send time to the recorded finish",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
    "memory_mb": "highest PSS of the whole process tree of any of the run's workers, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the drain, 100 = one core",
}
BESIDE_MEMORY: Mapping[str, str] = {
    "memory_uss_mb": "highest USS of the tree that memory_mb is of, MB of 10^6 bytes: what is its alone, whoever runs beside it",
    "memory_sharers": "most processes that its node saw beside that tree and that ran the same program: pages that they share "
    "with it count less in its PSS, so compare PSS where these are alike, and USS anywhere",
}
"""What says how far ``memory_mb`` depends on what else ran, in every scenario's table after the nine."""
CONDITIONS = ("memory_sharers",)
"""Of the shared columns those that say under what others were measured: nothing of a variant's own, and not compared."""
MEMORY_SUMMARY: Mapping[str, str] = {"memory_mb": "PSS MB", "memory_uss_mb": "USS MB", "memory_sharers": "sharers"}
"""Memory in a scenario's summary."""
DRAIN_COLUMNS = ("task_count", "total_time", "throughput", "cpu_percent")
"""Those of the drain."""
LATENCY_COLUMNS = ("mean_latency", "p50", "p95", "p99")
"""Those of the paced phase."""
MEMORY_OF_ONE_WORKER = "highest PSS of the worker's whole process tree, MB of 10^6 bytes"
"""What ``memory_mb`` means where a run has one worker."""
HIGHER_IS_BETTER = ("throughput",)
LOWER_IS_BETTER = (
    *("total_time", "mean_latency", "p50", "p95", "p99", "memory_mb", "memory_uss_mb"),
    *("failed", "lost", "duplicated"),
)
"""Of the shared columns and the totals."""


def drained_s(phase: PhaseData) -> float | None:
    """Seconds from letting the workers go on the full queue to the last end of a task; None where none ended."""
    last_end_ns = phase.tasks.last_end_ns()
    return None if last_end_ns is None else (last_end_ns - phase.record.resumed_ns) / NS_PER_S


def drain_measures(phase: PhaseData) -> Values:
    """The shared columns that are of a drain."""
    total_s = drained_s(phase)
    return {
        "task_count": phase.account.planned,
        "total_time": total_s,
        "throughput": ratio(phase.account.ended, total_s),
        "cpu_percent": cpu_percent(drain_cpu_s(phase), total_s),
    }


def latency_measures(latencies_ns: Ints) -> Values:
    """The shared columns that are of a paced phase."""
    summary = summarise(latencies_ns)
    return {"mean_latency": summary.mean_ms, "p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms}


def memory_measures(memory: WorkerMemory) -> Values:
    """``memory_mb`` and what stands beside it."""
    return {"memory_mb": memory.peak.pss_mb, "memory_uss_mb": memory.peak.uss_mb, "memory_sharers": memory.sharers}


def shared_measures(data: RunData, drained: str, paced: str) -> Values:
    """The shared columns and those beside them, from the drain and the paced phase of these names; what a run does not have is
    left out."""
    values = memory_measures(worker_memory(data))
    if drain := data.phases.get(drained):
        values |= drain_measures(drain)
    if phase := data.phases.get(paced):
        values |= latency_measures(phase.tasks.end_to_end_ns())
    return values
