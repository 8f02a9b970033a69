"""The reports of the study of long jobs: for each implementation and number of jobs, and all in comparison. Pure.

Files are called ``IMPLEMENTATION_N_jobs_TIME`` and ``comparison_TIME``, Markdown with the same figures as JSON beside; the
implementation is ``fastapi`` (all kinds of background tasks) or the name of a queue's framework.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from benchmarks.conclusion import Conclusion
from benchmarks.results.chart_data import ChartData
from benchmarks.results.documents import to_json
from benchmarks.studies.job_answers import BACKGROUND, KEPT, WITHIN, implementations, job_conclusions
from benchmarks.words import MISSING, number

HEADINGS = (
    "Jobs",
    "Implementation",
    "Completed",
    "Failed",
    "Avg Submission Time",
    "Avg Total Time",
    "Peak CPU",
    "Peak Memory",
    "Server Responsive",
)
"""Those of the document that the study follows, in its order."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A point that was measured: the group whose report it is in, what its implementation is called, and its jobs."""

    group: str
    called: str
    jobs: int
    point: str


def job_documents(data: ChartData, created_utc: str) -> dict[str, str]:
    """All of them by their files' names, which say when the result set was made; none where nothing was measured."""
    rows = list(_rows(data))
    stamp = datetime.fromisoformat(created_utc).strftime("%Y%m%d_%H%M%S")
    documents: dict[str, str] = {}
    for group, jobs in sorted({(row.group, row.jobs) for row in rows}):
        chosen = [row for row in rows if (row.group, row.jobs) == (group, jobs)]
        title = f"{group.upper()}: {jobs} jobs"
        documents |= _both(f"{group}_{jobs}_jobs_{stamp}", title, data, chosen, ())
    if rows:
        ordered = sorted(rows, key=lambda row: (row.jobs, row.group != BACKGROUND, row.called))
        documents |= _both(f"comparison_{stamp}", "Background tasks and queues", data, ordered, job_conclusions(data))
    return documents


def _rows(data: ChartData) -> Iterator[_Row]:
    for one in implementations(data):
        # A variant's name begins with its framework's.
        group = one.name.partition("-")[0] if one.is_queue else BACKGROUND
        for jobs, name in one.points.items():
            if data.values(name, "jobs_completed_count"):
                yield _Row(group, one.name, jobs, name)


def _both(name: str, title: str, data: ChartData, rows: Sequence[_Row], said: Sequence[Conclusion]) -> dict[str, str]:
    figures = [
        {"implementation": row.called, "jobs": row.jobs, "point": row.point, "figures": _figures(data, row.point)} for row in rows
    ]
    document: dict[str, Any] = {"title": title, "results": figures}
    if said:
        document["conclusions"] = [asdict(conclusion) for conclusion in said]
    return {f"{name}.md": _markdown(title, data, rows, said), f"{name}.json": to_json(document)}


def _figures(data: ChartData, point: str) -> Mapping[str, float]:
    """The mean of every measure over the runs that count."""
    return {measure: mean for measure in data.measured.get(point, {}) if (mean := data.mean(point, measure)) is not None}


def _markdown(title: str, data: ChartData, rows: Sequence[_Row], said: Sequence[Conclusion]) -> str:
    parts = [f"# {title}", _table(HEADINGS, [_cells(data, row) for row in rows])]
    parts.append(
        "CPU (100 % = one core) and memory (PSS) are the application's; those of a queue's worker and all else stand below. "
        f"Responsive: it said in time that it is well, {KEPT:.0%} of the times. A time is the mean over the jobs, s."
    )
    for conclusion in said:
        parts += [f"## {conclusion.question}", conclusion.text, _table(conclusion.headings, conclusion.rows)]
    if not said:
        measures = sorted({measure for row in rows for measure in _figures(data, row.point)})
        table = [(measure, *(number(data.mean(row.point, measure)) for row in rows)) for measure in measures]
        parts += ["## All figures", _table(("measure", *(row.called for row in rows)), table)]
    return "\n\n".join(parts) + "\n"


def _cells(data: ChartData, row: _Row) -> tuple[str, ...]:
    def figure(measure: str, unit: str) -> str:
        mean = data.mean(row.point, measure)
        return MISSING if mean is None else f"{number(mean)}{unit}"

    within = data.mean(row.point, WITHIN)
    return (
        str(row.jobs),
        row.called.upper(),
        f"{figure('jobs_completed_count', '')}/{row.jobs}",
        figure("jobs_failed_count", ""),
        figure("accept_mean_s", "s"),
        figure("total_mean_s", "s"),
        figure("server_cpu_peak_percent", "%"),
        figure("server_memory_peak_mb", " MB"),
        MISSING if within is None else "✓" if within >= KEPT else "✗",
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
