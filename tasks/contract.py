"""The contract between the lab and a framework. Standard library only.

To add a framework, write a module ``tasks/NAME_tasks.py`` with a module-level ``FRAMEWORK`` that meets :class:`Framework`, or a
package ``tasks/NAME_tasks/`` whose ``__init__.py`` has it, and add its dependencies as the group NAME in ``pyproject.toml`` (or
none, if ``redis`` is all that it needs). Nothing else in the lab names a framework. The module is imported only inside the
framework's own environment: by its worker, and by ``tasks.bridge``, through which the node agent asks it everything. A folder
named in ``LAB_FRAMEWORKS_PATH`` is searched as well as ``tasks/``, for modules and packages alike.

A module must hold to this:

- its worker runs the six values of a :data:`tasks.workloads.TaskCall` through ``workloads.execute`` or ``execute_async``, once
  for each delivery, and nothing else;
- what a framework or a variant of it cannot do stands in ``Variant.lacks`` with the reason; scenarios that need it then say
  ``unsupported`` for it, and never ask for it;
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
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from tasks.workloads import TaskCall

REDIS_URL_VARIABLE = "LAB_REDIS_URL"
MOCK_API_URL_VARIABLE = "LAB_MOCK_API_URL"
FRAMEWORKS_PATH_VARIABLE = "LAB_FRAMEWORKS_PATH"
APPLICATION_DATABASE = 15
"""The Redis database of what tasks work on: an application's own data, which no framework may touch."""
OPTIONAL_PATH_VARIABLE = "LAB_OPTIONAL_PATH"
"""Where packages lie that frameworks import wherever they are installed: not on a worker's path unless a scenario asks for it."""
MODEL_SESSIONS_VARIABLE = "LAB_MODEL_SESSIONS"
"""The attribute of a model's class under which a framework that fetches models by itself looks for the sessions to do so with."""
MODULE_SUFFIX = "_tasks"
"""What the name of a framework's module or package ends with, after the framework's own."""
_REDIS_URL = re.compile(r"rediss?://[^/?#\s]*/?(?P<number>[0-9]*)/?(?:\?\S*)?")
_CREDENTIALS = re.compile(r"(?:(?<=://)|^(?!.*://)).*@", re.DOTALL)

Track = Literal["normalised", "tuned"]
"""The processes are the same on both. ``normalised``: as many tasks at once within a process where its model has them, and the
same delivery guarantee where both offer one; ``tuned``: what its documentation advises or leaves as default."""

Execution = Literal["main-thread", "thread", "greenlet", "coroutine", "child-process"]
"""Where a variant's task bodies run; the conformance test holds the recorded places against it."""


Capability = Literal["chains", "priorities", "events", "serializers", "web", "results"]
"""What a scenario may need beyond enqueueing and executing:

- ``chains``: tasks that follow one another, with retries (:class:`ChainProducer`);
- ``priorities``: several queues of one worker, of which the more urgent go first (``WorkerRequest.lanes_by_priority``);
- ``events``: the framework's own task events through Redis (``WorkerRequest.events``, :class:`tasks.streaming.EventSource`);
- ``serializers``: a payload of any kind in the framework's own serializers (``WorkerRequest.serializer``);
- ``web``: dispatch from a web application (:class:`WebFramework`);
- ``results``: waiting for a task that was dispatched from there (``WebPart.wait``, ``WorkerRequest.results``).
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a worker is: ``processes`` that execute tasks, and ``concurrency``: how many each of them executes at once."""

    processes: int
    concurrency: int

    @property
    def slots(self) -> int:
        """Tasks that it can execute at once, over all processes."""
        return self.processes * self.concurrency


@dataclass(frozen=True, slots=True)
class Variant:
    """A framework with one execution model. Its name begins with the framework's.

    ``control`` marks the one variant that the capacity of all others is given as a share of.
    """

    name: str
    execution: Execution
    description: str
    control: bool = False
    lacks: Mapping[Capability, str] = field(default_factory=dict)
    """What it cannot do, each with the reason in a few words."""
    serializers: tuple[str, ...] = ()
    """The serializers that it offers, its default first."""
    model_serializer: str = ""
    """The one of them in which a model of an object-relational mapper can be handed over as it is; empty where none can."""
    concurrency_limit: int | None = None
    """The most tasks that one of its processes can execute at once; None where it is as many as it is asked for."""
    tuned_concurrency: int | None = None
    """Tasks at once within a process that its documentation advises or has as default; None where it is what it is asked for."""
    tuned_pages: tuple[str, ...] = ()
    """The pages on which its documentation says that, and the rest of what is set on the track ``tuned``."""
    ways: Mapping[str, str] = field(default_factory=dict)
    """Ways of its own in which a task can do several things at once, each as ``module:function`` (:mod:`tasks.ways`)."""

    def shape(self, processes: int, concurrency: int) -> Shape:
        """The shape nearest to a wish that its processes can have."""
        limit = self.concurrency_limit
        return Shape(processes, concurrency if limit is None else min(concurrency, limit))

    def concurrency(self, track: Track, asked: int) -> int:
        """Tasks at once within a process for which a worker of it is to be asked where the user asked for ``asked``."""
        return asked if track == "normalised" or self.tuned_concurrency is None else self.tuned_concurrency


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """A worker as the lab asks for it: ``processes``, and the ``concurrency`` within each of them, which is a wish: the plan says
    what the variant makes of it.

    ``queues`` are in order of urgency, which counts only with ``lanes_by_priority``. ``serializer`` is one of the variant's, or
    empty for its default. ``events`` has the worker emit the framework's own task events; ``results`` has it store the results
    of tasks that are waited for; ``long_jobs`` has it run an application's long jobs as applications have it: results kept and
    starts tracked where there are any, and no job held back behind one that runs; ``long_tasks``: tuned for long tasks."""

    variant: str
    processes: int
    concurrency: int
    queues: tuple[str, ...]
    track: Track = "normalised"
    lanes_by_priority: bool = False
    serializer: str = ""
    events: bool = False
    results: bool = False
    long_jobs: bool = False
    long_tasks: bool = False


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """One process to start: arguments after the framework's own Python interpreter, and environment to add."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """How a worker is started and what may be expected of it.

    ``working_processes`` is the least number of processes that must be seen at work on a backlog of no-op tasks;
    ``settings`` is everything about the framework that was chosen, for the result, with how a user would start the same for an
    application of theirs as ``command``; on the track ``tuned`` its ``documentation``
    is the variant's ``tuned_pages``.
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

    @property
    def total(self) -> int:
        """Tasks in any state."""
        return self.waiting + self.claimed + self.delayed


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


class ChainProducer(Protocol):
    """A producer that can also send tasks that follow one another, by the framework's own means."""

    def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """Enqueue tasks of which each is executed when the one before it has ended well. A task that raises is tried again after
        ``backoff_s``, at most ``attempts`` times in all, by the framework's own retries; the worker runs each through
        ``workloads.execute`` with its attempt, ``attempts`` and how many ``followers`` it has. Raises what the framework raises.
        """
        ...


class AsyncChainProducer(Protocol):
    """As :class:`ChainProducer`, from an event loop."""

    async def enqueue_chain(self, queue: str, calls: Sequence[TaskCall], attempts: int, backoff_s: float) -> None:
        """As :meth:`ChainProducer.enqueue_chain`."""
        ...


class MessageReader(Protocol):
    """Does with messages what a worker does before it runs a task."""

    def take(self, queue: str) -> bytes:
        """The one message that waits in a queue, as Redis holds it, and out of the queue."""
        ...

    def decode(self, message: bytes) -> TaskCall:
        """The call in a message, by the same functions of the framework that its worker uses."""
        ...


class AsyncMessageReader(Protocol):
    """As :class:`MessageReader`, for a framework that decodes on an event loop."""

    def take(self, queue: str) -> bytes:
        """As :meth:`MessageReader.take`."""
        ...

    async def decode(self, message: bytes) -> TaskCall:
        """As :meth:`MessageReader.decode`."""
        ...


class SerializingFramework(Protocol):
    """What the framework of a variant with ``serializers`` offers besides. A worker that is asked for one accepts no other."""

    def serializing_producer(self, variant: str, serializer: str) -> Producer | AsyncProducer:
        """As :meth:`Framework.producer`, in one of the variant's serializers."""
        ...

    def message_reader(self, variant: str, serializer: str) -> MessageReader | AsyncMessageReader:
        """What reads the messages of such a producer."""
        ...


@dataclass(frozen=True, slots=True)
class WebPart:
    """A framework's part in a FastAPI application (``tasks.web_app``), as its documentation advises.

    ``dispatch(queue, call)`` enqueues one task: a coroutine function is awaited by an ``async def`` endpoint, a plain one is
    called by a ``def`` endpoint, which FastAPI runs in its thread pool. ``wait`` enqueues one likewise, and returns when it
    has ended, by the framework's own results; None where the variant lacks ``results``. ``submit`` enqueues one likewise as a
    long job, which the application will ask after; None where that is no other thing than ``dispatch``. ``lifespan`` is entered
    before the application serves and left when it ends; None where the documentation has nothing there.
    """

    dispatch: Callable[[str, TaskCall], Any]
    wait: Callable[[str, TaskCall], Any] | None = None
    submit: Callable[[str, TaskCall], Any] | None = None
    lifespan: Callable[[Any], AbstractAsyncContextManager[None]] | None = None


class WebFramework(Protocol):
    """What the framework of a variant that does not lack ``web`` offers besides."""

    def web_part(self, variant: str) -> WebPart:
        """Its part for tasks that the given variant can execute; called once, before the application's event loop runs."""
        ...


class Framework(Protocol):
    """What a framework's module offers as ``FRAMEWORK``."""

    name: str
    variants: tuple[Variant, ...]
    databases: tuple[Database, ...]
    packages: tuple[str, ...]
    """Distributions whose versions a result should name, the framework's own first."""
    puts: tuple[str, ...]
    """The Redis commands, in small letters, by which a message comes to wait in a queue: ``enqueue`` calls just one of them for
    each message, be it in a script or a transaction. By them a run proves that its messages reached the lab's own Redis."""
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


def times(workers: int, command: str) -> str:
    """How a user would type the start of so many workers, for the setting ``command`` of a :class:`WorkerPlan`."""
    return command if workers == 1 else f"{workers} × {command}"


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


def without_credentials(url: str) -> str:
    """A URL as it may be shown and stored: without user and password."""
    return _CREDENTIALS.sub("", url)


def framework_folders() -> list[Path]:
    """Folders that are searched for framework modules: this one, then those of ``LAB_FRAMEWORKS_PATH``."""
    extra = [Path(p) for p in os.environ.get(FRAMEWORKS_PATH_VARIABLE, "").split(os.pathsep) if p]
    return [Path(__file__).parent, *extra]


def framework_names() -> list[str]:
    """Names of all frameworks that have a module or a package, sorted."""
    return sorted({module.removesuffix(MODULE_SUFFIX) for folder in framework_folders() for module in _modules_in(folder)})


def load_framework(name: str) -> Framework:
    """Import a framework's module or package and return its ``FRAMEWORK``. Raises LookupError when there is neither."""
    module = f"{name}{MODULE_SUFFIX}"
    for folder in framework_folders():
        if module in _modules_in(folder):
            if folder == Path(__file__).parent:
                return _framework_of(f"tasks.{module}")
            sys.path.insert(0, str(folder))
            return _framework_of(module)
    raise LookupError(f"no framework {name!r}: there are {', '.join(framework_names())}")


def _modules_in(folder: Path) -> set[str]:
    """Modules and packages of frameworks in a folder. A folder without ``__init__.py`` is none: git leaves such
    behind, with what Python has compiled in them."""
    modules = {path.stem for path in folder.glob(f"*{MODULE_SUFFIX}.py")}
    return modules | {path.parent.name for path in folder.glob(f"*{MODULE_SUFFIX}/__init__.py")}


def _framework_of(module: str) -> Framework:
    framework: Framework = importlib.import_module(module).FRAMEWORK
    return framework
