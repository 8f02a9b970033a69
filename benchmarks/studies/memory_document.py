"""The study of memory as files for other programs: a table, and the same with intervals. Pure."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from benchmarks.results.chart_data import ChartData
from benchmarks.results.documents import to_json

NAME = "memory_comparison"


def memory_documents(data: ChartData, created_utc: str, meanings: Mapping[str, str]) -> dict[str, str]:
    """``memory_comparison.csv``, a row for each approach with the means of all measures (``meanings`` by name), and
    ``memory_comparison.json`` with their intervals and runs; none where nothing was measured."""
    names = [name for name in data.variants if data.points.get(name) and data.measured.get(name)]
    if not names:
        return {}
    return {f"{NAME}.csv": _table(data, names, meanings), f"{NAME}.json": _document(data, names, created_utc, meanings)}


def _table(data: ChartData, names: list[str], meanings: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("variant", "approach", *meanings))
    for name in names:
        means = (data.mean(name, measure) for measure in meanings)
        figures = ("" if mean is None else f"{mean:.6g}" for mean in means)
        writer.writerow((data.executed[name], data.points[name]["approach"], *figures))
    return text.getvalue()


def _document(data: ChartData, names: list[str], created_utc: str, meanings: Mapping[str, str]) -> str:
    approaches: list[dict[str, Any]] = [
        {
            "variant": data.executed[name],
            "approach": data.points[name]["approach"],
            "measures": {
                measure: {
                    "runs": len(data.values(name, measure)),
                    "mean": data.mean(name, measure),
                    "interval": None if (interval := data.interval(name, measure)) is None else asdict(interval),
                }
                for measure in meanings
                if data.values(name, measure)
            },
        }
        for name in names
    ]
    made = datetime.fromisoformat(created_utc)
    stamp = {"timestamp": made.strftime("%Y-%m-%dT%H:%M:%S"), "timezone": "UTC"}
    return to_json({**stamp, "meanings": dict(meanings), "approaches": approaches})
