"""Scenario 8: how long a worker takes to start, and to stop with tasks in hand."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.arithmetic import median
from benchmarks.plan.sizes import Sizes
from benchmarks.plan.wishes import StartWish
from benchmarks.record.flags import Flag, FlagKind, Severity
from benchmarks.record.percentiles import NS_PER_MS, LatencySummary, summarise
from benchmarks.record.resources import BYTES_PER_MB, cpu_percent, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData, StopRecord, measured_phases
from benchmarks.record.shared import Values
from benchmarks.record.task_table import MISSING, Bools, TaskTable
from benchmarks.record.totals import TOTAL_COLUMNS, totals
from benchmarks.run.contract import Direction, Look, PhasePlan
from benchmarks.run.devices.bare_starts import BareStarts
from benchmarks.run.devices.imports import Imports
from benchmarks.scenarios.defaults import ScenarioDefaults
from infrastructure.readings import StartTimes, TreeSample
from tasks.loads import NS_PER_S, Burst, only

STOP, WAITING, READY, IMPORTS = "stop", "waiting", "ready", "imports"
BYTECODE_COLD, PAGE_CACHE_COLD = "bytecode-cold", "page-cache-cold"
INTERPRETER_IS_UP = "site"
"""The last module that Python imports by itself before it turns to what it was told to run."""
US_PER_MS = 1000

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
_FIGURES = {"": "median", "_p95": "95th percentile", "_max": "greatest"}

_COLUMNS: dict[str, str] = {
    "task_count": "tasks planned, over all starts and stops",
    "memory_mb": "highest PSS of the worker's whole process tree that was seen after a start, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree from the spawn until it has settled, over the starts without a task, 100 = one core",
    "starts": "warm starts that the next figures are taken over: half of them with a task waiting",
    **{f"{name}{figure}_ms": f"{word}: {words}" for name, words in _SPREADS.items() for figure, word in _FIGURES.items()},
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
    "memory_first_task_pss_mb": "median PSS of the whole tree after the first task, MB",
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
    **TOTAL_COLUMNS,
}

_LOWER = (
    *(name for name in _COLUMNS if name.endswith("_ms") or name.startswith("memory_")),
    *(
        "cpu_percent",
        "start_cpu_s",
        "stop_executed_again_tasks",
        "stop_lost_tasks",
        "stop_doubled_tasks",
        "failed",
        "lost",
        "duplicated",
    ),
)
_BETTER: dict[str, Direction] = {**dict.fromkeys(_LOWER, "lower"), "stop_graceful_share": "higher"}


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
    what was not, so that the warm starts after them are warm. These alternate between one task waiting and one sent later."""

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
    columns: Mapping[str, str] = _COLUMNS
    summary: Mapping[str, str] = {
        "startup_ms": "startup ms",
        "import_ms": "import ms",
        "first_task_waiting_ms": "1st task ms",
        "first_task_ready_ms": "1st sent ms",
        "bytecode_cold_startup_ms": "no pyc ms",
        "memory_ready_pss_mb": "PSS MB",
        "stop_ms": "stop ms",
        "stop_lost_tasks": "lost",
    }
    better: Mapping[str, Direction] = _BETTER
    own_flags: Sequence[FlagKind] = (STOP_NOT_GRACEFUL, PAGE_CACHE_WARM)

    def check(self, sizes: Sizes) -> None:
        """Raises ValueError for a size that makes no sense, and KeyError for one that is missing."""
        for name in ("starts", "stop_task_s", "bare_starts"):
            if not sizes[name] > 0:
                raise ValueError(f"size {name} of {self.name} must be positive, not {sizes[name]}")
        for name in ("import_starts", "bytecode_cold_starts", "page_cache_cold_starts", "stops"):
            if not sizes[name] >= 0:
                raise ValueError(f"size {name} of {self.name} must not be negative, but is {sizes[name]}")
        if not sizes["stop_tasks_per_slot"] >= 4:
            raise ValueError(
                f"size stop_tasks_per_slot of {self.name} must be at least 4, not {sizes['stop_tasks_per_slot']}: when two "
                "of them have ended the worker is told to stop, and then there must be some in hand and others waiting"
            )

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """Stops, warm starts, starts whose imports are logged, cold starts."""
        sizes = context.sizes
        stop_tasks = only("sleep", sizes["stop_task_s"])
        stop_load, stop_after = Burst(int(sizes["stop_tasks_per_slot"]) * context.slots), 2 * context.slots
        for number in range(1, int(sizes["stops"]) + 1):
            yield PhasePlan(f"{STOP}-{number}", stop_tasks, stop_load, start=StartWish("ready", stop_after=stop_after))
        for number in range(1, int(sizes["starts"]) + 1):
            yield _one_task(WAITING, number, StartWish("waiting"))
            yield _one_task(READY, number, StartWish("ready"))
        for number in range(1, int(sizes["import_starts"]) + 1):
            plan = _one_task(IMPORTS, number, StartWish("ready", profile_imports=True))
            yield PhasePlan(
                plan.name, plan.tasks, plan.load, devices=(BareStarts(int(sizes["bare_starts"])), Imports()), start=plan.start
            )
        for number in range(1, int(sizes["bytecode_cold_starts"]) + 1):
            yield _one_task(BYTECODE_COLD, number, StartWish("waiting", bytecode_cold=True))
        for number in range(1, int(sizes["page_cache_cold_starts"]) + 1):
            yield _one_task(PAGE_CACHE_COLD, number, StartWish("waiting", page_cache_cold=True))

    def measures(self, data: RunData) -> Measures:
        """The measures of one run."""
        waiting, ready = _starts(data, WAITING), _starts(data, READY)
        stops = _starts(data, STOP)
        values: Values = dict.fromkeys(self.columns)
        values["task_count"] = sum(phase.account.planned for phase in measured_phases(data))
        values["memory_mb"] = worker_memory(data).peak.pss_mb
        return (
            values
            | _warm_measures(waiting, ready)
            | _ready_measures(ready)
            | _import_measures(_starts(data, IMPORTS))
            | _cold_measures("bytecode_cold", _starts(data, BYTECODE_COLD))
            | _page_cache_measures(_starts(data, PAGE_CACHE_COLD))
            | _stop_measures(stops)
            | dict(totals(data))
        )

    def flags(self, data: RunData) -> Sequence[Flag]:
        """Where a worker had to be killed, and where the page cache would not get cold."""
        flags: list[Flag] = []
        for start in _starts(data, STOP):
            if start.stop is not None and not start.stop.graceful:
                name = start.phase.record.name
                flags.append(STOP_NOT_GRACEFUL.flag(phase=name, seconds=start.stop.took_s))
        cold = _starts(data, PAGE_CACHE_COLD)
        if cold and not _were_cold(cold):
            flags.append(PAGE_CACHE_WARM.flag(starts=len(cold)))
        return flags


def _one_task(kind: str, number: int, start: StartWish) -> PhasePlan:
    return PhasePlan(f"{kind}-{number}", only("noop"), Burst(1), start=start)


@dataclass(frozen=True, slots=True)
class _Start:
    """A phase that is a start."""

    phase: PhaseData
    times: StartTimes
    stop: StopRecord | None

    @property
    def startup_ns(self) -> int:
        return self.times.connected_ns - self.times.spawned_ns

    @property
    def up_ns(self) -> int:
        return self.times.up_ns - self.times.spawned_ns

    @property
    def ready(self) -> TreeSample:
        """Connected and settled; only where no task was waiting."""
        return self.phase.record.filled.worker

    def first_end_ns(self, since_ns: int) -> int | None:
        """When the first task ended of those that ended after this time."""
        table = self.phase.tasks
        ends_ns = table.finished_ns[table.ended & (table.finished_ns > since_ns)]
        return int(ends_ns.min()) if len(ends_ns) else None

    def first_task_ns(self, from_ns: int) -> int | None:
        """From this time, at the begin or in the midst of the start, to the end of its first task."""
        end_ns = self.first_end_ns(self.times.spawned_ns)
        return None if end_ns is None else end_ns - from_ns


def _starts(data: RunData, kind: str) -> list[_Start]:
    found = []
    for phase in measured_phases(data):
        start = phase.record.start
        if start is not None and phase.record.name.rpartition("-")[0] == kind:
            found.append(_Start(phase, start.times, start.stop))
    return found


def _summary(durations_ns: Iterable[int | None]) -> LatencySummary:
    return summarise(np.array([d for d in durations_ns if d is not None], np.int64))


def _median_ms(durations_ns: Iterable[int | None]) -> float | None:
    return _summary(durations_ns).p50_ms


def _figures(name: str, durations_ns: Iterable[int | None]) -> Values:
    summary = _summary(durations_ns)
    figures = zip(_FIGURES, (summary.p50_ms, summary.p95_ms, summary.max_ms), strict=True)
    return {f"{name}{figure}_ms": value for figure, value in figures}


def _first_task_ns(starts: Sequence[_Start]) -> list[int | None]:
    return [start.first_task_ns(start.times.spawned_ns) for start in starts]


def _warm_measures(waiting: Sequence[_Start], ready: Sequence[_Start]) -> Values:
    both = [*waiting, *ready]
    return {
        "starts": len(both),
        **_figures("startup", (start.startup_ns for start in both)),
        **_figures("processes_up", (start.up_ns for start in both)),
        **_figures("first_task_waiting", _first_task_ns(waiting)),
        **_figures("first_task_ready", (int(d) for start in ready for d in start.phase.tasks.end_to_end_ns())),
        "connected_to_first_task_ms": _median_ms(start.first_task_ns(start.times.first_connected_ns) for start in waiting),
        "ready_processes": max((start.times.processes for start in both), default=None),
        "first_task_processes": max((start.phase.record.after.worker.processes for start in both), default=None),
        "memory_first_task_pss_mb": _median_mb(both, lambda start: start.phase.record.after.worker.pss_bytes),
    }


def _ready_measures(ready: Sequence[_Start]) -> Values:
    cpu_s = [start.ready.cpu_s for start in ready]
    elapsed_s = sum(start.ready.at_ns - start.times.spawned_ns for start in ready) / NS_PER_S
    return {
        "cpu_percent": cpu_percent(sum(cpu_s), elapsed_s),
        "start_cpu_s": median(cpu_s),
        "memory_ready_pss_mb": _median_mb(ready, lambda start: start.ready.pss_bytes),
        "memory_ready_rss_mb": _median_mb(ready, lambda start: start.ready.rss_bytes),
        "memory_ready_uss_mb": _median_mb(ready, lambda start: start.ready.uss_bytes),
    }


def _median_mb(starts: Sequence[_Start], of: Callable[[_Start], int]) -> float | None:
    return median(of(start) / BYTES_PER_MB for start in starts)


@dataclass(frozen=True, slots=True)
class _Imports:
    """The imports of one start, in ms: until connected those of the command with most, and after that of all."""

    startup_ms: float
    interpreter_ms: float
    own_ms: float
    modules: int
    later_ms: float


def _import_measures(starts: Sequence[_Start]) -> Values:
    bare = [start.phase.readings["bare_starts"] for start in starts if "bare_starts" in start.phase.readings]
    bare_ms = median(1000 * took_s for frame in bare for took_s in frame["took_s"])
    split = [_imports_of(start, start.phase.readings["imports"]) for start in starts if "imports" in start.phase.readings]
    return {
        "interpreter_ms": bare_ms,
        "import_ms": median(s.own_ms for s in split),
        "import_interpreter_ms": median(s.interpreter_ms for s in split),
        "import_rest_ms": median(s.startup_ms - s.interpreter_ms - s.own_ms for s in split),
        "import_startup_ms": median(s.startup_ms for s in split),
        "import_modules": max((s.modules for s in split), default=None),
        "import_first_task_ms": median(s.later_ms for s in split),
    }


def _imports_of(start: _Start, imports: pd.DataFrame) -> _Imports:
    before, after = imports[~imports["connected"].astype(bool)], imports[imports["connected"].astype(bool)]
    commands = [rows for _, rows in before.groupby("command")]
    slowest = max(commands, key=lambda rows: rows["self_us"].sum(), default=before)
    by_itself = (slowest["module"] == INTERPRETER_IS_UP).to_numpy()
    first = int(by_itself.argmax()) + 1 if by_itself.any() else 0
    own_us = slowest["self_us"].to_numpy()
    return _Imports(
        startup_ms=start.startup_ns / NS_PER_MS,
        interpreter_ms=float(own_us[:first].sum()) / US_PER_MS,
        own_ms=float(own_us[first:].sum()) / US_PER_MS,
        modules=len(own_us),
        later_ms=float(after["self_us"].sum()) / US_PER_MS,
    )


def _cold_measures(name: str, starts: Sequence[_Start]) -> Values:
    return {
        f"{name}_startup_ms": _median_ms(start.startup_ns for start in starts),
        f"{name}_first_task_ms": _median_ms(_first_task_ns(starts)),
    }


def _were_cold(starts: Sequence[_Start]) -> bool:
    """Whether these starts had to fetch something from storage, each of them."""
    return all(start.times.read_bytes > 0 for start in starts)


def _page_cache_measures(starts: Sequence[_Start]) -> Values:
    if not _were_cold(starts):
        return {}
    read_mb = median(start.times.read_bytes / BYTES_PER_MB for start in starts)
    return {**_cold_measures("page_cache_cold", starts), "page_cache_cold_read_mb": read_mb}


@dataclass(frozen=True, slots=True)
class _InHand:
    """What became of the tasks of one stop."""

    in_hand: int
    finished: int
    begun_after: int
    again: int


def _in_hand(table: TaskTable, stop: StopRecord) -> _InHand:
    gone_ns = stop.asked_ns + round(stop.took_s * NS_PER_S)
    started, finished = table.started_ns != MISSING, table.finished_ns != MISSING
    by_the_first: Bools = started & (table.started_ns <= gone_ns)
    in_hand = started & (table.started_ns <= stop.asked_ns) & ~(finished & (table.finished_ns <= stop.asked_ns))
    return _InHand(
        in_hand=int(in_hand.sum()),
        finished=int((in_hand & finished & (table.finished_ns <= gone_ns)).sum()),
        begun_after=int((by_the_first & (table.started_ns > stop.asked_ns)).sum()),
        again=int((by_the_first & (table.starts > 1)).sum()),
    )


def _stop_measures(starts: Sequence[_Start]) -> Values:
    stops = [(start, start.stop) for start in starts if start.stop is not None]
    if not stops:
        return {}
    in_hand = [_in_hand(start.phase.tasks, stop) for start, stop in stops]
    return {
        "stop_ms": median(1000 * stop.took_s for _, stop in stops),
        "stop_graceful_share": sum(stop.graceful for _, stop in stops) / len(stops),
        "stop_in_hand_tasks": sum(i.in_hand for i in in_hand),
        "stop_finished_in_hand_tasks": sum(i.finished for i in in_hand),
        "stop_begun_after_signal_tasks": sum(i.begun_after for i in in_hand),
        "stop_executed_again_tasks": sum(i.again for i in in_hand),
        "stop_lost_tasks": sum(start.phase.account.lost for start, _ in stops),
        "stop_doubled_tasks": sum(start.phase.account.duplicated for start, _ in stops),
        "restart_first_task_ms": _median_ms(
            end_ns - stop.restarted.spawned_ns
            for start, stop in stops
            if (end_ns := start.first_end_ns(stop.restarted.spawned_ns)) is not None
        ),
    }


SCENARIO = ColdStart()
