"""The mock API's own log of what it answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pandas as pd

from benchmarks.record.mock_api_books import MOCK_API_READING
from benchmarks.run.contract import Places
from benchmarks.run.nodes.transport import NodeError
from tasks.causes import cause

COLUMNS = {"id": "str", "arrived_ns": "int64", "status": "int64", "latency_ms": "float64"}
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class MockApiLog:
    """Has the mock API forget its log when a phase begins, and reads it when all tasks have ended.

    Its reading has a row for every answer, in the order in which they were given: ``id`` (see ``tasks.http_work.request_id``),
    ``arrived_ns`` (CLOCK_MONOTONIC), ``status`` and ``latency_ms`` from arrival to answer.
    """

    @property
    def name(self) -> str:
        """What its reading is called."""
        return MOCK_API_READING

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Clear the log; what is given reads it. Both raise NodeError where the mock API cannot be reached or has dropped
        answers from its log."""
        if not places.mock_api_url:
            raise NodeError("mock-api", "attaching", "the lab was brought up without the mock API, which this scenario needs")
        with httpx.Client(base_url=places.mock_api_url, timeout=_LIMIT_S, trust_env=False) as client:
            _ask(client, "POST", "/log/clear")

            def read() -> pd.DataFrame:
                log = _ask(client, "GET", "/log")
                if log["overflowed"]:
                    detail = f"its log is full, {log['dropped']} answers are not in it: raise MOCK_API_LOG_CAPACITY"
                    raise NodeError("mock-api", "reading its log", detail)
                return frame_of(log["entries"])

            yield read


MOCK_API_LOG = MockApiLog()


def frame_of(entries: list[list[Any]]) -> pd.DataFrame:
    """Entries of ``/log`` as a reading."""
    return pd.DataFrame(entries, columns=list(COLUMNS)).astype(COLUMNS)


def _ask(client: httpx.Client, method: str, path: str) -> Any:
    try:
        return client.request(method, path).raise_for_status().json()
    except httpx.HTTPError as error:
        raise NodeError("mock-api", f"{method} {path}", f"{cause(error)}; see its log, and bring the lab up again") from error
