"""What a run cost: CPU, memory and the broker's bill, from the readings at the marks of its phases. Pure arithmetic.

Memory is in MB of 10^6 bytes. A figure whose denominator is 0 is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.arithmetic import ratio
from benchmarks.record.run_data import PhaseData, RunData, measured_phases
from infrastructure.readings import TreeSample
from tasks.loads import NS_PER_S
from tasks.redis_traffic import RedisTraffic

BYTES_PER_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class TreeMemory:
    """Memory of a worker's whole process tree in MB: proportional (PSS: shared pages divided among those that share them),
    resident (RSS: shared pages counted in every process) and unique (USS: what ending the tree would free)."""

    pss_mb: float
    rss_mb: float
    uss_mb: float


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """Before the first load; each figure's highest over all samples and marks; after the last phase's drain (None without a
    phase); and the most processes at any of these moments that may have shared pages with it (None where nobody looked)."""

    idle: TreeMemory
    peak: TreeMemory
    after: TreeMemory | None
    sharers: int | None


@dataclass(frozen=True, slots=True)
class CpuPer1000:
    """CPU seconds per 1,000 tasks ended (for the producer: sent)."""

    worker_s: float | None
    producer_s: float | None
    redis_s: float | None


@dataclass(frozen=True, slots=True)
class RedisCost:
    """What one task asked of Redis from send to end: commands and network bytes, in and out together; and for a prefilled load
    the memory that one queued task takes."""

    commands_per_task: float | None
    bytes_per_task: float | None
    memory_bytes_per_queued_task: float | None


def cpu_percent(cpu_s: float, elapsed_s: float | None) -> float | None:
    """CPU time as a percentage of one core."""
    share = None if elapsed_s is None else ratio(cpu_s, elapsed_s)
    return None if share is None else 100 * share


def drain_cpu_s(phase: PhaseData) -> float:
    """CPU seconds of the worker's tree from when the producer had finished until all was drained."""
    return phase.record.after.worker.cpu_s - phase.record.filled.worker.cpu_s


def phase_cpu_percent(phase: PhaseData) -> float | None:
    """CPU of the worker's tree from the begin of a phase until all was drained, 100 = one core."""
    record = phase.record
    cpu_s = record.after.worker.cpu_s - record.before.worker.cpu_s
    return cpu_percent(cpu_s, (record.drained_ns - record.began_ns) / NS_PER_S)


def cpu_ms_per_task(phase: PhaseData) -> float | None:
    """CPU of the worker's tree over the drain for one task ended, ms; which is as many seconds for 1,000 of them."""
    return cpu_per_1000(phase).worker_s


def cpu_per_1000(phase: PhaseData) -> CpuPer1000:
    """CPU of a prefilled phase: the worker's over its drain, the producer's over its sending, Redis's over both."""
    record, ended = phase.record, phase.account.ended
    return CpuPer1000(
        worker_s=ratio(1000 * drain_cpu_s(phase), ended),
        producer_s=ratio(1000 * record.produced.cpu_s, phase.account.attempted),
        redis_s=ratio(1000 * (record.after.redis.cpu_s - record.before.redis.cpu_s), ended),
    )


def redis_cost(phase: PhaseData) -> RedisCost:
    """The broker's bill of a prefilled phase, from before its first send until all was drained."""
    ended = phase.account.ended
    return RedisCost(
        commands_per_task=ratio(redis_commands(phase), ended),
        bytes_per_task=ratio(redis_network_bytes(phase), ended),
        memory_bytes_per_queued_task=ratio(redis_queue_bytes(phase), phase.account.acknowledged),
    )


def redis_commands(phase: PhaseData) -> int:
    """Commands that Redis executed over the phase, without the lab's own."""
    return _redis_traffic(phase).commands


def redis_network_bytes(phase: PhaseData) -> int:
    """Bytes into and out of Redis over the phase, without the lab's own."""
    traffic = _redis_traffic(phase)
    return traffic.input_bytes + traffic.output_bytes


def _redis_traffic(phase: PhaseData) -> RedisTraffic:
    return phase.record.after.redis.of_others - phase.record.before.redis.of_others


def redis_queue_bytes(phase: PhaseData) -> int:
    """Memory that Redis takes for all that waits when the producer has finished."""
    return phase.record.filled.redis.memory_bytes - phase.record.before.redis.memory_bytes


def worker_memory(data: RunData) -> WorkerMemory:
    """Memory of the worker's tree: idle, at its peak, and after the run."""
    phases = measured_phases(data)
    marks = [mark.worker for p in phases for mark in (p.record.before, p.record.filled, p.record.after)]
    seen: Sequence[TreeSample] = [data.worker.idle, *data.samples, *marks]
    return WorkerMemory(
        idle=_highest([data.worker.idle]),
        peak=_highest(seen),
        after=_highest(marks[-1:]) if marks else None,
        sharers=max((s.sharers for s in seen if s.sharers is not None), default=None),
    )


def phase_memory(phase: PhaseData, data: RunData) -> TreeMemory:
    """Memory of the worker's tree within a phase, each figure's highest over its marks and the samples meanwhile."""
    record = phase.record
    marks = [mark.worker for mark in (record.before, record.filled, record.after)]
    samples = [sample for sample in data.samples if record.began_ns <= sample.at_ns <= record.drained_ns]
    return _highest([*marks, *samples])


def _highest(samples: Sequence[TreeSample]) -> TreeMemory:
    return TreeMemory(
        pss_mb=max(sample.pss_bytes for sample in samples) / BYTES_PER_MB,
        rss_mb=max(sample.rss_bytes for sample in samples) / BYTES_PER_MB,
        uss_mb=max(sample.uss_bytes for sample in samples) / BYTES_PER_MB,
    )
