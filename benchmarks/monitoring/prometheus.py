"""What the lab asks of its Prometheus, over the HTTP API (prometheus.io/docs/prometheus/latest/querying/api)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from benchmarks.run.labs.lab import LabError

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """A service that Prometheus scrapes. ``scraped_at`` is None before the first time; ``error`` says why the last one failed."""

    job: str
    instance: str
    up: bool
    scraped_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one series over time: seconds since 1970, and the value."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A Prometheus server by its URL, as a context manager. Raises LabError when it cannot be reached, or refuses a query."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def targets(self) -> list[Target]:
        """All services that it scrapes."""
        return [_target(row) for row in self._ask("targets", state="active")["activeTargets"]]

    def names(self, selector: str, start_s: float, end_s: float) -> list[str]:
        """The metrics that had a series in the time."""
        names: list[str] = self._ask("label/__name__/values", **{"match[]": selector}, start=start_s, end=end_s)
        return names

    def value(self, expression: str, at_s: float) -> dict[frozenset[tuple[str, str]], float]:
        """The value of every series of an expression at a moment, by its labels. Native histograms are left out."""
        rows = self._ask("query", query=expression, time=at_s)["result"]
        return {frozenset(row["metric"].items()): float(row["value"][1]) for row in rows if "value" in row}

    def series(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """The series of an expression at every ``step_s`` of the time. Native histograms are left out."""
        rows = self._ask("query_range", query=expression, start=start_s, end=end_s, step=step_s)["result"]
        return [Series(row["metric"], tuple((at_s, float(v)) for at_s, v in row["values"])) for row in rows if "values" in row]

    def _ask(self, path: str, **query: Any) -> Any:
        try:
            answer = self._client.get(f"/api/v1/{path}", params=query)
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LabError(f"Prometheus at {self.url} does not answer ({error!r}): run `just docker-up-monitoring`") from error
        if content.get("status") != "success":
            raise LabError(f"Prometheus at {self.url} refuses {path} {query}: {content.get('error')}")
        return content["data"]


def _target(row: Mapping[str, Any]) -> Target:
    scraped_at = datetime.fromisoformat(row["lastScrape"])
    return Target(
        job=row["labels"]["job"],
        instance=row["labels"]["instance"],
        up=row["health"] == "up",
        scraped_at=None if scraped_at < datetime(2000, 1, 1, tzinfo=UTC) else scraped_at,
        error=row["lastError"],
    )
