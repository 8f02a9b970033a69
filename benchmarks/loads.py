"""How tasks are offered: loads as data, and the schedule of each as a pure function. Standard library only.

A load with a value that makes no sense cannot be built: that raises ValueError, which names the field and the value.

A schedule is the offset in nanoseconds, from the start of the load, at which each task is due. It never depends on how the
system under test behaves (an open loop). Only ``tasks.pacing`` sleeps.
"""

import math
import random
from array import array
from dataclasses import dataclass
from typing import Any, Literal, get_args

NS_PER_S = 1_000_000_000

Arrivals = Literal["uniform", "poisson"]


@dataclass(frozen=True, slots=True)
class Burst:
    """``count`` tasks, all due at once; latency counts from the start of the burst."""

    count: int
    kind: Literal["burst"] = "burst"

    def __post_init__(self) -> None:
        _require_whole(0, count=self.count)


@dataclass(frozen=True, slots=True)
class Prefilled:
    """``count`` tasks enqueued as fast as the producer can while workers are paused, then drained; a task is due when its
    enqueue call begins. ``many`` uses the framework's fastest way of enqueueing, ``chunk`` tasks a call."""

    count: int
    many: bool = False
    chunk: int = 100
    kind: Literal["prefilled"] = "prefilled"

    def __post_init__(self) -> None:
        _require_whole(0, count=self.count)
        _require_whole(1, chunk=self.chunk)


@dataclass(frozen=True, slots=True)
class Paced:
    """An open loop at ``rate_per_s`` for ``duration_s``: evenly spaced, or Poisson arrivals from ``seed``."""

    rate_per_s: float
    duration_s: float
    arrivals: Arrivals = "uniform"
    seed: int = 0
    kind: Literal["paced"] = "paced"

    def __post_init__(self) -> None:
        _require_positive(rate_per_s=self.rate_per_s, duration_s=self.duration_s)
        if self.arrivals not in get_args(Arrivals):
            raise ValueError(f"arrivals must be one of {', '.join(get_args(Arrivals))}, not {self.arrivals!r}")


@dataclass(frozen=True, slots=True)
class Ramp:
    """An open loop whose rate rises (or falls) linearly from ``from_per_s`` to ``to_per_s`` over ``duration_s``. One of the two
    rates may be 0."""

    from_per_s: float
    to_per_s: float
    duration_s: float
    kind: Literal["ramp"] = "ramp"

    def __post_init__(self) -> None:
        _require_positive(duration_s=self.duration_s)
        _require_finite(from_per_s=self.from_per_s, to_per_s=self.to_per_s)
        if self.from_per_s == self.to_per_s == 0:
            raise ValueError("from_per_s and to_per_s must not both be 0")


Load = Burst | Prefilled | Paced | Ramp
_KINDS: dict[str, type[Burst | Prefilled | Paced | Ramp]] = {"burst": Burst, "prefilled": Prefilled, "paced": Paced, "ramp": Ramp}


def load_from(data: dict[str, Any]) -> Load:
    """A load from its fields as plain data, as :func:`dataclasses.asdict` gives them. Raises ValueError for an unknown kind or a
    bad value."""
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
    (prefilled)."""
    match load:
        case Burst():
            return array("q", bytes(8 * load.count))
        case Paced(arrivals="uniform"):
            count = int(load.rate_per_s * load.duration_s + 1e-9)
            return array("q", (round(i * NS_PER_S / load.rate_per_s) for i in range(count)))
        case Paced():
            return _poisson_ns(load)
        case Ramp():
            return _ramp_ns(load)
        case Prefilled():
            raise ValueError("a prefilled load has no schedule: it goes as fast as the producer can")


def _require_whole(least: int, **values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def _require_finite(**values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")


def _require_positive(**values: Any) -> None:
    _require_finite(**values)
    for name, value in values.items():
        if value == 0:
            raise ValueError(f"{name} must be positive, not {value!r}")


def _poisson_ns(load: Paced) -> array[int]:
    """Exponential gaps: a Poisson process (Knuth, TAOCP 2, 3.4.1)."""
    draw = random.Random(load.seed)
    offsets = array("q")
    now_s = draw.expovariate(load.rate_per_s)
    while now_s < load.duration_s:
        offsets.append(int(now_s * NS_PER_S))
        now_s += draw.expovariate(load.rate_per_s)
    return offsets


def _ramp_ns(load: Ramp) -> array[int]:
    """The times at which the integral of the rate, ``from*t + (to-from)*t²/(2*duration)``, reaches 0, 1, 2, ... The root of that
    quadratic is taken in the form that does not cancel for a nearly level ramp (Numerical Recipes, section 5.6)."""
    slope = (load.to_per_s - load.from_per_s) / load.duration_s
    total = int((load.from_per_s + load.to_per_s) / 2 * load.duration_s + 1e-9)
    offsets = array("q", [0] if total else [])
    for index in range(1, total):
        root = math.sqrt(max(0.0, load.from_per_s**2 + 2 * slope * index))
        offsets.append(int(2 * index / (load.from_per_s + root) * NS_PER_S))
    return offsets
