"""What the job-queue suite comes to: its variants side by side, and its targets met or missed. Pure arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.conclusion import Conclusion, Evidence
from benchmarks.plan.grid import Point
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.results.chart_data import ChartData
from benchmarks.statistics import Interval, ratio_interval
from benchmarks.words import MISSING, from_to, number

RATE = "throughput"
FEW, MANY = 1, 10
"""The numbers of workers that the suite knows."""


@dataclass(frozen=True, slots=True)
class SuiteTarget:
    """A target of the suite, in its own words: a measure's mean is to be above or below ``limit``. With ``workers`` it is for
    runs with so many."""

    source: str
    measure: str
    is_above: bool
    limit: float
    unit: str
    workers: int | None = None

    def holds(self, figure: float) -> bool:
        """Whether a figure meets it."""
        return figure > self.limit if self.is_above else figure < self.limit


TARGETS = (
    SuiteTarget("Single Worker: > 100 tasks/sec", RATE, True, 100, "tasks/s", FEW),
    SuiteTarget("10 Workers: > 500 tasks/sec", RATE, True, 500, "tasks/s", MANY),
    SuiteTarget("Enqueue to Start: < 50ms (P95)", "enqueue_to_start_p95_ms", False, 50, "ms"),
    SuiteTarget("Start to Complete: < 100ms (P95) for simple tasks", "start_to_complete_p95_ms", False, 100, "ms"),
    SuiteTarget("Worker Overhead: < 100 MB per worker", "worker_overhead_mb", False, 100, "MB"),
    SuiteTarget("Redis Memory: < 5 KB per task", "redis_kb_per_task", False, 5, "KB"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A target on one point: the mean and its 95 % interval (None with fewer than two values). ``certain`` is whether all of the
    interval is on the figure's side of the limit."""

    target: SuiteTarget
    point: str
    variant: str
    workers: int
    figure: float
    interval: Interval | None

    @property
    def met(self) -> bool:
        """Whether the mean meets it."""
        return self.target.holds(self.figure)

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt of it."""
        ends = () if self.interval is None else (self.interval.low, self.interval.high)
        return bool(ends) and all(self.target.holds(end) is self.met for end in ends)

    @property
    def words(self) -> str:
        """The verdict."""
        verdict = "met" if self.met else "missed"
        if self.certain:
            return verdict
        return f"{verdict}, but the interval reaches across" if self.interval else f"{verdict}, by too few runs for an interval"


def judged(data: ChartData, target: SuiteTarget) -> list[Judged]:
    """The target on every point that it is for and that has the figure, by number of workers."""
    found = [
        Judged(target, name, data.executed[name], int(point["workers"]), figure, data.interval(name, target.measure))
        for name, point in _points(data)
        if target.workers in (None, point["workers"]) and (figure := data.mean(name, target.measure)) is not None
    ]
    return sorted(found, key=lambda one: (one.workers, one.figure if not target.is_above else -one.figure, one.point))


def queue_conclusions(data: ChartData) -> list[Conclusion]:
    """All points side by side, then each target that anything was measured for."""
    side_by_side = _side_by_side(data)
    return [*([side_by_side] if side_by_side else []), *(_conclusion(found) for t in TARGETS if (found := judged(data, t)))]


def _points(data: ChartData) -> list[tuple[str, Point]]:
    return [(name, data.points[name]) for name in data.variants if data.points.get(name)]


SHOWN: Mapping[str, str] = {
    "submit_per_s": "submit/s",
    RATE: "process/s",
    "enqueue_to_start_p95_ms": "to start p95 ms",
    "enqueue_to_start_p99_ms": "p99 ms",
    "start_to_complete_p95_ms": "to end p95 ms",
    "start_to_complete_p99_ms": "p99 ms",
    "worker_baseline_mb": "baseline MB",
    "worker_idle_mb": "idle MB",
    "worker_processing_mb": "processing MB",
    "redis_kb_per_task": "Redis KB/task",
}


def _side_by_side(data: ChartData) -> Conclusion | None:
    measured = [name for name, _ in _points(data) if any(data.values(name, measure) for measure in SHOWN)]
    if not measured:
        return None
    ordered = sorted(measured, key=lambda name: (data.executed[name], int(data.points[name]["workers"]), name))
    rates = [name for name in ordered if data.values(name, RATE)]
    enough = all(len(data.values(name, m)) >= FEWEST_RUNS for name in measured for m in SHOWN if data.values(name, m))
    text = " ".join(_fastest(data, rates)) or "No part with a throughput was run."
    return Conclusion(
        question="How do they compare, side by side?",
        text=text if enough else f"{text} Fewer than {FEWEST_RUNS} runs of a point decide nothing.",
        decided=enough,
        evidence=tuple(Evidence(name, RATE) for name in rates),
        headings=("variant", "workers", *SHOWN.values()),
        rows=tuple(
            (data.executed[n], str(data.points[n]["workers"]), *(number(data.mean(n, measure)) for measure in SHOWN))
            for n in ordered
        ),
    )


def _fastest(data: ChartData, names: Sequence[str]) -> Iterator[str]:
    """For each number of workers which variant processes most, and what ten workers of it are to one."""
    for workers in sorted({int(data.points[name]["workers"]) for name in names}):
        rates = {name: data.mean(name, RATE) or 0.0 for name in names if int(data.points[name]["workers"]) == workers}
        best = max(rates, key=lambda name: rates[name])
        reach = from_to(data.interval(best, RATE))
        words = f"{data.executed[best]} processes most, {number(rates[best])}{f' ({reach})' if reach else ''} tasks/s"
        yield f"With {workers} {'worker' if workers == 1 else 'workers'} {words}."
    gains = [gain for name in names if data.points[name]["workers"] == FEW and (gain := _gain(data, name, names))]
    if gains:
        yield f"{MANY} workers process so many times as much as {FEW}: {', '.join(gains)}."


def _gain(data: ChartData, one: str, names: Sequence[str]) -> str | None:
    wanted = {**data.points[one], "workers": MANY}
    ten = next((n for n in names if data.executed[n] == data.executed[one] and data.points[n] == wanted), None)
    few = data.mean(one, RATE)
    if ten is None or not few:
        return None
    found = ratio_interval(data.values(ten, RATE), data.values(one, RATE))
    reach = from_to(found.interval) if found else ""
    return f"{data.executed[one]} {number((data.mean(ten, RATE) or 0) / few)}{f' ({reach})' if reach else ''}"


def _conclusion(found: Sequence[Judged]) -> Conclusion:
    target = found[0].target
    met, missed = [one for one in found if one.met], [one for one in found if not one.met]
    parts = [f"Met by {_named(met)}." if met else "Met by none.", f"Missed by {_named(missed)}." if missed else "Missed by none."]
    if doubtful := [one for one in found if not one.certain]:
        parts.append(f"Not certain of {_named(doubtful)}.")
    return Conclusion(
        question=f"{target.source}?",
        text=" ".join(parts),
        decided=not doubtful,
        evidence=tuple(Evidence(one.point, target.measure) for one in found),
        headings=("variant", "workers", target.unit, "95 %", "target"),
        rows=tuple(
            (one.variant, str(one.workers), number(one.figure), from_to(one.interval) or MISSING, one.words) for one in found
        ),
        missed=tuple(f"{target.source}, {one.point}: {number(one.figure)} {target.unit}, {one.words}" for one in missed),
    )


def _named(found: Sequence[Judged]) -> str:
    """Each variant once, with the numbers of its workers where it is there with some and not with others."""
    workers: dict[str, list[str]] = {}
    for one in found:
        workers.setdefault(one.variant, []).append(str(one.workers))
    return ", ".join(f"{variant} with {' and '.join(dict.fromkeys(numbers))}" for variant, numbers in sorted(workers.items()))
