"""The worker that a phase wants, and how it is to start: pure data."""

from dataclasses import dataclass, field
from typing import Literal

from tasks.loads import Mix, only


@dataclass(frozen=True, slots=True)
class WorkerWish:
    """The worker that a phase wants. None is what the suite was asked for. A phase that wants another worker than the one before
    it gets a new one, warmed up: with tasks that take a moment until every process has executed one, then with ``warm``.
    ``lanes`` are the names of its queues, the most urgent first; see :class:`tasks.contract.WorkerRequest` for the rest."""

    processes: int | None = None
    concurrency: int | None = None
    lanes: tuple[str, ...] = ("",)
    lanes_by_priority: bool = False
    serializer: str = ""
    events: bool = False
    results: bool = False
    long_jobs: bool = False
    long_tasks: bool = False
    optional_packages: bool = False
    """Whether packages that frameworks import wherever they are installed are to be on its path."""
    warm: Mix = field(default_factory=lambda: only("noop"))


ANY_WORKER = WorkerWish()


@dataclass(frozen=True, slots=True)
class StartWish:
    """A worker that is started as part of a phase, without a warm-up, in the place of the one before, which is killed.

    The load is offered before the start (``waiting``), or when the worker is connected to Redis and has settled (``ready``).
    ``bytecode_cold`` starts it with an empty folder for compiled modules, ``page_cache_cold`` with what it imports out of the
    page cache, as far as no running process has mapped it; ``profile_imports`` has Python log how long each import takes. With
    ``stop_after`` it is asked to end when so many tasks have ended, and started again to do the rest.
    """

    when: Literal["waiting", "ready"]
    bytecode_cold: bool = False
    page_cache_cold: bool = False
    profile_imports: bool = False
    stop_after: int | None = None


@dataclass(frozen=True, slots=True)
class KillWish:
    """Something that is killed (SIGKILL) ``after_s`` of a load, and started again at once: the ``worker``, or the ``web``
    application that tasks are posted to."""

    what: Literal["worker", "web"]
    after_s: float
