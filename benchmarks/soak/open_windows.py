"""Windows that can still change: counts of events and latencies by class and stage, until they are given out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import boost_histogram as bh
import numpy as np
import numpy.typing as npt

from benchmarks.record.task_table import Ints
from benchmarks.soak.books import Arrays
from benchmarks.soak.latency_histogram import BINS, LatencyHistogram, latency_axis, of_counts, to_fill
from benchmarks.soak.windows import STAGES

EVENTS = ("sent", "acknowledged", "started", "completed", "failed", "retried", "skipped")
_STAGES = tuple(STAGES)
_CLASS_LIMIT = 256
MOST_OPEN = 100_000
"""Windows: more than two days of two seconds each."""


@dataclass(slots=True, eq=False)
class _Latencies:
    counts: Ints = field(default_factory=lambda: np.zeros(BINS + 2, np.int64))
    total_ns: float = 0.0
    greatest_ns: int = 0


@dataclass(frozen=True, slots=True)
class WindowEvents:
    """What a window has of tasks."""

    counts: Mapping[str, int]
    """By :data:`EVENTS`."""
    latencies: Mapping[tuple[int, str], LatencyHistogram]


class OpenWindows:
    """From ``first`` on, the number of the first window that was not given out. An event of an earlier one counts there, and in
    ``after_the_lag``."""

    def __init__(self, first_ns: int, window_ns: int) -> None:
        self.first = 0
        self.after_the_lag = 0
        self.newest_ns = first_ns
        self._first_ns, self._window_ns = first_ns, window_ns
        self._counts: dict[int, dict[str, int]] = {}
        self._latencies: dict[tuple[int, int, str], _Latencies] = {}

    def edge_ns(self, number: int) -> int:
        """Where a window begins."""
        return self._first_ns + number * self._window_ns

    @property
    def last(self) -> int:
        """The number of the last window in which anything was seen."""
        return (self.newest_ns - self._first_ns) // self._window_ns

    def numbers(self, at_ns: Ints) -> Ints:
        """The windows in which events that were just taken count. Raises ValueError for times that lie too far ahead."""
        if len(at_ns) == 0:
            return at_ns
        newest_ns = int(at_ns.max())
        ahead = (newest_ns - self._first_ns) // self._window_ns - self.first
        if ahead > MOST_OPEN:
            raise ValueError(
                f"an event lies {ahead:,} windows after the last that was given out: is its time on the soak's time line "
                f"(shift_ns), and are windows asked for?"
            )
        self.newest_ns = max(self.newest_ns, newest_ns)
        numbers = (at_ns - self._first_ns) // self._window_ns
        self.after_the_lag += int((numbers < self.first).sum())
        return np.maximum(numbers, self.first)

    def count(self, event: str, numbers: Ints) -> None:
        """Count events of one kind, each in its window."""
        if len(numbers) == 0:
            return
        least = int(numbers.min())
        found = np.bincount(numbers - least)
        for place in np.flatnonzero(found):
            counts = self._counts.setdefault(least + int(place), dict.fromkeys(EVENTS, 0))
            counts[event] += int(found[place])

    def measure(self, stage: str, numbers: Ints, class_codes: Ints, latencies_ns: Ints) -> None:
        """Enter latencies, each in its window and class. Raises ValueError for a class code that is none (0 to 255)."""
        if len(numbers) == 0:
            return
        if int(class_codes.min()) < 0 or int(class_codes.max()) >= _CLASS_LIMIT:
            raise ValueError(f"class codes are 0 to {_CLASS_LIMIT - 1}, not {class_codes.min()} to {class_codes.max()}")
        groups = numbers * _CLASS_LIMIT + class_codes
        least = int(groups.min())
        groups -= least
        present = np.flatnonzero(np.bincount(groups))
        places = np.zeros(int(present[-1]) + 1, np.int64)
        places[present] = np.arange(len(present))
        places = places[groups]
        binned = bh.Histogram(
            bh.axis.Integer(0, len(present), underflow=False, overflow=False), latency_axis(), storage=bh.storage.Int64()
        )
        binned.fill(places, to_fill(latencies_ns))
        counts = binned.view(flow=True)
        totals_ns = np.bincount(places, weights=latencies_ns)
        greatest_ns = np.full(len(present), np.iinfo(np.int64).min)
        np.maximum.at(greatest_ns, places, latencies_ns)
        for place, group in enumerate(present + least):
            number, class_code = divmod(int(group), _CLASS_LIMIT)
            kept = self._latencies.setdefault((number, class_code, stage), _Latencies())
            kept.counts += counts[place]
            kept.total_ns += float(totals_ns[place])
            kept.greatest_ns = max(kept.greatest_ns, int(greatest_ns[place]))

    def give_out(self) -> WindowEvents:
        """The first of them, which is closed by that."""
        number = self.first
        counts = self._counts.pop(number, dict.fromkeys(EVENTS, 0))
        found = {}
        for class_code, stage in sorted(key[1:] for key in self._latencies if key[0] == number):
            kept = self._latencies.pop((number, class_code, stage))
            found[class_code, stage] = of_counts(kept.counts, kept.total_ns, kept.greatest_ns)
        self.first += 1
        return WindowEvents(counts, found)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that is needed to go on."""
        keys = list(self._latencies)
        kept = list(self._latencies.values())
        return {
            "state": np.array([self.first, self.after_the_lag, self.newest_ns, self._first_ns, self._window_ns], np.int64),
            "counts": np.array(list(self._count_rows()), np.int64).reshape(-1, 1 + len(EVENTS)),
            "keys": np.array([(number, code, _STAGES.index(stage)) for number, code, stage in keys], np.int64).reshape(-1, 3),
            "bins": np.array([latencies.counts for latencies in kept], np.int64).reshape(-1, BINS + 2),
            "totals_ns": np.array([latencies.total_ns for latencies in kept], np.float64),
            "greatest_ns": np.array([latencies.greatest_ns for latencies in kept], np.int64),
        }

    @classmethod
    def of(cls, arrays: Arrays) -> "OpenWindows":
        """Those that gave these :meth:`arrays`."""
        first, after_the_lag, newest_ns, first_ns, window_ns = (int(value) for value in arrays["state"])
        windows = cls(first_ns, window_ns)
        windows.first, windows.after_the_lag, windows.newest_ns = first, after_the_lag, newest_ns
        for number, *counts in arrays["counts"].tolist():
            windows._counts[number] = dict(zip(EVENTS, counts, strict=True))
        for place, (number, class_code, stage) in enumerate(arrays["keys"].tolist()):
            windows._latencies[number, class_code, _STAGES[stage]] = _Latencies(
                arrays["bins"][place].astype(np.int64), float(arrays["totals_ns"][place]), int(arrays["greatest_ns"][place])
            )
        return windows

    def _count_rows(self) -> Iterator[list[int]]:
        for number, counts in self._counts.items():
            yield [number, *counts.values()]
