"""The event log: fixed-size binary records, one append-only file per process. Standard library only.

Every process that enqueues or executes tasks appends to a file of its own in the folder named by ``LAB_EVENTS_DIR`` (best on
tmpfs). A record is written by one ``os.write`` to an ``O_APPEND`` descriptor; there is no lock, no thread and no socket, which
makes it safe under prefork, threads, greenlets, process pools and SIGKILL. (A write that crosses two pages of memory can be cut
there by SIGKILL, seldom; nothing follows it in that file, and readers leave such a stump out.) The file is opened lazily and
again after a fork, so no two processes share one.

Layout of a record, little-endian, 48 bytes (:data:`RECORD`, read with NumPy by ``infrastructure.event_log``):

======== ====== =====================================================================================
field    type   meaning
======== ====== =====================================================================================
kind     u8     :class:`Kind`
outcome  u8     :class:`Outcome` (of the send, or of the task; 0 in a STARTED record); RECEIVED: :class:`Streamed`
place    u8     :class:`Place` bits: where the body runs (STARTED records; 0 otherwise)
phase    u8     phase of the run, 0 being the warm-up
attempt  u16    1 for the first execution
label    u16    ENQUEUED: the number of the task's class or stage, 0 when it has none; EMITTED: how many of the framework's events
                were handed over in one go; RECEIVED: the number of the subscriber, from 0; SUBTASK: the number of the
                part, from 0; 0 otherwise
run      u32    number of the run, unique within a result set (0 in an EMITTED record, as is the phase: who emits knows neither)
sequence u32    number of the task within its phase, from 0 (0 in EMITTED and RECEIVED records)
process  u32    process id, as its own PID namespace sees it
thread   u32    native thread id (STARTED and SUBTASK records; 0 otherwise, for asking costs a system call)
first_ns i64    ENQUEUED: when the task was due; STARTED: when the body began; FINISHED: when it ended; EMITTED: when the call
                that hands events over began; RECEIVED: when the subscriber had the event; SUBTASK: when the part began
second_ns i64   ENQUEUED: before the enqueue call; STARTED and FINISHED: when the task was due; EMITTED: when that call ended;
                RECEIVED: when the event says that it happened; SUBTASK: when the part ended
third_ns i64    ENQUEUED: after the enqueue call; STARTED and RECEIVED: the key of the framework's own name for the task
                (``tasks.streaming.identity_key``), in a STARTED record only while it emits events; 0 otherwise
======== ====== =====================================================================================

All times are CLOCK_MONOTONIC in nanoseconds, which the processes and containers of one host share.
"""

import enum
import errno
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

RECORD = struct.Struct("<BBBBHHIIIIqqq")
EVENTS_DIR_VARIABLE = "LAB_EVENTS_DIR"
_RECORD_BYTES = RECORD.size

# Looked up once, here: in the two stamps of a task every tenth of a microsecond counts.
monotonic_ns = time.monotonic_ns
_native_id = threading.get_native_id
_pack = RECORD.pack
_write = os.write


class Kind(enum.IntEnum):
    """What a record tells."""

    ENQUEUED = 1
    STARTED = 2
    FINISHED = 3
    EMITTED = 4
    """A worker has handed events of the framework's own to Redis; whether that went well is not told."""
    RECEIVED = 5
    """A subscriber has received such an event."""
    SUBTASK = 6
    """A part of a task has ended, which had done what it was to do."""


class Outcome(enum.IntEnum):
    """How a send or a task ended."""

    NONE = 0
    OK = 1
    FAILED = 2
    RETRIED = 3
    SKIPPED = 4
    """Not to run, as the task before it in its chain failed for good."""


class Streamed(enum.IntEnum):
    """What a subscriber has received."""

    NOTHING = 0
    """Nothing yet: it is subscribed, and gets what happens from now on."""
    STARTED = 1
    FINISHED = 2
    """The task has ended, well or not."""


class Place(enum.IntFlag):
    """Where a task's body was seen running."""

    MAIN_THREAD = 1
    GREENLET = 2
    COROUTINE = 4


def _nowhere() -> None:
    return None


def _greenlet_probe() -> Callable[[], object | None]:
    """What tells whether the caller is in a spawned greenlet: its parent, or None. Nothing where the greenlet library is not in
    use."""
    module = sys.modules.get("greenlet")
    if module is None:
        return _nowhere
    getcurrent = module.getcurrent
    return lambda: getcurrent().parent


def _loop_probe() -> Callable[[], object | None]:
    """What tells the running event loop, or None, without importing asyncio into workers that do not use it."""
    module = sys.modules.get("asyncio.events")
    return _nowhere if module is None else module._get_running_loop


class Recorder:
    """Appends records to this process's event file.

    ``folder`` is created if missing. Raises OSError when the file cannot be opened or written: a task that cannot be
    accounted for must not pass silently.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._descriptor = -1
        self._process = 0
        self._greenlet_parent: Callable[[], object | None] = _nowhere
        self._running_loop: Callable[[], object | None] = _nowhere
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """In a forked child: leave the parent's file to the parent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = os.getpid()
        self._greenlet_parent = _greenlet_probe()
        self._running_loop = _loop_probe()
        path = self._folder / f"{self._process}-{monotonic_ns()}.events"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        return self._descriptor

    def _give_up_file(self) -> NoReturn:
        """Only part of a record went into the file (its disk is full): what is written from now on goes into a new one, so that
        the stump stays at an end, where readers leave it out. The descriptor stays open, as another thread may be using it."""
        self._descriptor = -1
        raise OSError(errno.ENOSPC, "no space for a whole record of the event log in", str(self._folder))

    def enqueued(
        self, run: int, phase: int, sequence: int, due_ns: int, before_ns: int, after_ns: int, acknowledged: bool, label: int = 0
    ) -> None:
        """Record one send: when it was due, when the call began and ended, and whether it was acknowledged."""
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        outcome = 1 if acknowledged else 2
        written = _write(
            descriptor, _pack(1, outcome, 0, phase, 0, label, run, sequence, self._process, 0, due_ns, before_ns, after_ns)
        )
        if written != _RECORD_BYTES:
            self._give_up_file()

    def started(
        self, run: int, phase: int, sequence: int, due_ns: int, attempt: int = 1, label: int = 0, identity: int = 0
    ) -> None:
        """Record that a task's body begins now, here. ``identity`` is the key of the framework's own name for the task."""
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        process = self._process
        thread = _native_id()
        place = 1 if thread == process else 0
        if self._greenlet_parent() is not None:
            place |= 2
        if self._running_loop() is not None:
            place |= 4
        written = _write(
            descriptor,
            _pack(2, 0, place, phase, attempt, label, run, sequence, process, thread, monotonic_ns(), due_ns, identity),
        )
        if written != _RECORD_BYTES:
            self._give_up_file()

    def finished(
        self, run: int, phase: int, sequence: int, due_ns: int, outcome: int = 1, attempt: int = 1, label: int = 0
    ) -> None:
        """Record that a task's body has ended now, and how."""
        now_ns = monotonic_ns()
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        written = _write(
            descriptor,
            _pack(3, outcome, 0, phase, attempt, label, run, sequence, self._process, 0, now_ns, due_ns, 0),
        )
        if written != _RECORD_BYTES:
            self._give_up_file()

    def emitted(self, began_ns: int, events: int = 1) -> None:
        """Record that a call which began at ``began_ns`` and ends now has handed so many events to Redis."""
        now_ns = monotonic_ns()
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        written = _write(descriptor, _pack(4, 0, 0, 0, 0, events, 0, 0, self._process, 0, began_ns, now_ns, 0))
        if written != _RECORD_BYTES:
            self._give_up_file()

    def received(
        self, run: int, phase: int, subscriber: int, what: int, received_ns: int, occurred_ns: int = 0, identity: int = 0
    ) -> None:
        """Record that a subscriber has received an event (``what`` is of :class:`Streamed`)."""
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        written = _write(
            descriptor,
            _pack(5, what, 0, phase, 0, subscriber, run, 0, self._process, 0, received_ns, occurred_ns, identity),
        )
        if written != _RECORD_BYTES:
            self._give_up_file()

    def subtask(self, run: int, phase: int, sequence: int, number: int, began_ns: int) -> None:
        """Record that a part of a task, which began at ``began_ns``, ends now, here."""
        now_ns = monotonic_ns()
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        written = _write(
            descriptor,
            _pack(6, 1, 0, phase, 0, number, run, sequence, self._process, _native_id(), began_ns, now_ns, 0),
        )
        if written != _RECORD_BYTES:
            self._give_up_file()


class NullRecorder:
    """Records nothing: what the recorder's own cost is measured against, and tasks outside a lab."""

    def enqueued(self, *_: int, **__: int) -> None:
        """Ignore a send."""

    def started(self, *_: int, **__: int) -> None:
        """Ignore a start."""

    def finished(self, *_: int, **__: int) -> None:
        """Ignore an end."""

    def emitted(self, *_: int, **__: int) -> None:
        """Ignore that events were handed over."""

    def received(self, *_: int, **__: int) -> None:
        """Ignore a receipt."""

    def subtask(self, *_: int, **__: int) -> None:
        """Ignore a part of a task."""


def recorder_from_environment() -> Recorder | NullRecorder:
    """The recorder for this process: into ``LAB_EVENTS_DIR``, or none where that is not set."""
    folder = os.environ.get(EVENTS_DIR_VARIABLE)
    return Recorder(folder) if folder else NullRecorder()
