"""The contract between the lab and a framework. Standard library only.

To add a framework, write ``tasks/NAME_tasks.py`` with a module-level ``FRAMEWORK`` that meets :class:`Framework`, and add its
dependencies as the group NAME in ``pyproject.toml`` (or none, if ``redis`` is all that it needs). Nothing else in the lab names
a framework. The module is imported only inside the framework's own environment: by its worker, and by ``tasks.bridge``, through
which the node agent asks it everything. A folder named in ``LAB_FRAMEWORKS_PATH`` is searched as well as ``tasks/``.

A module must hold to this:

- its worker runs the six values of a :data:`tasks.workloads.TaskCall` through ``workloads.execute`` or ``execute_async``, once
  for each delivery, and nothing else;
- it connects to nothing but :func:`database_url`, so that the lab chooses the server;
- results, events and every other extra of the framework are off, unless a scenario asks for them;
- a worker ends cleanly on SIGTERM, finishing or giving back what it holds.
"""

import asyncio
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from tasks.workloads import TaskCall

REDIS_URL_VARIABLE = "LAB_REDIS_URL"
FRAMEWORKS_PATH_VARIABLE = "LAB_FRAMEWORKS_PATH"
MODULE_SUFFIX = "_tasks"
_REDIS_URL = re.compile(r"rediss?://[^/?#\s]*/?(?P<number>[0-9]*)/?(?:\?\S*)?")
_CREDENTIALS = re.compile(r"(?:(?<=://)|^(?!.*://)).*@", re.DOTALL)

Track = Literal["normalised", "tuned"]
"""``normalised``: equal slots and the same delivery guarantee where both offer one; ``tuned``: what its documentation advises."""

Execution = Literal["main-thread", "thread", "greenlet", "coroutine", "child-process"]
"""Where a variant's task bodies run; the conformance test holds the recorded places against it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a worker is: ``processes`` that execute tasks, and ``slots``: tasks that it can execute at once, over all of
    them."""

    processes: int
    slots: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A framework with one execution model. Its name begins with the framework's.

    ``control`` marks the one variant that the capacity of all others is given as a share of.
    """

    name: str
    execution: Execution
    description: str
    control: bool = False


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """A worker as the lab asks for it. ``processes`` and ``slots`` are wishes; the plan says what the variant makes of them."""

    variant: str
    processes: int
    slots: int
    queues: tuple[str, ...]
    track: Track = "normalised"


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """One process to start: arguments after the framework's own Python interpreter, and environment to add."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """How a worker is started and what may be expected of it.

    ``working_processes`` is the least number of processes that must be seen at work on a backlog of no-op tasks;
    ``settings`` is everything about the framework that was chosen, for the result.
    """

    commands: tuple[WorkerCommand, ...]
    shape: Shape
    working_processes: int
    guarantee: Literal["at-most-once", "at-least-once"]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Depth:
    """Tasks in a queue by state: ``waiting`` to be taken, ``claimed`` by a worker and not finished, ``delayed`` until later."""

    waiting: int
    claimed: int
    delayed: int


@dataclass(frozen=True, slots=True)
class Database:
    """A Redis database of the framework's own: what for, its default number, and the variable that may name another."""

    purpose: str
    variable: str
    number: int


@runtime_checkable
class Producer(Protocol):
    """Enqueues with a blocking client."""

    def enqueue(self, queue: str, call: TaskCall) -> None:
        """Enqueue one task; return once the broker has it. Raises what the framework raises."""
        ...

    def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Enqueue in the fastest way that the framework's documentation advises; for each call None, or why it failed."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


@runtime_checkable
class AsyncProducer(Protocol):
    """Enqueues from an event loop; created inside the loop in which it is used."""

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        """As :meth:`Producer.enqueue`."""
        ...

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """As :meth:`Producer.enqueue_many`."""
        ...

    async def close(self) -> None:
        """As :meth:`Producer.close`."""
        ...


class Framework(Protocol):
    """What a framework's module offers as ``FRAMEWORK``."""

    name: str
    variants: tuple[Variant, ...]
    databases: tuple[Database, ...]
    packages: tuple[str, ...]
    """Distributions whose versions a result should name, the framework's own first."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None
    """The event loop that its documentation advises for an :class:`AsyncProducer`; None for asyncio's own."""

    def worker_plan(self, request: WorkerRequest) -> WorkerPlan:
        """How to start a worker of this variant. Raises ValueError for a variant or size that it cannot have."""
        ...

    def producer(self, variant: str) -> Producer | AsyncProducer:
        """A connected producer, whose tasks the given variant can execute."""
        ...

    def purge(self, queues: Sequence[str]) -> None:
        """Forget all tasks of these queues in every state, so that nothing old can reach a new worker."""
        ...

    def depth(self, queue: str) -> Depth:
        """How many tasks the queue holds by state, in few Redis commands."""
        ...


class ConfigurationError(ValueError):
    """A variable that a user has set is wrong; the text names it and says what it may be."""


def database_url(database: Database) -> str:
    """The URL of one of a framework's databases.

    In a lab (``LAB_REDIS_URL`` is set) the server is always the lab's own, and only the number is taken from the variable;
    outside one the variable counts as it is. Raises ConfigurationError for a URL that is not Redis's, shown without credentials.
    """
    configured = os.environ.get(database.variable, "")
    number = database.number
    if configured:
        match = _REDIS_URL.fullmatch(configured)
        if match is None:
            shown = _CREDENTIALS.sub("***@", configured)
            raise ConfigurationError(
                f"{database.variable}={shown!r} is not a Redis URL such as redis://localhost:6379/{database.number}"
            )
        number = int(match["number"] or database.number)
    server = os.environ.get(REDIS_URL_VARIABLE, "")
    if server:
        return f"{server.rstrip('/')}/{number}"
    return configured or f"redis://localhost:6379/{number}"


def spread(processes: int, slots: int) -> Shape:
    """The shape nearest to the wish with equally many slots in every process, and no process without one."""
    processes = max(1, min(processes, slots))
    per_process = -(-slots // processes)
    return Shape(processes=processes, slots=per_process * processes)


def framework_folders() -> list[Path]:
    """Folders that are searched for framework modules: this one, then those of ``LAB_FRAMEWORKS_PATH``."""
    extra = [Path(p) for p in os.environ.get(FRAMEWORKS_PATH_VARIABLE, "").split(os.pathsep) if p]
    return [Path(__file__).parent, *extra]


def framework_names() -> list[str]:
    """Names of all frameworks that have a module, sorted."""
    return sorted(
        {
            path.name.removesuffix(f"{MODULE_SUFFIX}.py")
            for folder in framework_folders()
            for path in folder.glob(f"*{MODULE_SUFFIX}.py")
        }
    )


def load_framework(name: str) -> Framework:
    """Import a framework's module and return its ``FRAMEWORK``. Raises LookupError when there is no such module."""
    for folder in framework_folders():
        if (folder / f"{name}{MODULE_SUFFIX}.py").exists():
            if folder == Path(__file__).parent:
                return _framework_of(f"tasks.{name}{MODULE_SUFFIX}")
            sys.path.insert(0, str(folder))
            return _framework_of(f"{name}{MODULE_SUFFIX}")
    raise LookupError(f"no framework {name!r}: there are {', '.join(framework_names())}")


def _framework_of(module: str) -> Framework:
    framework: Framework = importlib.import_module(module).FRAMEWORK
    return framework
