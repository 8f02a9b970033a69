"""Scenario 8: how long a worker takes to start, and to stop with tasks in hand."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

import numpy as np

from benchmarks.arithmetic import median
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import StartWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import FIGURE_WORDS, NS_PER_MS, LatencySummary, summarise
from benchmarks.record.resources import BYTES_PER_MB, cpu_percent
from benchmarks.record.run_data import Measures, RunContext, RunData, measured_phases
from benchmarks.record.shared import LATENCY_COLUMNS, MEMORY_SUMMARY, Values
from benchmarks.record.soundness import Phases
from benchmarks.record.starts.imports import import_times
from benchmarks.record.starts.starts import Start, first_task_ns, starts_of, were_cold
from benchmarks.record.starts.stops import in_hand
from benchmarks.run.contract import Device, Look, PhasePlan
from benchmarks.run.devices.bare_starts import BareStarts
from benchmarks.run.devices.imports import Imports
from benchmarks.scenarios.alternatives import in_drawn_order
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from tasks.loads import NS_PER_S, Burst, only

STOP, WAITING, READY, IMPORTS = "stop", "waiting", "ready", "imports"
BYTECODE_COLD, PAGE_CACHE_COLD = "bytecode-cold", "page-cache-cold"
_WISHES: Mapping[str, StartWish] = {
    WAITING: StartWish("waiting"),
    READY: StartWish("ready"),
    IMPORTS: StartWish("ready", profile_imports=True),
    BYTECODE_COLD: StartWish("waiting", bytecode_cold=True),
}
"""The starts that are alternatives of one another."""
_COUNTS = {WAITING: "starts", READY: "starts", IMPORTS: "import_starts", BYTECODE_COLD: "bytecode_cold_starts"}
"""The sizes that tell how many there are of each."""

STOP_NOT_GRACEFUL = FlagKind(
    "stop-not-graceful",
    Severity.WARNING,
    "{phase}: asked to end with tasks in hand, the worker was not gone after {seconds:.1f} s and was killed",
    "See in its log what it waits for; an orchestrator would kill it as well.",
)

PAGE_CACHE_WARM = FlagKind(
    "page-cache-warm",
    Severity.NOTE,
    "the page cache could not be made cold: not all of {starts} starts fetched anything from storage",
    "Nothing is to be done where the files lie in memory or on storage that is cached elsewhere.",
)

_SPREADS = {
    "startup": "from spawning its first process until each of its commands is connected to Redis, over all warm starts, ms",
    "processes_up": "from the spawn until all processes exist that it has when connected, over the same starts, ms",
    "first_task_waiting": "from the spawn to the end of a task that was waiting, over the starts with one waiting, ms",
    "first_task_ready": "from the intended send time to the end of the first task sent to a connected, idle worker, ms",
}
_FIGURES = {"": "p50", "_p95": "p95", "_max": "max"}

_COLUMNS: Mapping[str, str] = {
    "task_count": "tasks planned, over all starts and stops",
    "memory_mb": "highest PSS of the worker's whole process tree that was seen after a start, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree from the spawn until it has settled, over the starts without a task, 100 = one core",
    "starts": "warm starts that the next figures are taken over: half of them with a task waiting",
    **{
        f"{name}{suffix}_ms": f"{FIGURE_WORDS[figure]}: {words}"
        for name, words in _SPREADS.items()
        for suffix, figure in _FIGURES.items()
    },
    "connected_to_first_task_ms": "median: from the first command's connection to the end of the task that was waiting, ms",
    "interpreter_ms": "median: the framework's Python started with nothing to do, until it has ended, ms",
    "import_ms": "imports until connected, of the command with most, without those of the bare interpreter, ms",
    "import_interpreter_ms": "imports of the bare interpreter in the same start, ms",
    "import_rest_ms": "what is left of that start until connected, without these two: processes, interpreters, event loops, ms",
    "import_startup_ms": "that start until connected, which the logging of imports makes a little longer, ms",
    "import_modules": "modules that the same command imported until connected",
    "import_first_task_ms": "imports of all processes from being connected to the end of the first task, ms",
    "ready_processes": "processes of the connected worker",
    "first_task_processes": "processes after the first task",
    **{
        f"memory_ready_{kind}_mb": f"median {kind.upper()} of the whole tree, connected and settled, before any task, MB"
        for kind in ("pss", "rss", "uss")
    },
    **{
        f"memory_first_task_{kind}_mb": f"median {kind.upper()} of the whole tree after the first task, MB"
        for kind in ("pss", "uss")
    },
    "start_cpu_s": "median CPU seconds of the whole tree from the spawn until it has settled",
    "bytecode_cold_startup_ms": "median: as startup_ms, with no compiled modules, those of the standard library neither, ms",
    "bytecode_cold_first_task_ms": "median: as first_task_waiting_ms, in the same starts, ms",
    "page_cache_cold_startup_ms": "median: as startup_ms, with modules and libraries out of the page cache, ms",
    "page_cache_cold_first_task_ms": "median: as first_task_waiting_ms, in the same starts, ms",
    "page_cache_cold_read_mb": "median: fetched from storage by such a start until connected, MB",
    "stop_ms": "median: from SIGTERM, with tasks in hand and more waiting, to the end of the last process, ms",
    "stop_graceful_share": "share of these stops in which every process ended by itself",
    "stop_in_hand_tasks": "tasks that were being executed when the signal came, over all stops, as are the next five",
    "stop_finished_in_hand_tasks": "of these, those that the stopping worker brought to their end",
    "stop_begun_after_signal_tasks": "tasks that the stopping worker began after the signal",
    "stop_executed_again_tasks": "tasks begun by the stopping worker and executed once more by the next",
    "stop_lost_tasks": "tasks that never ended, though the next worker ran until nothing moved any more",
    "stop_doubled_tasks": "tasks that ended more often than once",
    "restart_first_task_ms": "median: from the spawn of the next worker to the first end of one of the tasks left, ms",
}


def _sizes(starts: int, profiled: int, cold: int, stops: int) -> dict[str, float | int]:
    """``starts`` of each kind: with a task waiting, and with the task sent later."""
    return {
        "starts": starts,
        "import_starts": profiled,
        "bytecode_cold_starts": cold,
        "page_cache_cold_starts": cold,
        "stops": stops,
        "stop_task_s": 0.1,
        "stop_tasks_per_slot": 8,
        "bare_starts": 5,
    }


class ColdStart(ScenarioDefaults):
    """Every phase starts a worker anew. The stops come first: their starts also bring all files into the page cache and compile
    what was not, so that the warm starts after them are warm. Then come rounds of one start of each kind, in an order that each
    round draws: one task waiting, one sent later, imports logged, no compiled modules. Those that empty the page cache are last,
    for the sake of the others."""

    number = 8
    name = "scenario_8_cold_start"
    title = "Cold start"
    question = "How long does a worker take until it works, where does that time go, and how does it stop with tasks in hand?"
    headline = "startup_ms"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(starts=5, profiled=1, cold=1, stops=1),
        "standard": _sizes(starts=10, profiled=2, cold=3, stops=3),
        "full": _sizes(starts=20, profiled=3, cold=10, stops=10),
    }
    least: Mapping[str, float] = {
        **{"import_starts": 0, "bytecode_cold_starts": 0, "page_cache_cold_starts": 0, "stops": 0},
        # When two for each slot have ended the worker is told to stop, and then there must be some in hand and others waiting.
        "stop_tasks_per_slot": 4,
    }
    lacking = ("total_time", "throughput", *LATENCY_COLUMNS)
    own_columns = _COLUMNS
    own_better = directions(
        higher=("stop_graceful_share",),
        lower=(
            *(name for name in _COLUMNS if name.endswith("_ms") or name.startswith("memory_")),
            *("cpu_percent", "start_cpu_s", "stop_executed_again_tasks", "stop_lost_tasks", "stop_doubled_tasks"),
        ),
    )
    summary: Mapping[str, str] = {
        "startup_ms": "startup ms",
        "import_ms": "import ms",
        "first_task_waiting_ms": "1st task ms",
        "first_task_ready_ms": "1st sent ms",
        "bytecode_cold_startup_ms": "no pyc ms",
        "memory_ready_pss_mb": "PSS MB",
        "memory_ready_uss_mb": "USS MB",
        "memory_sharers": MEMORY_SUMMARY["memory_sharers"],
        "stop_ms": "stop ms",
        "stop_lost_tasks": "lost",
    }
    own_flags: Sequence[FlagKind] = (STOP_NOT_GRACEFUL, PAGE_CACHE_WARM)

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """Stops, rounds of starts, starts out of a cold page cache."""
        sizes = context.sizes
        stop_tasks = only("sleep", sizes["stop_task_s"])
        slots = context.variant.shape(context.processes, context.concurrency).slots
        stop_load, stop_after = Burst(int(sizes["stop_tasks_per_slot"]) * slots), 2 * slots
        for number in range(1, int(sizes["stops"]) + 1):
            yield PhasePlan(f"{STOP}-{number}", stop_tasks, stop_load, start=StartWish("ready", stop_after=stop_after))
        imports = (BareStarts(int(sizes["bare_starts"])), Imports())
        for number in range(1, int(max(sizes[name] for name in _COUNTS.values())) + 1):
            kinds = [kind for kind, name in _COUNTS.items() if number <= sizes[name]]
            starts = (_one_task(kind, number, _WISHES[kind], *(imports if kind == IMPORTS else ())) for kind in kinds)
            yield from in_drawn_order(context.seed, starts)
        for number in range(1, int(sizes["page_cache_cold_starts"]) + 1):
            yield _one_task(PAGE_CACHE_COLD, number, StartWish("waiting", page_cache_cold=True))

    def own_measures(self, data: RunData) -> Measures:
        """Of each kind of start its own, and what became of the tasks over the stops."""
        waiting, ready = starts_of(data, WAITING), starts_of(data, READY)
        return {
            "task_count": sum(phase.account.planned for phase in measured_phases(data)),
            **_warm_measures(waiting, ready),
            **_ready_measures(ready),
            **_import_measures(starts_of(data, IMPORTS)),
            **_cold_measures("bytecode_cold", starts_of(data, BYTECODE_COLD)),
            **_page_cache_measures(starts_of(data, PAGE_CACHE_COLD)),
            **_stop_measures(starts_of(data, STOP)),
        }

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """Each is of all starts or stops of its kind."""
        waiting, ready = (f"{WAITING}-*",), (f"{READY}-*",)
        of_both = ("starts", "startup_*", "processes_up_*", "ready_processes", "first_task_processes", "memory_first_task_*")
        return {
            **dict.fromkeys(of_both, (*waiting, *ready)),
            **dict.fromkeys(("first_task_waiting_*", "connected_to_first_task_ms"), waiting),
            **dict.fromkeys(("first_task_ready_*", "cpu_percent", "start_cpu_s", "memory_ready_*"), ready),
            **dict.fromkeys(("import_*", "interpreter_ms"), (f"{IMPORTS}-*",)),
            "bytecode_cold_*": (f"{BYTECODE_COLD}-*",),
            "page_cache_cold_*": (f"{PAGE_CACHE_COLD}-*",),
            **dict.fromkeys(("stop_*", "restart_*"), (f"{STOP}-*",)),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Where a worker had to be killed, and where the page cache would not get cold."""
        flags: list[Flag] = []
        for start in starts_of(data, STOP):
            if start.stop is not None and not start.stop.graceful:
                name = start.phase.record.name
                flags.append(STOP_NOT_GRACEFUL.flag(phase=name, seconds=start.stop.took_s))
        cold = starts_of(data, PAGE_CACHE_COLD)
        if cold and not were_cold(cold):
            flags.append(PAGE_CACHE_WARM.flag(starts=len(cold)))
        return flags


def _one_task(kind: str, number: int, start: StartWish, *devices: Device) -> PhasePlan:
    return PhasePlan(f"{kind}-{number}", only("noop"), Burst(1), devices=devices, start=start)


def _summary(durations_ns: Iterable[int | None]) -> LatencySummary:
    return summarise(np.array([d for d in durations_ns if d is not None], np.int64))


def _median_ms(durations_ns: Iterable[int | None]) -> float | None:
    return _summary(durations_ns).p50_ms


def _figures(name: str, durations_ns: Iterable[int | None]) -> Values:
    summary = _summary(durations_ns)
    return {f"{name}{suffix}_ms": getattr(summary, f"{figure}_ms") for suffix, figure in _FIGURES.items()}


def _warm_measures(waiting: Sequence[Start], ready: Sequence[Start]) -> Values:
    both = [*waiting, *ready]
    return {
        "starts": len(both),
        **_figures("startup", (start.startup_ns for start in both)),
        **_figures("processes_up", (start.up_ns for start in both)),
        **_figures("first_task_waiting", first_task_ns(waiting)),
        **_figures("first_task_ready", (int(d) for start in ready for d in start.phase.tasks.end_to_end_ns())),
        "connected_to_first_task_ms": _median_ms(start.first_task_ns(start.times.first_connected_ns) for start in waiting),
        "ready_processes": max((start.times.processes for start in both), default=None),
        "first_task_processes": max((start.phase.record.after.worker.processes for start in both), default=None),
        "memory_first_task_pss_mb": _median_mb(both, lambda start: start.phase.record.after.worker.pss_bytes),
        "memory_first_task_uss_mb": _median_mb(both, lambda start: start.phase.record.after.worker.uss_bytes),
    }


def _ready_measures(ready: Sequence[Start]) -> Values:
    cpu_s = [start.ready.cpu_s for start in ready]
    elapsed_s = sum(start.ready.at_ns - start.times.spawned_ns for start in ready) / NS_PER_S
    return {
        "cpu_percent": cpu_percent(sum(cpu_s), elapsed_s),
        "start_cpu_s": median(cpu_s),
        "memory_ready_pss_mb": _median_mb(ready, lambda start: start.ready.pss_bytes),
        "memory_ready_rss_mb": _median_mb(ready, lambda start: start.ready.rss_bytes),
        "memory_ready_uss_mb": _median_mb(ready, lambda start: start.ready.uss_bytes),
    }


def _median_mb(starts: Sequence[Start], of: Callable[[Start], int]) -> float | None:
    return median(of(start) / BYTES_PER_MB for start in starts)


def _import_measures(starts: Sequence[Start]) -> Values:
    bare = [start.phase.readings["bare_starts"] for start in starts if "bare_starts" in start.phase.readings]
    logged = [start for start in starts if "imports" in start.phase.readings]
    startup_ms = [start.startup_ns / NS_PER_MS for start in logged]
    split = [import_times(start.phase.readings["imports"]) for start in logged]
    return {
        "interpreter_ms": median(1000 * took_s for frame in bare for took_s in frame["took_s"]),
        "import_ms": median(s.own_ms for s in split),
        "import_interpreter_ms": median(s.interpreter_ms for s in split),
        "import_rest_ms": median(ms - s.interpreter_ms - s.own_ms for ms, s in zip(startup_ms, split, strict=True)),
        "import_startup_ms": median(startup_ms),
        "import_modules": max((s.modules for s in split), default=None),
        "import_first_task_ms": median(s.later_ms for s in split),
    }


def _cold_measures(name: str, starts: Sequence[Start]) -> Values:
    return {
        f"{name}_startup_ms": _median_ms(start.startup_ns for start in starts),
        f"{name}_first_task_ms": _median_ms(first_task_ns(starts)),
    }


def _page_cache_measures(starts: Sequence[Start]) -> Values:
    if not were_cold(starts):
        return {}
    read_mb = median(start.times.read_bytes / BYTES_PER_MB for start in starts)
    return {**_cold_measures("page_cache_cold", starts), "page_cache_cold_read_mb": read_mb}


def _stop_measures(starts: Sequence[Start]) -> Values:
    stops = [(start, start.stop) for start in starts if start.stop is not None]
    if not stops:
        return {}
    found = [in_hand(start.phase.tasks, stop) for start, stop in stops]
    return {
        "stop_ms": median(1000 * stop.took_s for _, stop in stops),
        "stop_graceful_share": sum(stop.graceful for _, stop in stops) / len(stops),
        "stop_in_hand_tasks": sum(i.in_hand for i in found),
        "stop_finished_in_hand_tasks": sum(i.finished for i in found),
        "stop_begun_after_signal_tasks": sum(i.begun_after for i in found),
        "stop_executed_again_tasks": sum(i.again for i in found),
        "stop_lost_tasks": sum(start.phase.account.lost for start, _ in stops),
        "stop_doubled_tasks": sum(start.phase.account.duplicated for start, _ in stops),
        "restart_first_task_ms": _median_ms(
            end_ns - stop.restarted.spawned_ns
            for start, stop in stops
            if (end_ns := start.first_end_ns(stop.restarted.spawned_ns)) is not None
        ),
    }


SCENARIO = ColdStart()
