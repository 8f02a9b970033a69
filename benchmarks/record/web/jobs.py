"""Long jobs that a web application accepts: what became of them, whether the application answers meanwhile, and what it and the
worker take. Pure arithmetic on the task table and the readings of ``benchmarks.run.devices.web``."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.arithmetic import ratio
from benchmarks.record.percentiles import NS_PER_MS, tail_ms
from benchmarks.record.resources import BYTES_PER_MB, cpu_percent
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import Ints, TaskTable
from benchmarks.record.web.application import WEB_SAMPLES
from infrastructure.readings import TreeSample
from tasks.loads import NS_PER_S

WEB_HEALTH = "web_health"
"""What the reading of the application's answers to whether it is well is called."""

_TIMES: Mapping[str, str] = {
    "accept": "from the intended send time of a job's request to its answer",
    "queue": "from the intended send time of a job's request to the job's start",
    "execution": "from a job's start to its end",
    "total": "from the intended send time of a job's request to the job's end",
}
TIME_COLUMNS: Mapping[str, str] = {
    f"{time}_{figure}_s": f"{word} time {words}, s"
    for time, words in _TIMES.items()
    for figure, word in {"mean": "mean", "max": "greatest"}.items()
}
HEALTH_COLUMNS: Mapping[str, str] = {
    "health_count": "times that the application was asked whether it is well, from the first request to the last end of a job, "
    "on a schedule that does not wait for answers",
    "health_within_share": "share of these that were answered within health_limit_ms of their due time",
    "health_p99_ms": "99th percentile of the time from due to the answer, or to when it was given up (of under 100 the greatest)",
    "health_late_count": "of these, how many were given up after health_timeout_s",
    "health_refused_count": "of these, how many had no connection or another answer",
}
_TREES: Mapping[str, str] = {
    "server": "the application's process tree",
    "worker": "the worker's process tree; none of background tasks, in which it has no part",
}
TREE_COLUMNS: Mapping[str, str] = {
    name: words
    for tree, whose in _TREES.items()
    for name, words in {
        f"{tree}_cpu_mean_percent": f"CPU of {whose}, from the first request to the last end of a job, 100 = one core",
        f"{tree}_cpu_peak_percent": "the same, the highest between two samples",
        f"{tree}_memory_mean_mb": f"PSS of {whose}, mean over the samples of that time, MB of 10^6 bytes",
        f"{tree}_memory_peak_mb": "the same, the highest",
        f"{tree}_memory_peak_uss_mb": "USS of the same, the highest",
    }.items()
}
_FATES: Mapping[str, str] = {
    "accepted": "jobs that had been accepted",
    "completed": "jobs that were completed all the same",
    "gone": "jobs that had been accepted and never ended",
    "refused": "jobs that were not accepted: their request broke off or found nobody",
}


def fate_columns(what: str, killed: str) -> Mapping[str, str]:
    """The columns of :func:`fate_measures`; ``killed`` says what ``what`` is."""
    return {f"{what}_kill_{fate}_count": f"{words}, where {killed} half-way and started again" for fate, words in _FATES.items()}


def time_measures(table: TaskTable) -> Values:
    """The measures of :data:`TIME_COLUMNS`, each of the jobs of which it is known."""
    taken = table.acknowledged
    times: Mapping[str, Ints] = {
        "accept": table.acknowledged_ns[taken] - table.due_ns[taken],
        "queue": table.queue_wait_ns(),
        "execution": table.service_ns(),
        "total": table.end_to_end_ns(),
    }
    values: Values = {}
    for time, times_ns in times.items():
        values[f"{time}_mean_s"] = float(times_ns.mean()) / NS_PER_S if len(times_ns) else None
        values[f"{time}_max_s"] = float(times_ns.max()) / NS_PER_S if len(times_ns) else None
    return values


def job_span_ns(phase: PhaseData) -> tuple[int, int]:
    """From the first request to the last end of a job; to when nothing was waited for any more where none ended."""
    last_ns = phase.tasks.last_end_ns()
    return phase.record.produced.began_ns, phase.record.drained_ns if last_ns is None else last_ns


def health_measures(phase: PhaseData, limit_ms: float) -> Values:
    """The measures of :data:`HEALTH_COLUMNS`, of the questions that were due in :func:`job_span_ns`."""
    answers = phase.readings.get(WEB_HEALTH)
    if answers is None:
        return {}
    begin_ns, end_ns = job_span_ns(phase)
    meant = answers[(answers["due_ns"] >= begin_ns) & (answers["due_ns"] <= end_ns)]
    took_ns = (meant["ended_ns"] - meant["due_ns"]).to_numpy(np.int64)
    answered = (meant["outcome"] == "answered").to_numpy()
    return {
        "health_count": len(meant),
        "health_within_share": ratio(int((answered & (took_ns <= limit_ms * NS_PER_MS)).sum()), len(meant)),
        "health_p99_ms": tail_ms(took_ns),
        "health_late_count": int((meant["outcome"] == "late").sum()),
        "health_refused_count": int((meant["outcome"] == "refused").sum()),
    }


def tree_measures(phase: PhaseData, data: RunData, *, with_worker: bool) -> Values:
    """The measures of :data:`TREE_COLUMNS`."""
    span_ns = job_span_ns(phase)
    values: Values = {}
    server = phase.readings.get(WEB_SAMPLES)
    if server is not None:
        values |= _taken_by("server", server, span_ns)
    if with_worker:
        marks = [phase.record.before.worker, phase.record.after.worker]
        within = [s for s in data.samples if marks[0].at_ns < s.at_ns < marks[1].at_ns]
        values |= _taken_by("worker", _frame([marks[0], *within, marks[1]]), span_ns)
    return values


def _frame(samples: Sequence[TreeSample]) -> pd.DataFrame:
    names = ("at_ns", "pss_bytes", "uss_bytes", "cpu_s")
    return pd.DataFrame([[getattr(sample, name) for name in names] for sample in samples], columns=list(names))


def _taken_by(tree: str, samples: pd.DataFrame, span_ns: tuple[int, int]) -> Values:
    """Of the samples of the span, with the last before and the first after it."""
    at_ns = samples["at_ns"].to_numpy(np.int64)
    first = max(0, int(np.searchsorted(at_ns, span_ns[0], "right")) - 1)
    last = int(np.searchsorted(at_ns, span_ns[1], "left")) + 1
    chosen = samples.iloc[first:last]
    if chosen.empty:
        return {}
    times_s, cpu_s = chosen["at_ns"].to_numpy(np.int64) / NS_PER_S, chosen["cpu_s"].to_numpy(float)
    steps = [cpu_percent(used, took) for used, took in zip(np.diff(cpu_s), np.diff(times_s), strict=True)]
    return {
        f"{tree}_cpu_mean_percent": cpu_percent(float(cpu_s[-1] - cpu_s[0]), float(times_s[-1] - times_s[0])),
        f"{tree}_cpu_peak_percent": max((float(step) for step in steps if step is not None), default=None),
        f"{tree}_memory_mean_mb": float(chosen["pss_bytes"].mean()) / BYTES_PER_MB,
        f"{tree}_memory_peak_mb": float(chosen["pss_bytes"].max()) / BYTES_PER_MB,
        f"{tree}_memory_peak_uss_mb": float(chosen["uss_bytes"].max()) / BYTES_PER_MB,
    }


def fate_measures(what: str, phase: PhaseData) -> Values:
    """What became of the jobs of a phase in which ``what`` was killed."""
    account = phase.account
    return {
        f"{what}_kill_accepted_count": account.acknowledged,
        f"{what}_kill_completed_count": account.completed,
        f"{what}_kill_gone_count": account.lost,
        f"{what}_kill_refused_count": account.send_failed,
    }
