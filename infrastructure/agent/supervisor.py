"""Supervises one worker: starts its commands, and stops, pauses, resumes and kills the whole process tree."""

import asyncio
import enum
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from infrastructure.agent.errors import NodeConflictError, SupervisionError
from infrastructure.agent.logs import emptied, log_tail
from infrastructure.agent.processes import descendants, exit_text, is_resource_tracker, reap_orphans, send
from tasks.causes import cause
from tasks.contract import WorkerCommand

_KILL_LIMIT_S = 10.0
_TRACKER_LIMIT_S = 2.0
_SIGNAL_LIMIT_S = 5.0
_POLL_S = 0.005
_CLEAN_LOOKS = 2
"""One look at the process table may miss a process whose parent ended during it; two in a row cannot."""


class WorkerState(enum.StrEnum):
    """``died`` is an end that nobody asked for."""

    NONE = "none"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DIED = "died"


ALIVE = (WorkerState.RUNNING, WorkerState.PAUSED)


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a worker ended: ``graceful`` if every process ended by itself; when it was asked to (monotonic), and how long it
    took."""

    graceful: bool
    asked_ns: int
    took_s: float


@dataclass(frozen=True, slots=True)
class _Root:
    process: subprocess.Popen[bytes]
    log: Path


class Supervisor:
    """One worker at a time, made of root processes and all that they start.

    Its processes start in ``folder``; ``bridge_session`` names the session that is not the worker's. Operations that change the
    worker exclude each other; only :meth:`kill` cuts a :meth:`stop` short. Each raises NodeConflictError where the worker's state
    does not allow it, and SupervisionError where the processes do not obey.
    """

    def __init__(
        self, environment: Mapping[str, str], folder: Path, logs: Path, bridge_session: Callable[[], int | None]
    ) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._logs = logs
        self._bridge_session = bridge_session
        self._lock = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._roots: tuple[_Root, ...] = ()
        self._state = WorkerState.NONE
        self._died: str | None = None
        self._starts = 0
        self._deaths = 0
        self._spawned_ns = 0
        self._closed = False

    @property
    def state(self) -> WorkerState:
        """The worker's state as last seen."""
        return self._state

    @property
    def died(self) -> str | None:
        """Why the worker died, with the tail of its log; None if it did not."""
        return self._died

    @property
    def starts(self) -> int:
        """How many workers were started."""
        return self._starts

    @property
    def logs(self) -> list[Path]:
        """The log of each command."""
        return [root.log for root in self._roots]

    @property
    def deaths(self) -> int:
        """How many workers have ended unasked."""
        return self._deaths

    @property
    def spawned_ns(self) -> int:
        """The monotonic time just before the first process of the last worker was started."""
        return self._spawned_ns

    @property
    def root_pids(self) -> list[int]:
        """The processes that were started, one for each command."""
        return [root.process.pid for root in self._roots]

    def environment_of(self, command: WorkerCommand) -> dict[str, str]:
        """All variables that the processes of a command start with."""
        return {**self._environment, **command.environment}

    def tree(self) -> list[psutil.Process]:
        """All living processes of the worker."""
        return descendants(self._bridge_session())

    def log_tail(self) -> str:
        """The ends of the logs of all commands."""
        if len(self._roots) == 1:
            return log_tail(self._roots[0].log)
        return "\n".join(f"--- pid {root.process.pid}\n{log_tail(root.log)}" for root in self._roots)

    async def start(self, commands: Sequence[WorkerCommand], inherited: Sequence[int] = ()) -> None:
        """Start a worker. Its commands' first argument is the program; file descriptors ``inherited`` are open in them too."""
        async with self._lock:
            self._look()
            if self._closed:
                raise NodeConflictError("the node is shutting down")
            if self._state in ALIVE:
                raise NodeConflictError(f"a worker is {self._state} already (pids {self.root_pids}); stop or kill it first")
            await self._kill_tree()
            self._starts += 1
            self._died = None
            roots: list[_Root] = []
            self._spawned_ns = time.monotonic_ns()
            try:
                for index, command in enumerate(commands):
                    roots.append(self._spawn(command, self._logs / f"worker-{self._starts}-{index}.log", inherited))
            except OSError as error:
                self._roots = tuple(roots)
                await self._kill_tree()
                raise SupervisionError(f"the worker cannot be started: {cause(error)}") from error
            for old in self._roots:
                old.log.unlink(missing_ok=True)
            self._roots = tuple(roots)
            self._state = WorkerState.RUNNING

    async def stop(self, grace_s: float) -> StopReport:
        """Ask the root processes to end (SIGTERM), and kill what is left after ``grace_s``. What outlives its root is asked
        once as well: nobody else would."""
        async with self._lock:
            self._look()
            asked_ns, began_s = time.monotonic_ns(), time.monotonic()
            if self._state in ALIVE:
                if self._state is WorkerState.PAUSED:
                    await self._signal_until(signal.SIGCONT, stopped=False)
                graceful = await self._end_kindly(began_s + grace_s)
                took_s = time.monotonic() - began_s
                await self._kill_tree()
                self._state = WorkerState.STOPPED
                return StopReport(graceful, asked_ns, took_s if graceful else time.monotonic() - began_s)
            await self._kill_tree()
            return StopReport(self._state is not WorkerState.DIED, asked_ns, took_s=time.monotonic() - began_s)

    async def kill(self) -> None:
        """End the whole tree at once (SIGKILL), also in the middle of a stop."""
        self._hurry.set()
        async with self._lock:
            self._hurry.clear()
            self._look()
            await self._kill_tree()
            if self._state in ALIVE:
                self._state = WorkerState.STOPPED

    async def pause(self) -> None:
        """Stop every process of the tree where it is (SIGSTOP); returns when all stand still."""
        async with self._lock:
            self._require_alive("pause")
            await self._signal_until(signal.SIGSTOP, stopped=True)
            self._state = WorkerState.PAUSED

    async def resume(self) -> None:
        """Let every process of the tree go on (SIGCONT)."""
        async with self._lock:
            self._require_alive("resume")
            await self._signal_until(signal.SIGCONT, stopped=False)
            self._state = WorkerState.RUNNING

    async def check(self) -> None:
        """Notice a root process that has ended unasked; the rest of its worker is killed, since half a worker is none."""
        if self._lock.locked():
            return
        async with self._lock:
            self._look()
            if self._state is WorkerState.DIED and self.tree():
                await self._kill_tree()

    async def close(self) -> None:
        """Kill the worker, and start none any more."""
        self._closed = True
        await self.kill()

    def _spawn(self, command: WorkerCommand, log: Path, inherited: Sequence[int]) -> _Root:
        with emptied(log) as file:
            process = subprocess.Popen(
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment_of(command),
                cwd=self._folder,
                start_new_session=True,
                pass_fds=inherited,
            )
        return _Root(process, log)

    def _look(self) -> None:
        """Collect exit statuses; a root process that ended while it should run makes the worker a dead one."""
        for index, root in enumerate(self._roots, start=1):
            code = root.process.poll()
            if code is not None and self._state in ALIVE:
                self._state = WorkerState.DIED
                self._deaths += 1
                self._died = (
                    f"worker process {root.process.pid} ({index} of {len(self._roots)}) {exit_text(code)}; its log ends:\n"
                    f"{log_tail(root.log)}"
                )
        reap_orphans((*self.root_pids, self._bridge_session()))

    def _collect(self) -> None:
        for root in self._roots:
            root.process.poll()
        reap_orphans((*self.root_pids, self._bridge_session()))

    def _require_alive(self, what: str) -> None:
        self._look()
        if self._state not in ALIVE:
            raise NodeConflictError(
                f"there is no worker to {what}: it is {self._state}{f' ({self._died})' if self._died else ''}"
            )

    async def _end_kindly(self, deadline_s: float) -> bool:
        """Whether the tree has ended by itself before the deadline."""
        for root in self._roots:
            root.process.send_signal(signal.SIGTERM)
        orphans_told = False
        clean_looks = 0
        while True:
            self._collect()
            if all(root.process.returncode is not None for root in self._roots):
                left = self.tree()
                clean_looks = 0 if left else clean_looks + 1
                if clean_looks == _CLEAN_LOOKS:
                    return True
                if left and not orphans_told:
                    send(left, signal.SIGTERM)
                    orphans_told = True
            if time.monotonic() >= deadline_s or self._hurry.is_set():
                return False
            await asyncio.sleep(_POLL_S)

    async def _kill_tree(self) -> None:
        """Kill everything; resource trackers, which take no tasks, only if they do not end once they have cleaned up after the
        others. Killed with them they would leave semaphores behind."""
        began_s = time.monotonic()
        clean_looks = 0
        while clean_looks < _CLEAN_LOOKS:
            left = self.tree()
            passed_s = time.monotonic() - began_s
            trackers = {process for process in left if passed_s < _TRACKER_LIMIT_S and is_resource_tracker(process)}
            send((process for process in left if process not in trackers), signal.SIGKILL)
            send(trackers, signal.SIGCONT)
            self._collect()
            clean_looks = 0 if left else clean_looks + 1
            if passed_s > _KILL_LIMIT_S:
                raise SupervisionError(f"processes {[p.pid for p in left]} of the worker are still there after SIGKILL")
            if left:
                await asyncio.sleep(_POLL_S)
        self._collect()

    async def _signal_until(self, number: signal.Signals, *, stopped: bool) -> None:
        """Signal every process until two looks in a row find all of them stopped, or none. Once all that were seen stand
        still none can fork, so the second look is complete."""
        deadline_s = time.monotonic() + _SIGNAL_LIMIT_S
        clean_looks = 0
        while clean_looks < _CLEAN_LOOKS:
            left = [process for process in self.tree() if _is_stopped(process) is not stopped]
            send(left, number)
            clean_looks = 0 if left else clean_looks + 1
            if time.monotonic() > deadline_s:
                raise SupervisionError(f"processes {[p.pid for p in left]} of the worker do not obey {number.name}")
            if left:
                await asyncio.sleep(_POLL_S)


def _is_stopped(process: psutil.Process) -> bool | None:
    """None for a process that is gone."""
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return None
