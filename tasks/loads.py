"""What is offered, and when: tasks and loads as data, and the schedule of each as a pure function. Standard library only.

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


DISPATCH_ENDPOINT, WAIT_ENDPOINT, JOB_ENDPOINT = "/dispatch", "/wait", "/job"
"""Those of the web application that put a task into a queue; the others run it themselves."""


@dataclass(frozen=True, slots=True)
class TaskClass:
    """Tasks of one kind: a workload of ``tasks.workloads`` with its argument as plain data. ``label`` is the number that the
    event log and the task table know the class by. ``lane`` names one of several queues of a worker; most have only the
    unnamed one. ``endpoint`` is the path of the web application's endpoint that its tasks are posted to, such as ``/dispatch``;
    empty for the framework's own producer."""

    workload: str
    argument: Any = None
    label: int = 0
    weight: float = 1.0
    lane: str = ""
    endpoint: str = ""

    def __post_init__(self) -> None:
        _require_positive(weight=self.weight)
        if not 0 <= self.label < 1 << 16:
            raise ValueError(f"label must be a number from 0 to 65535, not {self.label!r}")


@dataclass(frozen=True, slots=True)
class Mix:
    """Tasks that are each of one of several classes, drawn by weight: the same ``seed`` draws the same sequence everywhere.

    ``evenly`` leaves nothing to chance: the tasks of each class come at equal distances, as far as its weight allows."""

    classes: tuple[TaskClass, ...]
    seed: int = 0
    kind: Literal["mix"] = "mix"
    evenly: bool = False

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("a mix needs at least one class of task")

    def draw(self, count: int) -> array[int]:
        """For each of ``count`` tasks the place of its class in ``classes``. A longer draw begins with the shorter one."""
        if len(self.classes) == 1:
            return array("H", bytes(2 * count))
        weights = [c.weight for c in self.classes]
        if self.evenly:
            return _evenly(weights, count)
        # A stream of its own: Poisson arrivals of the same seed would otherwise be drawn from the same numbers, and every class
        # would have its own kind of gap before it.
        return array("H", random.Random(f"classes/{self.seed}").choices(range(len(self.classes)), weights, k=count))


@dataclass(frozen=True, slots=True)
class Chain:
    """Units of several tasks, the stages, each executed once the one before it has ended well; a load's count is that of units.

    Stage ``i`` of unit ``u`` has the sequence number ``u * len(stages) + i``. A stage that raises is tried again after
    ``backoff_s`` until it has had ``attempts``; then it has failed for good, and the stages after it are skipped.
    """

    stages: tuple[TaskClass, ...]
    attempts: int = 1
    backoff_s: float = 0.0
    kind: Literal["chain"] = "chain"

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("a chain needs at least one stage")
        _require_whole(1, attempts=self.attempts)
        _require_finite(backoff_s=self.backoff_s)


Tasks = Mix | Chain


def only(workload: str, argument: Any = None) -> Mix:
    """Tasks of one workload, all alike."""
    return Mix((TaskClass(workload, argument),))


def tasks_from(data: dict[str, Any]) -> Tasks:
    """Tasks from their fields as plain data, as :func:`dataclasses.asdict` gives them. Raises ValueError for an unknown kind or a
    bad value."""
    match data.get("kind"):
        case "mix":
            return Mix(**{**data, "classes": tuple(TaskClass(**c) for c in data["classes"])})
        case "chain":
            return Chain(**{**data, "stages": tuple(TaskClass(**c) for c in data["stages"])})
        case kind:
            raise ValueError(f"tasks kind {kind!r} is not one of mix, chain")


def classes_of(tasks: Tasks) -> tuple[TaskClass, ...]:
    """The classes of a mix, or the stages of a chain."""
    return tasks.classes if isinstance(tasks, Mix) else tasks.stages


def goes_through_web(tasks: Tasks) -> bool:
    """Whether tasks are posted to a web application."""
    return any(c.endpoint for c in classes_of(tasks))


def goes_through_broker(task_class: TaskClass) -> bool:
    """Whether a task of this class is put into a queue, rather than being run by the web application that it is posted to."""
    return task_class.endpoint in ("", DISPATCH_ENDPOINT, WAIT_ENDPOINT, JOB_ENDPOINT)


def tasks_in_a_unit(tasks: Tasks) -> int:
    """How many tasks each unit of a load is: the stages of a chain, else one."""
    return len(tasks.stages) if isinstance(tasks, Chain) else 1


def queue_name(base: str, lane: str) -> str:
    """The queue of a lane."""
    return f"{base}-{lane}" if lane else base


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


def _evenly(weights: list[float], count: int) -> array[int]:
    """Smooth weighted round robin, as nginx balances its upstreams: every turn each class earns its weight, and the richest is
    taken and pays for the turn."""
    total = sum(weights)
    credit = [0.0] * len(weights)
    taken = array("H")
    for _ in range(count):
        credit = [c + w for c, w in zip(credit, weights, strict=True)]
        richest = credit.index(max(credit))
        credit[richest] -= total
        taken.append(richest)
    return taken


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
