"""Scenario 6: what becomes of a queue that grows: long backlogs, the highest rate under a service level, more processes."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from functools import partial

from benchmarks.arithmetic import ratio, speedups
from benchmarks.plan.scaling import COUNTS_OF_PROCESSES, counts_of_processes, in_words
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import ANY_WORKER, WorkerWish
from benchmarks.record.backlog import highest_depth, mean_depth
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import summarise, tail_ms
from benchmarks.record.rate_search import Search, Step, Verdict, capacity_of, judge
from benchmarks.record.resources import BYTES_PER_MB, cpu_per_1000, phase_memory, redis_cost, redis_queue_bytes
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import DRAIN_COLUMNS, MEMORY_SUMMARY, Values, drain_measures
from benchmarks.record.soundness import Phases
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from benchmarks.scenarios.searching import steps_tried
from tasks.loads import NS_PER_S, Paced, Prefilled, only

TASKS = only("noop")
RUNGS = (1, 2, 3, 4, 5)
LOW, STEP = "low", "step"
CEILING = 1.25
"""How far above the drain rate of the longest backlog the search for the capacity reaches."""

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
    "memory_uss_mb": "highest USS of the same, MB of 10^6 bytes",
}

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks of the longest backlog",
    "total_time": "s from letting the workers go on it to the last end of a task",
    "mean_latency": "mean end to end latency at the low rate, ms, from the intended send time to the recorded finish",
    "cpu_percent": "CPU of the worker's tree over the drain of the longest backlog, 100 = one core",
    "capacity_per_s": "highest rate offered, tasks/s, that held: p99 end to end within capacity_limit_ms, and no growing queue",
    "capacity_share_of_control": "capacity_per_s over the control's in the same round",
    "capacity_share_of_drain": "capacity_per_s over the drain rate of the longest backlog",
    "capacity_limit_ms": "the service level: p99 at the low rate (of fewer than 100 tasks the greatest) plus size limit_ms",
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
    "scale_share_of_control": "scale_per_s over the control's in the same round",
    "scale_speedup": "scale_per_s over the rate of one process",
    "scale_efficiency": "the same over the number of processes: 1 = as much from each as from the first alone",
}


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
    }


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
    least: Mapping[str, float] = {f"backlog_{rung}": 0 for rung in RUNGS[1:]}
    paced = LOW
    own_columns = _COLUMNS
    own_better = directions(
        higher=(
            *("capacity_per_s", "capacity_share_of_control", "capacity_share_of_drain", "backlog_drain_ratio"),
            *(name for name in _COLUMNS if name.endswith(("_fill_per_s", "_drain_per_s")) or name.startswith("scale_")),
        ),
        lower=(n for n in _COLUMNS if n.endswith(("_cpu_s_per_1000", "_memory_mb", "_memory_uss_mb", "_memory_bytes_per_task"))),
    )
    summary: Mapping[str, str] = {
        "capacity_per_s": "capacity/s",
        "capacity_share_of_drain": "of drain",
        "capacity_limit_ms": "p99 limit ms",
        "backlog_drain_ratio": "long/short",
        "scale_per_s": "drain/s",
        "scale_efficiency": "efficiency",
        **MEMORY_SUMMARY,
    }
    shares: Mapping[str, str] = {"capacity_share_of_control": "capacity_per_s", "scale_share_of_control": "scale_per_s"}
    own_flags: Sequence[FlagKind] = (CAPACITY_NOT_FOUND, CAPACITY_AT_LEAST)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        super().check(sizes)
        backlogs = [sizes[f"backlog_{rung}"] for rung in RUNGS]
        given = _given(sizes)
        if backlogs != [*given.values(), *[0] * (len(RUNGS) - len(given))] or list(given.values()) != sorted(given.values()):
            raise ValueError(f"sizes backlog_1 to backlog_5 of {self.name} must ascend, and then be 0: not {backlogs}")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """Backlogs, low rate, search, and the drains by 1, 2, 4, ... processes; the backlogs, and these drains, in an
        order that the run draws."""
        sizes, most, seed = context.sizes, context.processes, context.seed
        backlogs = {f"backlog_{rung}": Prefilled(tasks, many=True) for rung, tasks in _given(sizes).items()}
        looks = yield from in_drawn_order(seed, (PhasePlan(name, TASKS, load) for name, load in backlogs.items()))
        longest = looks[next(reversed(backlogs))]
        low_per_s = float(sizes["low_rate_per_s"])
        low = yield PhasePlan(LOW, TASKS, Paced(low_per_s, sizes["low_s"], "poisson", seed_of(seed, f"arrivals/{LOW}")))
        limit_ms = _limit_ms(low(), sizes)
        drain_per_s = longest().tasks.drain_rate_per_s()
        if limit_ms is not None and drain_per_s is not None and CEILING * drain_per_s > low_per_s:
            search, count = Search(low_per_s, CEILING * drain_per_s), int(sizes["steps"])
            judged = partial(judge, limit_ms=limit_ms)
            yield from steps_tried(search, judged, STEP, TASKS, steps=count, step_s=sizes["step_s"], seed=seed)
        yield from in_drawn_order(seed, (_scale(context, processes) for processes in counts_of_processes(most)))

    def own_measures(self, data: RunData) -> Measures:
        """Each backlog, what the search has found, and what processes add."""
        return {**_backlog_measures(data), **_capacity_measures(data), **_scale_measures(data)}

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The longest backlog says how far the search for the capacity reaches, and the low rate what level it must keep."""
        backlogs, most = [f"backlog_{rung}" for rung in _given(context.sizes)], context.processes
        shortest, longest = tuple(backlogs[:1]), tuple(backlogs[-1:])
        return {
            **dict.fromkeys(DRAIN_COLUMNS, longest),
            "backlog_drain_ratio": (*shortest, *longest),
            **{f"backlog_{rung}_*": (f"backlog_{rung}",) for rung in RUNGS},
            "capacity_limit_ms": (LOW,),
            **dict.fromkeys(("capacity_*", "not_held_*", "steps_*"), (*longest, LOW, f"{STEP}_*")),
            **{f"scale_{in_words(n)}_per_s": (f"scale_{n}",) for n in COUNTS_OF_PROCESSES},
            "scale_per_s": (f"scale_{most}",),
            **dict.fromkeys(("scale_speedup", "scale_efficiency"), ("scale_1", f"scale_{most}")),
        }

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


def _scale(context: RunContext, processes: int) -> PhasePlan:
    worker = ANY_WORKER if processes == context.processes else WorkerWish(processes=processes)
    load = Prefilled(int(context.sizes["scale_tasks_per_process"]) * processes, many=True)
    return PhasePlan(f"scale_{processes}", TASKS, load, worker)


def _limit_ms(low: PhaseData, sizes: Sizes) -> float | None:
    level_ms = tail_ms(low.tasks.end_to_end_ns())
    return None if level_ms is None else level_ms + sizes["limit_ms"]


def steps_of(data: RunData) -> list[Step]:
    """The steps of a run in order; none where it ended before its low rate did."""
    low = data.phases.get(LOW)
    limit_ms = None if low is None else _limit_ms(low, data.context.sizes)
    if limit_ms is None:
        return []
    names = (f"{STEP}_{number}" for number in range(1, int(data.context.sizes["steps"]) + 1))
    return [judge(data.phases[name], limit_ms) for name in names if name in data.phases]


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
    return values | {
        **drain_measures(longest),
        "backlog_drain_ratio": ratio(longest.tasks.drain_rate_per_s(), shortest.tasks.drain_rate_per_s()),
    }


def _rung(data: RunData, phase: PhaseData) -> Values:
    cpu, memory = cpu_per_1000(phase), phase_memory(phase, data)
    return {
        "tasks": phase.account.planned,
        "fill_per_s": phase.tasks.enqueue_rate_per_s(),
        "drain_per_s": phase.tasks.drain_rate_per_s(),
        "worker_cpu_s_per_1000": cpu.worker_s,
        "redis_cpu_s_per_1000": cpu.redis_s,
        "redis_memory_mb": redis_queue_bytes(phase) / BYTES_PER_MB,
        "redis_memory_bytes_per_task": redis_cost(phase).memory_bytes_per_queued_task,
        "memory_mb": memory.pss_mb,
        "memory_uss_mb": memory.uss_mb,
    }


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
