"""The document of the job-queue suite: its keys and units, filled from the figures of a stored set. Pure.

The suite's own sections hold the figures of one variant, ``variant``: the one that processes most with a single worker. All are
under ``variants``, each in the same sections.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from benchmarks.results.chart_data import ChartData
from benchmarks.results.documents import to_json
from benchmarks.studies.queue_answers import FEW, MANY, RATE, TARGETS, judged

Figures = Mapping[str, str]
"""Keys of the document, and the measure that each is the mean of."""

THROUGHPUT: Figures = {
    "num_tasks": "task_count",
    "submit_rate": "submit_per_s",
    "submit_time": "submit_s",
    "process_rate": RATE,
    "process_time": "total_time",
    "steady_process_rate": "drain_per_s",
}
LATENCY: Mapping[str, Figures] = {
    stage: {
        "avg_latency_ms": f"{stage}_mean_ms",
        "p50_latency_ms": f"{stage}_p50_ms",
        "p95_latency_ms": f"{stage}_p95_ms",
        "p99_latency_ms": f"{stage}_p99_ms",
    }
    for stage in ("enqueue_to_start", "start_to_complete")
}
WORKER: Figures = {
    "worker_overhead_mb": "worker_overhead_mb",
    **{
        f"{when}{kind}_mb": f"worker_{when}{kind}_mb"
        for when in ("baseline", "idle", "processing")
        for kind in ("", "_uss", "_rss")
    },
}
REDIS: Figures = {"memory_per_task_kb": "redis_kb_per_task"}
_WHOLE = frozenset({"num_tasks"})


def queue_documents(data: ChartData, created_utc: str) -> dict[str, str]:
    """The document by its file's name, which says when the result set was made; none where nothing was measured."""
    made = datetime.fromisoformat(created_utc)
    variants = {name: document for name in _ranked(data) if (document := _sections(data, name))}
    if not variants:
        return {}
    first = next(iter(variants))
    document = {
        "timestamp": made.strftime("%Y-%m-%dT%H:%M:%S"),
        "timezone": "UTC",
        **variants[first],
        "variant": first,
        "variants": variants,
    }
    return {f"benchmark_results_{made:%Y%m%d_%H%M%S}.json": to_json(document)}


def _ranked(data: ChartData) -> list[str]:
    """The variants that ran, the one that processes most with the fewest workers first."""

    def rank(name: str) -> tuple[int, float]:
        return int(data.points[name]["workers"]), -(data.mean(name, RATE) or 0.0)

    return list(dict.fromkeys(data.executed[name] for name in sorted((n for n in data.variants if data.points.get(n)), key=rank)))


def _sections(data: ChartData, variant: str) -> dict[str, Any]:
    """What was measured of a variant, in the suite's sections."""
    by_workers: dict[int, list[str]] = {}
    for name in data.variants:
        if data.points.get(name) and data.executed[name] == variant:
            by_workers.setdefault(int(data.points[name]["workers"]), []).append(name)
    sections: dict[str, dict[str, Any]] = {}
    for workers in sorted(by_workers):
        names = by_workers[workers]
        suffix = "" if workers == min(by_workers) else f"_{workers}_workers"
        if throughput := _figures(data, names, THROUGHPUT):
            single = {} if workers == FEW else {"num_workers": workers}
            sections.setdefault("throughput", {})[_key(workers)] = {**throughput, **single}
        for stage, keys in LATENCY.items():
            if latency := _figures(data, names, keys):
                sections.setdefault("latency", {})[f"{stage}{suffix}"] = {**latency, "num_workers": workers}
        for part, keys in (("worker", WORKER), ("redis", REDIS)):
            if memory := _figures(data, names, keys):
                sections.setdefault("memory", {})[f"{part}{suffix}"] = {**memory, "num_workers": workers}
    targets = [one for target in TARGETS for one in judged(data, target) if one.variant == variant]
    if not sections:
        return {}
    judgements = [
        {
            "target": one.target.source,
            "num_workers": one.workers,
            "figure": one.figure,
            "interval": None if one.interval is None else asdict(one.interval),
            "unit": one.target.unit,
            "met": one.met,
            "certain": one.certain,
        }
        for one in targets
    ]
    return {**sections, "targets": judgements}


def _key(workers: int) -> str:
    return {FEW: "single_worker", MANY: "multi_worker"}.get(workers, f"{workers}_workers")


def _figures(data: ChartData, names: list[str], keys: Figures) -> dict[str, Any]:
    """The mean of each over the runs, of the first of these points that has it; nothing where not one has any."""
    found: dict[str, Any] = {}
    for key, measure in keys.items():
        mean = next((mean for name in names if (mean := data.mean(name, measure)) is not None), None)
        found[key] = round(mean) if mean is not None and key in _WHOLE else mean
    return found if any(value is not None for value in found.values()) else {}
