"""How tasks are offered: loads as data, and the schedule of each as a pure function. Standard library only.

A schedule is the offset in nanoseconds, from the start of the load, at which each task is due. It never depends on how the
system under test behaves (an open loop). Only ``tasks.pacing`` sleeps.
"""

import math
import random
from array import array
from dataclasses import dataclass
from typing import Any, Literal

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Burst:
    """``count`` tasks, all due at once; latency counts from the start of the burst."""

    count: int
    kind: Literal["burst"] = "burst"


@dataclass(frozen=True, slots=True)
class Prefilled:
    """``count`` tasks enqueued as fast as the producer can while workers are paused, then drained; a task is due when its
    enqueue call begins. ``many`` uses the framework's fastest way of enqueueing, ``chunk`` tasks a call."""

    count: int
    many: bool = False
    chunk: int = 100
    kind: Literal["prefilled"] = "prefilled"


@dataclass(frozen=True, slots=True)
class Paced:
    """An open loop at ``rate_per_s`` for ``duration_s``: evenly spaced, or Poisson arrivals from ``seed``."""

    rate_per_s: float
    duration_s: float
    arrivals: Literal["uniform", "poisson"] = "uniform"
    seed: int = 0
    kind: Literal["paced"] = "paced"


@dataclass(frozen=True, slots=True)
class Ramp:
    """An open loop whose rate rises (or falls) linearly from ``from_per_s`` to ``to_per_s`` over ``duration_s``."""

    from_per_s: float
    to_per_s: float
    duration_s: float
    kind: Literal["ramp"] = "ramp"


Load = Burst | Prefilled | Paced | Ramp
_KINDS: dict[str, type[Burst | Prefilled | Paced | Ramp]] = {"burst": Burst, "prefilled": Prefilled, "paced": Paced, "ramp": Ramp}


def load_from(data: dict[str, Any]) -> Load:
    """A load from its fields as plain data, as :func:`dataclasses.asdict` gives them. Raises ValueError for an unknown kind."""
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        raise ValueError(f"load kind {data.get('kind')!r} is not one of {', '.join(_KINDS)}")
    return kind(**data)


def count_of(load: Load) -> int:
    """How many tasks a load offers."""
    match load:
        case Burst() | Prefilled():
            return load.count
        case Paced() | Ramp():
            return len(schedule_ns(load))


def schedule_ns(load: Load) -> array[int]:
    """Offsets in nanoseconds at which the tasks are due, ascending. Raises ValueError for a load without a schedule
    (prefilled) or with a rate or duration that is not positive."""
    match load:
        case Burst():
            return array("q", bytes(8 * load.count))
        case Paced(arrivals="uniform"):
            _require_positive(rate_per_s=load.rate_per_s, duration_s=load.duration_s)
            count = int(load.rate_per_s * load.duration_s + 1e-9)
            return array("q", (round(i * NS_PER_S / load.rate_per_s) for i in range(count)))
        case Paced():
            _require_positive(rate_per_s=load.rate_per_s, duration_s=load.duration_s)
            return _poisson_ns(load)
        case Ramp():
            _require_positive(duration_s=load.duration_s, mean_rate=load.from_per_s + load.to_per_s)
            return _ramp_ns(load)
        case Prefilled():
            raise ValueError("a prefilled load has no schedule: it goes as fast as the producer can")


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")


def _poisson_ns(load: Paced) -> array[int]:
    """Exponential gaps: a Poisson process (Knuth, TAOCP 2, 3.4.1)."""
    draw = random.Random(load.seed)
    offsets = array("q")
    now_s = draw.expovariate(load.rate_per_s)
    while now_s < load.duration_s:
        offsets.append(round(now_s * NS_PER_S))
        now_s += draw.expovariate(load.rate_per_s)
    return offsets


def _ramp_ns(load: Ramp) -> array[int]:
    """The times at which the integral of the rate, ``from*t + (to-from)*t²/(2*duration)``, reaches 0, 1, 2, ..."""
    slope = (load.to_per_s - load.from_per_s) / load.duration_s
    total = int((load.from_per_s + load.to_per_s) / 2 * load.duration_s + 1e-9)
    offsets = array("q")
    for index in range(total):
        if slope == 0:
            at_s = index / load.from_per_s
        else:
            root = math.sqrt(max(0.0, load.from_per_s**2 + 2 * slope * index))
            at_s = (root - load.from_per_s) / slope
        offsets.append(round(at_s * NS_PER_S))
    return offsets
