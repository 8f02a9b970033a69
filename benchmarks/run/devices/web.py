"""The web application beside its requests: how it starts, and what it takes while it serves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import pandas as pd

from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.web.application import BARE, WEB_SAMPLES, WEB_STARTS, WHOLE
from benchmarks.record.web.jobs import WEB_HEALTH
from benchmarks.run.contract import Places
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.web import WebReport
from infrastructure.readings import HealthAnswer

SAMPLE_INTERVAL_S = 0.25
_SAMPLED = ("at_ns", "rss_bytes", "pss_bytes", "uss_bytes", "cpu_s", "processes", "threads")


@dataclass(frozen=True, slots=True)
class WebStarts:
    """Before the phase, ``starts`` times by turns: starts the application bare of the framework, and whole, and ends it again.
    The last whole start is the phase's own. Its reading has one row a start: ``kind`` (bare or whole), ``ready_ms``,
    ``import_ms``, ``lifespan_ms``, ``cpu_ms``, ``pss_mb`` and ``uss_mb`` of :class:`benchmarks.run.nodes.client.WebReport`."""

    NAME: ClassVar = WEB_STARTS

    variant: str
    starts: int

    @property
    def name(self) -> str:
        """What its reading is called."""
        return self.NAME

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Make the starts; what is given adds the one that the phase was served by. Raises NodeError where one fails."""
        producer, rows = places.producer, []
        for start in range(self.starts):
            for kind in (BARE, WHOLE) if start else (BARE,):
                rows.append(_row(kind, producer.start_web(self.variant, places.queue, bare=kind == BARE)))
                producer.kill_web()

        def read() -> pd.DataFrame:
            served = producer.web().report
            last = [] if served is None else [_row(WHOLE, served)]
            return pd.DataFrame([*rows, *last]).astype({"import_ms": float, "lifespan_ms": float})

        yield read


def _row(kind: str, report: WebReport) -> dict[str, str | float | None]:
    import_s, lifespan_s = report.import_s, report.lifespan_s
    return {
        "kind": kind,
        "ready_ms": 1000 * report.ready_s,
        "import_ms": None if import_s is None else 1000 * import_s,
        "lifespan_ms": None if lifespan_s is None else 1000 * lifespan_s,
        "cpu_ms": 1000 * report.cpu_s,
        "pss_mb": report.pss_bytes / BYTES_PER_MB,
        "uss_mb": report.uss_bytes / BYTES_PER_MB,
    }


@dataclass(frozen=True, slots=True)
class WebSamples:
    """Samples of the application's process tree: its reading has one row for the begin of the phase, one for its end and those of
    a series between, with the columns ``at_ns``, ``rss_bytes``, ``pss_bytes``, ``uss_bytes``, ``cpu_s``, ``processes`` and
    ``threads`` of :class:`infrastructure.readings.TreeSample`."""

    NAME: ClassVar = WEB_SAMPLES

    @property
    def name(self) -> str:
        """What its reading is called."""
        return self.NAME

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Sample. Raises NodeError where there is no application."""
        producer: NodeClient = places.producer
        first = producer.take_sample()
        producer.begin_samples(SAMPLE_INTERVAL_S)
        try:

            def read() -> pd.DataFrame:
                producer.end_samples()
                samples = [first, *producer.samples(), producer.take_sample()]
                return pd.DataFrame([asdict(sample) for sample in samples])[list(_SAMPLED)]

            yield read
        finally:
            producer.end_samples()


@dataclass(frozen=True, slots=True)
class WebHealth:
    """Has the application asked every ``interval_s`` whether it is well, on a schedule that does not wait for answers, each of
    which may take ``limit_s``. Its reading has one row a question: the fields of
    :class:`infrastructure.readings.HealthAnswer`."""

    NAME: ClassVar = WEB_HEALTH

    interval_s: float
    limit_s: float

    @property
    def name(self) -> str:
        """What its reading is called."""
        return self.NAME

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Ask. Raises NodeError where there is no application."""
        producer = places.producer
        producer.begin_health(self.interval_s, self.limit_s)
        try:

            def read() -> pd.DataFrame:
                producer.end_health()
                names = [field.name for field in fields(HealthAnswer)]
                return pd.DataFrame([asdict(answer) for answer in producer.health_answers()], columns=names)

            yield read
        finally:
            producer.end_health()
