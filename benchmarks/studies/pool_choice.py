"""Which pool and how many tasks at once, from the measured points: the arithmetic and the words of the study's answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.arithmetic import ratio
from benchmarks.chart import Axis, Chart, Panel, Scale, Series, Shape
from benchmarks.conclusion import Conclusion, Evidence
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.results.chart_data import ChartData
from benchmarks.statistics import compare, difference_shown, holm, ratio_interval
from benchmarks.words import from_to, number, percent

RATE, WITHIN, MEMORY, P99, CPU = "throughput", "within_level_share", "memory_mb", "p99", "worker_cpu_ms_per_task"
CHARTED: Mapping[str, str] = {RATE: "tasks/s", MEMORY: "PSS MB", WITHIN: "share within the service level"}
KEPT = 0.99
"""The share of tasks that must end within the service level."""
NEARLY = 0.95
"""The share of a pool's best rate from which on more tasks at once are taken not to help."""


HEADINGS = ("pool", "at once", "tasks/s", "of the best", "within level", "p99 ms", "PSS MB", "MB a further slot", "CPU ms a task")


@dataclass(frozen=True, slots=True)
class Level:
    """A point of one pool and one kind of task: its name, its tasks at once, and its mean rate."""

    name: str
    concurrency: int
    rate_per_s: float
    keeps_level: bool
    """Whether it keeps the service level; True where that was not measured."""


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """What one pool comes to for a kind of task: its levels by concurrency, the fastest of those that keep the service level (of
    all where none does), and the least that is nearly as fast."""

    pool: str
    levels: tuple[Level, ...]
    best: Level
    enough: Level

    @property
    def keeps_level(self) -> bool:
        """Whether any of its levels keeps the service level."""
        return self.best.keeps_level

    @property
    def still_helps(self) -> bool:
        """Whether its greatest level was needed: more might do more."""
        return len(self.levels) > 1 and self.enough.concurrency == self.levels[-1].concurrency


def choices_of(data: ChartData, kind: str) -> list[PoolChoice]:
    """Of every pool that has a figure for the kind: those that keep the service level first, then the fastest first."""
    found: dict[str, list[Level]] = {}
    for name in data.variants:
        point, rate = data.points.get(name, {}), data.mean(name, RATE)
        if point.get("task") == kind and rate is not None:
            kept = data.mean(name, WITHIN)
            level = Level(name, int(point["concurrency"]), rate, kept is None or kept >= KEPT)
            found.setdefault(data.executed[name], []).append(level)
    chosen = [_choice(pool, levels) for pool, levels in found.items()]
    return sorted(chosen, key=lambda choice: (not choice.keeps_level, -choice.best.rate_per_s, choice.pool))


def _choice(pool: str, levels: Sequence[Level]) -> PoolChoice:
    ordered = tuple(sorted(levels, key=lambda level: level.concurrency))
    sound = [level for level in ordered if level.keeps_level] or list(ordered)
    best = max(sound, key=lambda level: level.rate_per_s)
    enough = next(level for level in sound if level.rate_per_s >= NEARLY * best.rate_per_s)
    return PoolChoice(pool, ordered, best, enough)


def tied_with(data: ChartData, choices: Sequence[PoolChoice]) -> list[PoolChoice]:
    """Those of the others of which it is not shown that the first is faster, among those that keep the service level as it does:
    by Welch's t-test, corrected after Holm for all of them, and the ranks, with four runs a side or more."""
    first, *others = choices
    rivals = [choice for choice in others if choice.keeps_level == first.keeps_level]
    mine = data.values(first.best.name, RATE)
    tests = [compare(mine, data.values(rival.best.name, RATE)) for rival in rivals]
    adjusted = iter(holm([test.welch_p for test in tests if test.welch_p is not None]))
    tied = []
    for rival, test in zip(rivals, tests, strict=True):
        p = None if test.welch_p is None else next(adjusted)
        enough = min(len(mine), len(data.values(rival.best.name, RATE))) >= FEWEST_RUNS
        if not (enough and difference_shown(p, test.mann_whitney_p)):
            tied.append(rival)
    return tied


def pool_conclusions(data: ChartData, kinds: Sequence[str]) -> list[Conclusion]:
    """An answer for each kind of task that was measured."""
    return [_conclusion(data, kind, choices) for kind in kinds if (choices := choices_of(data, kind))]


_KINDS: Mapping[str, str] = {
    "waits": "that wait",
    "computes-c": "that compute in C",
    "computes-python": "that compute in Python",
    "half": "that wait for one half and compute in Python for the other",
}


def _conclusion(data: ChartData, kind: str, choices: Sequence[PoolChoice]) -> Conclusion:
    first, tied = choices[0], tied_with(data, choices)
    take = first.enough
    parts = [
        f"{first.pool} with {take.concurrency} at once: {_with_reach(data, take.name, RATE)} tasks/s"
        f"{_kept_words(data, take)}; {number(data.mean(take.name, MEMORY))} MB."
    ]
    if not first.keeps_level:
        parts.append("No pool keeps the service level: this is the fastest of those that do not.")
    parts.append(_more_words(first))
    few = any(len(data.values(choice.best.name, RATE)) < FEWEST_RUNS for choice in choices)
    if tied:
        why = f"it takes {FEWEST_RUNS} valid runs of each point" if few else "no difference is shown"
        parts.append(f"Not decided against {_listed([choice.pool for choice in tied])}: {why}.")
    elif len(choices) > 1:
        parts.append("Every other pool that was measured is shown to be slower, or does not keep the service level.")
    if command := _command(data, take.name):
        parts.append(f"Start it with: {command}")
    return Conclusion(
        question=f"Which pool, and how many at once, for tasks {_KINDS.get(kind, kind)}?",
        text=" ".join(parts),
        decided=not tied and len(choices) > 1,
        evidence=tuple(Evidence(choice.enough.name, RATE) for choice in (first, *tied)),
        headings=HEADINGS,
        rows=tuple(_row(data, choice, first) for choice in choices),
    )


def _more_words(choice: PoolChoice) -> str:
    most = choice.levels[-1]
    if len(choice.levels) == 1:
        return f"No other number was measured of {choice.pool}."
    if choice.still_helps:
        return "It is the most that was measured: more might do more."
    best, last = number(choice.best.rate_per_s), number(most.rate_per_s)
    return f"More did not help: {best} tasks/s at best, and {last} with {most.concurrency}."


def _kept_words(data: ChartData, level: Level) -> str:
    kept = data.mean(level.name, WITHIN)
    return "" if kept is None else f"; offered its share of that, {percent(kept)} of the tasks end within the service level"


def _row(data: ChartData, choice: PoolChoice, first: PoolChoice) -> tuple[str, ...]:
    name = choice.enough.name
    kept = data.mean(name, WITHIN)
    found = ratio_interval(data.values(name, RATE), data.values(first.enough.name, RATE))
    share = number(choice.enough.rate_per_s / first.enough.rate_per_s)
    return (
        choice.pool,
        f"{choice.enough.concurrency} of {choice.levels[-1].concurrency}",
        _with_reach(data, name, RATE),
        share if found is None or choice is first else f"{share} ({from_to(found.interval)})",
        number(None) if kept is None else percent(kept),
        number(data.mean(name, P99)),
        number(data.mean(name, MEMORY)),
        number(further_slot_mb(data, choice)),
        number(data.mean(name, CPU)),
    )


def further_slot_mb(data: ChartData, choice: PoolChoice) -> float | None:
    """What each further task at once took, from the least level that was measured to the greatest; None of one level."""
    least, most = choice.levels[0], choice.levels[-1]
    low, high = data.mean(least.name, MEMORY), data.mean(most.name, MEMORY)
    return ratio(None if low is None or high is None else high - low, most.concurrency - least.concurrency)


def _with_reach(data: ChartData, name: str, measure: str) -> str:
    interval = data.interval(name, measure) if len(data.values(name, measure)) >= FEWEST_RUNS else None
    mean = number(data.mean(name, measure))
    return mean if interval is None else f"{mean} ({from_to(interval)})"


def _command(data: ChartData, name: str) -> str:
    """How the framework's module says that such a worker is started."""
    workers = (run.record.get("worker") or {} for run in data.runs.get(name, ()))
    return next((str(command) for worker in workers if (command := worker.get("settings", {}).get("command"))), "")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def pool_charts(data: ChartData, kinds: Sequence[str], measures: Mapping[str, str]) -> Iterator[Chart]:
    """For each measure a picture over tasks at once: a panel for each kind of task, a line for each pool."""
    for measure, words in measures.items():
        panels = tuple(panel for kind in kinds if (panel := _panel(data, kind, measure, words)) is not None)
        if panels:
            title = f"{words[:1].upper()}{words[1:]} over tasks at once"
            yield Chart(measure.replace("_", "-"), title, "Means over the valid runs, for each kind of task.", panels)


def _panel(data: ChartData, kind: str, measure: str, words: str) -> Panel | None:
    series = []
    for choice in choices_of(data, kind):
        known = [(level.concurrency, mean) for level in choice.levels if (mean := data.mean(level.name, measure)) is not None]
        if known:
            at_once, means = zip(*known, strict=True)
            series.append(Series(choice.pool, Shape.JOINED, np.array(at_once, float), np.array(means, float)))
    axes = Axis("tasks at once", Scale.LOG), Axis(words, Scale.LINEAR, from_zero=True)
    return Panel(f"Tasks {_KINDS.get(kind, kind)}", *axes, tuple(series)) if series else None
