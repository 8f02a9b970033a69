"""What is read of worker, Redis, producer and lab while a soak goes on."""

import os
import re
import shutil
from pathlib import Path

import psutil

from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.soak.resources import ResourceSample
from tasks.proc_files import memory_bytes

_METRIC = r"^{name}\{{[^}}]*\}} ([0-9.e+]+)$"
_MEMORY, _LEFT = (
    re.compile(_METRIC.format(name=name), re.MULTILINE)
    for name in ("lab_agent_resident_memory_bytes", "lab_event_log_available_bytes")
)


def sample(run: RunInProgress, at_ns: int, generation: int, *, outstanding: int, producer_cpu_s: float) -> ResourceSample:
    """One sample of all that is cheap to read; of the worker where it lives. Raises NodeError and redis.RedisError."""
    tree, redis = run.worker.take_sample(required=False), run.redis.read()
    figures: dict[str, float] = {
        "queue_depth": outstanding,
        "redis_memory_bytes": redis.memory_bytes,
        "redis_clients": run.redis.clients(),
        "redis_cpu_s": redis.cpu_s,
        "producer_cpu_s": producer_cpu_s,
        "steal_s": getattr(psutil.cpu_times(), "steal", 0.0),
    }
    if tree.processes:
        figures |= {
            "worker_pss_bytes": tree.pss_bytes,
            "worker_uss_bytes": tree.uss_bytes,
            "worker_rss_bytes": tree.rss_bytes,
            "worker_fds": tree.fds,
            "worker_threads": tree.threads,
            "worker_processes": tree.processes,
            "worker_cpu_s": tree.cpu_s,
            "worker_voluntary_switches": tree.voluntary_switches,
            "worker_involuntary_switches": tree.involuntary_switches,
        }
    return ResourceSample(at_ns, generation, figures)


def lab_memory_bytes(run: RunInProgress) -> float:
    """What the runner takes (PSS) and the two agents (RSS). Raises NodeError."""
    return memory_bytes(os.getpid())[1] + sum(_read(node, _MEMORY) for node in (run.worker, run.producer))


def room_for_events_bytes(run: RunInProgress) -> float:
    """What is left where the nodes' event logs lie, the lesser of the two. Raises NodeError."""
    return min(_read(node, _LEFT) for node in (run.worker, run.producer))


def room_on_disk_bytes(folder: Path) -> int:
    """What is left on the disk of the results."""
    return shutil.disk_usage(folder).free


def _read(node: NodeClient, metric: re.Pattern[str]) -> float:
    found = metric.search(node.metrics())
    return float(found[1]) if found else 0.0
