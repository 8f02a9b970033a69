"""What was read of processes and Redis, folded into windows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.soak.windows import COUNTERS, GAUGES, Gauge


@dataclass(frozen=True, slots=True)
class ResourceSample:
    """What was read at a moment. ``figures`` are any of :data:`GAUGES` and :data:`COUNTERS`; ``generation`` is the number of the
    worker's life, one more after each restart. Raises ValueError for figures of other names."""

    at_ns: int
    generation: int
    figures: Mapping[str, float]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.figures) - set(GAUGES) - set(COUNTERS))
        if unknown:
            raise ValueError(f"a window of a soak has no place for {', '.join(unknown)}: name it in benchmarks/soak/windows.py")


@dataclass(frozen=True, slots=True)
class WindowResources:
    """What a window keeps of its samples."""

    generation: int | None
    gauges: Mapping[str, Gauge]
    counters: Mapping[str, float]


class Resources:
    """The samples of open windows, and of each counter the last one before."""

    def __init__(self) -> None:
        self._waiting: list[ResourceSample] = []
        self._last: dict[str, tuple[int, float]] = {}

    def take(self, samples: Iterable[ResourceSample]) -> None:
        """Remember them, in any order."""
        self._waiting += samples

    def before(self, at_ns: int) -> WindowResources:
        """What to keep of those that were read before, each once."""
        chosen = sorted((sample for sample in self._waiting if sample.at_ns < at_ns), key=lambda sample: sample.at_ns)
        self._waiting = [sample for sample in self._waiting if sample.at_ns >= at_ns]
        gauges = {}
        for name in GAUGES:
            values = [sample.figures[name] for sample in chosen if name in sample.figures]
            if values:
                gauges[name] = Gauge(float(np.mean(values)), max(values))
        counters = {}
        for name in COUNTERS:
            read = [(sample.generation, sample.figures[name]) for sample in chosen if name in sample.figures]
            if read:
                series = [self._last[name], *read] if name in self._last else read
                counters[name] = sum(_rise(earlier, later) for earlier, later in pairwise(series))
                self._last[name] = read[-1]
        return WindowResources(chosen[-1].generation if chosen else None, gauges, counters)

    def as_json(self) -> str:
        """All that is needed to go on."""
        return json.dumps({"waiting": [asdict(sample) for sample in self._waiting], "last": self._last})

    @classmethod
    def of(cls, text: str) -> "Resources":
        """Those that gave this :meth:`as_json`."""
        content: dict[str, Any] = json.loads(text)
        resources = cls()
        resources._waiting = [ResourceSample(**sample) for sample in content["waiting"]]
        resources._last = {name: (generation, value) for name, (generation, value) in content["last"].items()}
        return resources


def _rise(earlier: Sequence[float], later: Sequence[float]) -> float:
    """From one reading to the next, each of generation and value: all of the later one where the counter began anew."""
    return later[1] - earlier[1] if later[1] >= earlier[1] else later[1]
