"""What the windows of a soak say of each resource: whether it leaks or drifts, by how much an hour and a task, in words.

Every series is judged after the warm-up (:mod:`benchmarks.soak.slopes`, :mod:`benchmarks.soak.steps`), over the hours and over
the tasks completed so far. A restart of the worker begins a piece with a level of its own. No verdict says that there is no
leak, only above what size one would have been seen.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.soak.slopes import FEWEST_WINDOWS, Floats
from benchmarks.soak.steps import Step, Trend, trend_of
from benchmarks.soak.windows import Window
from benchmarks.statistics import Interval
from tasks.loads import NS_PER_S

NS_PER_HOUR = 3600 * NS_PER_S
NS_PER_MS = 1_000_000


class Finding(enum.StrEnum):
    """What was found of a series."""

    DRIFTS = "drifts"
    """A slope to the bad side: it leaks, or gets slower or dearer."""
    RECOVERS = "recovers"
    """A slope to the good side."""
    NOT_SHOWN = "not shown"
    UNDECIDED = "undecided"
    """The interval is beyond doubt on one side, but one step would explain the series as well as a slope."""
    TOO_SHORT = "too short"
    NOT_READ = "not read"


@dataclass(frozen=True, slots=True)
class Judged:
    """A series that is judged: its value in a window (None where there is none), in ``unit``, which is ``scale`` of what is
    stored."""

    words: str
    unit: str
    of: Callable[[Window], float | None]
    scale: float = 1.0
    bad_if_it_falls: bool = False
    per_worker_life: bool = True
    """Whether a restart of the worker begins it anew."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one series. Slopes are in ``unit`` an hour and ``unit`` a task; None where nothing can be said."""

    name: str
    unit: str
    finding: Finding
    words: str
    windows: int
    """How many had a value, after the warm-up."""
    per_hour: float | None = None
    per_hour_interval: Interval | None = None
    per_task: float | None = None
    per_task_interval: Interval | None = None
    steps: tuple[Step, ...] = ()
    """Jumps of unknown cause; ``window`` is the index of the first window after it."""
    comes_and_goes: bool = False
    """Whether jumps take back what it rises between them."""


def _gauge(name: str) -> Callable[[Window], float | None]:
    return lambda window: window.gauges[name].mean if name in window.gauges else None


def _latency_ms(share: float) -> Callable[[Window], float | None]:
    def of(window: Window) -> float | None:
        found = window.latency("end_to_end").quantile_ns(share)
        return None if found is None else found / NS_PER_MS

    return of


def _tasks_per_cpu_s(window: Window) -> float | None:
    cpu_s = window.counters.get("worker_cpu_s")
    return window.ended / cpu_s if cpu_s and window.ended else None


_MB = 1e-6
JUDGED: Mapping[str, Judged] = {
    "worker_pss": Judged("the worker's memory (PSS)", "MB", _gauge("worker_pss_bytes"), _MB),
    "worker_uss": Judged("the worker's own memory (USS)", "MB", _gauge("worker_uss_bytes"), _MB),
    "worker_fds": Judged("the worker's open descriptors", "descriptors", _gauge("worker_fds")),
    "worker_threads": Judged("the worker's threads", "threads", _gauge("worker_threads")),
    "redis_memory": Judged("Redis's memory", "MB", _gauge("redis_memory_bytes"), _MB, per_worker_life=False),
    "redis_clients": Judged("the connections to Redis", "connections", _gauge("redis_clients"), per_worker_life=False),
    "queue_depth": Judged("the queue", "tasks", _gauge("queue_depth"), per_worker_life=False),
    "latency_p50": Judged("the median latency from due to end", "ms", _latency_ms(0.5), per_worker_life=False),
    "latency_p99": Judged("the 99th percentile of latency from due to end", "ms", _latency_ms(0.99), per_worker_life=False),
    "tasks_per_cpu_s": Judged(
        "the tasks a second of the worker's CPU time", "tasks/s", _tasks_per_cpu_s, bad_if_it_falls=True, per_worker_life=False
    ),
    "lab_memory": Judged("the lab's own memory", "MB", _gauge("lab_memory_bytes"), _MB, per_worker_life=False),
}
"""What is judged, by the names of verdicts."""


def judge(windows: Sequence[Window], warm_up_s: float) -> list[Verdict]:
    """A verdict on each of :data:`JUDGED`, in their order. ``windows`` ascend; those that begin within ``warm_up_s`` of the first
    one's begin are left out, and at least :data:`FEWEST_WINDOWS` must remain."""
    if not windows:
        return [_unread(name, judged) for name, judged in JUDGED.items()]
    begin_ns = windows[0].begin_ns
    settled = [window for window in windows if window.begin_ns - begin_ns >= warm_up_s * NS_PER_S]
    completed = np.cumsum([window.completed for window in settled], dtype=np.float64)
    hours = np.array([(window.begin_ns + window.end_ns) / 2 - begin_ns for window in settled]) / NS_PER_HOUR
    return [_verdict(name, judged, settled, hours, completed) for name, judged in JUDGED.items()]


def _verdict(name: str, judged: Judged, windows: Sequence[Window], hours: Floats, completed: Floats) -> Verdict:
    values = [judged.of(window) for window in windows]
    places = [place for place, value in enumerate(values) if value is not None]
    if not places:
        return _unread(name, judged)
    series = np.array([value for value in values if value is not None], np.float64) * judged.scale
    indices = [windows[place].index for place in places]
    if len(series) < FEWEST_WINDOWS:
        words = f"{judged.words}: too short to judge, {len(series)} windows after the warm-up and {FEWEST_WINDOWS} are needed"
        return Verdict(name, judged.unit, Finding.TOO_SHORT, words, len(series))
    lives = [windows[place].generation for place in places] if judged.per_worker_life else []
    cuts = [place for place, (before, after) in enumerate(pairwise(lives), start=1) if before != after]
    by_hour = trend_of(hours[places], series, cuts)
    if by_hour is None:
        words = f"{judged.words}: cannot be judged, the worker lived too short each time ({len(cuts)} restarts)"
        return Verdict(name, judged.unit, Finding.TOO_SHORT, words, len(series))
    by_task = trend_of(completed[places], series, cuts) if completed[places[-1]] > completed[places[0]] else None
    finding = _finding(by_hour, judged.bad_if_it_falls)
    return Verdict(
        name=name,
        unit=judged.unit,
        finding=finding,
        words=_words(judged, finding, by_hour, by_task, len(cuts)),
        windows=len(series),
        per_hour=by_hour.slope,
        per_hour_interval=by_hour.interval,
        per_task=by_task.slope if by_task else None,
        per_task_interval=by_task.interval if by_task else None,
        steps=tuple(Step(indices[step.window], step.size) for step in by_hour.steps),
        comes_and_goes=by_hour.undone,
    )


def _unread(name: str, judged: Judged) -> Verdict:
    return Verdict(name, judged.unit, Finding.NOT_READ, f"{judged.words}: was not read after the warm-up", 0)


def _finding(trend: Trend, bad_if_it_falls: bool) -> Finding:
    rises, falls = trend.interval.low > 0, trend.interval.high < 0
    if not (rises or falls):
        return Finding.NOT_SHOWN
    if not trend.slope_told:
        return Finding.UNDECIDED
    return Finding.DRIFTS if falls == bad_if_it_falls else Finding.RECOVERS


def _words(judged: Judged, finding: Finding, by_hour: Trend, by_task: Trend | None, restarts: int) -> str:
    unit, low, high = judged.unit, by_hour.interval.low, by_hour.interval.high
    an_hour = f"{abs(by_hour.slope):.3g} {unit} an hour ({_between(by_hour.interval)})"
    direction = "falls" if by_hour.slope < 0 else "rises"
    match finding:
        case Finding.NOT_SHOWN:
            limit = -low if judged.bad_if_it_falls else high
            wrong = "fall" if judged.bad_if_it_falls else "rise"
            said = f"no {wrong} shown above {max(limit, 0.0):.3g} {unit} an hour"
        case Finding.UNDECIDED:
            said = f"{direction} by {an_hour}, if that is no single step, which explains it as well"
        case _:
            said = f"{direction} by {an_hour}"
            if by_task is not None and by_task.shown:
                said += f", {abs(by_task.slope):.3g} {unit} a task ({_between(by_task.interval)})"
    notes = []
    if by_hour.undone:
        notes.append("it comes and goes: jumps take back what it rises between them")
    elif by_hour.steps:
        jumps = ", ".join(f"{step.size:+.3g}" for step in by_hour.steps)
        notes.append(f"apart from {'a step' if len(by_hour.steps) == 1 else 'steps'} of {jumps} {unit}")
    if restarts:
        notes.append(f"within each life of the worker, of which there are {restarts + 1}")
    return "; ".join([f"{judged.words}: {said}", *notes])


def _between(interval: Interval) -> str:
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return f"{low:.3g} to {high:.3g}"
