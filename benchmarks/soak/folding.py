"""Folding a soak: events and samples go in by the segment, windows and books come out; nothing else is kept.

An event belongs to the window in which it happened, and a latency to that in which it ended, so a window is known as soon as all
that happened in it has come: ``lag_s`` after its end. Within that lag events may come in any order and any cut, and the fold may
be saved and restored at any point between: the figures are the same. What is in memory are open windows, executions under way,
and the sets of :mod:`benchmarks.soak.books`, which grow with what went wrong and not with the hours.
"""

import io
import json
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.record.task_table import MISSING, Ints
from benchmarks.soak.books import Arrays, Books, Totals
from benchmarks.soak.open_windows import OpenWindows
from benchmarks.soak.resources import Resources, ResourceSample
from benchmarks.soak.running import Running
from benchmarks.soak.task_events import Ends, Sends, Starts, TaskEvents
from benchmarks.soak.windows import Window
from tasks.events import Outcome
from tasks.loads import NS_PER_S

FORMAT = 1
_ENDS = {"completed": Outcome.OK, "failed": Outcome.FAILED, "retried": Outcome.RETRIED, "skipped": Outcome.SKIPPED}


class Fold:
    """The state of a soak that is being folded.

    All times are nanoseconds on one time line, of which window 0 begins at ``first_unix_ns``; a fold reads no clock. ``lag_s`` is
    how long after it happened an event may be taken. A task is late that ends more than ``late_after_s`` after it was due, and
    given up when it has not ended ``lost_after_s`` after it was sent (to the window; tasks are sent by ascending number).

    Raises ValueError for a window without length.
    """

    def __init__(
        self,
        window_s: float,
        first_unix_ns: int,
        lag_s: float = 30.0,
        late_after_s: float = 60.0,
        lost_after_s: float = 300.0,
    ) -> None:
        if window_s <= 0:
            raise ValueError(f"a window lasts more than {window_s} s")
        self._settings = {
            "window_s": window_s,
            "first_unix_ns": first_unix_ns,
            "lag_s": lag_s,
            "late_after_s": late_after_s,
            "lost_after_s": lost_after_s,
        }
        self._lag_ns, self._late_ns, self._lost_ns = (round(s * NS_PER_S) for s in (lag_s, late_after_s, lost_after_s))
        self._first_ns, self._window_ns = first_unix_ns, round(window_s * NS_PER_S)
        self._windows = OpenWindows(first_unix_ns, self._window_ns)
        self._books, self._running, self._resources = Books(), Running(), Resources()
        self._last_sent: Ints = np.empty(0, np.int64)
        """Of each window the highest number sent in it, -1 where there is none."""

    def take(self, tasks: TaskEvents) -> None:
        """Fold the events of a segment."""
        self._take_sends(tasks.sends)
        self._take_starts(tasks.starts)
        self._take_ends(tasks.ends)
        self._running.take(tasks.starts, tasks.ends)

    def take_samples(self, samples: Iterable[ResourceSample]) -> None:
        """Fold what was read of processes and Redis."""
        self._resources.take(samples)

    def closed_windows(self, until_ns: int) -> list[Window]:
        """The windows that can change no more, given that all that happened until ``lag_s`` before ``until_ns`` was taken: each
        once, by ascending time, those included in which nothing happened."""
        return self._given_out((until_ns - self._lag_ns - self._first_ns) // self._window_ns)

    @property
    def next_window(self) -> int:
        """The number of the window that is given out next."""
        return self._windows.first

    def rest(self) -> list[Window]:
        """All further windows in which anything was seen: at the end of a soak, when nothing more comes."""
        return self._given_out(self._windows.last + 1)

    def totals(self, nothing_more_comes: bool = False) -> Totals:
        """The books of all that was taken. With ``nothing_more_comes`` every task that was acknowledged and has not ended is
        lost."""
        given_up = None if nothing_more_comes else self._given_up()
        return self._books.totals(given_up, self._windows.after_the_lag)

    def state(self) -> bytes:
        """All that is needed to go on from here (:meth:`restore`)."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"last_sent": self._last_sent}
        parts = {"windows": self._windows.arrays(), "books": self._books.arrays(), "running": self._running.arrays()}
        for name, part in parts.items():
            arrays |= {f"{name}:{key}": content for key, content in part.items()}
        head = {"format": FORMAT, "settings": self._settings, "resources": self._resources.as_json()}
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as compressed:
            compressed.write(file.getvalue())
        return bytes(sink.getvalue())

    @classmethod
    def restore(cls, state: bytes) -> "Fold":
        """The fold that gave this :meth:`state`. Raises ValueError for one of another version."""
        content = pa.CompressedInputStream(pa.BufferReader(state), "zstd").read()
        with np.load(io.BytesIO(content)) as stored:
            arrays = dict(stored)
        head = json.loads(arrays["head"].tobytes())
        if head["format"] != FORMAT:
            raise ValueError(
                f"the state of this soak is of format {head['format']}, not {FORMAT}: go on with the version that wrote it"
            )
        fold = cls(**head["settings"])
        fold._windows = OpenWindows.of(_part(arrays, "windows"))
        fold._books = Books.of(_part(arrays, "books"))
        fold._running = Running.of(_part(arrays, "running"))
        fold._resources = Resources.of(head["resources"])
        fold._last_sent = arrays["last_sent"]
        return fold

    def _take_sends(self, sends: Sends) -> None:
        numbers = self._windows.numbers(sends.sent_ns)
        acknowledged = sends.acknowledged_ns != MISSING
        self._windows.count("sent", numbers)
        self._windows.count("acknowledged", numbers[acknowledged])
        self._windows.measure("lateness", numbers, sends.class_code, sends.sent_ns - sends.due_ns)
        send_ns = (sends.acknowledged_ns - sends.sent_ns)[acknowledged]
        self._windows.measure("send", numbers[acknowledged], sends.class_code[acknowledged], send_ns)
        self._books.take_sends(sends)
        self._mark(sends)

    def _take_starts(self, starts: Starts) -> None:
        numbers = self._windows.numbers(starts.started_ns)
        self._windows.count("started", numbers)
        first = starts.attempt <= 1
        wait_ns = (starts.started_ns - starts.due_ns)[first]
        self._windows.measure("queue_wait", numbers[first], starts.class_code[first], wait_ns)
        self._books.take_starts(starts)

    def _take_ends(self, ends: Ends) -> None:
        numbers = self._windows.numbers(ends.ended_ns)
        for event, outcome in _ENDS.items():
            self._windows.count(event, numbers[ends.outcome == outcome])
        final = (ends.outcome == Outcome.OK) | (ends.outcome == Outcome.FAILED)
        self._windows.measure("end_to_end", numbers[final], ends.class_code[final], (ends.ended_ns - ends.due_ns)[final])
        self._books.take_ends(ends, self._late_ns)

    def _mark(self, sends: Sends) -> None:
        """Remember up to which number had been sent by the end of each window."""
        if len(sends.sequence) == 0:
            return
        places = np.maximum((sends.sent_ns - self._first_ns) // self._window_ns, 0)
        missing = int(places.max()) + 1 - len(self._last_sent)
        if missing > 0:
            self._last_sent = np.concatenate([self._last_sent, np.full(missing, MISSING, np.int64)])
        np.maximum.at(self._last_sent, places, sends.sequence)

    def _given_up(self) -> int:
        """The highest number sent so long ago that it is given up; -1 where there is none."""
        windows = (self._windows.newest_ns - self._lost_ns - self._first_ns) // self._window_ns
        return int(self._last_sent[: max(windows, 0)].max(initial=MISSING))

    def _given_out(self, end: int) -> list[Window]:
        found = []
        while self._windows.first < end:
            number = self._windows.first
            begin_ns, end_ns = self._windows.edge_ns(number), self._windows.edge_ns(number + 1)
            served = self._running.ended_before(end_ns)
            self._windows.measure("service", np.full(len(served.ended_ns), number), served.class_code, served.service_ns)
            events, resources = self._windows.give_out(), self._resources.before(end_ns)
            found.append(
                Window(
                    index=number,
                    begin_ns=begin_ns,
                    end_ns=end_ns,
                    **events.counts,
                    generation=resources.generation,
                    latencies=events.latencies,
                    gauges=resources.gauges,
                    counters=resources.counters,
                )
            )
        return found


def _part(arrays: Arrays, name: str) -> dict[str, npt.NDArray[np.generic]]:
    return {key.partition(":")[2]: content for key, content in arrays.items() if key.startswith(f"{name}:")}
