"""What the study of memory answers: all approaches side by side, and a case of each thing that is easily got wrong. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from benchmarks.conclusion import Conclusion, Evidence
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.results.chart_data import ChartData
from benchmarks.words import from_to, number, percent

TASKS = "tasks"
"""The approach in which each subtask is a task of its own."""
ADDED = "added_mb"
SOON = 1.1
"""What is done within so many times the least time is done soon."""
EVERY_S = 15.0
"""How far apart monitors commonly look."""
MUCH_MB = 1.0
"""What is worth a word."""
_SHOWN = {
    "in_flight_max": "at once",
    "os_threads_count": "OS threads",
    "data_mb": "data MB",
    ADDED: "added MB",
    "retained_vm_mb": "kept MB",
    "baseline_mb": "PSS MB before",
    "execution_s": "s",
    "ideal_s": "ideal s",
}


def memory_conclusions(data: ChartData) -> list[Conclusion]:
    """Those that there are figures for."""
    answers: tuple[Callable[[ChartData], Conclusion | None], ...] = (_side_by_side, _forks, _kept, _between)
    return [found for answer in answers if (found := answer(data)) is not None]


def _points_with(data: ChartData, *measures: str) -> list[str]:
    return [name for name in data.variants if data.points.get(name) and all(data.values(name, measure) for measure in measures)]


def _approach(data: ChartData, name: str) -> str:
    return str(data.points[name]["approach"])


def _words(data: ChartData, name: str) -> str:
    return f"{data.executed[name]} with {_approach(data, name)}"


def _mean(data: ChartData, name: str, measure: str) -> float:
    """Of one that has it."""
    mean = data.mean(name, measure)
    assert mean is not None
    return mean


def _enough(data: ChartData, names: Sequence[str], measure: str) -> bool:
    return bool(names) and all(len(data.values(name, measure)) >= FEWEST_RUNS for name in names)


def _doubt(enough: bool) -> str:
    return "" if enough else f" Fewer than {FEWEST_RUNS} runs of a point decide nothing."


def _with_reach(data: ChartData, name: str, measure: str, unit: str) -> str:
    reach = from_to(data.interval(name, measure))
    return f"{number(data.mean(name, measure))} {unit}{f' ({reach})' if reach else ''}"


def _side_by_side(data: ChartData) -> Conclusion | None:
    names = _points_with(data, ADDED, "execution_s", "data_mb")
    if not names:
        return None
    by_memory = sorted(names, key=lambda name: _mean(data, name, ADDED))
    least_s = min(_mean(data, name, "execution_s") for name in names)
    soon = [name for name in by_memory if _mean(data, name, "execution_s") <= SOON * least_s]
    enough = _enough(data, names, ADDED)
    sentences = [_adds(data, by_memory[0], "Least memory is added by")]
    if soon[0] != by_memory[0]:
        sentences.append(_adds(data, soon[0], f"Of those done within {number(100 * (SOON - 1))} % of the least time, it is"))
    if len(by_memory) > 1:
        sentences.append(_adds(data, by_memory[-1], "Most is added by"))
    if based := _points_with(data, "baseline_mb", ADDED):
        whole = min(based, key=lambda name: _mean(data, name, "baseline_mb") + _mean(data, name, ADDED))
        before, added = number(data.mean(whole, "baseline_mb")), number(data.mean(whole, ADDED))
        sentences.append(f"With its worker {_words(data, whole)} takes least: {before} MB before (PSS), {added} MB added to it.")
    if greened := [name for name in names if _is_patched(data, name)]:
        listed = " and ".join(data.executed[name] for name in greened)
        sentences.append(f"With {listed} the threads of the standard library were greenlets: one thread did all subtasks.")
    return Conclusion(
        question="Which approach takes how much memory, and how long?",
        text=" ".join(sentences) + _doubt(enough),
        decided=enough,
        evidence=tuple(Evidence(name, ADDED) for name in by_memory),
        **_table(data, by_memory, _SHOWN),
    )


class _Table(TypedDict):
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _table(data: ChartData, names: Sequence[str], shown: Mapping[str, str]) -> _Table:
    """A row for each point, a column for each of these measures that any of them has."""
    measures = [measure for measure in shown if any(data.values(name, measure) for name in names)]
    return _Table(
        headings=("variant", "approach", *(shown[measure] for measure in measures)),
        rows=tuple((data.executed[n], _approach(data, n), *(number(data.mean(n, m)) for m in measures)) for n in names),
    )


def _adds(data: ChartData, name: str, begin: str) -> str:
    added, data_mb = _with_reach(data, name, ADDED, "MB"), number(data.mean(name, "data_mb"))
    took = f"{number(data.mean(name, 'execution_s'))} s of an ideal {number(data.mean(name, 'ideal_s'))}"
    return f"{begin} {_words(data, name)}: {added}, where its data need {data_mb}, in {took}."


def _is_patched(data: ChartData, name: str) -> bool:
    """Whether what were to be threads ran several at once in one."""
    is_threads = _approach(data, name) == "threads"
    return is_threads and data.mean(name, "os_threads_count") == 1 and (data.mean(name, "in_flight_max") or 0) > 1


def _forks(data: ChartData) -> Conclusion | None:
    names = _points_with(data, "baseline_mb", "baseline_rss_mb", "processes_count")
    if not names:
        return None

    def counted_again_mb(name: str) -> float:
        return _mean(data, name, "baseline_rss_mb") - _mean(data, name, "baseline_mb")

    ordered = sorted(names, key=counted_again_mb, reverse=True)
    worst, enough = ordered[0], _enough(data, names, "baseline_rss_mb")
    rss, pss = (number(data.mean(worst, measure)) for measure in ("baseline_rss_mb", "baseline_mb"))
    processes = number(data.mean(worst, "processes_count"))
    text = (
        f"{_words(data, worst)} waits in {processes} processes: their RSS adds up to {rss} MB, their PSS to {pss} MB. A page "
        f"that several share is counted once for each in RSS: {number(counted_again_mb(worst))} MB that are not there."
    )
    return Conclusion(
        question="What does summed RSS make of processes that share memory?",
        text=text + _doubt(enough),
        decided=enough,
        evidence=tuple(Evidence(name, "baseline_rss_mb") for name in ordered),
        **_table(
            data,
            ordered,
            {
                "processes_count": "processes",
                "baseline_rss_mb": "RSS MB before",
                "baseline_mb": "PSS MB before",
                "baseline_uss_mb": "USS MB before",
            },
        ),
    )


def _kept(data: ChartData) -> Conclusion | None:
    names = _points_with(data, "retained_vm_mb", ADDED)
    if not names:
        return None
    ordered = sorted(names, key=lambda name: _mean(data, name, "retained_vm_mb"), reverse=True)
    most, enough = ordered[0], _enough(data, names, "retained_vm_mb")
    kept, added = _mean(data, most, "retained_vm_mb"), _mean(data, most, ADDED)
    if kept < MUCH_MB or added <= 0:
        text = f"No approach keeps more than {number(MUCH_MB)} MB when its task is over."
    else:
        least = ordered[-1]
        text = (
            f"{_words(data, most)} still has {number(kept)} of the {number(added)} MB that it added ({percent(kept / added)}) "
            f"when its data are gone: Python's allocator and the C library keep freed memory for later. "
            f"Least is kept by {_words(data, least)}: {number(data.mean(least, 'retained_vm_mb'))} MB."
        )
    return Conclusion(
        question="What of it does the worker keep when the task is over?",
        text=text + _doubt(enough),
        decided=enough,
        evidence=tuple(Evidence(name, "retained_vm_mb") for name in ordered),
        **_table(
            data,
            ordered,
            {
                ADDED: "added MB",
                "retained_vm_mb": "kept MB (VmRSS)",
                "retained_mb": "PSS",
                "retained_uss_mb": "USS",
                "retained_cgroup_mb": "cgroup",
            },
        ),
    )


def _between(data: ChartData) -> Conclusion | None:
    names = _points_with(data, "peak_vm_mb", "samples_per_s")
    if not names:
        return None
    passing = sorted(_points_with(data, "peak_lasted_s", ADDED), key=lambda name: _mean(data, name, "peak_lasted_s"))
    ordered = [*passing, *(name for name in names if name not in passing)]
    enough = _enough(data, names, "peak_vm_mb")
    text = "With every approach memory is still at its peak when the task is over."
    if passing:
        lasted_s = _mean(data, passing[0], "peak_lasted_s")
        text = (
            f"{_words(data, passing[0])} is at its peak for {number(lasted_s)} s: one who looks every {EVERY_S:.0f} s, as "
            f"monitors do, meets it in {percent(min(1.0, lasted_s / EVERY_S))} of such tasks, and else misses up to "
            f"{number(data.mean(passing[0], ADDED))} MB. "
            f"Here there were {number(data.mean(passing[0], 'samples_per_s'))} samples a second."
        )
    if marked := _points_with(data, "between_samples_mb"):
        hidden = max(marked, key=lambda name: _mean(data, name, "between_samples_mb"))
        beyond = _mean(data, hidden, "between_samples_mb")
        text += (
            " The kernel's own high-water marks, which no sample can miss, are no higher than these show."
            if beyond < MUCH_MB
            else f" What not even these saw is {number(beyond)} MB at most, with {_words(data, hidden)}, by the kernel's own "
            f"high-water mark; of several processes that is an upper bound."
        )
    else:
        text += " The kernel's own high-water mark could not be had."
    if counts := [count for name in names if (count := data.mean(name, "pss_samples_count")) is not None]:
        reach = " to ".join(dict.fromkeys((number(min(counts)), number(max(counts)))))
        text += f" Samples of PSS, which cost more, while a task ran: {reach}."
    cost = max(data.mean(name, "sampling_cpu_percent") or 0.0 for name in names)
    return Conclusion(
        question="What peak lies between two samples?",
        text=f"{text} The samples took {number(cost)} % of a core at most.{_doubt(enough)}",
        decided=bool(marked) and enough,
        evidence=tuple(Evidence(name, "peak_vm_mb") for name in ordered),
        **_table(
            data,
            ordered,
            {
                "peak_lasted_s": "at its peak s",
                "peak_vm_mb": "peak MB as sampled",
                "high_water_mb": "high-water mark",
                "samples_per_s": "samples/s",
                "longest_gap_ms": "gap ms",
                "peak_cgroup_mb": "cgroup as sampled",
                "high_water_cgroup_mb": "its mark",
            },
        ),
    )
