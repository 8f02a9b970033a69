"""What a soak of one variant came to, as it is stored: while it goes on as of its last window."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from benchmarks.soak.books import Totals
from benchmarks.soak.judging import Finding, Verdict
from benchmarks.soak.steps import Step
from benchmarks.soak.unusual import Unusual
from benchmarks.statistics import Interval

MOST_STAND_OUT = 200
RUNNING, COMPLETE, INTERRUPTED, DISK_FULL, FAILED = "running", "complete", "interrupted", "disk-full", "failed"
STATES: Mapping[str, str] = {
    RUNNING: "its runner is at work, or was ended without a chance to say so",
    COMPLETE: "it lasted as long as it was to",
    INTERRUPTED: "it was ended before, in order: a shorter soak",
    DISK_FULL: "the disk or the event log's memory was running full, and it was ended in order",
    FAILED: "what it was made on failed; what was measured until then is kept",
}


@dataclass(frozen=True, slots=True)
class SoakEvent:
    """Something that happened once: ``at_ns`` on the time line of the soak."""

    at_ns: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class SoakSummary:
    """The whole of a soak. Rates are tasks a second, latencies end to end from the intended send time."""

    variant: str
    framework: str
    state: str
    """Of :data:`STATES`."""
    failure: str | None
    began_unix_ns: int
    lasted_s: float
    """While load was offered."""
    planned_s: float
    window_s: float
    windows: int
    slots: int
    capacity_per_s: float | None
    """None where a curve was given."""
    rate_per_s: float
    """Between bursts."""
    offered_per_s: float | None
    done_per_s: float | None
    p50_ms: float | None
    p99_ms: float | None
    slo_ms: float
    totals: Totals
    planned_failures: int
    worker_deaths: int
    suspended_s: float
    bursts: int
    bursts_emptied: int
    """After which the worker had caught up before the next."""
    longest_emptying_s: float | None
    lab_memory_greatest_bytes: float | None
    disk_bytes: int
    verdicts: tuple[Verdict, ...] = ()
    """At its end; none while it goes on."""
    stand_out: tuple[Unusual, ...] = ()
    """The windows that do, the first :data:`MOST_STAND_OUT` of them."""
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unplanned_failures(self) -> int:
        """Tasks that failed for good though they were not to."""
        return max(0, self.totals.failed - self.planned_failures)

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SoakSummary":
        """Of what :meth:`as_json` gave; what a later version adds is left out."""
        own = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        totals = {f.name: data["totals"][f.name] for f in fields(Totals)}
        for name in ("lost_ranges", "doubled_ranges"):
            totals[name] = tuple((first, last) for first, last in totals[name])
        verdicts = tuple(_verdict(verdict) for verdict in data.get("verdicts", ()))
        stand_out = tuple(Unusual(found["index"], tuple(found["reasons"])) for found in data.get("stand_out", ()))
        return cls(**{**own, "totals": Totals(**totals), "verdicts": verdicts, "stand_out": stand_out})


def _verdict(data: Mapping[str, Any]) -> Verdict:
    def interval(name: str) -> Interval | None:
        return None if data[name] is None else Interval(**data[name])

    return Verdict(
        **{
            **data,
            "finding": Finding(data["finding"]),
            "per_hour_interval": interval("per_hour_interval"),
            "per_task_interval": interval("per_task_interval"),
            "steps": tuple(Step(**step) for step in data["steps"]),
        }
    )


def faults(summary: SoakSummary) -> Sequence[str]:
    """In words, what a soak must not show: each fails a check."""
    totals, found = summary.totals, []
    if summary.state in (FAILED, DISK_FULL, RUNNING):
        found.append(f"it is {summary.state}: {summary.failure or STATES[summary.state]}")
    if totals.lost:
        found.append(f"{totals.lost:,} of {totals.attempted:,} tasks were lost: {_listed(totals.lost_ranges)}")
    if totals.outstanding and summary.state != RUNNING:
        found.append(f"{totals.outstanding:,} of {totals.attempted:,} tasks had not ended when it was given up")
    if totals.doubled:
        numbers = _listed(totals.doubled_ranges)
        found.append(f"{totals.doubled:,} tasks were executed more often than their retries explain: {numbers}")
    if totals.send_failed:
        found.append(f"{totals.send_failed:,} tasks could not be sent")
    if totals.unexpected:
        found.append(f"{totals.unexpected:,} tasks were executed that nobody had sent")
    if summary.unplanned_failures:
        found.append(f"{summary.unplanned_failures:,} tasks failed that were not to")
    if summary.worker_deaths:
        found.append(f"its worker died {summary.worker_deaths} times; the ends of its logs are in the folder workers")
    if summary.bursts_emptied < summary.bursts:
        found.append(f"after {summary.bursts - summary.bursts_emptied} of {summary.bursts} bursts the worker did not catch up")
    found += [verdict.words for verdict in summary.verdicts if verdict.finding is Finding.DRIFTS]
    if summary.slo_ms and (summary.p99_ms is None or summary.p99_ms > summary.slo_ms):
        reached = "is not known" if summary.p99_ms is None else f"is {summary.p99_ms:,.0f} ms"
        found.append(f"the 99th percentile of latency {reached}, and was to be at most {summary.slo_ms:g} ms")
    return found


def _listed(ranges: Sequence[tuple[int, int]]) -> str:
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges[:3])
    return f"numbers {shown}{', ...' if len(ranges) > 3 else ''}"
