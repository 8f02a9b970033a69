"""``export-metrics``: what Prometheus has of a result set's time."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.console import say
from benchmarks.monitoring.prometheus import Prometheus
from benchmarks.results.result_set import ResultSet
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_services import PROMETHEUS_PORT, PROMETHEUS_SERVICE
from benchmarks.run.labs.lab import LabError

metrics_app = typer.Typer()


@metrics_app.command()
def export_metrics(result: Annotated[Path, typer.Argument(help="A result set.")]) -> None:
    """Take what Prometheus has of a result set's time into it, as Parquet."""
    from benchmarks.monitoring.export import export_metrics as export

    results = ResultSet.open(result)
    url = Compose().published_url(PROMETHEUS_SERVICE, PROMETHEUS_PORT)
    if url is None:
        raise LabError("Prometheus is not up: run `just docker-up-monitoring`")
    with Prometheus(url) as prometheus:
        path, count = export(results, prometheus)
    say(f"{count} series written to {path}")
