"""The series of a result set's time, from Prometheus into the result set, so that a report needs no live Prometheus.

``metrics.parquet`` has a row for each sample: ``metric``, ``labels`` (a JSON object, its names sorted), ``job``, ``instance``,
``variant`` (empty where the series has none), ``time`` (UTC) and ``value``. Histograms are there as their buckets.
"""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.monitoring.prometheus import Prometheus, Series
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.lab import LabError

FILE = "metrics.parquet"
SCRAPE_INTERVAL_S = 5.0
MOST_POINTS = 4_000
"""Of one series: over a longer time the step grows."""
MARGIN_S = 30.0
"""Before and after, so that a rate at the edge has what it needs."""
SELECTOR = '{job=~".+", __name__!~"go_.+|promhttp_.+|scrape_.+|prometheus_.+"}'
_NAMES_A_QUERY = 10

SCHEMA = pa.schema(
    [
        ("metric", pa.dictionary(pa.int32(), pa.string())),
        ("labels", pa.dictionary(pa.int32(), pa.string())),
        ("job", pa.dictionary(pa.int32(), pa.string())),
        ("instance", pa.dictionary(pa.int32(), pa.string())),
        ("variant", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.timestamp("ms", tz="UTC")),
        ("value", pa.float64()),
    ]
)


def time_range_s(results: ResultSet, now: datetime) -> tuple[float, float]:
    """From when to when the result set was made, in seconds since 1970; one that is not finished goes on until now."""
    manifest = results.manifest()
    end = manifest["finished_utc"]
    began_s = datetime.fromisoformat(manifest["created_utc"]).timestamp()
    ended_s = (datetime.fromisoformat(end) if end else now).timestamp()
    return began_s - MARGIN_S, min(ended_s + MARGIN_S, now.timestamp())


def step_s(start_s: float, end_s: float) -> float:
    """The scrape interval, or a multiple of it for a long time."""
    return SCRAPE_INTERVAL_S * max(1, math.ceil((end_s - start_s) / SCRAPE_INTERVAL_S / MOST_POINTS))


def export_metrics(results: ResultSet, prometheus: Prometheus) -> tuple[Path, int]:
    """Write ``metrics.parquet`` into the result set: whole, or not at all. Returns its path and the number of series. Raises
    LabError when Prometheus has nothing of that time."""
    start_s, end_s = time_range_s(results, datetime.now(UTC))
    names = prometheus.names(SELECTOR, start_s, end_s)
    final = results.path / FILE
    unfinished = final.with_name(f".unfinished-{FILE}")
    count = 0
    try:
        with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
            for series in _series(prometheus, names, start_s, end_s):
                writer.write_table(table_of(series))
                count += len(series)
        if count == 0:
            raise LabError(
                f"Prometheus at {prometheus.url} has no series between {_utc(start_s)} and {_utc(end_s)}, when {results.path} "
                "was made: it was not up then, or what it had is older than PROMETHEUS_RETENTION"
            )
        unfinished.replace(final)
    finally:
        unfinished.unlink(missing_ok=True)
    return final, count


def _series(prometheus: Prometheus, names: list[str], start_s: float, end_s: float) -> Iterator[list[Series]]:
    for some in batched(names, _NAMES_A_QUERY):
        selector = f'{{job=~".+", __name__=~"{"|".join(some)}"}}'
        if found := prometheus.series(selector, start_s, end_s, step_s(start_s, end_s)):
            yield found


def table_of(series: list[Series]) -> pa.Table:
    """A row for each sample of these series."""
    columns: dict[str, list[str | float]] = {name: [] for name in SCHEMA.names}
    for one in series:
        labels = {name: value for name, value in sorted(one.labels.items()) if name != "__name__"}
        same = {"metric": one.labels["__name__"], "labels": json.dumps(labels, ensure_ascii=False)}
        same |= {name: labels.get(name, "") for name in ("job", "instance", "variant")}
        for name, value in same.items():
            columns[name] += [value] * len(one.points)
        columns["time"] += [round(at_s * 1000) for at_s, _ in one.points]
        columns["value"] += [value for _, value in one.points]
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
