"""Scenario 9: several queues on one worker: whether the urgent ones go first, who pays for it, and what a queue costs."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

from benchmarks.arithmetic import difference, ratio
from benchmarks.plan.scaling import shape_of_slots
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes, require_above
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.backlog import not_started_by
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.lanes import ended_share, inversions, longest_starvation_ns, overtaken
from benchmarks.record.percentiles import FIGURE_WORDS, NS_PER_MS, figures
from benchmarks.record.resources import cpu_per_1000, phase_cpu_percent, redis_cost
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import DRAIN_COLUMNS, LATENCY_COLUMNS, MEMORY_OF_ONE_WORKER, Values
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import due_to_end_s
from benchmarks.record.task_table import TaskTable
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.unlistened_lane import UnlistenedLane
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.contract import Variant
from tasks.loads import Mix, Paced, Prefilled, TaskClass

CAPACITY, OVERLOAD, ONE_LANE, MANY_LANES = "capacity", "overload", "one_lane", "many_lanes"
HIGH, NORMAL, LOW = "high", "normal", "low"
LANE_SHARES = {HIGH: 0.1, NORMAL: 0.3, LOW: 0.6}
"""The most urgent first. A lane's place is the label of its tasks."""
UNLISTENED = "aside"

TASK_MISROUTED = FlagKind(
    "task-misrouted",
    Severity.INVALID,
    "{phase}: {count} of {sent} tasks of a queue that the worker does not listen to were started or gone at the end",
    "See which queues the worker was started with, and that no other worker uses this Redis.",
)

NOT_OVERLOADED = FlagKind(
    "not-overloaded",
    Severity.WARNING,
    "{phase}: only {backlog} tasks waited when the last was sent, for {slots} slots: priorities had nothing to decide",
    "Raise overload_ratio or overload_s: the worker does more in an open loop than its drain has shown.",
)

_FIGURES = ("mean", "p50", "p95", "p99", "max")

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks offered in the overload, over all three lanes",
    "total_time": "s from the first due task of the overload to the last end of a task",
    "mean_latency": "mean end to end latency in the overload, over all lanes, ms, from the intended send time to the finish",
    "memory_mb": MEMORY_OF_ONE_WORKER,
    "cpu_percent": "CPU of the worker's tree over the overload and its drain, 100 = one core",
    "capacity_per_s": "tasks of the three lanes ended a second between 10 % and 90 % of a prefilled drain",
    "offered_per_s": "tasks sent a second in the overload",
    "offered_over_capacity_ratio": "offered_per_s over capacity_per_s",
    "backlog_tasks": "tasks that had not started when the overload's last task was sent",
    **{
        f"{lane}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the end to end latency of the {lane} lane in the overload"
        for lane in LANE_SHARES
        for figure in _FIGURES
    },
    **{
        f"{lane}_{name}": f"{lane} lane: {words}"
        for lane in LANE_SHARES
        for name, words in {
            "task_count": "tasks offered in the overload",
            "ended_by_last_send_share": "share of its tasks that had ended when the overload's last task was sent",
        }.items()
    },
    "low_over_high_ratio": "mean end to end latency of the low lane over that of the high lane",
    "inversions": "tasks of the normal and low lanes that started while a task of a more urgent lane waited",
    "inversion_share": "inversions over all starts of tasks of the normal and low lanes",
    "high_overtaken_mean_tasks": "less urgent tasks that started while a high one waited, mean over the high tasks",
    "high_overtaken_max_tasks": "the most of them that one high task had to let pass",
    "low_starved_max_ms": "longest time in which low tasks waited and none started, while others did",
    "unlistened_task_count": "tasks sent to a lane that the worker does not listen to",
    "misrouted": "of these, how many the worker started or that were no longer waiting in their lane at the end",
    "one_lane_drain_per_s": "empty tasks ended a second, 10 % to 90 % of a prefilled drain, by a worker of one lane",
    "many_lanes_drain_per_s": "the same, spread evenly over all lanes of a worker that has many (size lanes)",
    "many_lanes_drain_ratio": "many_lanes_drain_per_s over one_lane_drain_per_s",
    "added_lane_us_per_task": "what every added lane adds to the time for a task at full speed",
    "one_lane_worker_cpu_s_per_1000": "CPU seconds of the worker's tree for 1,000 tasks, one lane",
    "many_lanes_worker_cpu_s_per_1000": "the same, many lanes",
    "one_lane_redis_commands_per_task": "commands that Redis executed for a task, enqueued and drained, one lane",
    "many_lanes_redis_commands_per_task": "the same, many lanes",
    "added_lane_redis_commands_per_task": "what every added lane adds to the commands for a task",
    "lanes_served_count": "lanes of the many whose tasks were all executed",
}


def _sizes(capacity_tasks: int, overload_s: float, drain_tasks: int) -> dict[str, float | int]:
    return {
        "capacity_tasks": capacity_tasks,
        "task_ms": 20,
        "lane_slots": 2,
        "overload_ratio": 1.5,
        "overload_s": overload_s,
        "drain_tasks": drain_tasks,
        "lanes": 10,
        "unlistened_tasks": 20,
    }


class MultiQueue(ScenarioDefaults):
    """Four phases. A worker of many lanes, three of which get tasks that sleep: ``capacity`` (prefilled) and ``overload`` (an
    open loop at more than that). Then two drains in an order that the run draws: empty tasks in all lanes (``many_lanes``), and
    a worker of ``one_lane``, with empty tasks in it, and beside it a lane with tasks that the worker must not touch."""

    number = 9
    name = "scenario_9_multi_queue"
    title = "Multi-queue"
    question = "Do urgent queues go first when there is more work than can be done, who pays for it, and what does a queue cost?"
    headline = "high_mean_ms"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(capacity_tasks=40, overload_s=1.5, drain_tasks=300),
        "standard": _sizes(capacity_tasks=400, overload_s=15, drain_tasks=3_000),
        "full": _sizes(capacity_tasks=1_000, overload_s=60, drain_tasks=10_000),
    }
    paced = OVERLOAD
    own_columns = _COLUMNS
    own_better = directions(
        higher=(
            *("capacity_per_s", "one_lane_drain_per_s", "many_lanes_drain_per_s", "many_lanes_drain_ratio"),
            *(f"{lane}_ended_by_last_send_share" for lane in LANE_SHARES),
        ),
        lower=(
            *(name for name in _COLUMNS if name.endswith(("_ms", "_cpu_s_per_1000", "_redis_commands_per_task"))),
            *("inversions", "inversion_share", "high_overtaken_mean_tasks", "high_overtaken_max_tasks", "misrouted"),
            "added_lane_us_per_task",
        ),
    )
    summary: Mapping[str, str] = {
        "high_mean_ms": "high ms",
        "normal_mean_ms": "normal ms",
        "low_mean_ms": "low ms",
        "inversion_share": "inverted",
        "low_starved_max_ms": "starved ms",
        "added_lane_us_per_task": "lane us",
        "added_lane_redis_commands_per_task": "lane cmds",
    }
    own_flags: Sequence[FlagKind] = (TASK_MISROUTED, NOT_OVERLOADED)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        super().check(sizes)
        require_above(self.name, sizes, {"overload_ratio": 1, "lanes": len(LANE_SHARES)})

    def unsupported(self, variant: Variant) -> str | None:
        """Variants whose worker cannot serve several queues by urgency."""
        return variant.lacks.get("priorities")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The overload at a rate relative to the capacity, then the drains of many lanes and of one."""
        sizes = context.sizes
        slots, seed = int(sizes["lane_slots"]), seed_of(context.seed, "lanes")
        task_s = sizes["task_ms"] / 1000
        lanes = _lanes(int(sizes["lanes"]))
        shape = shape_of_slots(context.variant, slots, context.processes, most_processes=slots)
        many = WorkerWish(shape.processes, shape.concurrency, lanes, lanes_by_priority=True)
        classes = (TaskClass("sleep", task_s, label, share, lane) for label, (lane, share) in enumerate(LANE_SHARES.items()))
        tasks = Mix(tuple(classes), seed)
        capacity = yield PhasePlan(CAPACITY, tasks, Prefilled(int(sizes["capacity_tasks"])), many)
        capacity_per_s = capacity().tasks.drain_rate_per_s() or slots / task_s
        load = Paced(sizes["overload_ratio"] * capacity_per_s, sizes["overload_s"], "poisson", seed_of(context.seed, "arrivals"))
        yield PhasePlan(OVERLOAD, tasks, load, many)
        drain = Prefilled(int(sizes["drain_tasks"]))
        aside = UnlistenedLane(context.variant.name, UNLISTENED, int(sizes["unlistened_tasks"]))
        all_lanes = PhasePlan(MANY_LANES, _noops(lanes, seed), drain, many)
        one_lane = PhasePlan(ONE_LANE, _noops(lanes[:1], seed), drain, replace(many, lanes=lanes[:1]), (aside,))
        yield from in_drawn_order(context.seed, (all_lanes, one_lane))

    def own_measures(self, data: RunData) -> Measures:
        """The overload and each of its lanes, what went astray, and what a lane costs."""
        values: Values = {**_routing_measures(data.phases.get(ONE_LANE)), **_lane_cost(data)}
        if capacity := data.phases.get(CAPACITY):
            values["capacity_per_s"] = capacity.tasks.drain_rate_per_s()
        if overload := data.phases.get(OVERLOAD):
            values |= _overload_measures(overload)
            values["offered_over_capacity_ratio"] = ratio(values.get("offered_per_s"), values.get("capacity_per_s"))
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The capacity sets the rate of the overload."""
        of_overload = (
            *(*DRAIN_COLUMNS, *LATENCY_COLUMNS, "offered_*", "backlog_tasks", "inversion*"),
            *(f"{lane}_*" for lane in LANE_SHARES),
        )
        return {
            "capacity_per_s": (CAPACITY,),
            **dict.fromkeys(of_overload, (CAPACITY, OVERLOAD)),
            **dict.fromkeys(("many_lanes_drain_ratio", "added_lane_*"), (ONE_LANE, MANY_LANES)),
            **dict.fromkeys(("one_lane_*", "unlistened_task_count", "misrouted"), (ONE_LANE,)),
            **dict.fromkeys(("many_lanes_*", "lanes_served_count"), (MANY_LANES,)),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Tasks executed by a worker that should not have them, and an overload that was none."""
        flags: list[Flag] = []
        routing = _routing_measures(data.phases.get(ONE_LANE))
        if misrouted := routing.get("misrouted"):
            flags.append(TASK_MISROUTED.flag(phase=ONE_LANE, count=misrouted, sent=routing["unlistened_task_count"]))
        if (overload := data.phases.get(OVERLOAD)) and overload.account.ended:
            backlog, slots = _backlog(overload.tasks), overload.record.worker.slots
            if backlog <= slots:
                flags.append(NOT_OVERLOADED.flag(phase=OVERLOAD, backlog=backlog, slots=slots))
        return flags


def _lanes(count: int) -> tuple[str, ...]:
    """The three, and as many more as it takes."""
    return (*LANE_SHARES, *(f"lane-{place}" for place in range(len(LANE_SHARES), count)))


def _noops(lanes: Sequence[str], seed: int) -> Mix:
    return Mix(tuple(TaskClass("noop", label=label, lane=lane) for label, lane in enumerate(lanes)), seed)


def _backlog(table: TaskTable) -> int:
    return not_started_by(table, int(table.acknowledged_ns.max(initial=0)))


def _overload_measures(phase: PhaseData) -> Values:
    """Where nothing ended, only how much was offered."""
    table, total_s = phase.tasks, due_to_end_s(phase.tasks)
    values: Values = {"task_count": phase.account.planned}
    if total_s is not None:
        values |= {
            "total_time": total_s,
            "throughput": ratio(phase.account.ended, total_s),
            "cpu_percent": phase_cpu_percent(phase),
            "offered_per_s": table.offered_rate_per_s(),
            "backlog_tasks": _backlog(table),
            **_lane_measures(table),
        }
    return values


def _lane_measures(table: TaskTable) -> Values:
    lanes = {lane: table.of_label(label) for label, lane in enumerate(LANE_SHARES)}
    last_send_ns = int(table.acknowledged_ns.max())
    values: Values = {}
    for lane, tasks in lanes.items():
        values |= figures(lane, tasks.end_to_end_ns(), _FIGURES)
        values[f"{lane}_task_count"] = len(tasks)
        values[f"{lane}_ended_by_last_send_share"] = ended_share(tasks, last_send_ns)
    high, normal, low = lanes.values()
    inverted = inversions((high, normal, low))
    passed = overtaken(high, (normal, low))
    starved_ns = longest_starvation_ns(low, (high, normal))
    return values | {
        "low_over_high_ratio": ratio(values["low_mean_ms"], values["high_mean_ms"]),
        "inversions": inverted.inverted,
        "inversion_share": inverted.share,
        "high_overtaken_mean_tasks": float(passed.mean()) if len(passed) else None,
        "high_overtaken_max_tasks": int(passed.max()) if len(passed) else None,
        "low_starved_max_ms": None if starved_ns is None else starved_ns / NS_PER_MS,
    }


def _routing_measures(phase: PhaseData | None) -> Values:
    reading = None if phase is None else phase.readings.get("unlistened_lane")
    if reading is None or reading.empty:
        return {}
    sent, waiting, started = (int(reading[name].iloc[0]) for name in ("acknowledged", "waiting", "started"))
    return {"unlistened_task_count": sent, "misrouted": max(sent - waiting, started)}


def _lane_cost(data: RunData) -> Values:
    values: Values = {}
    for name in (ONE_LANE, MANY_LANES):
        if phase := data.phases.get(name):
            values[f"{name}_drain_per_s"] = phase.tasks.drain_rate_per_s()
            values[f"{name}_worker_cpu_s_per_1000"] = cpu_per_1000(phase).worker_s
            values[f"{name}_redis_commands_per_task"] = redis_cost(phase).commands_per_task
    if many := data.phases.get(MANY_LANES):
        lanes = [many.tasks.of_label(label) for label in range(int(data.context.sizes["lanes"]))]
        values["lanes_served_count"] = sum(bool(len(lane)) and bool(lane.ended.all()) for lane in lanes)
    added = data.context.sizes["lanes"] - 1
    one_per_s, many_per_s = (values.get(f"{name}_drain_per_s") for name in (ONE_LANE, MANY_LANES))
    if one_per_s and many_per_s:
        values["many_lanes_drain_ratio"] = many_per_s / one_per_s
        values["added_lane_us_per_task"] = (1 / many_per_s - 1 / one_per_s) * 1e6 / added
    one, many_commands = (values.get(f"{name}_redis_commands_per_task") for name in (ONE_LANE, MANY_LANES))
    values["added_lane_redis_commands_per_task"] = ratio(difference(many_commands, one), added)
    return values


SCENARIO = MultiQueue()
