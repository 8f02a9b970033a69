"""Study: how a task should do its subtasks, by the memory that it takes."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from benchmarks.arithmetic import difference, ratio
from benchmarks.chart import Chart
from benchmarks.conclusion import Conclusion
from benchmarks.plan.grid import Factor, Point
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.soundness import Phases
from benchmarks.record.spans import busy_s
from benchmarks.record.subtasks.course import Course, ideal_s
from benchmarks.record.subtasks.memory import Level, Occupied
from benchmarks.results.chart_data import ChartData
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.footprints import Footprints
from benchmarks.run.devices.subtasks import Subtasks
from benchmarks.scenarios.defaults import directions
from benchmarks.studies.memory_answers import ADDED, TASKS, memory_conclusions
from benchmarks.studies.memory_chart import memory_charts
from benchmarks.studies.memory_document import memory_documents
from benchmarks.studies.study import Growth, Levels, Needs, Place, Study
from tasks.contract import Variant
from tasks.loads import Prefilled, only
from tasks.ways import SEQUENTIAL, WAYS, ways_of

APPROACH = Factor("approach", "text", "how a task does its subtasks", known=(*WAYS, TASKS))
PHASE = "subtasks"
INTERVAL_S = 0.04
LEAST_PER_S = 20.0
WARM_BYTES = 2_000
"""The data of a part that warms the worker: what its own are to be must not be there before."""
FIRST_MB, PROCESS_MB, OVERHEAD = 120.0, 60.0, 1.1
"""What a worker is expected to take, and each further process; and what data take over their own size."""
SETTLING_S = 1.0

SAMPLED_SELDOM = FlagKind(
    "sampled-too-seldom",
    Severity.WARNING,
    "{phase}: memory was looked at {rate:.1f} times a second, at least {least:.0f} were meant, and once not for {gap:.0f} ms",
    "Go by the high-water marks, or measure on a machine that is less busy: a peak may lie between two samples.",
)

_KINDS: Mapping[str, str] = {
    "": "PSS of the worker's whole tree",
    "_uss": "USS of it",
    "_rss": "RSS of it by the kernel's map of its memory (smaps), summed over its processes",
    "_vm": "resident pages of it by the kernel's count (VmRSS), summed over its processes",
    "_cgroup": "memory of the worker's own control group, page cache included; empty where it has none",
}
_WHEN: Mapping[str, str] = {
    "baseline": "warm, before the task",
    "peak": "the highest sample while the task ran",
    "retained": "after it, less baseline",
}


class Memory(Study):
    """One phase: a task that does all its subtasks in the way of its approach, or as many tasks as there are subtasks."""

    name = "study_memory"
    title = "Memory of subtasks"
    question = "How should a task do its subtasks, each with data of its own, so that it takes little memory and is done soon?"
    headline = ADDED
    factors = (APPROACH,)
    sizes: Mapping[str, Sizes] = {
        "quick": {"subtasks": 8, "size": 10.0, "time": 0.5, "workers": 4, "concurrency": 1},
        "standard": {"subtasks": 10, "size": 20.0, "time": 0.5, "workers": 4, "concurrency": 1},
        "full": {"subtasks": 10, "size": 20.0, "time": 0.5, "workers": 4, "concurrency": 1},
    }
    runs: Mapping[str, int] = {"quick": 1, "standard": 3, "full": 10}
    options: Mapping[str, str] = {
        "subtasks": "subtasks of a task",
        "size": "data that each of them makes, MB of 10^6 bytes",
        "time": "how long each works on it, s",
        "workers": "subtasks at the same time, where the approach can have several",
        "concurrency": "tasks at once that the worker is asked for; with the approach tasks it is --workers",
    }
    least: Mapping[str, float] = {"subtasks": 1, "size": 0.01, "time": 0.01, "workers": 1, "concurrency": 1}
    most: Mapping[str, float] = {"subtasks": 1000, "size": 100_000, "time": 3600, "workers": 64, "concurrency": 64}
    drained = PHASE
    lacking = ("throughput", "mean_latency", "p50", "p95", "p99")
    own_flags: Sequence[FlagKind] = (SAMPLED_SELDOM,)
    own_columns: Mapping[str, str] = {
        "task_count": "tasks sent: one, or one for each subtask",
        "subtasks_count": "subtasks that ended with the right checksum",
        "in_flight_max": "of these at the same time, at most",
        "execution_s": "from the start of the first task to the end of the last, s",
        "ideal_s": "what the subtasks take where nothing but their own time is lost, s",
        "of_ideal": "execution_s over ideal_s",
        "data_mb": "what the data need: their size times in_flight_max, MB of 10^6 bytes",
        ADDED: "peak_vm_mb less baseline_vm_mb: what doing the subtasks has added, MB",
        "beyond_data_mb": "added_mb less data_mb",
        **{f"{when}{kind}_mb": f"{what}, {moment}, MB" for kind, what in _KINDS.items() for when, moment in _WHEN.items()},
        "high_water_mb": "sum of the highest VmRSS that the kernel has counted in each process meanwhile (VmHWM), MB; of several "
        "processes an upper bound of the tree's, as they need not be at their highest together",
        "high_water_cgroup_mb": "the control group's own highest, MB; empty where it has none, or had been higher before",
        "between_samples_mb": "high_water_mb less peak_vm_mb, MB; 0 where the kernel's books are no higher",
        "peak_lasted_s": "how long VmRSS was within 5 % of its rise from its peak, s; empty where it still was when all was over",
        "samples_per_s": "samples of VmRSS a second while subtasks were done",
        "longest_gap_ms": "longest time without one meanwhile, ms",
        "sampling_cpu_percent": "CPU that these samples took, 100 = one core",
        "pss_samples_count": "samples of PSS, USS and RSS while subtasks were done, of which peak_mb, peak_uss_mb and "
        "peak_rss_mb are the highest: few, as they cost much, so that a peak may lie between them",
        "processes_count": "processes of the worker's tree before the task",
        "working_processes_count": "processes that did subtasks",
        "os_threads_count": "threads of the operating system that did subtasks",
    }
    own_better = directions(
        lower=(
            *("execution_s", "of_ideal", ADDED, "beyond_data_mb", "high_water_mb", "high_water_cgroup_mb"),
            *(f"{when}{kind}_mb" for kind in _KINDS for when in _WHEN),
        )
    )
    summary: Mapping[str, str] = {
        "in_flight_max": "in flight",
        "data_mb": "data MB",
        ADDED: "added MB",
        "beyond_data_mb": "beyond data MB",
        "baseline_mb": "baseline PSS MB",
        "retained_mb": "kept PSS MB",
        "execution_s": "s",
        "ideal_s": "ideal s",
    }

    def levels(self, place: Place) -> Levels:
        """All that the variant offers. With the preset quick those alone in which several are done at once within a task, but of
        one that has a process for each task all."""
        offered = [way for way in self._offered(place.variant) if self._objection(place, way) is None]
        if place.preset == "quick" and place.variant.execution != "child-process":
            offered = [way for way in offered if way not in (SEQUENTIAL, TASKS)] or offered
        return {"approach": tuple(offered)}

    def objection(self, place: Place, point: Point) -> str | None:
        """A way that tasks of the variant do not have, more at once than a process of it takes."""
        return self._objection(place, str(point["approach"]))

    def needs(self, place: Place, point: Point) -> Needs:
        """The ideal time, and a worker with the data of what is in flight."""
        sizes, approach = place.sizes, str(point["approach"])
        at_once = _at_once(approach, sizes)
        seconds = ideal_s(whole(sizes["subtasks"]), at_once, sizes["time"])
        processes, _ = _worker(place.variant, approach, sizes)
        each_bytes = BYTES_PER_MB * OVERHEAD * at_once
        worker_bytes = BYTES_PER_MB * (FIRST_MB + PROCESS_MB * (processes - 1))
        growth = Growth("size", sizes["size"], each_bytes, self.least["size"])
        return Needs(seconds + SETTLING_S, worker_bytes + each_bytes * sizes["size"], growth)

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """The one phase, on a worker that has everything imported and nothing of the data."""
        sizes, approach, variant = context.sizes, str(context.point["approach"]), context.variant
        count, at_once = whole(sizes["subtasks"]), _at_once(approach, sizes)
        order: dict[str, Any] = {"subtasks": count, "at_once": at_once, "time_s": float(sizes["time"])}
        order |= {"size_bytes": whole(sizes["size"] * BYTES_PER_MB), "way": self._ways(variant).get(approach, "")}
        workload, tasks = ("one_subtask", count) if approach == TASKS else ("subtasks", 1)
        warm = only(workload, {**order, "size_bytes": WARM_BYTES, "time_s": 0.0})
        wish = WorkerWish(*_worker(variant, approach, sizes), warm=warm)
        devices = (Footprints(INTERVAL_S), Subtasks())
        yield PhasePlan(PHASE, only(workload, order), Prefilled(tasks), wish, devices=devices)

    def own_measures(self, data: RunData) -> Measures:
        """How the subtasks went, and what the tree occupied before, meanwhile and afterwards."""
        if (phase := data.phases.get(PHASE)) is None:
            return {}
        sizes, approach = data.context.sizes, str(data.context.point["approach"])
        ideal = ideal_s(whole(sizes["subtasks"]), _at_once(approach, sizes), sizes["time"])
        took_s = busy_s(phase.tasks)
        course = Course.of(phase)
        values = {"execution_s": took_s, "ideal_s": ideal, "of_ideal": ratio(took_s, ideal), **_trees(phase, course, data)}
        if course is None:
            return values
        values |= {
            "subtasks_count": course.count,
            "in_flight_max": course.in_flight_max,
            "data_mb": sizes["size"] * course.in_flight_max,
            "working_processes_count": course.processes,
            "os_threads_count": course.threads,
        }
        occupied = Occupied.of(phase, course)
        return values if occupied is None else {**values, **_occupied(occupied, sizes["size"] * course.in_flight_max)}

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """There is but one."""
        return dict.fromkeys(self.own_columns, (PHASE,))

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Whether memory was looked at as often as was meant."""
        phase = data.phases.get(PHASE)
        course = None if phase is None else Course.of(phase)
        occupied = None if phase is None or course is None else Occupied.of(phase, course)
        if occupied is None or occupied.rate_per_s is None or occupied.rate_per_s >= LEAST_PER_S:
            return ()
        values = {"rate": occupied.rate_per_s, "least": LEAST_PER_S, "gap": occupied.longest_gap_ms}
        return (SAMPLED_SELDOM.flag(phase=PHASE, **values),)

    def conclusions(self, data: ChartData) -> Sequence[Conclusion]:
        """All approaches side by side, and what one would get wrong about their memory."""
        return memory_conclusions(data)

    def documents(self, data: ChartData, created_utc: str) -> Mapping[str, str]:
        """``memory_comparison.csv`` and ``.json``."""
        return memory_documents(data, created_utc, {name: self.columns[name] for name in self.own_columns})

    def charts(self, data: ChartData) -> Sequence[Chart]:
        """Memory over time."""
        return tuple(memory_charts(data, APPROACH.known))

    def _ways(self, variant: Variant) -> Mapping[str, str]:
        return ways_of(variant.execution, variant.ways)

    def _offered(self, variant: Variant) -> list[str]:
        return [known for known in APPROACH.known if known in self._ways(variant) or known == TASKS]

    def _objection(self, place: Place, approach: str) -> str | None:
        offered, limit = self._offered(place.variant), place.variant.concurrency_limit
        if approach not in offered:
            return f"its tasks have no such way: it has {', '.join(offered)}"
        _, asked = _worker(place.variant, approach, place.sizes)
        if limit is not None and asked > limit:
            option = "--workers" if approach == TASKS else "--concurrency"
            return f"a process of it takes {limit} at once and no more: the nearest that works is {option} {limit}"
        return None


def _at_once(approach: str, sizes: Sizes) -> int:
    """Subtasks at the same time that the approach is to have."""
    return 1 if approach == SEQUENTIAL else whole(sizes["workers"])


def _worker(variant: Variant, approach: str, sizes: Sizes) -> tuple[int, int]:
    """Processes and tasks at once in each: as many processes as tasks at once where every task has one of its own, else one."""
    slots = whole(sizes["workers"] if approach == TASKS else sizes["concurrency"])
    return (slots, 1) if variant.execution == "child-process" else (1, slots)


def _trees(phase: PhaseData, course: Course | None, data: RunData) -> dict[str, float | int | None]:
    """PSS, USS and RSS, from the samples that cost much and are few: there may be none while subtasks were done."""
    before, after = phase.record.before.worker, phase.record.after.worker
    inside = [] if course is None else [s for s in data.samples if course.began_ns <= s.at_ns <= course.ended_ns]
    values: dict[str, float | int | None] = {"processes_count": before.processes, "pss_samples_count": len(inside)}
    for kind, column in (("", "pss_bytes"), ("_uss", "uss_bytes"), ("_rss", "rss_bytes")):
        first, last = getattr(before, column), getattr(after, column)
        values |= {
            f"baseline{kind}_mb": first / BYTES_PER_MB,
            f"peak{kind}_mb": ratio(max((getattr(sample, column) for sample in inside), default=None), BYTES_PER_MB),
            f"retained{kind}_mb": (last - first) / BYTES_PER_MB,
        }
    return values


def _occupied(found: Occupied, data_mb: float) -> dict[str, float | int | None]:
    """What is counted often and at little cost."""
    return {
        **_level("_vm", found.vm_rss),
        **_level("_cgroup", found.cgroup),
        ADDED: found.vm_rss.added_mb,
        "beyond_data_mb": difference(found.vm_rss.added_mb, data_mb),
        "high_water_mb": found.high_water_mb,
        "high_water_cgroup_mb": found.cgroup_high_water_mb,
        "between_samples_mb": found.between_samples_mb,
        "peak_lasted_s": found.peak_lasted_s,
        "samples_per_s": found.rate_per_s,
        "longest_gap_ms": found.longest_gap_ms,
        "sampling_cpu_percent": found.cpu_percent,
    }


def _level(kind: str, level: Level) -> dict[str, float | int | None]:
    return {
        f"baseline{kind}_mb": level.baseline_mb,
        f"peak{kind}_mb": level.peak_mb,
        f"retained{kind}_mb": level.retained_mb,
    }


STUDY = Memory()
