"""Where a benchmark runs. A lab has Redis, the mock API and nodes, all addressed by URL: a scenario cannot tell which it is."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from benchmarks.record.machine import QuotaReading


class LabError(Exception):
    """The lab cannot be brought up or reached; the text says what is wrong and what to do."""


SHOWN_LINES = 15
REDIS, MOCK_API = "redis", "mock-api"
"""What a lab's parts are called beside its nodes, which are worker-VARIANT and producer-FRAMEWORK."""


class Lab(Protocol):
    """A running lab, as a context manager."""

    name: str
    token: str
    redis_url: str
    """Redis as the runner sees it, with its password and without a database number: to connect to, never to be shown."""

    mock_api_url: str
    """The mock API as the runner sees it; empty where the lab was brought up without it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def variants(self) -> Mapping[str, str]:
        """The framework of every variant that the lab has a worker node for."""
        ...

    def worker_url(self, variant: str) -> str:
        """The worker node of a variant. Raises LabError."""
        ...

    def producer_url(self, framework: str) -> str:
        """The producer node of a framework. Raises LabError."""
        ...

    def worker_urls(self) -> Mapping[str, str]:
        """The worker nodes that are up, by variant."""
        ...

    def log_of(self, part: str) -> str:
        """All that a part of the lab has printed, or the end of it; in words why not, where it cannot be had."""
        ...

    def owns(self, process: int) -> bool:
        """Whether a process of this machine is one of the lab's. Those that descend from one are as well."""
        ...

    def cpu_quotas(self) -> Sequence[QuotaReading]:
        """The CPU limits that the lab's processes live under and the runner may not, but for those that a node has been given as
        its own; none where they cannot be seen."""
        ...

    def images(self) -> Mapping[str, str]:
        """The id of the image that each service was made of; none where there are no images."""
        ...


def end_of(log: str) -> str:
    """The last lines of a log, as an error may show them."""
    return "\n".join(log.strip().splitlines()[-SHOWN_LINES:]) or "(nothing)"


def control_of(descriptions: Iterable[Mapping[str, Any]]) -> str | None:
    """The control variant among frameworks' own descriptions (``describe``); None where none of them is it."""
    return next((v["name"] for d in descriptions for v in d["variants"] if v["control"]), None)
