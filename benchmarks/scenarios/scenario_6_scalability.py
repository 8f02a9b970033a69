"""Scenario 6: what becomes of a queue that grows: long backlogs, the highest rate under a service level, more processes."""

import enum
import math
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.arithmetic import ratio, speedups
from benchmarks.plan.scaling import COUNTS_OF_PROCESSES, counts_of_processes, in_words
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import ANY_WORKER, WorkerWish
from benchmarks.record.backlog import highest_depth, mean_depth
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import summarise
from benchmarks.record.rates import missed_rate
from benchmarks.record.resources import BYTES_PER_MB, cpu_per_1000, cpu_percent, drain_cpu_s, redis_cost, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import Values
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.loads import NS_PER_S, Paced, Prefilled, only

TASKS = only("noop")
RUNGS = (1, 2, 3, 4, 5)
LOW = "low"
CEILING = 1.25
"""How far above the drain rate of the longest backlog the search for the capacity reaches."""
GROWTH_SHARE = 0.05
GROWTH_DEVIATIONS = 2
"""A queue is taken for one that does not grow if it does so by less than this share of the tasks due meanwhile, so many standard
deviations of their number (the arrivals are Poisson's) and the worker's slots."""

CAPACITY_NOT_FOUND = FlagKind(
    "capacity-not-found",
    Severity.WARNING,
    "{count} rates from {least:.1f} to {most:.1f} tasks/s were tried, and none was held: {verdicts}",
    "See in the steps' tasks what was late; a longer step is less at the mercy of one stall.",
)

CAPACITY_AT_LEAST = FlagKind(
    "capacity-at-least",
    Severity.NOTE,
    "{capacity:.1f} tasks/s were held and more was not shown: {reason}",
    "Read the capacity as at least that much; more producers would reach higher rates.",
)

_RUNG = {
    "tasks": "tasks waiting",
    "fill_per_s": "tasks enqueued a second in the framework's fastest way, with the workers paused",
    "drain_per_s": "tasks ended a second between 10 % and 90 % of the drain",
    "worker_cpu_s_per_1000": "CPU seconds of the worker's tree for 1,000 tasks of the drain",
    "redis_cpu_s_per_1000": "CPU seconds of Redis for 1,000 tasks, enqueued and drained",
    "redis_memory_mb": "memory that Redis takes for all of them, MB of 10^6 bytes",
    "redis_memory_bytes_per_task": "the same for one of them",
    "memory_mb": "highest PSS of the worker's whole process tree meanwhile, MB of 10^6 bytes",
}

_COLUMNS: dict[str, str] = {
    "task_count": "tasks of the longest backlog",
    "total_time": "s from letting the workers go on it to the last end of a task",
    "throughput": "tasks ended over total_time, 1/s",
    "mean_latency": "mean end to end latency at the low rate, ms, from the intended send time to the recorded finish",
    "p50": "median of the same, ms",
    "p95": "95th percentile of the same, ms",
    "p99": "99th percentile of the same, ms",
    "memory_mb": "highest PSS of the whole process tree of any of the run's workers, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the drain of the longest backlog, 100 = one core",
    "capacity_per_s": "highest rate offered, tasks/s, that held: p99 end to end within capacity_limit_ms, and no growing queue",
    "capacity_share_of_control": "capacity_per_s over the mean of the control's valid runs",
    "capacity_share_of_drain": "capacity_per_s over the drain rate of the longest backlog",
    "capacity_limit_ms": "the service level: p99 at the low rate plus size limit_ms",
    "capacity_p50_ms": "median end to end latency at capacity_per_s, ms",
    "capacity_p99_ms": "99th percentile of the same, ms",
    "capacity_depth_mean_tasks": "tasks in hand (sent and not ended) at capacity_per_s, mean over the step",
    "capacity_depth_max_tasks": "the same at its highest",
    "not_held_per_s": "lowest rate above capacity_per_s that did not hold; none where every rate held",
    "not_held_p99_ms": "99th percentile of the end to end latency at not_held_per_s, ms",
    "not_held_depth_max_tasks": "most tasks in hand at not_held_per_s",
    "not_held_depth_growth_per_s": "by how much the tasks in hand grew there, tasks/s, from the second to the last quarter",
    "capacity_is_producers": "1 where not_held_per_s is what the producer could not offer: capacity_per_s is a lower bound",
    "steps_tried": "rates tried",
    "steps_held": "of these, held",
    "steps_late": "of these, p99 above the limit",
    "steps_growing": "of these, p99 within the limit and a growing queue",
    "steps_not_offered": "of these, more than the producer could offer, which says nothing of the worker",
    **{f"backlog_{rung}_{name}": f"backlog {rung}: {meaning}" for rung in RUNGS for name, meaning in _RUNG.items()},
    "backlog_drain_ratio": "drain rate of the longest backlog over that of the shortest",
    **{
        f"scale_{in_words(n)}_per_s": f"drain rate of a worker of {in_words(n).replace('_', ' ')}, tasks/s"
        for n in COUNTS_OF_PROCESSES
    },
    "scale_per_s": "drain rate of the worker that the suite was asked for, tasks/s",
    "scale_speedup": "scale_per_s over the rate of one process",
    "scale_efficiency": "the same over the number of processes: 1 = as much from each as from the first alone",
    **TOTAL_COLUMNS,
}

_HIGHER = (
    *("throughput", "capacity_per_s", "capacity_share_of_control", "capacity_share_of_drain", "backlog_drain_ratio"),
    *(name for name in _COLUMNS if name.endswith(("_fill_per_s", "_drain_per_s"))),
    *(name for name in _COLUMNS if name.startswith("scale_")),
)
_LOWER = (
    *("total_time", "mean_latency", "p50", "p95", "p99", "memory_mb"),
    *(name for name in _COLUMNS if name.endswith(("_cpu_s_per_1000", "_memory_mb", "_memory_bytes_per_task"))),
    *("failed", "lost", "duplicated"),
)
_BETTER: dict[str, Direction] = {**dict.fromkeys(_HIGHER, "higher"), **dict.fromkeys(_LOWER, "lower")}


def _sizes(backlogs: Sequence[int], scale_tasks: int, low_s: float, steps: int, step_s: float) -> dict[str, float | int]:
    ladder = [*backlogs, *[0] * (len(RUNGS) - len(backlogs))]
    return {
        **{f"backlog_{rung}": tasks for rung, tasks in zip(RUNGS, ladder, strict=True)},
        "scale_tasks_per_process": scale_tasks,
        "low_rate_per_s": 50,
        "low_s": low_s,
        "limit_ms": 100,
        "steps": steps,
        "step_s": step_s,
        "arrivals_seed": 1,
    }


class Verdict(enum.StrEnum):
    """What a rate showed."""

    HELD = "held"
    LATE = "late"
    """Its p99 was above the limit, or not all tasks ended."""
    GROWING = "growing"
    """Its p99 was within the limit, but the queue grew."""
    NOT_OFFERED = "not_offered"
    """The producer could not offer it, so it says nothing of the worker."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rate of the search for the capacity, and what it showed. ``growth`` is by how many tasks those in hand grew from the
    mean over the second quarter of the step to the mean over the last, which lie half of ``duration_s`` apart."""

    rate_per_s: float
    offered_per_s: float
    """The same, unless the producer could not offer it: then what it did."""
    duration_s: float
    phase: PhaseData
    p99_ms: float | None
    growth: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Search:
    """A bisection between two rates of which the lower is taken to hold and the upper not to."""

    low_per_s: float
    high_per_s: float

    @property
    def next_per_s(self) -> float:
        """The rate to try next."""
        return (self.low_per_s + self.high_per_s) / 2

    def after(self, step: Step) -> "Search":
        """What is left once a step at :attr:`next_per_s` has been tried. It never goes on above what could be offered."""
        if step.verdict is Verdict.HELD:
            return Search(step.rate_per_s, self.high_per_s)
        return Search(self.low_per_s, max(self.low_per_s, min(step.rate_per_s, step.offered_per_s)))


class Scalability(ScenarioDefaults):
    """Backlogs of growing length, drained; a low rate; a bisection for the highest rate under the service level, in short steps
    that each drain before the next; and one more drain with each number of processes."""

    number = 6
    name = "scenario_6_scalability"
    title = "Scalability"
    question = "What does a long backlog cost, how much can be offered before latency suffers, and what do processes add?"
    headline = "capacity_per_s"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes((500, 1_500), scale_tasks=250, low_s=1, steps=3, step_s=0.5),
        "standard": _sizes((1_000, 5_000, 10_000), scale_tasks=2_000, low_s=5, steps=6, step_s=2),
        "full": _sizes((1_000, 5_000, 10_000, 50_000, 100_000), scale_tasks=5_000, low_s=20, steps=8, step_s=5),
    }
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "capacity_per_s": "capacity/s",
        "capacity_share_of_drain": "of drain",
        "capacity_limit_ms": "p99 limit ms",
        "backlog_drain_ratio": "long/short",
        "scale_per_s": "drain/s",
        "scale_efficiency": "efficiency",
        "memory_mb": "PSS MB",
    }
    shares: Mapping[str, str] = {"capacity_share_of_control": "capacity_per_s"}
    better: Mapping[str, Direction] = _BETTER
    own_flags: Sequence[FlagKind] = (CAPACITY_NOT_FOUND, CAPACITY_AT_LEAST)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        backlogs = [sizes[f"backlog_{rung}"] for rung in RUNGS]
        given = _given(sizes)
        if backlogs != [*given.values(), *[0] * (len(RUNGS) - len(given))] or list(given.values()) != sorted(given.values()):
            raise ValueError(f"sizes backlog_1 to backlog_5 of {self.name} must ascend, and then be 0: not {backlogs}")
        for name in ("backlog_1", "scale_tasks_per_process", "low_rate_per_s", "low_s", "limit_ms", "steps", "step_s"):
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """Backlogs, low rate, search, and the drains by 1, 2, 4, ... processes; the worker that was asked for comes first."""
        sizes, most = context.sizes, context.processes
        longest: Look | None = None
        for rung, tasks in _given(sizes).items():
            longest = yield PhasePlan(f"backlog_{rung}", TASKS, Prefilled(tasks, many=True))
        low_per_s, seed = float(sizes["low_rate_per_s"]), int(sizes["arrivals_seed"])
        low = yield PhasePlan(LOW, TASKS, Paced(low_per_s, sizes["low_s"], "poisson", seed))
        limit_ms = _limit_ms(low(), sizes)
        drain_per_s = None if longest is None else longest().tasks.drain_rate_per_s()
        if limit_ms is not None and drain_per_s is not None and CEILING * drain_per_s > low_per_s:
            search = Search(low_per_s, CEILING * drain_per_s)
            for number in range(1, int(sizes["steps"]) + 1):
                load = Paced(search.next_per_s, sizes["step_s"], "poisson", seed + number)
                look = yield PhasePlan(f"step_{number}", TASKS, load, rate_may_be_missed=True)
                search = search.after(judge(look(), limit_ms))
        for processes in reversed(counts_of_processes(most)):
            worker = ANY_WORKER if processes == most else _part_of(context, processes)
            count = int(sizes["scale_tasks_per_process"]) * processes
            yield PhasePlan(f"scale_{processes}", TASKS, Prefilled(count, many=True), worker)

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        values: Values = dict.fromkeys(self.columns)
        values.update(_backlog_measures(data))
        if low := data.phases.get(LOW):
            summary = summarise(low.tasks.end_to_end_ns())
            values |= {"mean_latency": summary.mean_ms, "p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms}
        values |= _capacity_measures(data)
        values |= _scale_measures(data)
        values["memory_mb"] = worker_memory(data).peak.pss_mb
        values.update(totals(data))
        return values

    def flags(self, data: RunData) -> Sequence[Flag]:
        """A warning where no rate held, and a note where the capacity is only a lower bound."""
        steps = steps_of(data)
        if not steps:
            return ()
        held, not_held = capacity_of(steps)
        if held is None:
            rates, verdicts = [step.rate_per_s for step in steps], Counter(step.verdict.value for step in steps)
            told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in verdicts.items())
            flag = CAPACITY_NOT_FOUND
            return (flag.flag(count=len(steps), least=min(rates), most=max(rates), verdicts=told),)
        if not_held is None:
            reason = "every rate that was tried held"
        elif not_held.verdict is Verdict.NOT_OFFERED:
            reason = f"the producer could not offer {not_held.rate_per_s:.1f}/s"
        else:
            return ()
        return (CAPACITY_AT_LEAST.flag(capacity=held.rate_per_s, reason=reason),)


def _given(sizes: Sizes) -> dict[int, int]:
    """The lengths of the backlogs, by rung."""
    return {rung: int(sizes[f"backlog_{rung}"]) for rung in RUNGS if sizes[f"backlog_{rung}"] > 0}


def _part_of(context: RunContext, processes: int) -> WorkerWish:
    """The worker that was asked for with fewer processes, and as many slots in each."""
    return WorkerWish(processes=processes, slots=max(processes, context.slots * processes // context.processes))


def _limit_ms(low: PhaseData, sizes: Sizes) -> float | None:
    p99_ms = summarise(low.tasks.end_to_end_ns()).p99_ms
    return None if p99_ms is None else p99_ms + sizes["limit_ms"]


def judge(phase: PhaseData, limit_ms: float) -> Step:
    """What a paced step showed. Its queue grows if the mean number of tasks in hand over the last quarter of the step is above
    that over the second quarter by more than :data:`GROWTH_SHARE` and :data:`GROWTH_DEVIATIONS` allow for half a step."""
    load = phase.record.load
    if not isinstance(load, Paced):
        raise TypeError(f"a step of the search is a paced load, not {load}")
    p99_ms, growth = summarise(phase.tasks.end_to_end_ns()).p99_ms, _growth(phase, load)
    due = load.rate_per_s * load.duration_s / 2
    allowed = GROWTH_SHARE * due + GROWTH_DEVIATIONS * math.sqrt(due) + phase.record.worker.slots
    missed = missed_rate(phase)
    if missed is not None:
        verdict = Verdict.NOT_OFFERED
    elif p99_ms is None or p99_ms > limit_ms or phase.account.ended < phase.account.attempted:
        verdict = Verdict.LATE
    elif growth > allowed:
        verdict = Verdict.GROWING
    else:
        verdict = Verdict.HELD
    offered_per_s = load.rate_per_s if missed is None else missed[1]
    return Step(load.rate_per_s, offered_per_s, load.duration_s, phase, p99_ms, growth, verdict)


def _growth(phase: PhaseData, load: Paced) -> float:
    began_ns, quarter_ns = phase.record.began_ns, int(load.duration_s * NS_PER_S / 4)
    second, last = (mean_depth(phase.tasks, began_ns + n * quarter_ns, began_ns + (n + 1) * quarter_ns) for n in (1, 3))
    return last - second


def steps_of(data: RunData) -> list[Step]:
    """The steps of a run in order; none where it ended before its low rate did."""
    low = data.phases.get(LOW)
    limit_ms = None if low is None else _limit_ms(low, data.context.sizes)
    if limit_ms is None:
        return []
    names = (f"step_{number}" for number in range(1, int(data.context.sizes["steps"]) + 1))
    return [judge(data.phases[name], limit_ms) for name in names if name in data.phases]


def capacity_of(steps: Sequence[Step]) -> tuple[Step | None, Step | None]:
    """The highest step that held, and the lowest above it that did not."""
    held = max((s for s in steps if s.verdict is Verdict.HELD), key=lambda s: s.rate_per_s, default=None)
    above = (s for s in steps if s.verdict is not Verdict.HELD and (held is None or s.rate_per_s > held.rate_per_s))
    return held, min(above, key=lambda s: s.rate_per_s, default=None)


def _capacity_measures(data: RunData) -> Values:
    steps = steps_of(data)
    if not steps:
        return {}
    held, not_held = capacity_of(steps)
    verdicts = Counter(step.verdict for step in steps)
    values: Values = {
        "capacity_limit_ms": _limit_ms(data.phases[LOW], data.context.sizes),
        "steps_tried": len(steps),
        **{f"steps_{verdict.value}": verdicts[verdict] for verdict in Verdict},
    }
    if held is not None:
        tasks, began_ns = held.phase.tasks, held.phase.record.began_ns
        longest = _longest(data)
        values |= {
            "capacity_per_s": held.rate_per_s,
            "capacity_share_of_drain": ratio(held.rate_per_s, longest.tasks.drain_rate_per_s() if longest else None),
            "capacity_p50_ms": summarise(tasks.end_to_end_ns()).p50_ms,
            "capacity_p99_ms": held.p99_ms,
            "capacity_depth_mean_tasks": mean_depth(tasks, began_ns, began_ns + int(held.duration_s * NS_PER_S)),
            "capacity_depth_max_tasks": highest_depth(tasks),
            "capacity_is_producers": int(not_held is not None and not_held.verdict is Verdict.NOT_OFFERED),
        }
    if not_held is not None:
        values |= {
            "not_held_per_s": not_held.rate_per_s,
            "not_held_p99_ms": not_held.p99_ms,
            "not_held_depth_max_tasks": highest_depth(not_held.phase.tasks),
            "not_held_depth_growth_per_s": not_held.growth / (not_held.duration_s / 2),
        }
    return values


def _backlogs(data: RunData) -> dict[int, PhaseData]:
    return {rung: phase for rung in RUNGS if (phase := data.phases.get(f"backlog_{rung}"))}


def _longest(data: RunData) -> PhaseData | None:
    return next(reversed(_backlogs(data).values()), None)


def _backlog_measures(data: RunData) -> Values:
    backlogs = _backlogs(data)
    values = {f"backlog_{rung}_{name}": v for rung, phase in backlogs.items() for name, v in _rung(data, phase).items()}
    longest = _longest(data)
    if longest is None:
        return values
    shortest = next(iter(backlogs.values()))
    last_end_ns = longest.tasks.last_end_ns()
    total_s = None if last_end_ns is None else (last_end_ns - longest.record.resumed_ns) / NS_PER_S
    return values | {
        "task_count": longest.account.planned,
        "total_time": total_s,
        "throughput": ratio(longest.account.ended, total_s),
        "cpu_percent": cpu_percent(drain_cpu_s(longest), total_s),
        "backlog_drain_ratio": ratio(longest.tasks.drain_rate_per_s(), shortest.tasks.drain_rate_per_s()),
    }


def _rung(data: RunData, phase: PhaseData) -> Values:
    record, cpu = phase.record, cpu_per_1000(phase)
    return {
        "tasks": phase.account.planned,
        "fill_per_s": phase.tasks.enqueue_rate_per_s(),
        "drain_per_s": phase.tasks.drain_rate_per_s(),
        "worker_cpu_s_per_1000": cpu.worker_s,
        "redis_cpu_s_per_1000": cpu.redis_s,
        "redis_memory_mb": (record.filled.redis.memory_bytes - record.before.redis.memory_bytes) / BYTES_PER_MB,
        "redis_memory_bytes_per_task": redis_cost(phase).memory_bytes_per_queued_task,
        "memory_mb": _memory_mb(data, phase),
    }


def _memory_mb(data: RunData, phase: PhaseData) -> float:
    record = phase.record
    marks = [mark.worker for mark in (record.before, record.filled, record.after)]
    samples = [sample for sample in data.samples if record.began_ns <= sample.at_ns <= record.drained_ns]
    return max(sample.pss_bytes for sample in [*marks, *samples]) / BYTES_PER_MB


def _scale_measures(data: RunData) -> Values:
    most = data.context.processes
    drains = {n: phase for n in counts_of_processes(most) if (phase := data.phases.get(f"scale_{n}"))}
    rates = {n: phase.tasks.drain_rate_per_s() for n, phase in drains.items()}
    speedup = speedups(rates).get(most)
    return {
        **{f"scale_{in_words(n)}_per_s": rates.get(n) for n in COUNTS_OF_PROCESSES},
        "scale_per_s": rates.get(most),
        "scale_speedup": speedup,
        "scale_efficiency": ratio(speedup, most),
    }


SCENARIO = Scalability()
