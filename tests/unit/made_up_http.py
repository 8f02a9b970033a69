"""Made-up tasks that call the mock API, and requests to a web application."""

import pandas as pd

from benchmarks.run.devices.mock_api import frame_of
from tests.unit.made_up import MS, RUN, Row, S, executed, finished, sent, started


def waves(slots: int, count: int, *, number: int = 1, latency_ns: int = 100 * MS) -> list[Row]:
    """Tasks that keep all slots busy: each wave begins when the one before it ends, from 1 s on."""
    rows: list[Row] = []
    for i in range(slots * count):
        rows += executed(i, 0, wait_ns=S + i // slots * latency_ns, service_ns=latency_ns, phase=number, process=100 + i % 2)
    return rows


def log_of(count: int, number: int = 1, *, latency_ms: float = 100.5, apart_ns: int = MS) -> pd.DataFrame:
    return frame_of([[f"{RUN}-{number}-{i}-1", S + i * apart_ns, 200, latency_ms] for i in range(count)])


def asked(sequence: int, due_ns: int, *, label: int, answer_ms: float, finish_ms: float, phase: int = 1) -> list[Row]:
    """A request that is sent as it is due, answered after ``answer_ms``; its task is finished ``finish_ms`` after it was due."""
    return [
        sent(sequence, due_ns, phase=phase, late_ns=0, send_ns=round(answer_ms * MS), label=label),
        started(sequence, due_ns + round(finish_ms * MS) - MS // 10, phase=phase),
        finished(sequence, due_ns + round(finish_ms * MS), phase=phase),
    ]


def requests(count: int, rate_per_s: float, *, label: int, answer_ms: float, phase: int, finish_ms: float = 4) -> list[Row]:
    return [
        row
        for i in range(count)
        for row in asked(i, round(i * S / rate_per_s), label=label, answer_ms=answer_ms, finish_ms=finish_ms, phase=phase)
    ]
