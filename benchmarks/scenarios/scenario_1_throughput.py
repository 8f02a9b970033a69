"""Scenario 1: how many empty tasks a second, at what latency, for what price."""

from collections.abc import Generator, Mapping, Sequence

from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.ideal_queue import OF_THE_DRAW, wait_columns, wait_measures
from benchmarks.record.resources import TreeMemory, cpu_per_1000, redis_cost, worker_memory
from benchmarks.record.rules.rates import limits_per_s
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import MEMORY_OF_ONE_WORKER, MEMORY_SUMMARY, Values
from benchmarks.record.soundness import Phases
from benchmarks.record.stages import stage_columns, stage_measures
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.loads import Paced, Prefilled, only

CAPACITY, BULK, PACED, HALF = "capacity", "bulk", "paced", "half"
TASKS = only("noop")
UTILISATION = 0.5
"""Share of the measured capacity, and at most of the measured enqueue rate, that the phase ``half`` offers."""

PACED_RATE_CAPPED = FlagKind(
    "paced-rate-capped",
    Severity.NOTE,
    "{phase}: {rate:.1f} tasks/s, below half of the capacity ({half:.1f}), for the producer enqueues {enqueue:.1f}/s at best",
    "Read these latencies as those of a lower utilisation; more producers would reach the rate.",
)

_FIGURES = ("mean", "p50", "p95", "p99", "p99_9", "max")
_OFFERED = {PACED: "at the paced rate", HALF: f"at {UTILISATION:.0%} of capacity"}
_WHEN = {"idle": "warm, before the first load", "peak": "highest over all samples", "after": "after the last drain"}

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks prefilled for the capacity drain",
    "mean_latency": "mean end to end latency at the paced rate, ms, from the intended send time to the recorded finish",
    "memory_mb": MEMORY_OF_ONE_WORKER,
    "cpu_percent": "CPU of the worker's tree over the capacity drain, 100 = one core",
    "enqueue_per_s": "tasks enqueued one by one, a second, by one producer with the workers paused",
    "enqueue_share_of_control": "enqueue_per_s over the control's in the same round",
    "bulk_enqueue_per_s": "the same in the framework's fastest way for many tasks",
    "drain_per_s": "capacity: tasks ended a second between 10 % and 90 % of the drain",
    "drain_share_of_control": "drain_per_s over the control's in the same round",
    "paced_rate_offered_per_s": "tasks sent a second in the paced phase",
    "half_rate_per_s": "tasks sent a second in the phase at half of the capacity",
    **stage_columns(PACED, _OFFERED[PACED], _FIGURES),
    **stage_columns(HALF, _OFFERED[HALF], _FIGURES),
    **wait_columns(HALF, _OFFERED[HALF]),
    **{
        f"memory_{when}_{kind}_mb": f"{kind.upper()} of the worker's whole process tree, {words}, MB of 10^6 bytes"
        for when, words in _WHEN.items()
        for kind in ("pss", "rss", "uss")
    },
    "worker_cpu_s_per_1000": "CPU seconds of the worker's tree for 1,000 tasks of the capacity drain",
    "producer_cpu_s_per_1000": "CPU seconds of the producer for 1,000 tasks enqueued one by one",
    "redis_cpu_s_per_1000": "CPU seconds of Redis for 1,000 tasks, enqueued and drained",
    "redis_commands_per_task": "commands that Redis executed for a task, enqueued and drained",
    "redis_bytes_per_task": "network bytes into and out of Redis for a task, enqueued and drained",
    "redis_memory_bytes_per_queued_task": "memory that Redis takes for a waiting task",
    "working_processes": "processes that started tasks of the capacity drain",
    "working_threads": "threads, over all processes, that started tasks of the capacity drain",
}


def _sizes(tasks: int, paced_s: float, half_s: float) -> dict[str, float | int]:
    return {"tasks": tasks, "rate_per_s": 100, "paced_s": paced_s, "half_s": half_s}


class Throughput(ScenarioDefaults):
    """Four phases: ``capacity`` (prefilled one by one, drained), ``bulk`` (prefilled in the fastest way, drained), ``paced`` (an
    open loop at a low fixed rate) and ``half`` (an open loop with Poisson arrivals at half of the capacity just measured). The
    two drains come in an order that the run draws, and so do the two open loops after them."""

    number = 1
    name = "scenario_1_throughput"
    title = "Basic throughput"
    question = "How many tasks a second can it enqueue and execute, how long does a task wait, and what does that cost?"
    headline = "drain_per_s"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(tasks=2_000, paced_s=2.5, half_s=2.5),
        "standard": _sizes(tasks=10_000, paced_s=10, half_s=10),
        "full": _sizes(tasks=20_000, paced_s=30, half_s=30),
    }
    drained = CAPACITY
    paced = PACED
    own_columns = _COLUMNS
    own_better = directions(
        higher=("enqueue_per_s", "enqueue_share_of_control", "bulk_enqueue_per_s", "drain_per_s", "drain_share_of_control"),
        lower=(
            *(n for n in _COLUMNS if n.startswith(("memory_", "redis_")) or n.endswith("_cpu_s_per_1000")),
            *(n for n in _COLUMNS if n.endswith("_ms") and not n.endswith(OF_THE_DRAW)),
        ),
    )
    summary: Mapping[str, str] = {
        "drain_per_s": "drain/s",
        "drain_share_of_control": "of control",
        "enqueue_per_s": "enqueue/s",
        "p50": "p50 ms",
        "p99": "p99 ms",
        "worker_cpu_s_per_1000": "CPU s/1k",
        **MEMORY_SUMMARY,
    }
    shares: Mapping[str, str] = {"enqueue_share_of_control": "enqueue_per_s", "drain_share_of_control": "drain_per_s"}
    own_flags: Sequence[FlagKind] = (PACED_RATE_CAPPED,)

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The drains, then the open loops, of which one's rate is relative to a drain's."""
        sizes, seed = context.sizes, context.seed
        tasks, rate_per_s = whole(sizes["tasks"]), sizes["rate_per_s"]
        bulk = Prefilled(max(1, tasks // 4), many=True)
        looks = yield from in_drawn_order(seed, (PhasePlan(CAPACITY, TASKS, Prefilled(tasks)), PhasePlan(BULK, TASKS, bulk)))
        rates = [rate for rate in limits_per_s(looks[CAPACITY]()) if rate is not None]
        half_per_s = UTILISATION * min(rates) if rates else rate_per_s
        half = Paced(half_per_s, sizes["half_s"], "poisson", seed_of(seed, "arrivals"))
        paced = Paced(rate_per_s, sizes["paced_s"])
        yield from in_drawn_order(seed, (PhasePlan(PACED, TASKS, paced), PhasePlan(HALF, TASKS, half)))

    def own_measures(self, data: RunData) -> Measures:
        """What the drain costs, the latencies at both rates, stage by stage, and memory."""
        values = _memory_measures(data)
        if capacity := data.phases.get(CAPACITY):
            values |= _capacity_measures(capacity)
        if bulk := data.phases.get(BULK):
            values["bulk_enqueue_per_s"] = bulk.tasks.enqueue_rate_per_s()
        if paced := data.phases.get(PACED):
            values |= dict(stage_measures(paced, _FIGURES))
            values["paced_rate_offered_per_s"] = paced.tasks.offered_rate_per_s()
        if half := data.phases.get(HALF):
            values |= dict(stage_measures(half, _FIGURES)) | dict(wait_measures(half))
            values["half_rate_per_s"] = half.tasks.offered_rate_per_s()
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """The capacity sets the rate of ``half``."""
        of_capacity = ("enqueue_per_s", "drain_per_s", "*_cpu_s_per_1000", "redis_*", "working_*")
        return {
            **dict.fromkeys(of_capacity, (CAPACITY,)),
            "bulk_*": (BULK,),
            "paced_*": (PACED,),
            "half_*": (CAPACITY, HALF),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """A note where the producer could not have kept half of the capacity up."""
        capacity, half = data.phases.get(CAPACITY), data.phases.get(HALF)
        if capacity is None or half is None or not isinstance(half.record.load, Paced):
            return ()
        drain_per_s, enqueue_per_s = limits_per_s(capacity)
        if drain_per_s is None or enqueue_per_s is None or drain_per_s <= enqueue_per_s:
            return ()
        rate, wanted = half.record.load.rate_per_s, UTILISATION * drain_per_s
        return (PACED_RATE_CAPPED.flag(phase=HALF, rate=rate, half=wanted, enqueue=enqueue_per_s),)


def _capacity_measures(phase: PhaseData) -> Values:
    cpu, cost = cpu_per_1000(phase), redis_cost(phase)
    return {
        "enqueue_per_s": phase.tasks.enqueue_rate_per_s(),
        "drain_per_s": phase.tasks.drain_rate_per_s(),
        "worker_cpu_s_per_1000": cpu.worker_s,
        "producer_cpu_s_per_1000": cpu.producer_s,
        "redis_cpu_s_per_1000": cpu.redis_s,
        "redis_commands_per_task": cost.commands_per_task,
        "redis_bytes_per_task": cost.bytes_per_task,
        "redis_memory_bytes_per_queued_task": cost.memory_bytes_per_queued_task,
        "working_processes": phase.tasks.working_processes(),
        "working_threads": phase.tasks.working_threads(),
    }


def _memory_measures(data: RunData) -> Values:
    memory = worker_memory(data)
    seen: Mapping[str, TreeMemory | None] = {"idle": memory.idle, "peak": memory.peak, "after": memory.after}
    return {
        f"memory_{when}_{kind}_mb": value
        for when, tree in seen.items()
        if tree is not None
        for kind, value in {"pss": tree.pss_mb, "rss": tree.rss_mb, "uss": tree.uss_mb}.items()
    }


SCENARIO = Throughput()
