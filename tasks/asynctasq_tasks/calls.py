# mypy: disable-error-code="import-not-found", disallow-subclassing-any=False
"""The classes of the tasks: for each variant one that runs a task call, and one that does so as a part of a chain.

A message names the class of its task by its module, which is the package for all of them: that is where a worker looks.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, override

from asynctasq import AsyncTask, BaseTask, Config, SyncProcessTask, SyncTask, TaskConfig, TaskDefaultsConfig

from tasks.asynctasq_tasks.events import EMITS_EVENTS
from tasks.asynctasq_tasks.settings import settings
from tasks.streaming import identity_key
from tasks.workloads import TaskCall, execute, execute_async

# A second attempt would come after a minute by default, and the other frameworks do not retry unasked.
TASK_CONFIG: TaskConfig = {"max_attempts": 1}


class ExecuteAsync(AsyncTask):
    """A task call on the worker's event loop."""

    config = TASK_CONFIG

    @override
    async def execute(self) -> None:
        """Run the call."""
        await execute_async(*call_of(self), attempt=self.current_attempt, identity=_identity(self))


class ExecuteInThread(SyncTask):
    """A task call in the worker's default thread pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*call_of(self), attempt=self.current_attempt, identity=_identity(self))


class ExecuteInProcess(SyncProcessTask):
    """A task call in the worker's process pool."""

    config = TASK_CONFIG

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*call_of(self), attempt=self.current_attempt, identity=_identity(self))


class Link(BaseTask):
    """The first of the task calls of a chain, ``calls``; the others follow when it has ended well."""

    @override
    async def run(self) -> None:
        """Run the call where the class says, then dispatch what follows from the worker's event loop."""
        _configure_retries(self.config["retry_delay"])
        await super().run()
        if self.calls[1:]:
            queue, attempts = self.config["queue"], self.config["max_attempts"]
            await dispatch_chain(type(self), queue, self.calls[1:], attempts, self.config["retry_delay"])


class LinkAsync(Link, AsyncTask):
    """A task call of a chain on the worker's event loop."""

    @override
    async def execute(self) -> None:
        """Run the call."""
        await execute_async(*_first(self))


class LinkInThread(Link, SyncTask):
    """A task call of a chain in the worker's default thread pool."""

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_first(self))


class LinkInProcess(Link, SyncProcessTask):
    """A task call of a chain in the worker's process pool."""

    @override
    def execute(self) -> None:
        """Run the call."""
        execute(*_first(self))


TASKS: Mapping[str, type[AsyncTask] | type[SyncTask] | type[SyncProcessTask]] = {
    "asynctasq-async": ExecuteAsync,
    "asynctasq-thread": ExecuteInThread,
    "asynctasq-process": ExecuteInProcess,
}
LINKS: Mapping[str, type[Link]] = {
    "asynctasq-async": LinkAsync,
    "asynctasq-thread": LinkInThread,
    "asynctasq-process": LinkInProcess,
}
for kind in (*TASKS.values(), *LINKS.values()):
    kind.__module__ = __package__


def task_of(kind: type[BaseTask], call: TaskCall) -> BaseTask:
    """A task of this class, ready to be dispatched."""
    run, phase, sequence, due_ns, workload, argument = call
    return kind(run_number=run, phase=phase, sequence=sequence, due_ns=due_ns, workload=workload, argument=argument)


def call_of(task: Any) -> TaskCall:
    """The task call that a task of one of :data:`TASKS` carries."""
    return (task.run_number, task.phase, task.sequence, task.due_ns, task.workload, task.argument)


async def dispatch_chain(link: type[Link], queue: str, calls: Sequence[TaskCall], attempts: int, retry_delay_s: int) -> None:
    """Dispatch the first call of a chain, which takes the others along."""
    await link(calls=calls).on_queue(queue).max_attempts(attempts).retry_after(retry_delay_s).dispatch()


def _first(task: Any) -> tuple[int, int, int, int, str, Any, int, int, int]:
    """The first call of a chain, with its attempt, how many it may have, and how many tasks follow it."""
    call: TaskCall = task.calls[0]
    return (*call, task.current_attempt, task.config["max_attempts"], len(task.calls) - 1)


def _identity(task: BaseTask) -> int:
    return identity_key(str(task._task_id)) if EMITS_EVENTS else 0


@functools.lru_cache(maxsize=1)
def _configure_retries(retry_delay_s: int) -> None:
    """A worker dispatches with its process's global configuration, which its command line does not set; and on Redis it takes
    the delay before a retry from there as well: what ``retry_after`` has set on the task is carried along and ignored."""
    Config.set(**settings(), task_defaults=TaskDefaultsConfig(retry_strategy="fixed", retry_delay=retry_delay_s))
