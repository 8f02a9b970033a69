"""When long jobs need a queue, from the measured points: where limits are first missed, what a kill costs. Pure arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.chart import Axis, Chart, Panel, Scale, Series, Shape
from benchmarks.conclusion import Conclusion, Evidence
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.results.chart_data import ChartData
from benchmarks.words import MISSING, from_to, number, percent

QUEUE = "queue"
"""The way of a job that a queue's worker runs; all others are background tasks."""
BACKGROUND = "fastapi"
"""What background tasks are called beside the queues."""
WAIT, WITHIN = "queue_max_s", "health_within_share"
QUEUE_LIMIT, HEALTH_LIMIT = "queue_limit_s", "health_limit_ms"
KEPT = 0.99
"""The share of the questions that must be answered in time."""
KILLED: Mapping[str, str] = {"server": "the application", "worker": "the worker"}


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way of running jobs: what it is called, whether a queue has part in it, and its points by number of jobs, ascending."""

    name: str
    is_queue: bool
    points: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a limit is first missed: ``missed_at`` jobs, None where it is at none that were measured; ``kept_to`` is the greatest
    number below that at which it is kept."""

    missed_at: int | None
    kept_to: int | None

    @property
    def words(self) -> str:
        """For a table."""
        if self.missed_at is None:
            return MISSING if self.kept_to is None else f"not up to {self.kept_to}"
        return f"{self.missed_at}" if self.kept_to is None else f"{self.missed_at} (not {self.kept_to})"


def implementations(data: ChartData) -> list[Implementation]:
    """All that were measured, background tasks first, each by name."""
    found: dict[tuple[bool, str], dict[int, str]] = {}
    for name in data.variants:
        if point := data.points.get(name):
            is_queue = point["way"] == QUEUE
            called = data.executed[name] if is_queue else f"{BACKGROUND} ({point['way']})"
            found.setdefault((is_queue, called), {})[int(point["jobs"])] = name
    return [Implementation(called, is_queue, dict(sorted(found[is_queue, called].items()))) for is_queue, called in sorted(found)]


def crossing(kept: Mapping[int, bool]) -> Crossing:
    """Where a limit is first missed, from whether it is kept at each number of jobs, ascending."""
    missed_at = next((jobs for jobs, is_kept in kept.items() if not is_kept), None)
    below = [jobs for jobs in kept if missed_at is None or jobs < missed_at]
    return Crossing(missed_at, max(below, default=None))


def waits(data: ChartData, one: Implementation) -> Crossing:
    """Where a job first waits longer for its start than the limit: the longest wait of a run, mean over the runs."""
    known = {jobs: (data.mean(name, WAIT), data.mean(name, QUEUE_LIMIT)) for jobs, name in one.points.items()}
    return crossing({jobs: wait <= limit for jobs, (wait, limit) in known.items() if wait is not None and limit is not None})


def answers(data: ChartData, one: Implementation) -> Crossing:
    """Where the application first does not say in time that it is well, often enough."""
    known = {jobs: data.mean(name, WITHIN) for jobs, name in one.points.items()}
    return crossing({jobs: share >= KEPT for jobs, share in known.items() if share is not None})


def job_conclusions(data: ChartData) -> list[Conclusion]:
    """The verdict, what kills cost, and all points side by side, of whatever was measured."""
    found = implementations(data)
    made = (_verdict(data, found), _kills(data, found), _side_by_side(data, found))
    return [conclusion for conclusion in made if conclusion is not None]


def _enough(data: ChartData, measures: Sequence[str], found: Sequence[Implementation]) -> bool:
    counts = [len(data.values(n, m)) for one in found for n in one.points.values() for m in measures if data.values(n, m)]
    return bool(counts) and min(counts) >= FEWEST_RUNS


def _caveat(enough: bool) -> str:
    return "" if enough else f" Fewer than {FEWEST_RUNS} runs of a point decide nothing."


def _verdict(data: ChartData, found: Sequence[Implementation]) -> Conclusion | None:
    """For each limit from how many jobs on who misses it; so what background tasks miss that a queue keeps, and the reverse."""
    limits = {"wait": {one.name: waits(data, one) for one in found}, "answer": {one.name: answers(data, one) for one in found}}
    known = [one for one in found if any(limits[limit][one.name] != Crossing(None, None) for limit in limits)]
    if not known:
        return None
    enough = _enough(data, (WAIT, WITHIN), known)
    wait_s, answer_ms = _limit(data, known, QUEUE_LIMIT), _limit(data, known, HEALTH_LIMIT)
    said = {
        "wait": f"a job waits longer than {wait_s} s for its start",
        "answer": f"the application does not say within {answer_ms} ms that it is well, {percent(KEPT)} of the times",
    }
    sentences = [sentence for limit, words in said.items() for sentence in _of_limit(words, known, limits[limit])]
    return Conclusion(
        question="From how many jobs on is a queue needed?",
        text=" ".join(sentences) + _caveat(enough),
        decided=enough,
        evidence=tuple(Evidence(name, m) for one in known for name in one.points.values() for m in (WAIT, WITHIN)),
        headings=("implementation", f"waits over {wait_s} s from", f"health over {answer_ms} ms from"),
        rows=tuple((one.name, limits["wait"][one.name].words, limits["answer"][one.name].words) for one in known),
    )


def _limit(data: ChartData, found: Sequence[Implementation], measure: str) -> str:
    values = {value for one in found for name in one.points.values() for value in data.values(name, measure)}
    return " or ".join(number(value) for value in sorted(values)) or MISSING


def _of_limit(words: str, found: Sequence[Implementation], crossings: Mapping[str, Crossing]) -> Iterator[str]:
    """Who misses it first, who keeps it; and whether a queue is what it takes."""
    missed = {one.name: at for one in found if (at := crossings[one.name].missed_at) is not None}
    kept = [one.name for one in found if crossings[one.name].missed_at is None and crossings[one.name].kept_to is not None]
    by_jobs = ", ".join(f"{name} from {at} jobs on" for name, at in sorted(missed.items(), key=lambda item: (item[1], item[0])))
    yield f"{words[:1].upper()}{words[1:]}: {by_jobs or 'nowhere'}{f'; nowhere with {_listed(kept)}' if missed and kept else ''}."
    queues = [one.name for one in found if one.is_queue]
    if not queues or len(queues) == len(found):
        return
    for background in (one.name for one in found if not one.is_queue):
        at = missed.get(background)
        if at is not None and (better := [queue for queue in queues if _keeps(crossings[queue], at)]):
            yield f"There {background} needs a queue from {at} jobs on: kept by {_listed(better)}."
    worse = [queue for queue in queues if queue in missed]
    first = min((missed[queue] for queue in worse), default=0)
    if worse and (spared := [one.name for one in found if not one.is_queue and _keeps(crossings[one.name], first)]):
        yield f"A queue of this concurrency does not help there: kept with {first} jobs by {_listed(spared)}."


def _keeps(crossed: Crossing, jobs: int) -> bool:
    return crossed.kept_to is not None and crossed.kept_to >= jobs


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _kills(data: ChartData, found: Sequence[Implementation]) -> Conclusion | None:
    """For each thing that was killed how many of the jobs that had been accepted were gone."""
    measured = [
        (one, jobs, name, what)
        for what in KILLED
        for one in found
        for jobs, name in one.points.items()
        if data.values(name, f"{what}_kill_gone_count")
    ]
    if not measured:
        return None
    gone = tuple(f"{what}_kill_gone_count" for what in KILLED)
    enough = _enough(data, gone, found)
    parts = []
    for what, words in KILLED.items():
        lost = [f"{one.name} {_gone(data, name, what)}" for one, _, name, kind in measured if kind == what]
        if lost:
            parts.append(f"With {words} killed half-way and started again are gone, of the accepted jobs: {', '.join(lost)}.")
    parts += _outlive(data, measured)
    return Conclusion(
        question="Which jobs are gone when the application or the worker is killed half-way?",
        text=" ".join(parts) + _caveat(enough),
        decided=enough,
        evidence=tuple(Evidence(name, f"{what}_kill_gone_count") for _, _, name, what in measured),
        headings=("killed", "implementation", "jobs", "accepted", "completed", "gone", "not accepted"),
        rows=tuple(
            (
                KILLED[what],
                one.name,
                str(jobs),
                *(number(data.mean(name, f"{what}_kill_{fate}_count")) for fate in ("accepted", "completed", "gone", "refused")),
            )
            for one, jobs, name, what in measured
        ),
    )


def _outlive(data: ChartData, measured: Sequence[tuple[Implementation, int, str, str]]) -> Iterator[str]:
    """Whether it takes a queue that jobs outlive the application."""
    gone = [(one, (data.mean(name, f"{what}_kill_gone_count") or 0) > 0) for one, _, name, what in measured if what == "server"]
    losing = sorted({one.name for one, is_gone in gone if is_gone and not one.is_queue})
    keeping = sorted({one.name for one, _ in gone if one.is_queue} - {one.name for one, is_gone in gone if is_gone})
    if losing and keeping:
        yield f"So jobs that must outlive the application need a queue, however few: {_listed(keeping)} lost none."
    if careless := sorted({one.name for one, is_gone in gone if is_gone and one.is_queue}):
        yield f"{_listed(careless)} did not keep all of them though they were in a queue."


def _gone(data: ChartData, name: str, what: str) -> str:
    gone, accepted = (data.mean(name, f"{what}_kill_{fate}_count") for fate in ("gone", "accepted"))
    return f"{number(gone)} of {number(accepted)}"


CHARTED: Mapping[str, str] = {
    "total_mean_s": "mean time from request to end, s",
    WAIT: "longest wait for a start, s",
    "health_p99_ms": "p99 of /health from its due time, ms",
}


def job_charts(data: ChartData) -> Iterator[Chart]:
    """For each measure a picture over jobs: a panel for each way of running them, a line for each variant."""
    for measure, words in CHARTED.items():
        lines: dict[str, list[Series]] = {}
        for one in implementations(data):
            known = [(jobs, mean) for jobs, name in one.points.items() if (mean := data.mean(name, measure)) is not None]
            if known:
                jobs, means = (np.array(column, float) for column in zip(*known, strict=True))
                point = next(iter(one.points.values()))
                lines.setdefault("A queue" if one.is_queue else one.name, []).append(
                    Series(data.executed[point], Shape.JOINED, jobs, means)
                )
        axes = Axis("jobs submitted at once", Scale.LINEAR, from_zero=True), Axis(words, Scale.LINEAR, from_zero=True)
        panels = tuple(Panel(title, *axes, tuple(series)) for title, series in lines.items())
        if panels:
            title = f"{words[:1].upper()}{words[1:]}, over jobs"
            yield Chart(measure.replace("_", "-"), title, "Means over the valid runs, for each way of running jobs.", panels)


SHOWN: Mapping[str, str] = {
    "jobs_completed_count": "completed",
    "jobs_failed_count": "failed",
    "jobs_lost_count": "lost",
    "jobs_refused_count": "not accepted",
    "accept_mean_s": "accept s",
    "accept_max_s": "most",
    "queue_mean_s": "queue s",
    WAIT: "most",
    "execution_mean_s": "execution s",
    "total_mean_s": "total s",
    "health_p99_ms": "health p99 ms",
    "health_late_count": "timed out",
    "server_cpu_mean_percent": "server CPU %",
    "server_cpu_peak_percent": "peak",
    "server_memory_peak_mb": "server MB",
    "worker_cpu_mean_percent": "worker CPU %",
    "worker_cpu_peak_percent": "peak",
    "worker_memory_peak_mb": "worker MB",
}


def _side_by_side(data: ChartData, found: Sequence[Implementation]) -> Conclusion | None:
    measured = [(jobs, one.name, name) for one in found for jobs, name in one.points.items() if data.values(name, "total_mean_s")]
    if not measured:
        return None
    enough = _enough(data, ("total_mean_s",), found)
    words = []
    for jobs in sorted({jobs for jobs, _, _ in measured}):
        means = {(called, name): data.mean(name, "total_mean_s") or 0.0 for n, called, name in measured if n == jobs}
        called, name = min(means, key=lambda key: means[key])
        reach = from_to(data.interval(name, "total_mean_s"))
        words.append(
            f"With {jobs} jobs the mean time from request to end is least with {called}: {number(means[called, name])} s"
            f"{f' ({reach})' if reach else ''}."
        )
    return Conclusion(
        question="How do they compare, side by side?",
        text=" ".join(words) + _caveat(enough),
        decided=enough,
        evidence=tuple(Evidence(name, "total_mean_s") for _, _, name in measured),
        headings=("jobs", "implementation", *SHOWN.values()),
        rows=tuple(
            (str(jobs), called, *(number(data.mean(name, measure)) for measure in SHOWN))
            for jobs, called, name in sorted(measured)
        ),
    )
